"""Preprocessing on the GPU: a frame travels to the device once and letterbox and crops are made from it there.

The twin on the host, `CpuPreprocessor`, is the reference: crops and letterboxes differ from it by at most 1 of 255
before normalisation. It also does here what has no kernel: canvases of several levels or with corners on corners, and
dlib's crops through a pyramid.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from faceedge.backends.base import Canvas, CropSpec, DeviceTensor
from faceedge.backends.cpu import CpuPreprocessor
from faceedge.backends.cuda import Gpu
from faceedge.backends.cuda_frames import DeviceFrame, Frames
from faceedge.backends.cuda_kernels import Kernels
from faceedge.backends.cuda_memory import DeviceMemory
from faceedge.errors import BadInput
from faceedge.manifest import Normalisation
from faceedge.types import Floats, Image

Result = TypeVar("Result")
_FLOAT = 4
_MATRIX = 6 * _FLOAT


class CudaPreprocessor:
    """See `Preprocessor`. image: the compiled kernels (`read_kernels`). A handle may be kept; its frame then stays on
    the device. What `letterbox` and `tensor` return is valid until the thread's next call of the same function.

    Nothing is allocated on the device once the sizes were seen. Raises EngineError when the device cannot run the
    kernels; every method raises DeviceLost.
    """

    def __init__(self, gpu: Gpu, image: bytes) -> None:
        self._gpu = gpu
        self._kernels = Kernels(gpu, image)
        self._frames = Frames(gpu)
        self._host = CpuPreprocessor()
        self._own = _Own(gpu)
        self._trims = 0

    def upload(self, image: Image) -> object:
        """A handle; the frame travels when a kernel first needs it. Raises BadInput when it is not uint8 (h, w, 3)."""
        self._host.upload(image)
        return self._frames.handle(image)

    def letterbox(self, handles: Sequence[object], canvas: Canvas, norm: Normalisation) -> Floats | DeviceTensor:
        """See `Preprocessor.letterbox`."""
        frames = [cast(DeviceFrame, handle) for handle in handles]
        if len(canvas.levels) != 1 or canvas.corner_aligned:
            return self._host.letterbox([frame.image for frame in frames], canvas, norm)
        return self._in_room(lambda room: self._letterbox(frames, canvas, norm, room))

    def warp(self, handle: object, matrices: Floats, spec: CropSpec) -> list[Image]:
        """See `Preprocessor.warp`: all crops by one launch. What lies outside the frame is black."""
        frame = cast(DeviceFrame, handle)
        if spec.pyramid:
            return self._host.warp(frame.image, matrices, spec)
        if len(matrices) == 0:
            return []
        return self._in_room(lambda room: self._warp(frame, matrices, spec, room))

    def tensor(self, crops: Sequence[Image], norm: Normalisation) -> Floats | DeviceTensor:
        """See `Preprocessor.tensor`."""
        if not crops or len({crop.shape for crop in crops}) != 1:
            raise BadInput("a batch of crops needs at least one, and all of one size")
        return self._in_room(lambda room: self._tensor(crops, norm, room))

    def trim(self) -> None:
        """See `Preprocessor.trim`."""
        self._trims += 1
        self._host.trim()

    def tidy(self) -> None:
        """See `Preprocessor.tidy`: also the frames that nobody needs any more."""
        self._host.tidy()
        self._give_back()

    def _in_room(self, work: Callable[[_Room], Result]) -> Result:
        room = self._own.room
        made = self._gpu.run(lambda: work(room))
        self._give_back()  # not before: this batch may have been cut just before the trim
        return made

    def _give_back(self) -> None:
        """What is still referenced lives on."""
        if self._own.trims != self._trims:
            self._own.trims = self._trims
            self._gpu.finish()  # pinned memory must not be given back while a copy still reads it
            self._own.room = _Room(self._gpu)
            self._frames.forget()

    def _letterbox(self, frames: list[DeviceFrame], canvas: Canvas, norm: Normalisation, room: _Room) -> DeviceTensor:
        shape = (len(frames), 3, canvas.height, canvas.width)
        one = 3 * canvas.height * canvas.width * _FLOAT
        out = room.device("canvas", len(frames) * one)
        size = (canvas.width, canvas.height)
        for number, frame in enumerate(frames):
            address = self._frames.address(frame)
            self._kernels.letterbox(address, frame.size, size, canvas.levels[0], norm, out.address + number * one)
        return DeviceTensor(out.address, shape, "float32", out)

    def _warp(self, frame: DeviceFrame, matrices: Floats, spec: CropSpec, room: _Room) -> list[Image]:
        count = len(matrices)
        address = self._frames.address(frame)
        self._gpu.finish()  # pinned memory that grows must not be given back while a copy that failed still reads it
        staged = room.pinned("matrices", count * _MATRIX)
        np.copyto(staged.view(np.float32).reshape(count, 2, 3), matrices)
        placed = room.device("matrices", staged.size)
        self._gpu.upload(placed, staged)
        cut = room.pinned("crops", count * spec.height * spec.width * 3)
        out = room.device("crops", cut.size)
        crop = (spec.width, spec.height)
        self._kernels.warp(address, frame.size, placed.address, count, crop, out.address)
        self._gpu.download(cut, out)
        self._gpu.finish()
        return [one.copy() for one in cut.reshape(count, spec.height, spec.width, 3)]

    def _tensor(self, crops: Sequence[Image], norm: Normalisation, room: _Room) -> DeviceTensor:
        height, width, _ = crops[0].shape
        self._gpu.finish()  # as above: the last batch may still be on its way
        staged = room.pinned("batch", len(crops) * height * width * 3)
        for place, crop in zip(staged.reshape(len(crops), height, width, 3), crops, strict=True):
            np.copyto(place, crop)
        batch = room.device("batch", staged.size)
        self._gpu.upload(batch, staged)
        out = room.device("tensor", staged.size * _FLOAT)
        self._kernels.normalise(batch.address, (width, height), len(crops), norm, out.address)
        return DeviceTensor(out.address, (len(crops), 3, height, width), "float32", out)


class _Room:
    """Memory of one thread, by use: the largest that was asked for is kept."""

    def __init__(self, gpu: Gpu) -> None:
        self._gpu = gpu
        self._device: dict[str, DeviceMemory] = {}
        self._pinned: dict[str, NDArray[np.uint8]] = {}

    def device(self, use: str, size: int) -> DeviceMemory:
        """A block of at least `size` bytes; an earlier, smaller one lives as long as a tensor is in it."""
        held = self._device.get(use)
        if held is None or held.size < size:
            held = self._device[use] = self._gpu.alloc(size)
        return held

    def pinned(self, use: str, size: int) -> NDArray[np.uint8]:
        """`size` bytes of the host."""
        held = self._pinned.get(use)
        if held is None or held.size < size:
            held = self._pinned[use] = self._gpu.pinned(size, np.uint8)
        return held[:size]


class _Own(threading.local):
    """Every thread finds a room of its own: Python calls `__init__` anew for each that looks."""

    def __init__(self, gpu: Gpu) -> None:
        self.trims = 0
        self.room = _Room(gpu)
