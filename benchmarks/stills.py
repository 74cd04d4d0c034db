"""Still pictures shown to a door: each is a scene of a film, slightly moving, with an empty one between any two.

The film goes through the daemon as `faceedge run --once` does, so everything that decides decides. Movement does not
count as life here (`decide.motion` off): what keeps a door shut is then the face, and not that it is a photo.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.networks import Opened
from faceedge.config import Config, Decide, cache_dir
from faceedge.daemon import Daemon
from faceedge.errors import BadInput
from faceedge.gallery.store import Gallery
from faceedge.jobs.enroll import Wish, enroll
from faceedge.types import Image

SIZE = (480, 360)
FPS = 10
SHOWN, EMPTY = 20, 12
"""Frames of a scene, 2 s, and between two: a track ends after 1 s."""
SWAY_PX, SWELL = 4.0, 0.03
GREY = 96


@dataclass(frozen=True)
class Came:
    """What came of one still. decisions: as told, oldest first."""

    tracks: int
    decisions: tuple[Mapping[str, Any], ...]

    @property
    def granted(self) -> list[str]:
        """The people granted."""
        return [one["person"] for one in self.decisions if one["outcome"] == "grant"]

    @property
    def quality(self) -> float:
        """The best that any decision rests on; 0 without one."""
        return max((one["quality"] for one in self.decisions), default=0.0)


def enrol(site: Opened, people: Mapping[str, Sequence[Path]]) -> dict[str, str]:
    """Enrols people, each from those of their photos that are good enough; label by id."""
    labels = {}
    with Gallery.open(site.state) as gallery:
        for label, photos in people.items():
            for photo in photos:
                try:
                    wish = Wish(label, (photo,), allow_duplicate=True)
                    labels[enroll(gallery, site.vision, wish).person.id] = label
                except BadInput:
                    continue
    return labels


class Desk:
    """Where photos are offered to enrolment, each as a person of its own. Use it in a `with` block."""

    def __init__(self, site: Opened) -> None:
        self._vision = site.vision
        self._folder = tempfile.TemporaryDirectory()
        self._gallery = Gallery.open(Path(self._folder.name))
        self._offered = 0

    def refusal(self, photo: Path) -> str:
        """Why enrolment refuses a photo; empty when it does not."""
        self._offered += 1
        try:
            enroll(self._gallery, self._vision, Wish(f"person {self._offered}", (photo,), allow_duplicate=True))
        except BadInput as fault:
            return str(fault).partition(": ")[2]
        return ""

    def __enter__(self) -> Desk:
        return self

    def __exit__(self, *_: object) -> None:
        self._gallery.close()
        self._folder.cleanup()


def show(site: Opened, stills: Sequence[Image], folder: Path, rules: Mapping[str, Any] | None = None) -> list[Came]:
    """What a door makes of every still, with those people enrolled that `enrol` has.

    stills: uint8 BGR, any size. rules: more of `[decide]`.
    """
    film = folder / "stills.avi"
    _write(film, stills)
    still = {"motion": False} if "motion" in Decide.model_fields else {}
    config = Config.model_validate(
        {
            "state_dir": str(site.state),
            "camera": [{"uri": f"file:{film}"}],
            "models": site.models.model_dump(),
            "decide": {**still, **(rules or {})},
            "clock": {"require_sync": "never"},
            "health": {"telemetry": "off"},
        }
    )
    told: list[dict[str, Any]] = []
    assert Daemon(config, site.state, cache_dir(), told.append, once=True).run() == 0
    tracks: dict[int, int] = defaultdict(int)
    decisions: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for event in told:
        if event["event"] == "track":
            tracks[event["seq"] // (SHOWN + EMPTY)] += 1
        elif event["event"] == "decision":
            decisions[event["seq"] // (SHOWN + EMPTY)].append(event)
    film.unlink()
    return [Came(tracks[at], tuple(decisions[at])) for at in range(len(stills))]


def _write(film: Path, stills: Sequence[Image]) -> None:
    writer = cv2.VideoWriter(str(film), cv2.CAP_OPENCV_MJPEG, cv2.VideoWriter.fourcc(*"MJPG"), FPS, SIZE)
    writer.set(cv2.VIDEOWRITER_PROP_QUALITY, 97)
    random = np.random.default_rng(0)
    for still in stills:
        for frame in _scene(still):
            writer.write(_sensed(frame, random))
    writer.release()


def _scene(still: Image) -> Iterator[Image]:
    """The still in its own size, or as large as the picture holds, swaying as if held by hand; then nothing."""
    height, width = still.shape[:2]
    fit = min(1.0, SIZE[0] / width, SIZE[1] / height)
    for step in range(SHOWN):
        phase = 2 * np.pi * step / SHOWN
        scale = fit * (1 - SWELL + SWELL * np.sin(phase))
        across = SIZE[0] / 2 - scale * width / 2 + SWAY_PX * np.sin(2 * phase)
        down = SIZE[1] / 2 - scale * height / 2 + SWAY_PX * np.cos(phase)
        matrix = np.array([[scale, 0, across], [0, scale, down]])
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        small = cv2.resize(still, None, fx=scale, fy=scale, interpolation=how) if scale < 0.5 else still
        matrix[:, :2] *= width / small.shape[1]
        yield np.asarray(cv2.warpAffine(small, matrix, SIZE, borderValue=(GREY,) * 3), np.uint8)
    for _ in range(EMPTY):
        yield np.full((SIZE[1], SIZE[0], 3), GREY, np.uint8)


def _sensed(frame: Image, random: np.random.Generator) -> Image:
    """With a little noise, as a camera has it."""
    noise = random.integers(-2, 3, (*frame.shape[:2], 1), np.int16)
    return np.asarray(np.clip(frame.astype(np.int16) + noise, 0, 255), np.uint8)
