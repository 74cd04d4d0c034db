"""What really opens a live camera, inside its process: OpenCV for devices and for streams decoded in software."""

from __future__ import annotations

import os
import time
from typing import Protocol

import cv2
import numpy as np

from faceedge.cameras.base import Wish
from faceedge.cameras.complaints import Complaints
from faceedge.cameras.uri import Source
from faceedge.errors import CameraError
from faceedge.types import Image

OPEN_TIMEOUT_MS = 4000
READ_TIMEOUT_MS = 4500
"""Both shorter than the time after which the process is killed (`child.Limits`): a sentence is better than silence."""
CSI_SIZE, CSI_FPS = (1280, 720), 30
"""Such a sensor delivers what it is asked for, so it must be asked for something."""
DECODERS = ("/dev/v4l2-nvdec", "/dev/nvhost-nvdec")
"""Of a Jetson, under the names of JetPack 6 and 5."""


class Opened(Protocol):
    """An open camera whose pictures are fetched in two steps, so that those nobody asks for cost little."""

    def grab(self) -> float:
        """Waits for the next picture; the monotonic second it came. Raises CameraError."""
        ...

    def size(self) -> tuple[int, int]:
        """Height and width of the grabbed picture, as far as they are known before `fetch`."""
        ...

    def fetch(self, memory: Image, /) -> Image:
        """The grabbed picture: `memory` itself where it could be written there, else another array."""
        ...

    def close(self) -> None:
        """Frees the camera."""
        ...


def load(source: Source, wish: Wish) -> None:
    """What takes long by itself, before the camera is asked. Raises CameraError."""
    if source.kind == "csi" or (source.kind == "network" and _in_hardware(source, wish)):
        from faceedge.cameras.gst_library import library

        library()


def open_source(source: Source, wish: Wish) -> Opened:
    """By kind of source. Raises CameraError."""
    if source.kind == "device":
        return OpenCvCamera(_device(source, wish), source.shown)
    if source.kind == "network" and not _in_hardware(source, wish):
        return OpenCvCamera(_stream(source), source.shown)
    # Only here, for GStreamer takes a while to load and most boards have none.
    from faceedge.cameras import gst

    if source.kind == "network":
        return gst.GstCamera(gst.rtsp(source.what))
    size = (wish.width or CSI_SIZE[0], wish.height or CSI_SIZE[1])
    return gst.GstCamera(gst.csi(int(source.what), *size, wish.fps or CSI_FPS))


class OpenCvCamera:
    """OpenCV's reader, which converts a grabbed picture straight into memory of ours."""

    def __init__(self, reader: cv2.VideoCapture, shown: str) -> None:
        self._reader = reader
        self._shown = shown
        self._size = _claimed(reader)

    def grab(self) -> float:
        """See Opened."""
        try:
            is_good = self._reader.grab()
        except cv2.error as error:
            raise CameraError(f"{self._shown} sends what cannot be decoded") from error
        received = time.monotonic()
        if not is_good:
            raise CameraError(f"{self._shown} stopped delivering")
        return received

    def size(self) -> tuple[int, int]:
        """See Opened."""
        return self._size

    def fetch(self, memory: Image) -> Image:
        """See Opened."""
        try:
            is_good, image = self._reader.retrieve(memory)
        except cv2.error as error:
            raise CameraError(f"{self._shown} sends what cannot be decoded") from error
        if not is_good or image.ndim != 3 or image.dtype != np.uint8:
            raise CameraError(f"{self._shown} sends what cannot be decoded")
        self._size = image.shape[:2]
        return memory if np.may_share_memory(image, memory) else np.asarray(image, np.uint8)

    def close(self) -> None:
        """See Opened."""
        self._reader.release()


def _device(source: Source, wish: Wish) -> cv2.VideoCapture:
    asked = [cv2.CAP_PROP_BUFFERSIZE, 1]
    for name, value in (("WIDTH", wish.width), ("HEIGHT", wish.height)):
        asked += [getattr(cv2, f"CAP_PROP_FRAME_{name}"), value] if value else []
    asked += [cv2.CAP_PROP_FPS, wish.fps] if wish.fps else []
    reader = cv2.VideoCapture(source.what, cv2.CAP_V4L2)
    if not reader.isOpened():
        raise CameraError(f"{source.shown} does not open; check its cable, and that no other program holds it")
    # Not at opening, where one wish that a driver does not know refuses the camera as a whole.
    for key, value in zip(asked[::2], asked[1::2], strict=True):
        reader.set(key, value)
    return reader


def _stream(source: Source) -> cv2.VideoCapture:
    # One thread: more of them decode ahead, and each costs the latency of one picture.
    asked = [
        cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, OPEN_TIMEOUT_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, READ_TIMEOUT_MS,
        cv2.CAP_PROP_N_THREADS, 1,
    ]  # fmt: skip
    with Complaints() as complaints:
        reader = cv2.VideoCapture(source.what, cv2.CAP_FFMPEG, asked)
        if not reader.isOpened():
            raise CameraError(f"{source.shown} does not open: {complaints.reason()}")
    return reader


def _claimed(reader: cv2.VideoCapture) -> tuple[int, int]:
    height, width = reader.get(cv2.CAP_PROP_FRAME_HEIGHT), reader.get(cv2.CAP_PROP_FRAME_WIDTH)
    return max(1, int(height)), max(1, int(width))


def _in_hardware(source: Source, wish: Wish) -> bool:
    if wish.decode == "software" or (wish.decode == "auto" and not source.what.startswith("rtsp")):
        return False
    if any(os.path.exists(device) for device in DECODERS):
        from faceedge.cameras.gst import hardware_decoder

        if hardware_decoder():
            return True
    if wish.decode == "hardware":
        raise CameraError(f'{source.shown}: this board has no video decoder; say decode = "auto" or "software"')
    return False
