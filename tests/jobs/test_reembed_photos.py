"""Re-embedding five hundred people with real networks: the same numbers as if each had come for a new photo."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest

from faceedge.config import EngineSettings, Models, cache_dir
from faceedge.gallery.base import Origin
from faceedge.gallery.store import Gallery
from faceedge.jobs.open_vision import open_vision
from faceedge.jobs.reembed import reembed
from faceedge.jobs.vision import Vision
from faceedge.models.store import make_package
from faceedge.types import Image

pytestmark = [pytest.mark.assets, pytest.mark.system]

PEOPLE = 500


@pytest.fixture(scope="module")
def state(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("state")
    make_package(assets / "models" / "yunet_n.onnx", "yunet", root / "models")
    make_package(assets / "models" / "edgeface_xxs_512.onnx", "edgeface-xxs", root / "models")
    make_package(assets / "models" / "edgeface_xs_512.onnx", "edgeface-xs", root / "models")
    return root


def opened(state: Path, recogniser: str) -> Vision:
    models = Models(detector="yunet", recognizer=recogniser, quality="none")
    return open_vision(models, EngineSettings(), state, cache_dir())


@pytest.fixture(scope="module")
def before(state: Path) -> Iterator[Vision]:
    with opened(state, "edgeface-xxs") as vision:
        yield vision


@pytest.fixture(scope="module")
def after(state: Path) -> Iterator[Vision]:
    with opened(state, "edgeface-xs") as vision:
        yield vision


def photos(assets: Path) -> Iterator[Image]:
    """One of each person."""
    folders = sorted(path for path in (assets / "data" / "dev" / "lfw" / "images").iterdir() if path.is_dir())
    for folder in folders:
        yield cv2.imread(str(min(folder.iterdir())))


def test_five_hundred_people_are_known_as_if_enrolled_anew(
    assets: Path, state: Path, before: Vision, after: Vision
) -> None:
    found = ((photo, before.detector.detect([photo])[0]) for photo in photos(assets))
    shown = list(islice(((photo, faces[0]) for photo, faces in found if faces), PEOPLE))
    old = [before.crops(photo, [face])[0] for photo, face in shown]
    fresh = after.recognizer.embed([after.crops(photo, [face])[0] for photo, face in shown])
    with Gallery.open(state) as gallery:
        with gallery.transaction():
            people = [gallery.add_person(f"person {number}") for number in range(PEOPLE)]
            for person, crop, template in zip(people, old, before.recognizer.embed(old), strict=True):
                gallery.add_template(person.id, template, Origin(0.9, "photo", before.recognizer_build), crop)
        shares: list[float] = []
        outcome = reembed(gallery, after, shares.append)
        made = gallery.templates(after.space)
    assert (outcome.people, outcome.without, outcome.refused) == (PEOPLE, (), ())
    assert (len(shares) > PEOPLE / 20, shares == sorted(shares)) == (True, True)
    order = {person.id: at for at, person in enumerate(people)}
    wanted = [fresh[order[person]] for person in made.persons]
    assert np.abs(made.embeddings - np.array([one.embedding for one in wanted])).max() < 1e-4
    assert np.abs(made.norms / np.array([one.norm for one in wanted]) - 1).max() < 1e-4
