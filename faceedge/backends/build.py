"""Builds an engine in a process of its own: trying kernels takes several times the memory of running them, and a fault
in it must not take the door along. In: an order; out: progress, then a signed plan in its place.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType

from pydantic import ValidationError

from faceedge.backends.build_child import Said, Task
from faceedge.backends.build_limits import available_bytes, make_group, remove_group
from faceedge.backends.build_order import BuildCancelled, BuildFailed, Order, Outcome, Progress, death, sentence
from faceedge.backends.build_scratch import keep, prepare, told
from faceedge.backends.guarded import Refused
from faceedge.backends.trt_network import speaks_of_memory
from faceedge.errors import one_line

__all__ = ["Build", "BuildCancelled", "BuildFailed", "Order", "Outcome", "Progress"]

MAX_LINE_BYTES = 1 << 16
_LOOKING_S = 0.5
_STDERR_BYTES = 8192
_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from faceedge.backends.build_child import main; main()"
)
_NOT_ITS = ("CREDENTIALS_DIRECTORY", "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC")
"""What systemd gave to the daemon alone; the rest of the environment may steer CUDA."""


class Build:
    """A build under way. One thread goes through `events()` (or waits in `result()`) to its end: there the limits are
    watched and the plan is put in its place. `cancel()` may come from any thread. Close it, or use a `with` block."""

    def __init__(self, order: Order, process: subprocess.Popen[bytes], scratch: Path, cleaning: ExitStack) -> None:
        self._order, self._process, self._scratch, self._cleaning = order, process, scratch, cleaning
        self._ends_at = time.monotonic() + order.limit_s
        self._look_at = 0.0
        self._stopped = ""
        self._is_cancelled = False
        self._stderr, self._hears_noise = b"", True
        self._said = self._answers()  # one for all who ask: lines may be begun, or read and not yet passed on
        self._last: Said | None = None
        self._result: Outcome | BuildFailed | None = None

    @classmethod
    def start(cls, order: Order) -> Build:
        """Raises BuildFailed when it cannot begin, or another build is under way in this state directory."""
        cleaning = ExitStack()
        try:
            scratch = prepare(order, cleaning)
            return cls(order, _start(order, scratch, cleaning), scratch, cleaning)
        except BaseException as error:
            cleaning.close()
            if isinstance(error, (OSError, Refused)):
                raise BuildFailed(sentence(order, f"it could not be started ({told(error)})")) from error
            raise

    def events(self) -> Iterator[Progress]:
        """How far it is, until its end. Raises BuildFailed, BuildCancelled."""
        for said in self._said if self._result is None else ():
            self._last = said
            if not (said.done or said.failed):
                yield Progress(said.share, one_line(said.phase, 100))
        if self._result is None:
            self._result = self._settled(self._last)
        if isinstance(self._result, BuildFailed):
            raise self._result

    def result(self) -> Outcome:
        """Waits for the end. Raises BuildFailed, BuildCancelled."""
        for _ in self.events():
            pass
        assert isinstance(self._result, Outcome)
        return self._result

    def cancel(self) -> None:
        """Ends the process; `events()` and `result()` then raise BuildCancelled, unless the plan was there already."""
        self._is_cancelled = True
        self._process.kill()

    def close(self) -> None:
        """Ends it if it still runs, and clears up; a second call does nothing."""
        if self._result is None:
            self._result = BuildCancelled(sentence(self._order, "it was given up"))
        self._cleaning.close()

    def __enter__(self) -> Build:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _answers(self) -> Iterator[Said]:
        """Lines of the child, until it ends or is ended."""
        begun = b""
        while block := self._block():
            *lines, begun = (begun + block).split(b"\n")
            try:
                yield from map(Said.model_validate_json, lines)
            except ValidationError:
                self._stop("its process answered with what is no answer")
            if len(begun) > MAX_LINE_BYTES:
                self._stop("its process answered with what is no answer")
                begun = b""

    def _block(self) -> bytes:
        """What the child says next; nothing at its end."""
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        out, err = self._process.stdout.fileno(), self._process.stderr.fileno()
        while True:
            self._look_at_limits()
            ready, _, _ = select.select([out, err] if self._hears_noise else [out], [], [], _LOOKING_S)
            if err in ready:
                noise = os.read(err, 1 << 16)
                self._hears_noise = bool(noise)
                self._stderr = (self._stderr + noise)[-_STDERR_BYTES:]
            if out in ready:
                return os.read(out, 1 << 16)

    def _look_at_limits(self) -> None:
        if (now := time.monotonic()) < self._look_at:
            return
        self._look_at = now + _LOOKING_S
        left = available_bytes(self._order.root)
        if now > self._ends_at:
            self._stop(f"it took longer than {self._order.limit_s:.0f} s")
        elif left is not None and left < self._order.spare_bytes:
            self._stop(f"only {left >> 20} MB of memory were left; stop cameras, or lower workspace_mib in the recipe")

    def _stop(self, why: str) -> None:
        self._stopped = self._stopped or why
        self._process.kill()

    def _settled(self, last: Said | None) -> Outcome | BuildFailed:
        """The plan is put in its place, or the reason why there is none is found."""
        code = self._process.wait()
        if self._is_cancelled:
            return BuildCancelled(sentence(self._order, "it was cancelled"))
        if self._stopped:
            return BuildFailed(sentence(self._order, self._stopped))
        if last is None or not last.done or code:
            return self._failure(last, code)
        try:
            notes = keep(self._order, self._scratch)
        except (Refused, OSError) as error:
            return BuildFailed(sentence(self._order, f"its plan could not be kept ({told(error)})"))
        if last.cache_refused:
            notes.append("the timing cache was of another device or version; a new one took its place")
        return Outcome(self._order.place.plan, last.seconds, tuple(notes))

    def _failure(self, last: Said | None, code: int) -> BuildFailed:
        reason = last.failed if last is not None and last.failed else death(code)
        wants_memory = bool(last and last.wants_memory) or code == -signal.SIGKILL
        wants_memory = wants_memory or speaks_of_memory(self._stderr.decode(errors="replace"))
        return BuildFailed(sentence(self._order, reason, wants_memory=wants_memory))


def _start(order: Order, scratch: Path, cleaning: ExitStack) -> subprocess.Popen[bytes]:
    left = available_bytes(order.root)
    share = max(0, left - order.spare_bytes) if left is not None else 0
    group = make_group(share, order.root) if share else None
    cleaning.callback(remove_group, group)
    task = Task(
        graph=str(order.graph.absolute()), graph_sha256=order.wanted.graph_sha256, options=order.wanted.options,
        typing=order.wanted.typing, tensorrt=order.wanted.tensorrt, folder=str(scratch.absolute()),
        group=str(group) if group else "", tactic_bytes=share if order.wanted.l4t else 0,
    )  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-I", "-c", _START, json.dumps([os.path.abspath(path) for path in sys.path])],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0, cwd="/",
        env={name: value for name, value in os.environ.items() if name not in _NOT_ITS}, start_new_session=True,
    )  # fmt: skip
    cleaning.callback(_end, process)
    assert process.stdin is not None
    with suppress(BrokenPipeError):  # it has gone: there will be no answer either
        process.stdin.write(task.model_dump_json().encode() + b"\n")
    return process


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    for pipe in (process.stdin, process.stdout, process.stderr):
        with suppress(OSError):
            pipe.close()  # type: ignore[union-attr]
    process.wait()
