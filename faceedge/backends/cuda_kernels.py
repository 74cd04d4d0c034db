"""The kernels of kernels.cu: nvcc compiles them into a folder, once a source and device; they are read from there and
launched on a Gpu. Compiled by `faceedge build`, used by `cuda_preprocess`."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from faceedge.backends import guarded
from faceedge.backends.base import Level
from faceedge.backends.cuda import Gpu
from faceedge.errors import EngineError, one_line
from faceedge.files import write_whole
from faceedge.manifest import Normalisation

SOURCE = Path(__file__).with_name("kernels.cu")
FLAGS = ("-cubin", "-O3", "-fmad=false")
"""-fmad=false: a product and a sum are fused only where the source says so, else rounding differs from the host's."""
ARGUMENTS = {"letterbox": "PPddiiiiiiiiiffffffi", "warp": "PPPiiiiii", "normalise": "PPiiiffffffi"}
"""The parameters of each kernel, as `struct` has them."""
_CUDA_BIN = "/usr/local/cuda/bin"  # where JetPack puts nvcc, without putting it on PATH
_TIME_LIMIT_S = 300.0
_BLOCK = (32, 8, 1)
_DIGITS = 16
MAX_BYTES = 16 << 20

Size = tuple[int, int]
"""Width and height."""


def compile_kernels(folder: Path, key: bytes, capability: tuple[int, int] = (8, 7)) -> Path:
    """The cubin for devices of this capability, compiled unless the folder has it. Others for them are removed.

    Raises EngineError without nvcc, or when it fails or takes too long; OSError when the folder cannot be written.
    """
    if _found(folder, key, capability) is not None:
        return _path(folder, capability)
    return keep_kernels(folder, key, capability, _compiled(capability))


def keep_kernels(folder: Path, key: bytes, capability: tuple[int, int], image: bytes) -> Path:
    """Puts an image that was compiled here into the folder, signed. Raises EngineError when the folder is not this
    user's own, OSError."""
    target = _path(folder, capability)
    guarded.make_own_folder(folder)
    write_whole(target, guarded.signed(key, _kind(capability), image), 0o600)
    for old in folder.glob(f"{_device(capability)}-*.cubin"):
        if old != target:
            old.unlink(missing_ok=True)
    return target


def read_kernels(folder: Path, key: bytes, capability: tuple[int, int]) -> bytes:
    """What `compile_kernels` wrote, whole, of this source and signed with `key` (`guarded.engines_key`): who writes the
    kernels decides what face is seen. Raises EngineError when it is not there."""
    if (found := _found(folder, key, capability)) is None:
        raise EngineError(f"{folder}: no compiled kernels for this device; run: faceedge build")
    return found


class Kernels:
    """Launches on a Gpu: all methods run on its worker thread (inside `Gpu.run`) and only enqueue. Addresses are of
    the device. Raises EngineError when the device cannot run the image."""

    def __init__(self, gpu: Gpu, image: bytes) -> None:
        self._gpu = gpu
        self._functions = gpu.load(image, tuple(ARGUMENTS))
        gpu.run(self._prepare)

    def letterbox(self, frame: int, size: Size, canvas: Size, level: Level, norm: Normalisation, out: int) -> None:
        """One frame onto one canvas, normalised: float32 (3, canvas height, canvas width)."""
        steps = (1.0 / (level.width / size[0]), 1.0 / (level.height / size[1]))  # rounded as OpenCV does
        place = (level.x, level.y, level.width, level.height)
        self._launch("letterbox", canvas, 1, frame, out, *steps, *size, 3 * size[0], *canvas, *place, *_numbers(norm))

    def warp(self, frame: int, size: Size, matrices: int, count: int, crop: Size, out: int) -> None:
        """Crops uint8 (count, height, width, 3); matrices: float32 (count, 2, 3), crop px to frame px."""
        self._launch("warp", crop, count, frame, matrices, out, *size, 3 * size[0], *crop, count)

    def normalise(self, crops: int, crop: Size, count: int, norm: Normalisation, out: int) -> None:
        """float32 (count, 3, height, width) of crops uint8 (count, height, width, 3)."""
        self._launch("normalise", crop, count, crops, out, *crop, count, *_numbers(norm))

    def _prepare(self) -> None:
        for name, function in self._functions.items():
            function.prepare(ARGUMENTS[name])

    def _launch(self, name: str, size: Size, depth: int, *arguments: Any) -> None:
        grid = (-(-size[0] // _BLOCK[0]), -(-size[1] // _BLOCK[1]), depth)
        self._functions[name].prepared_async_call(grid, _BLOCK, self._gpu.stream, *arguments)


def _numbers(norm: Normalisation) -> tuple[float, ...]:
    return (*norm.mean, *norm.scales, int(norm.colour == "rgb"))


def _device(capability: tuple[int, int]) -> str:
    return f"kernels-sm{capability[0]}{capability[1]}"


def _stem(capability: tuple[int, int]) -> str:
    """With a digest of all that decides what is in the cubin, except the compiler's version."""
    return f"{_device(capability)}-{_digest(SOURCE.read_bytes() + ' '.join(FLAGS).encode())}"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:_DIGITS]


def _path(folder: Path, capability: tuple[int, int]) -> Path:
    return folder / f"{_stem(capability)}.cubin"


def _kind(capability: tuple[int, int]) -> bytes:
    return f"faceedge-kernels-1 {_stem(capability)}".encode()


def _found(folder: Path, key: bytes, capability: tuple[int, int]) -> bytes | None:
    """Also for the driver's sake: it reads a cubin to where its header says, past the end of a truncated one."""
    try:
        return guarded.read_signed(_path(folder, capability), key, _kind(capability), MAX_BYTES)
    except (guarded.Refused, OSError):
        return None


def _compiled(capability: tuple[int, int]) -> bytes:
    with tempfile.TemporaryDirectory() as work:
        target = Path(work) / "kernels.cubin"
        _run([_nvcc(), f"-arch=sm_{capability[0]}{capability[1]}", *FLAGS, "-o", str(target), str(SOURCE)])
        return target.read_bytes()


def _nvcc() -> str:
    found = shutil.which("nvcc") or shutil.which("nvcc", path=_CUDA_BIN)
    if found is None:
        raise EngineError(f"nvcc is neither on PATH nor in {_CUDA_BIN}; install it: sudo apt install nvidia-jetpack")
    return found


def _run(command: Sequence[str]) -> None:
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
            timeout=_TIME_LIMIT_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise EngineError(f"nvcc had not finished after {_TIME_LIMIT_S:.0f} s; try again with less load") from None
    except OSError as error:
        raise EngineError(f"{command[0]} cannot be run ({error.strerror}); reinstall the CUDA toolkit") from error
    if done.returncode != 0:
        said = one_line(done.stderr or done.stdout, 200)
        raise EngineError(f"nvcc could not compile {SOURCE.name} ({said}); it needs g++ and a whole CUDA toolkit")
