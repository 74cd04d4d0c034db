"""The cameras of one configuration: where the frames of each come from, and which doors each looks at."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count

from faceedge.cameras import Wish, is_live, open_camera, open_live
from faceedge.cameras.backoff import Backoff
from faceedge.cameras.renewal import Renewal
from faceedge.cameras.watch import PictureWatch
from faceedge.capture import live, paced, reopened
from faceedge.config import Camera, Door
from faceedge.health.cameras import CameraHealth
from faceedge.types import Frame

Source = Callable[[threading.Event], Iterator[Frame | None]]


@dataclass(frozen=True, slots=True)
class _Past:
    """What is known of a camera, however often it is opened and its source begins anew. watch: None where pictures may
    stand still."""

    watch: PictureWatch | None
    renewal: Renewal = field(default_factory=Renewal)
    backoff: Backoff = field(default_factory=Backoff)
    numbers: Iterator[int] = field(default_factory=count)


class Lookout:
    """once: every frame of every file, at its own speed. watch_all: watch the pictures of files, too."""

    def __init__(self, cameras: Sequence[Camera], health: CameraHealth, *, once: bool, watch_all: bool = False) -> None:
        self._cameras = cameras
        self._health = health
        self._once = once
        self._watch_all = watch_all

    def sources(self) -> dict[str, Source]:
        """Frames of every camera, by name, until the event is set; None is time passing without one."""
        return {camera.name: partial(self._frames, camera, self._past(camera)) for camera in self._cameras}

    def _past(self, camera: Camera) -> _Past:
        is_watched = not self._once and (self._watch_all or is_live(camera.uri))
        return _Past(PictureWatch(repeats=camera.loop) if is_watched else None)

    def _frames(self, camera: Camera, past: _Past, stop: threading.Event) -> Iterator[Frame | None]:
        frames = self._opening(camera, past, stop)
        if self._once:
            yield from frames()
            return

        def on_fault(why: str) -> None:
            past.renewal.lost()
            self._health.failed(camera.name, why)

        yield from self._watched(camera, past, reopened(frames, stop, on_fault, past.backoff))

    def _opening(self, camera: Camera, past: _Past, stop: threading.Event) -> Callable[[], Iterator[Frame | None]]:
        """What opens the camera, anew at each call, and gives its frames until it fails."""
        if is_live(camera.uri):
            wish = Wish(camera.width, camera.height, camera.fps, camera.decode)
            opened = partial(open_live, camera.uri, wish)
            return partial(live, camera.name, opened, stop, past.numbers, past.renewal.is_due)
        return partial(
            paced, camera.name, partial(open_camera, camera.uri), stop,
            loop=camera.loop and not self._once, realtime=not self._once,
        )  # fmt: skip

    def _watched(self, camera: Camera, past: _Past, frames: Iterator[Frame | None]) -> Iterator[Frame | None]:
        """Tells of every frame; None in place of one that is not to be trusted."""
        for frame in frames:
            if frame is not None:
                self._health.delivered(camera.name)
                seen = past.watch.see(frame.image, frame.captured) if past.watch is not None else None
                fault = past.renewal.see(seen, frame.captured)
                self._health.pictured(camera.name, fault)
                yield None if fault is not None and fault.shuts else frame
            else:
                yield None


def check_files(cameras: Sequence[Camera]) -> None:
    """Raises CameraError for a clip or a folder that is not there, and for what is no address of a camera."""
    for camera in cameras:
        if not is_live(camera.uri):
            open_camera(camera.uri).close()


def doors_by_camera(cameras: Sequence[Camera], doors: Sequence[Door]) -> Mapping[str, list[Door]]:
    """A door without a list of cameras is watched by all of them."""
    names = [camera.name for camera in cameras]
    return {name: [door for door in doors if name in (door.cameras or names)] for name in names}
