"""What is said about an ONNX file: its facts, and what preparing it came to. Reads bytes, never what they mean.

Shared by both sides of `apart.py`, so nothing here needs onnx or onnxruntime.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from faceedge.backends.base import TensorSpec
from faceedge.errors import PackageError
from faceedge.manifest import Graph, SelfTest

MAX_BYTES = 512 << 20
MIN_BYTES = 16


@dataclass(frozen=True, slots=True)
class Facts:
    """What a graph says of itself, and shows when it runs on the self-test picture.

    opset: of the default operators. inputs: the one picture. outputs: -1 where a size follows the batch or the
    picture. operators: how often each is used. weights_bytes: of the constants in the file. metadata: the first few
    of the file's notes, cut to length, printable. quantised: it rounds to integers. sha256: of the file that was read.
    """

    opset: int
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    operators: dict[str, int]
    weights_bytes: int
    metadata: dict[str, str]
    quantised: bool
    sha256: str


@dataclass(frozen=True, slots=True)
class Prepared:
    """A package's graphs, written and tried. plain: model.onnx; fast: onnxruntime.onnx, where it is worth having;
    facts: of model.onnx as written; source_sha256: of the file that it was made from."""

    plain: Graph
    fast: Graph | None
    selftest: SelfTest
    max_batch: int
    facts: Facts
    source_sha256: str


def read_graph(path: Path) -> bytes:
    """The bytes of a file that may be a graph. Never waits on a pipe, never reads a device, never reads too much.

    Raises PackageError, without the path: the caller knows it.
    """
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            _check_size(os.fstat(file.fileno()))
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise PackageError(f"cannot be read ({error.strerror}); name an ONNX file") from error
    if len(content) > MAX_BYTES:  # it has grown since
        raise PackageError(_too_large(len(content)))
    return content


def size_of(path: Path) -> int:
    """Bytes of a file that may be a graph, by its name alone. Raises PackageError as `read_graph` does."""
    try:
        status = path.stat()
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte
        raise PackageError(f"cannot be read ({getattr(error, 'strerror', error)}); name an ONNX file") from error
    _check_size(status)
    return status.st_size


def _check_size(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise PackageError("is not a file; name an ONNX file")
    if status.st_size > MAX_BYTES:
        raise PackageError(_too_large(status.st_size))
    if status.st_size < MIN_BYTES:
        raise PackageError(f"holds {status.st_size} bytes, too few for an ONNX file; fetch it again")


def _too_large(size: int) -> str:
    return f"holds {size >> 20} MB, more than {MAX_BYTES >> 20} MB; a network for an edge device is smaller"
