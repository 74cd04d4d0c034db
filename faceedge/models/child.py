"""The process that works on strangers' graphs for `apart.py`: requests in on stdin, one JSON line each, answers out on
stdout. Imports onnx and ONNX Runtime once and forks for every request, so that each meets a clean process with limits.
"""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from faceedge.errors import PackageError
from faceedge.manifest import SelfTest
from faceedge.models import prepare
from faceedge.models.graph import Facts, Prepared

MAX_LINE_BYTES = 1 << 20
MAX_ANSWER_BYTES = 4 << 20
FILE_BYTES = 2 << 30
MEMORY_WORDS = "wants more than {gb} GB of memory; try it with smaller pictures or a smaller batch"

Request = dict[str, Any]


def main() -> None:
    """Serves until stdin ends."""
    os.setpriority(os.PRIO_PROCESS, 0, 5)  # the daemon on the same machine goes first
    requests, answers = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)  # what a library prints must not look like an answer
    with os.fdopen(requests, "rb", buffering=0) as lines:
        while line := _line(lines.fileno()):
            answer = _apart(line, lines.fileno(), answers)
            _write(answers, answer + b"\n")


def answer(line: bytes) -> bytes:
    """One request's answer: {"value": …} or {"refused": text}."""
    request: Request = json.loads(line)
    _limit(request)
    try:
        value = _JOBS[request["do"]](request)
    except PackageError as error:
        return _as_json({"refused": str(error)})
    except MemoryError:
        words = MEMORY_WORDS.format(gb=request["memory_bytes"] >> 30)
        return _as_json({"refused": words})
    except OSError as error:
        return _as_json({"refused": f"what is made of it cannot be written ({error.strerror}); mend that or make room"})
    return b'{"value":' + value + b"}"


def _facts(request: Request) -> bytes:
    return TypeAdapter(Facts).dump_json(prepare.read_facts(Path(request["graph"])))


def _prepare(request: Request) -> bytes:
    graph, folder = Path(request["graph"]), Path(request["folder"])
    made = prepare.prepare(graph, folder, request["width"], request["height"], request["max_batch"])
    return TypeAdapter(Prepared).dump_json(made)


def _try(request: Request) -> bytes:
    noted = SelfTest.model_validate(request["selftest"])
    return _as_json(prepare.try_graph(Path(request["graph"]), noted, request["max_batch"]))


_JOBS: dict[str, Callable[[Request], bytes]] = {"facts": _facts, "prepare": _prepare, "try": _try}


def _limit(request: Request) -> None:
    """From here on the process can neither fill the memory nor the disk, nor run for ever, nor leave a core."""
    for kind, most in (
        (resource.RLIMIT_AS, request["memory_bytes"]), (resource.RLIMIT_CPU, request["cpu_s"]),
        (resource.RLIMIT_FSIZE, FILE_BYTES), (resource.RLIMIT_CORE, 0),
    ):  # fmt: skip
        _, hard = resource.getrlimit(kind)
        bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (bound, hard))  # at the hard limit of time there would be no telling why it ended


def _apart(line: bytes, requests: int, answers: int) -> bytes:
    """The answer of a fork, or {"died": how}. Ends all when the parent has gone."""
    reading, writing = os.pipe()
    fork = os.fork()
    if fork == 0:
        for descriptor in (reading, requests, answers):
            os.close(descriptor)
        _work(line, writing)
    os.close(writing)
    with os.fdopen(reading, "rb", buffering=0) as pipe:
        told = _heard(pipe.fileno(), requests)
    if len(told) > MAX_ANSWER_BYTES:
        os.kill(fork, signal.SIGKILL)
    _, status = os.waitpid(fork, 0)
    code = os.waitstatus_to_exitcode(status)
    return told if code == 0 and told else _as_json({"died": code})


def _work(line: bytes, writing: int) -> None:
    code = 1
    try:
        _write(writing, answer(line))
        code = 0
    finally:  # whatever happens, a fork never goes on as its parent
        if code:
            traceback.print_exc()
        os._exit(code)


def _heard(pipe: int, requests: int) -> bytes:
    told = b""
    while len(told) <= MAX_ANSWER_BYTES:
        ready, _, _ = select.select([pipe, requests], [], [])
        if requests in ready:  # the parent sends nothing while it waits: it has gone
            os.killpg(0, signal.SIGKILL)
        block = os.read(pipe, 1 << 16)
        if not block:
            break
        told += block
    return told


def _line(descriptor: int) -> bytes:
    """The next request; nothing at the end."""
    line = b""
    while not line.endswith(b"\n"):
        block = os.read(descriptor, 1 << 16)
        if not block or len(line) > MAX_LINE_BYTES:
            return b""
        line += block
    return line


def _write(descriptor: int, content: bytes) -> None:
    while content:
        content = content[os.write(descriptor, content) :]


def _as_json(value: object) -> bytes:
    return json.dumps(value, allow_nan=False).encode()


if __name__ == "__main__":
    main()
