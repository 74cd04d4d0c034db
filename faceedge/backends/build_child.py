"""The process that builds one engine for `build.py`: one JSON line in on stdin, JSON lines out on stdout, the plan and
the timing cache into a folder. It ends when its stdin does, so never without its parent.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import select
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import Field

from faceedge.backends import build_limits
from faceedge.backends.fingerprint import BuildOptions, Typing
from faceedge.backends.trt_log import tensorrt
from faceedge.backends.trt_network import BuildError, Work, build
from faceedge.errors import FaceedgeError, one_line
from faceedge.manifest import Part

PLAN, CACHE, KEPT_CACHE = "plan", "timing.cache", "kept.cache"
MAX_LINE_BYTES = 1 << 20


class Task(Part):
    """folder: where the plan goes, and a kept timing cache may lie. tactic_bytes: see `trt_network.build`."""

    graph: str
    graph_sha256: str
    options: BuildOptions
    typing: Typing
    tensorrt: str
    folder: str
    group: str = ""
    tactic_bytes: int = 0


class Said(Part):
    """One line of the answer: how far it is; or that it is done, or failed and why."""

    share: float = Field(0.0, ge=0, le=1)
    phase: str = Field("", max_length=500)
    done: bool = False
    cache_refused: bool = False
    seconds: float = 0.0
    failed: str = Field("", max_length=500)
    wants_memory: bool = False


def main() -> None:
    """Reads the task, then obeys nothing but the end of stdin."""
    answers = os.dup(1)
    os.dup2(2, 1)  # what a library prints must not look like an answer
    task = Task.model_validate_json(_line(0))
    end_with(0)
    build_limits.hold_back(group=Path(task.group) if task.group else None)
    said = run(task, lambda share, phase: _tell(answers, Said(share=share, phase=one_line(phase, 100))))
    _tell(answers, said)
    os._exit(0)  # TensorRT's own clean-up at exit has nothing to save, and may hang


def run(task: Task, report: Callable[[float, str], None]) -> Said:
    """The last line of the answer."""
    start = time.monotonic()
    try:
        refused = _build(task, report)
    except BuildError as error:
        return Said(failed=str(error), wants_memory=error.wants_memory)
    except FaceedgeError as error:
        return Said(failed=one_line(str(error)))
    except MemoryError:
        return Said(failed="the host's memory is used up", wants_memory=True)
    except OSError as error:
        return Said(failed=f"a file cannot be read or written ({error.strerror or type(error).__name__})")
    return Said(done=True, share=1.0, cache_refused=refused, seconds=time.monotonic() - start)


def end_with(descriptor: int) -> None:
    """SIGKILL as soon as the other end of a pipe is closed, or written to.

    By the kernel, and not by a thread that looks: TensorRT may hold Python's lock for minutes. PR_SET_PDEATHSIG would
    fire at the end of the thread that started this process, and the daemon's errands have threads of their own.
    """
    fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(descriptor, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(descriptor, fcntl.F_SETFL, fcntl.fcntl(descriptor, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([descriptor], [], [], 0)[0]:  # it was closed before
        os.kill(os.getpid(), signal.SIGKILL)


def _build(task: Task, report: Callable[[float, str], None]) -> bool:
    """Whether the kept timing cache was refused."""
    trt, folder = tensorrt(), Path(task.folder)
    if str(trt.__version__) != task.tensorrt:
        raise BuildError(f"TensorRT changed from {task.tensorrt} to {one_line(str(trt.__version__), 40)}; start again")
    graph = Path(task.graph).read_bytes()
    if hashlib.sha256(graph).hexdigest() != task.graph_sha256:
        raise BuildError("the graph is not the one that was checked; verify the package, then start again")
    kept = folder / KEPT_CACHE
    cache = kept.read_bytes() if kept.exists() else b""
    made = build(trt, Work(graph, task.options, task.typing, cache, task.tactic_bytes), report)
    _write(folder / PLAN, made.plan)
    if made.timing_cache is not None:
        _write(folder / CACHE, made.timing_cache)
    return made.cache_refused


def _write(path: Path, content: Any) -> None:
    """content: anything that reads as bytes, without a copy of it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(memoryview(content))


def _line(descriptor: int) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        block = os.read(descriptor, 1 << 16)
        if not block or len(line) > MAX_LINE_BYTES:
            os._exit(1)  # the parent has gone
        line += block
    return line


_telling = threading.Lock()


def _tell(descriptor: int, said: Said) -> None:
    """From TensorRT's threads as well. A parent that no longer listens is about to end this process."""
    line = json.dumps(said.model_dump(exclude_defaults=True), allow_nan=False).encode() + b"\n"
    with _telling:
        try:
            while line:
                line = line[os.write(descriptor, line) :]
        except OSError:
            return


if __name__ == "__main__":
    main()
