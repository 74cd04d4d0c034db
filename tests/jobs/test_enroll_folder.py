"""A folder of people: each whole or not at all, nobody stops another; and who looks alike is pointed out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from faceedge.errors import BadInput, DeviceLost, EngineError
from faceedge.fit import Thresholds
from faceedge.gallery.search import Index
from faceedge.gallery.store import Gallery
from faceedge.jobs.enroll import Wish, _Clerk, admit, enroll
from faceedge.jobs.enroll_folder import Answer, candidates, enroll_folder
from faceedge.types import Assessment, Image, Template
from tests.fakes.vision import FakePortrait, FakeVision, Sitter, save


class Wary(FakeVision):
    """Points people out from far away."""

    look_alike = 0.3


@pytest.fixture
def gallery(tmp_path: Path) -> Iterator[Gallery]:
    with Gallery.open(tmp_path / "state") as opened:
        yield opened


@pytest.fixture
def people(tmp_path: Path) -> Path:
    folder = tmp_path / "people"
    for who, name in enumerate(("Ada", "Bob", "Eve"), start=1):
        (folder / name).mkdir(parents=True)
        for pose in range(2):
            save(folder / name / f"{pose}.png", Sitter(who, pose))
    return folder


def enrol(gallery: Gallery, folder: Path, eyes: FakeVision | None = None) -> list[Answer]:
    found, _ = candidates(folder, Wish(""))
    return list(enroll_folder(gallery, eyes or FakeVision(), found, lambda text, done: None))


def test_everybody_is_enrolled_by_the_name_of_the_folder(gallery: Gallery, people: Path) -> None:
    assert [answer.refused for answer in enrol(gallery, people)] == [None] * 3
    assert [(person.name, person.templates) for person in gallery.people()] == [("Ada", 2), ("Bob", 2), ("Eve", 2)]


def test_a_second_run_adds_nothing(gallery: Gallery, people: Path) -> None:
    enrol(gallery, people)
    assert [answer.is_change for answer in enrol(gallery, people)] == [False] * 3
    assert [person.templates for person in gallery.people()] == [2, 2, 2]
    save(people / "Bob" / "2.png", Sitter(2, 2))
    assert [answer.is_change for answer in enrol(gallery, people)] == [False, True, False]


def test_who_is_refused_stops_nobody_and_leaves_nothing(gallery: Gallery, people: Path) -> None:
    save(people / "Bob" / "2.png", Sitter(3, 5))
    (people / "Carl").mkdir()
    answers = {answer.name: answer for answer in enrol(gallery, people)}
    assert "shows somebody else" in str(answers["Bob"].refused)
    assert "no JPEG" in str(answers["Carl"].refused)
    assert [person.name for person in gallery.people()] == ["Ada", "Eve"]


class Fails(FakeVision):
    def portraits(self, image: Image) -> list[FakePortrait]:
        if image[0, 0, 2] == 1:
            raise EngineError("the network failed")
        return super().portraits(image)


def test_a_network_that_fails_on_one_person_enrols_the_others(gallery: Gallery, people: Path) -> None:
    assert [answer.refused for answer in enrol(gallery, people, Fails())] == ["the network failed", None, None]


class Lost(FakeVision):
    def portraits(self, image: Image) -> list[FakePortrait]:
        raise DeviceLost("the CUDA device is lost")


def test_a_device_that_is_lost_ends_it_for_all(gallery: Gallery, people: Path) -> None:
    with pytest.raises(DeviceLost):
        enrol(gallery, people, Lost())
    assert gallery.people() == []


def test_photos_beside_the_folders_are_named_and_hidden_folders_are_not_people(people: Path) -> None:
    (people / ".thumbnails").mkdir()
    stray = save(people / "stray.png", Sitter(9))
    found, beside = candidates(people, Wish(""))
    assert [person.wish.name for person in found] == ["Ada", "Bob", "Eve"]
    assert beside == [stray]


def test_a_folder_without_people_is_refused(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(BadInput, match=str(folder)):
            candidates(folder, Wish(""))


def test_progress_covers_all_people_and_rises(gallery: Gallery, people: Path) -> None:
    told: list[tuple[str, float]] = []
    found, _ = candidates(people, Wish(""))
    list(enroll_folder(gallery, FakeVision(), found, lambda text, done: told.append((text, round(done, 3)))))
    assert told[0] == ("Ada: 0.png", 0.167)
    assert told[-1] == ("Eve: 1.png", 1.0)
    assert [done for _, done in told] == sorted(done for _, done in told)


def test_who_looks_alike_is_pointed_out_and_not_refused(gallery: Gallery, tmp_path: Path) -> None:
    """The fake's pose 200 is hardly alike: below a match, above the score from which it is said."""
    ada = enroll(gallery, Wary(), Wish("Ada", (save(tmp_path / "a.png", Sitter(1)),)))
    assert ada.look_alikes == ()
    eve = enroll(gallery, Wary(), Wish("Eve", (save(tmp_path / "e.png", Sitter(1, 200)),)))
    (other,) = eve.look_alikes
    assert other.person.name == "Ada"
    assert 0.3 <= other.similarity < 0.7
    bob = enroll(gallery, Wary(), Wish("Bob", (save(tmp_path / "b.png", Sitter(2)),)))
    assert bob.look_alikes == ()


def test_one_does_not_look_like_oneself(gallery: Gallery, tmp_path: Path) -> None:
    photos = tuple(save(tmp_path / f"{pose}.png", Sitter(1, pose)) for pose in range(2))
    enroll(gallery, Wary(), Wish("Ada", photos[:1]))
    assert enroll(gallery, Wary(), Wish("Ada", photos)).look_alikes == ()


def test_nobody_is_admitted_without_a_face(gallery: Gallery) -> None:
    with pytest.raises(BadInput, match="no faces given"):
        admit(gallery, FakeVision(), Wish("Ada"), [])
    assert gallery.people() == []


def test_who_looks_alike_is_listed_by_how_sure_that_is_and_not_by_the_poorest_photo(gallery: Gallery) -> None:
    """A blurred photo comes nearer to Bob than the good one to Ada; the good one counts for more."""
    ada, bob, new = (gallery.add_person(name) for name in ("Ada", "Bob", "New"))
    good, poor = (Template(np.eye(4, dtype=np.float32)[at], 1.0, "space") for at in (0, 1))
    rows = np.array([[0.5, 0, 0.866, 0], [0, 0.55, 0.835, 0]], np.float32)
    everyone = Index([ada.id, bob.id], rows, np.ones(2, np.float32), "cosine", "space")
    sittings = [
        SimpleNamespace(template=template, portrait=SimpleNamespace(assessment=Assessment(quality)))
        for template, quality in ((good, 0.9), (poor, 0.4))
    ]
    levels = Thresholds(grey=0.4, match=0.6, strict=0.8)
    eyes = SimpleNamespace(look_alike=0.3, space="space", metric="cosine", thresholds=levels, door_thresholds=levels)
    clerk = _Clerk(gallery, cast(Any, eyes), Wish("New", ()), new)
    found = clerk.look_alikes(everyone, cast(Any, sittings))
    assert [(one.person.name, round(one.similarity, 2)) for one in found] == [("Ada", 0.5), ("Bob", 0.55)]
