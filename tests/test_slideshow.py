"""Films of photos shown to a door and of a living person, by real networks: only who moves as a face does is let in.

A few of those of `benchmarks/slideshow.py`; movement is the only thing that decides, every face is taken for the right
person.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from benchmarks.networks import opened
from benchmarks.scenes import Sitter, as_frames, sitters
from benchmarks.slideshow import PHOTOS, WAYS, clip, granted_s, seen, slideshow, still
from faceedge.continuity import Continuity
from faceedge.jobs.vision import Vision
from faceedge.types import Image, Shot

pytestmark = pytest.mark.assets
SHOWN = ("cuts", "fades of 0.3 s", "wipes of 0.5 s", "drifting, cuts")


@pytest.fixture(scope="module")
def vision(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vision]:
    with opened("edgeface", tmp_path_factory.mktemp("slides") / "state") as site:
        yield site.vision


@pytest.fixture(scope="module")
def photos(assets: Path) -> Sequence[Sitter]:
    _, found = min(sitters(assets / "data" / "dev").items())
    return found[:PHOTOS]


def shots(vision: Vision, images: Sequence[Image]) -> list[Shot]:
    found = seen(vision, as_frames(images))
    assert granted_s(vision, found, None) is not None, "were it not for movement, this film would be let in"
    return found


@pytest.mark.parametrize("name", SHOWN)
def test_photos_one_after_another_are_not_let_in(vision: Vision, photos: Sequence[Sitter], name: str) -> None:
    film = slideshow(photos, np.random.default_rng(3), WAYS[name])
    assert granted_s(vision, shots(vision, film), Continuity()) is None


def test_a_photo_that_is_held_still_is_not_let_in(vision: Vision, photos: Sequence[Sitter]) -> None:
    film = still(photos[0], np.random.default_rng(3), shakes=False)
    assert granted_s(vision, shots(vision, film), Continuity()) is None


def test_a_living_person_is_let_in(vision: Vision, assets: Path) -> None:
    film = clip(assets / "data" / "dev" / "video" / "clips" / "asl_p4__sister.mkv")
    waited_s = granted_s(vision, seen(vision, film), Continuity())
    assert waited_s is not None
    assert waited_s < 2
