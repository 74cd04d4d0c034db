"""The picture that a camera's process and ours share: memory without a name, gone with the last of the two.

Only one of the two may touch it at a time: the process writes after it was asked for a picture and before it answers,
we read between its answer and our next question. So no picture is ever torn, and none needs a lock.
"""

from __future__ import annotations

import fcntl
import mmap
import os

import numpy as np

from faceedge.errors import CameraError
from faceedge.types import Image

MOST_SIDE_PX = 8192
MOST_PX = 8192 * 4320
"""Of one picture. Memory that was never written to costs nothing, so there is room for the largest."""


class SharedPicture:
    """Room for one picture of any size. fd: made by `os.memfd_create` on our side, inherited on the other."""

    def __init__(self, fd: int | None = None) -> None:
        self.fd = _fresh() if fd is None else fd
        try:
            self._map = mmap.mmap(self.fd, MOST_PX * 3)
        except OSError:
            os.close(self.fd)
            raise

    def view(self, height: int, width: int) -> Image:
        """The memory as a picture of this size; let go of it before `close`. Raises CameraError for a size too big."""
        if not (0 < height <= MOST_SIDE_PX and 0 < width <= MOST_SIDE_PX and height * width <= MOST_PX):
            raise CameraError(f"pictures of {width} x {height} px cannot be taken; {MOST_SIDE_PX} px a side at most")
        return np.frombuffer(self._map, np.uint8, height * width * 3).reshape(height, width, 3)

    def close(self) -> None:
        """Frees this side's share; a second call does nothing."""
        self._map.close()
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def _fresh() -> int:
    fd = os.memfd_create("faceedge-picture", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, MOST_PX * 3)
    # Were it cut short by the other side, our next look at it would end us with SIGBUS.
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
    return fd
