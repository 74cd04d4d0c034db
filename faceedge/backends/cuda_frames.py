"""Frames on the device: an image of the host in, its copy there out, made when a kernel first wants it and kept while
somebody holds the handle. Used by `cuda_preprocess`."""

from __future__ import annotations

import threading
from collections import deque

import numpy as np

from faceedge.backends.cuda import Gpu
from faceedge.backends.cuda_memory import DeviceMemory
from faceedge.types import Image

FRAMES_KEPT = 4
"""Detection and crops ask for the same frame one after the other; between them come frames of other cameras."""


class DeviceFrame:
    """A handle. image: the frame on the host, held, so that no other array can have its identity."""

    __slots__ = ("_memory", "_spare", "image")

    def __init__(self, image: Image, spare: deque[DeviceMemory]) -> None:
        self.image = image
        self._memory: DeviceMemory | None = None
        self._spare = spare

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.image.shape[1], self.image.shape[0]

    def __del__(self) -> None:
        # What the stream still does with the memory comes before what the next frame does with it.
        if self._memory is not None:
            self._spare.append(self._memory)


class Frames:
    """The handles of the last few frames, and the memory that passes from frame to frame. From any thread, except
    `address`."""

    def __init__(self, gpu: Gpu) -> None:
        self._gpu = gpu
        self._last: deque[DeviceFrame] = deque(maxlen=FRAMES_KEPT)
        self._spare: deque[DeviceMemory] = deque(maxlen=2 * FRAMES_KEPT)
        self._lock = threading.Lock()
        self._staging = np.zeros(0, np.uint8)

    def handle(self, image: Image) -> DeviceFrame:
        """The same one for the same array, as long as it is among the last."""
        with self._lock:
            for frame in self._last:
                if frame.image is image:
                    return frame
            frame = DeviceFrame(image, self._spare)
            self._last.append(frame)
            return frame

    def forget(self) -> None:
        """Keeps no frame, and no memory for the next ones; what somebody holds lives on."""
        with self._lock:
            self._last.clear()
        self._gpu.run(self._empty)

    def address(self, frame: DeviceFrame) -> int:
        """Where its copy lies, (height, width, 3) without gaps; the first call enqueues the copy. Worker thread."""
        if frame._memory is None:
            frame._memory = self._uploaded(frame.image)
        return frame._memory.address

    def _empty(self) -> None:
        self._spare.clear()
        self._gpu.finish()  # as below
        self._staging = np.zeros(0, np.uint8)

    def _uploaded(self, image: Image) -> DeviceMemory:
        memory = self._room(image.size)
        self._gpu.finish()  # the staging buffer may still be on its way from the last time
        if self._staging.size < image.size:
            self._staging = self._gpu.pinned(image.size, np.uint8)
        staged = self._staging[: image.size]
        np.copyto(staged.reshape(image.shape), image)
        self._gpu.upload(memory, staged)
        return memory

    def _room(self, size: int) -> DeviceMemory:
        """The smallest block that is large enough, of those that passed frames left, or a new one."""
        spare = [self._spare.popleft() for _ in range(len(self._spare))]
        fitting = [block for block in spare if block.size >= size]
        chosen = min(fitting, key=lambda block: block.size, default=None)
        self._spare.extend(block for block in spare if block is not chosen)
        return chosen or self._gpu.alloc(size)
