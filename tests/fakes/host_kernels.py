"""kernels.cu compiled by g++ for this machine: the source in, a shared object and numpy functions out.

The stand-in CUDA driver loads the same object as a module.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import subprocess
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from faceedge.backends.base import Canvas
from faceedge.backends.cuda_kernels import ARGUMENTS, SOURCE, Kernels
from faceedge.config import cache_dir
from faceedge.manifest import Normalisation
from faceedge.types import Floats, Image

FLAGS = ("-x", "c++", "-std=c++14", "-O2", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror", "-DFACEEDGE_HOST")
_CTYPES = {"P": ctypes.c_void_p, "d": ctypes.c_double, "i": ctypes.c_int32, "f": ctypes.c_float}


def why_not() -> str | None:
    """Why kernels cannot be compiled for the host; None when they can."""
    return None if shutil.which("g++") else "no g++ for the kernels"


def compile_for_host(target: Path, source: Path = SOURCE) -> None:
    """Raises CalledProcessError when the compiler finds anything to say."""
    subprocess.run(["g++", *FLAGS, "-shared", "-fPIC", "-o", str(target), str(source)], check=True)


@lru_cache
def host_image() -> Path:
    """The shared object, compiled once a source on a machine; several processes may ask at once."""
    digest = hashlib.sha256(SOURCE.read_bytes() + " ".join(FLAGS).encode()).hexdigest()[:16]
    target = cache_dir() / "kernels" / f"host-{digest}.so"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=target.parent) as work:
            made = Path(work) / "kernels.so"
            compile_for_host(made)
            os.replace(made, target)
    return target


class HostGpu:
    """As much of a Gpu as `Kernels` asks for: functions are the host's, addresses those of numpy arrays."""

    stream = None

    def __init__(self, image: Path | None = None) -> None:
        self._library = ctypes.CDLL(str(image or host_image()))

    def load(self, image: bytes, names: tuple[str, ...]) -> dict[str, HostFunction]:
        return {name: HostFunction(self._library, name) for name in names}

    def run(self, function):  # type: ignore[no-untyped-def]
        return function()


class HostFunction:
    """A kernel with the calls of pycuda's Function."""

    def __init__(self, library: ctypes.CDLL, name: str) -> None:
        self._run = library[f"host_{name}"]
        self._run.restype = None
        self.letters = ctypes.c_char_p(ctypes.addressof(ctypes.c_char.in_dll(library, f"host_{name}_arguments"))).value
        self.bytes = ctypes.c_int.in_dll(library, f"host_{name}_bytes").value

    def prepare(self, letters: str) -> None:
        assert self.letters == letters.encode()

    def prepared_async_call(
        self, grid: tuple[int, ...], block: tuple[int, ...], stream: None, *arguments: float
    ) -> None:
        assert self.letters is not None
        assert len(arguments) == len(self.letters)
        values = [_CTYPES[chr(letter)](value) for letter, value in zip(self.letters, arguments, strict=True)]
        pointers = (ctypes.c_void_p * len(values))(*[ctypes.addressof(value) for value in values])
        self._run((ctypes.c_uint * 3)(*grid), (ctypes.c_uint * 3)(*block), pointers)


class HostKernels:
    """The kernels as functions of arrays; what they do not write stays the odd value that `out` was filled with."""

    def __init__(self, image: Path | None = None) -> None:
        self._kernels = Kernels(HostGpu(image), b"")  # type: ignore[arg-type]

    def letterbox(self, image: Image, canvas: Canvas, norm: Normalisation) -> Floats:
        """float32 (3, canvas height, canvas width)."""
        image, out = np.ascontiguousarray(image), np.full((3, canvas.height, canvas.width), np.nan, np.float32)
        size, whole = image.shape[1::-1], (canvas.width, canvas.height)
        self._kernels.letterbox(image.ctypes.data, size, whole, canvas.levels[0], norm, out.ctypes.data)
        return out

    def warp(self, image: Image, matrices: Floats, width: int, height: int) -> Image:
        """uint8 (n, height, width, 3)."""
        image, matrices = np.ascontiguousarray(image), np.ascontiguousarray(matrices, np.float32)
        out = np.full((len(matrices), height, width, 3), 77, np.uint8)
        size = image.shape[1::-1]
        self._kernels.warp(
            image.ctypes.data, size, matrices.ctypes.data, len(matrices), (width, height), out.ctypes.data
        )
        return out

    def normalise(self, crops: Image, norm: Normalisation) -> Floats:
        """float32 (n, 3, height, width) of uint8 (n, height, width, 3)."""
        count, height, width, _ = crops.shape
        crops, out = np.ascontiguousarray(crops), np.full((count, 3, height, width), np.nan, np.float32)
        self._kernels.normalise(crops.ctypes.data, (width, height), count, norm, out.ctypes.data)
        return out


__all__ = ["ARGUMENTS", "HostFunction", "HostGpu", "HostKernels", "compile_for_host", "host_image", "why_not"]
