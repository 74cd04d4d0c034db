"""A `tensorrt` that misbehaves as $FACEEDGE_ODD says as soon as somebody builds; for the process that builds engines.

What it notes goes into the file $FACEEDGE_ODD_NOTES.
"""

from __future__ import annotations

import ctypes
import enum
import json
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

__version__ = "10.3.0"


class ILogger:
    class Severity(enum.IntEnum):
        INTERNAL_ERROR, ERROR, WARNING, INFO, VERBOSE = range(5)

    def log(self, severity: Severity, msg: str) -> None:
        raise NotImplementedError


class IProgressMonitor:
    pass


class Builder:
    def __init__(self, logger: Any) -> None:
        _ODDITIES[os.environ["FACEEDGE_ODD"]](logger)
        raise TypeError("pybind11::init(): factory function returned nullptr")


def _note(logger: Any) -> None:
    noted = {
        "pid": os.getpid(), "nice": os.getpriority(os.PRIO_PROCESS, 0), "cwd": str(Path.cwd()),
        "oom_score_adj": int(Path("/proc/self/oom_score_adj").read_text()), "environment": sorted(os.environ),
    }  # fmt: skip
    path = Path(os.environ["FACEEDGE_ODD_NOTES"])
    beside = path.with_suffix(".new")
    beside.write_text(json.dumps(noted))
    beside.replace(path)


def _hold(logger: Any) -> None:
    """Without letting any other thread of this process run."""
    _note(logger)
    ctypes.PyDLL(None).sleep(600)


def _sit(logger: Any) -> None:
    _note(logger)
    time.sleep(600)


def _silent(logger: Any) -> None:
    pass


def _told(logger: Any) -> None:
    logger.log(ILogger.Severity.WARNING, "something odd")
    logger.log(
        ILogger.Severity.ERROR,
        "[optimizer.cpp::computeCosts::4048] Error Code 10: Internal Error (Could not find any implementation "
        "for node {ForeignNode[conv1...conv9]}.\n)",
    )


def _nvmap(logger: Any) -> None:
    os.write(2, b"NvMapMemAllocInternalTagged: 1075072515 error 12\n")
    _told(logger)


def _noise(logger: Any) -> None:
    """On the stdout that a library knows."""
    sys.stdout.write('{"done": true}\n' + "loading plugins\n" * 10_000)
    sys.stdout.flush()
    os.write(1, b'{"done": true}\n')
    _told(logger)


def _flood(logger: Any) -> None:
    for _ in range(2000):
        os.write(2, b"x" * 4096)
    _told(logger)


def _everywhere(line: bytes) -> None:
    for descriptor in range(3, 20):
        with suppress(OSError):
            os.write(descriptor, line)


def _garble(logger: Any) -> None:
    _everywhere(b"\xff\x00{[\n")
    time.sleep(600)


def _endless(logger: Any) -> None:
    for _ in range(100):
        _everywhere(b"x" * 4096)
    time.sleep(600)


def _lie(logger: Any) -> None:
    """Done, without a plan."""
    _everywhere(b'{"done": true}\n')
    os._exit(0)


def _chat(logger: Any) -> None:
    """Progress without an end."""
    while True:
        _everywhere(b'{"share": 0.5, "phase": "chatting"}\n')
        time.sleep(0.01)


def _die(how: int) -> Any:
    return lambda logger: os.kill(os.getpid(), how)


_ODDITIES = {
    "hold": _hold, "sit": _sit, "silent": _silent, "told": _told, "nvmap": _nvmap, "noise": _noise, "flood": _flood,
    "garble": _garble, "endless": _endless, "lie": _lie, "chat": _chat, "leave": lambda logger: os._exit(3),
    "crash": _die(signal.SIGSEGV), "killed": _die(signal.SIGKILL),
}  # fmt: skip
