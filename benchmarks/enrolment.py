"""Enrolment, with its checks and its sealed store, against the bare networks on the same photos."""

from __future__ import annotations

import tempfile
from pathlib import Path

import cv2

from benchmarks.measure import Row, compare_times, interleaved
from faceedge.config import EngineSettings, Models, cache_dir
from faceedge.demo.photos import astronaut
from faceedge.gallery.store import Gallery
from faceedge.jobs.enroll import Wish, enroll
from faceedge.jobs.open_vision import open_vision
from faceedge.jobs.photos import read_photo
from faceedge.jobs.vision import Vision

PHOTOS = 24
ROUNDS = 5


def rows() -> list[Row]:
    """Milliseconds a photo; each round enrols into an empty gallery on disk."""
    with (
        tempfile.TemporaryDirectory(dir=".") as folder,
        open_vision(Models(), EngineSettings(), Path("/nonexistent"), cache_dir()) as vision,
    ):
        scratch = Path(folder)
        photos = _photos(scratch)
        times = interleaved(
            ROUNDS, lambda: _enrol(scratch, vision, photos), lambda: [vision.portraits(read_photo(p)) for p in photos]
        )
    return [
        compare_times(f"enrolment of {PHOTOS} photos of one person, against the bare networks", *times, PHOTOS, None)
    ]


def _photos(folder: Path) -> tuple[Path, ...]:
    """The astronaut, slightly turned, scaled and relit, as JPEG files."""
    paths = []
    for number in range(PHOTOS):
        turn = cv2.getRotationMatrix2D((256, 256), number % 7 - 3, 0.9 + 0.01 * number)
        shown = cv2.warpAffine(astronaut(), turn, (512, 512), borderMode=cv2.BORDER_REPLICATE)
        paths.append(folder / f"{number}.jpg")
        cv2.imwrite(str(paths[-1]), cv2.convertScaleAbs(shown, alpha=0.85 + 0.01 * number))
    return tuple(paths)


def _enrol(scratch: Path, vision: Vision, photos: tuple[Path, ...]) -> None:
    with tempfile.TemporaryDirectory(dir=scratch) as state, Gallery.open(Path(state)) as gallery:
        done = enroll(gallery, vision, Wish("Astronaut", photos))
        assert sum(photo.added for photo in done.photos) == PHOTOS, "a photo added nothing"
