"""Networks opened beside those that serve: what is the same is shared, what fails leaves nothing behind."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from faceedge.config import EngineSettings, Models, cache_dir
from faceedge.demo.photos import astronaut
from faceedge.errors import EngineError, PackageError
from faceedge.gallery.base import Origin
from faceedge.gallery.store import Gallery
from faceedge.jobs.open_vision import open_vision
from faceedge.jobs.roster import Roster
from faceedge.jobs.vision import Vision
from faceedge.models.store import find_package, make_package
from faceedge.package import Package
from faceedge.types import Template

NETWORKS = {"yunet": "yunet_n", "edgeface-xxs": "edgeface_xxs_512", "edgeface-xs": "edgeface_xs_512"}


@pytest.fixture(scope="module")
def state(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("state")
    for name, file in NETWORKS.items():
        make_package(assets / "models" / f"{file}.onnx", name, root / "models")
    return root


@pytest.fixture
def vision(state: Path) -> Iterator[Vision]:
    models = Models(detector="yunet", recognizer="edgeface-xxs")
    with open_vision(models, EngineSettings(), state, cache_dir()) as opened:
        yield opened


def other(state: Path) -> Package:
    return find_package("edgeface-xs", state, cache_dir())


@pytest.mark.assets
def test_what_stays_the_same_is_shared_and_works_until_the_last_one_closes(vision: Vision, state: Path) -> None:
    beside = vision.beside({"recognizer": other(state)})
    assert beside.engines["detector"] is vision.engines["detector"]
    assert beside.engines["recognizer"] is not vision.engines["recognizer"]
    assert beside.space != vision.space
    vision.close()
    vision.close()
    assert len(beside.portraits(astronaut())) == 1
    with pytest.raises(EngineError):
        vision.recognizer.embed([np.zeros((112, 112, 3), np.uint8)])
    beside.close()
    with pytest.raises(EngineError):
        beside.prove(480, 270)


@pytest.mark.assets
def test_what_served_before_and_is_still_open_is_not_opened_again(vision: Vision, state: Path) -> None:
    with (
        vision.beside({"recognizer": other(state)}) as beside,
        beside.beside({"recognizer": vision.recognizer_package}, spare=vision) as back,
    ):
        assert back.engines == vision.engines
        assert back.has_open(vision.recognizer_package)
        assert not back.has_open(other(state))


@pytest.mark.assets
@pytest.mark.parametrize("fault", ["detector", "graph"])
def test_what_cannot_be_opened_leaves_nothing_and_what_serves_as_it_was(
    fault: str, vision: Vision, state: Path, tmp_path: Path
) -> None:
    if fault == "detector":
        with pytest.raises(PackageError, match="nobody is recognised"):
            vision.beside({"recognizer": other(state), "detector": None})
    else:
        broken = other(state)
        short = tmp_path / "model.onnx"
        short.write_bytes(broken.graph.read_bytes()[:1000])
        with pytest.raises(PackageError):
            vision.beside({"recognizer": replace(broken, folder=tmp_path)})
    assert len(vision.portraits(astronaut())) == 1


def template(person: int, space: str) -> Template:
    return Template(np.eye(8, dtype=np.float32)[person], 1.0, space)


def test_people_of_another_space_are_loaded_by_the_thread_that_asks_and_followed_by_another(tmp_path: Path) -> None:
    with Gallery.open(tmp_path) as mine:
        anna = mine.add_person("Anna").id
        mine.add_template(anna, template(0, "old"), Origin(0.9, "photo", "build"))
        mine.add_template(anna, template(1, "new"), Origin(0.9, "photo", "build"))
        made: list[Roster] = []

        def load() -> None:
            with Gallery.open(tmp_path) as theirs:
                made.append(Roster(theirs, "cosine", "new"))
                made[0].hand_to(mine)

        thread = threading.Thread(target=load)
        thread.start()
        thread.join()
        (roster,) = made
        assert roster.identifier.identify(template(1, "new")).person == anna
        bert = mine.add_person("Bert").id
        mine.add_template(bert, template(2, "new"), Origin(0.9, "photo", "build"))
        roster.follow()
        assert roster.identifier.identify(template(2, "new")).person == bert


def test_the_search_of_the_same_space_is_taken_over_and_each_then_follows_for_itself(tmp_path: Path) -> None:
    with Gallery.open(tmp_path) as gallery:
        first = Roster(gallery, "cosine", "space")
        asked: list[str] = []
        whole = gallery.templates
        gallery.templates = lambda *args: asked.append("read") or whole(*args)  # type: ignore[method-assign]
        second = Roster(gallery, "cosine", "space", like=first)
        assert asked == []
        anna = gallery.add_person("Anna").id
        gallery.add_template(anna, template(0, "space"), Origin(0.9, "photo", "build"))
        second.follow()
        assert second.identifier.identify(template(0, "space")).person == anna
        assert first.identifier.identify(template(0, "space")).person is None
        first.follow()
        assert first.identifier.identify(template(0, "space")).person == anna
