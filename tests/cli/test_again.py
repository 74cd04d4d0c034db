"""`people list|pending|approve`: who must be enrolled again, and how that goes without a photo session."""

from __future__ import annotations

import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import pytest

from faceedge.cli import opening
from faceedge.gallery.store import Gallery
from faceedge.models.store import make_package
from tests.cli.conftest import Run
from tests.fakes.small_networks import crop_network
from tests.fakes.vision import Sitter
from tests.jobs.test_reembed import ADA, BOB, EVE, NEW, Eyes, crop, enrol

NOW = time.time()
TODAY = time.strftime("%Y-%m-%d", time.gmtime(NOW))


class Opened(Eyes):
    def __enter__(self) -> Opened:
        return self

    def __exit__(self, *exception: object) -> None:
        return None


@pytest.fixture
def gallery(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gallery]:
    """Of the state directory that commands use."""
    monkeypatch.setattr(opening, "open_vision", lambda _args, _progress: Opened())
    with Gallery.open(tmp_path / "state") as opened:
        yield opened


@pytest.fixture
def space(tmp_path: Path, gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> str:
    """That of the recogniser that serves."""
    graph = crop_network(tmp_path / "crop.onnx", {"embedding": 512})
    package = make_package(graph, "edgeface-xxs", tmp_path / "state" / "models")
    monkeypatch.setenv("FACEEDGE__MODELS__RECOGNIZER", "edgeface-xxs")
    return package.space


def seen(gallery: Gallery, name: str, *sitters: Sitter) -> None:
    person = gallery.find(name) or enrol(gallery, name, Sitter(sitters[0].person), side=None)
    for sitter in sitters:
        gallery.sightings.add(person.id, crop(sitter), sitter.quality, NOW)


def listed(run: Run) -> dict[str, Any]:
    return {one["name"]: one["enrol_again"] for one in run("people", "list", "--json").document["people"]}


def test_a_list_names_who_must_be_enrolled_again(run: Run, gallery: Gallery, space: str) -> None:
    enrol(gallery, "Ada", Sitter(ADA))
    enrol(gallery, "Bob", Sitter(BOB), space=space)
    assert listed(run) == {"Ada": True, "Bob": False}
    ada, bob = run("people", "list").out.splitlines()
    assert ada.endswith("must be enrolled again for edgeface-xxs@1")
    assert "again" not in bob


def test_without_a_recogniser_nobody_can_say(run: Run, gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEEDGE__MODELS__RECOGNIZER", "gone")
    enrol(gallery, "Ada", Sitter(ADA))
    assert listed(run) == {"Ada": None}
    assert "again" not in run("people", "list").out


def test_pictures_are_listed_shown_and_approved(run: Run, gallery: Gallery, tmp_path: Path) -> None:
    assert "no picture" in run("people", "pending").out
    seen(gallery, "Ada", Sitter(ADA, 1, 0.7), Sitter(ADA, 2, 0.8))
    assert run("people", "pending").out == f"Ada  2 pictures, the newest of {TODAY}\n"
    assert run("people", "pending", "Ada", "--sheet", tmp_path / "ada.png").code == 0
    assert cv2.imread(str(tmp_path / "ada.png")).shape[1] == 480
    (one,) = run("people", "pending", "--json").document["pending"]
    assert (one["name"], [picture["quality"] for picture in one["pictures"]]) == ("Ada", [0.7, 0.8])
    assert run("people", "approve", "Ada").out.splitlines()[-1] == "extended Ada: 3 templates"
    assert len(gallery.templates(NEW).persons) == 2
    assert run("people", "pending", "--json").document == {"pending": [], "erased": 0}


def test_pictures_of_somebody_else_are_erased(run: Run, gallery: Gallery) -> None:
    seen(gallery, "Ada", Sitter(ADA, 1), Sitter(EVE, 2))
    refused = run("people", "approve", "Ada")
    assert (refused.code, "shows somebody else" in refused.err) == (2, True)
    assert run("people", "pending", "Ada", "--erase").out.endswith("2 pictures erased\n")
    refused = run("people", "approve", "Ada")
    assert (refused.code, "from photos" in refused.err) == (2, True)


def test_a_sheet_needs_a_name_and_is_private(run: Run, gallery: Gallery, tmp_path: Path) -> None:
    seen(gallery, "Ada", Sitter(ADA, 1))
    for words in (["--erase"], ["--sheet", tmp_path / "all.png"]):
        assert run("people", "pending", *words).code == 2
    run("people", "pending", "Ada", "--sheet", tmp_path / "ada.png")
    assert stat.S_IMODE((tmp_path / "ada.png").stat().st_mode) & 0o077 == 0
