"""Camera in, frames out: a clip's at its own pace, or as fast as they are taken when nothing is to be lost; those of a
live camera as they come, and None every now and then while none does, so that whoever waits shows that he is alive."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Generator, Iterator

from faceedge.cameras.backoff import Backoff
from faceedge.cameras.base import Camera, LiveCamera
from faceedge.errors import CameraError
from faceedge.types import Frame

Clock = Callable[[], float]
STEP_S = 0.1
"""How long a camera may be waited for at a time: a stop is obeyed in between."""
BEAT_S = 0.5
"""How long a pause may last without a sign of life."""
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
    """Frames of one clip or folder until its end or `stop`.

    In real time a clip plays at its own rate and frames that are late are skipped as a camera would; otherwise
    every frame comes at once, stamped with its media time. `loop` starts a clip over. Raises CameraError when
    it cannot be opened or holds no picture at all.
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


def live(
    name: str,
    open_camera: Callable[[], LiveCamera],
    stop: threading.Event,
    numbers: Iterator[int],
    is_stale: Callable[[], bool] = lambda: False,
) -> Generator[Frame | None, None, None]:
    """Frames of one live camera until `stop`; None whenever none came for a while. Raises CameraError when it fails.

    numbers: of the frames; they go on when the camera is opened anew, as it is whenever is_stale says so.
    """
    while not stop.is_set():
        camera = open_camera()
        try:
            while not (stop.is_set() or is_stale()):
                picture = camera.take(STEP_S)
                yield None if picture is None else Frame(name, next(numbers), picture.image, picture.received)
        finally:
            camera.close()


def reopened(
    frames: Callable[[], Iterator[Frame | None]],
    stop: threading.Event,
    on_fault: Callable[[str], None],
    backoff: Backoff,
    clock: Clock = time.monotonic,
) -> Iterator[Frame | None]:
    """Frames of a camera that is opened again, after a pause, whenever it fails; None while it is away."""
    while not stop.is_set():
        try:
            for frame in frames():
                if frame is not None:
                    backoff.delivered()
                yield frame
            return
        except CameraError as error:
            on_fault(str(error))
        yield from _pause(backoff.failed(), stop, clock)


def _pause(pause_s: float, stop: threading.Event, clock: Clock) -> Iterator[None]:
    until = clock() + pause_s
    while (left_s := until - clock()) > 0 and not stop.is_set():
        yield None
        stop.wait(min(BEAT_S, left_s))


def _one_pass(
    name: str, camera: Camera, stop: threading.Event, start: float, seq: int, realtime: bool, clock: Clock
) -> Iterator[Frame]:
    first, shown = seq, -math.inf
    while not stop.is_set():
        image = camera.read()
        if image is None:
            return
        due = start + (seq - first) / camera.fps
        late = clock() - due
        if realtime and late < 0:
            stop.wait(-late)
        # A picture that is a whole frame late has been overtaken by the next one.
        is_overtaken = realtime and late > 1 / camera.fps
        if is_overtaken and clock() - shown >= MAX_SKIP_S:
            start, is_overtaken = start + late, False
        if not is_overtaken:
            shown = clock()
            yield Frame(name, seq, image, shown if realtime else due)
        seq += 1
