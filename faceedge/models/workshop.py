"""The process for strangers' files, from this side: requests in, answers out, limits held. For `apart.py`.

A graph that crashes its reader, never ends or wants all the memory ends that process, not this one. It is no prison:
a file that takes over the reader has this user's rights until it is killed.
"""

from __future__ import annotations

import json
import logging
import math
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from faceedge.errors import MissingExtra, PackageError
from faceedge.models.graph import size_of

log = logging.getLogger(__name__)

LIMIT_S = 120.0
"""For a small file; each MB adds a second."""
MEMORY_BYTES = 4 << 30
"""For a small file; its copies on the way add eight times its size."""
MAX_ANSWER_BYTES = 5 << 20
CRASHED = "crashes the libraries that read it: damaged, or made to; fetch or export it again"
_START = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from faceedge.models.child import main; main()"
_KEPT = ("PATH", "HOME", "LD_LIBRARY_PATH", "LANG", "TMPDIR")
_SET = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "ORT_DISABLE_TELEMETRY": "1"}


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")

    value: Any = None
    refused: str = ""
    died: int = 0


class Workshop:
    """The other process, started at the first request and again after one that it did not survive. One thread at a
    time; a `with` block ends it."""

    def __init__(self, limit_s: float = LIMIT_S, memory_bytes: int = MEMORY_BYTES) -> None:
        self._limit_s = limit_s
        self._memory_bytes = memory_bytes
        self._process: subprocess.Popen[bytes] | None = None
        self._said = -1

    def __enter__(self) -> Workshop:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def ask(self, graph: Path, request: dict[str, Any]) -> Any:
        """The value of an answer. Raises PackageError without the path, MissingExtra."""
        size = size_of(graph)
        limit_s = self._limit_s + (size >> 20)
        limits = {"memory_bytes": self._memory_bytes + 8 * size, "cpu_s": math.ceil(limit_s)}
        line = json.dumps(request | limits | {"graph": str(graph.absolute())}).encode() + b"\n"
        try:
            answer = self._exchange(line, limit_s)
        except BaseException:
            self.close()  # whatever it is at, nobody waits for it
            raise
        if answer.died:
            raise PackageError(_cause(answer.died, limit_s))
        if answer.refused:
            raise PackageError(answer.refused)
        return answer.value

    def close(self) -> None:
        """Ends the process and whatever it has started; a second call does nothing."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                pipe.close()  # type: ignore[union-attr]
        self._process.wait()
        os.close(self._said)
        self._process = None

    def _exchange(self, line: bytes, limit_s: float) -> _Answer:
        process = self._running()
        assert process.stdin is not None
        assert process.stdout is not None
        deadline = time.monotonic() + limit_s
        with suppress(BrokenPipeError):  # it has gone: there will be no answer either
            process.stdin.write(line)
        told = b""
        while not told.endswith(b"\n"):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([process.stdout], [], [], left)[0]:
                raise PackageError(_cause(-signal.SIGXCPU, limit_s))
            block = os.read(process.stdout.fileno(), 1 << 16)
            told += block
            if not block or len(told) > MAX_ANSWER_BYTES:
                raise PackageError(_cause(-signal.SIGSEGV, limit_s))
        self._note_stderr()
        try:
            return _Answer.model_validate_json(told)
        except ValidationError as error:
            raise PackageError(_cause(-signal.SIGSEGV, limit_s)) from error

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is not None and not _has_ended(self._process.pid):
            return self._process
        self.close()
        _check_installed()
        said, stderr = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)  # full, it takes no more and nobody waits
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-c", _START, json.dumps([os.path.abspath(path) for path in sys.path])],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, bufsize=0, cwd="/",
                env={key: os.environ[key] for key in _KEPT if key in os.environ} | _SET, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            os.close(said)
            raise PackageError(f"cannot be tried: no process can be started ({error.strerror}); free memory") from error
        finally:
            os.close(stderr)
        self._said = said
        return self._process

    def _note_stderr(self) -> None:
        with suppress(BlockingIOError):
            if said := os.read(self._said, 1 << 16):
                log.debug("reading a graph, its libraries said %r", said)


def _has_ended(process: int) -> bool:
    """Without taking its number away from it: until then no stranger's process group can bear that."""
    return os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _cause(code: int, limit_s: float) -> str:
    """Why there is no answer, from how the process ended."""
    if code in (-signal.SIGXCPU, -signal.SIGALRM):
        return f"took longer than {limit_s:.0f} s to read and try; it is too large for this machine, or damaged"
    if code == -signal.SIGKILL:
        return "was killed while it was tried, most likely for want of memory; free some, or take a smaller network"
    return CRASHED


def _check_installed() -> None:
    for name in ("onnx", "onnxruntime"):
        if find_spec(name) is None:
            raise MissingExtra(f'{name} is not installed; install the extra: pip install "faceedge[cpu]"')
