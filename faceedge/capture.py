"""Camera in, frames out: at the clip's own pace, or as fast as they are taken when nothing is to be lost."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator

from faceedge.cameras.base import Camera
from faceedge.errors import CameraError
from faceedge.types import Frame

Clock = Callable[[], float]
REOPEN_AFTER_S = 1.0
MAX_SKIP_S = 0.4
"""Late pictures are skipped for this long at most: a clip that decodes too slowly plays slower, not unseen."""


def paced(
    name: str,
    open_camera: Callable[[], Camera],
    stop: threading.Event,
    *,
    loop: bool = False,
    realtime: bool = True,
    clock: Clock = time.monotonic,
) -> Iterator[Frame]:
    """Frames of one camera until its end or `stop`.

    In real time a clip plays at its own rate and frames that are late are skipped as a camera would; otherwise
    every frame comes at once, stamped with its media time. `loop` starts a clip over. Raises CameraError when the
    camera fails or holds no picture at all.
    """
    seq = 0
    while not stop.is_set():
        camera = open_camera()
        try:
            start = clock()
            for frame in _one_pass(name, camera, stop, start, seq, realtime, clock):
                seq = frame.seq + 1
                yield frame
        finally:
            camera.close()
        if seq == 0 and not stop.is_set():
            raise CameraError(f"{name}: not one picture can be decoded; convert the clip to H.264 or MJPEG")
        if not loop:
            return


def reopened(
    frames: Callable[[], Iterator[Frame]], stop: threading.Event, on_fault: Callable[[str], None]
) -> Iterator[Frame | None]:
    """Frames of a live camera that is opened again, after a pause, whenever it fails; None while it is away."""
    while not stop.is_set():
        try:
            yield from frames()
            return
        except CameraError as error:
            on_fault(str(error))
            yield None
            stop.wait(REOPEN_AFTER_S)


def _one_pass(
    name: str, camera: Camera, stop: threading.Event, start: float, seq: int, realtime: bool, clock: Clock
) -> Iterator[Frame]:
    first, shown = seq, -math.inf
    while not stop.is_set():
        image = camera.read()
        if image is None:
            return
        due = start + (seq - first) / camera.fps if camera.fps else clock()
        late = clock() - due
        if realtime and late < 0:
            stop.wait(-late)
        # A picture that is a whole frame late has been overtaken by the next one.
        is_overtaken = realtime and camera.fps and late > 1 / camera.fps
        if is_overtaken and clock() - shown >= MAX_SKIP_S:
            start, is_overtaken = start + late, False
        if not is_overtaken:
            shown = clock()
            yield Frame(name, seq, image, shown if realtime else due)
        seq += 1
