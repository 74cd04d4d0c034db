"""The cameras of one configuration: where the frames of each come from, and which doors each looks at."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from faceedge.cameras import is_live, open_camera
from faceedge.capture import paced, reopened
from faceedge.config import Camera, Door
from faceedge.health.cameras import CameraHealth
from faceedge.types import Frame

Source = Callable[[threading.Event], Iterator[Frame | None]]


class Lookout:
    """once: every frame of every file, at its own speed."""

    def __init__(self, cameras: Sequence[Camera], health: CameraHealth, *, once: bool) -> None:
        self._cameras = cameras
        self._health = health
        self._once = once

    def sources(self) -> dict[str, Source]:
        """Frames of every camera, by name, until the event is set; None is time passing without one."""
        return {camera.name: partial(self._frames, camera) for camera in self._cameras}

    def _frames(self, camera: Camera, stop: threading.Event) -> Iterator[Frame | None]:
        frames = partial(
            paced, camera.name, partial(open_camera, camera.uri), stop,
            loop=camera.loop and not self._once, realtime=not self._once,
        )  # fmt: skip
        if self._once:
            yield from frames()
            return
        for frame in reopened(frames, stop, partial(self._health.failed, camera.name)):
            if frame is not None:
                self._health.delivered(camera.name)
            yield frame


def check_files(cameras: Sequence[Camera]) -> None:
    """Raises CameraError for a clip or a folder that is not there."""
    for camera in cameras:
        if not is_live(camera.uri):
            open_camera(camera.uri).close()


def doors_by_camera(cameras: Sequence[Camera], doors: Sequence[Door]) -> Mapping[str, list[Door]]:
    """A door without a list of cameras is watched by all of them."""
    names = [camera.name for camera in cameras]
    return {name: [door for door in doors if name in (door.cameras or names)] for name in names}
