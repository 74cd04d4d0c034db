"""The recogniser before as a second opinion: about whom the one that serves does not know, and nobody else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from faceedge.bundle import Bundle
from faceedge.config import Decide
from faceedge.decide import Judge
from faceedge.door_limits import Numbers
from faceedge.dual import Dual, Opinion, on_scale
from faceedge.errors import EngineError
from faceedge.fit import Thresholds
from faceedge.gallery.base import Origin, Person
from faceedge.gallery.search import similarity
from faceedge.gallery.store import Gallery
from faceedge.jobs.roster import Roster
from faceedge.jobs.vision import Vision
from faceedge.publish import Published
from faceedge.stages.recognise import RecogniseStage
from faceedge.types import Assessment, Decision, Face, Image, Match, Shot, Template
from tests.fakes.vision import Sitter, template

OLD, NEW = "space0of0old", "space0of0new"
ADA, BOB, EVE = 1, 2, 3
PHOTO = Origin(0.9, "photo", "build")
OLD_LEVELS, NEW_LEVELS = Thresholds(grey=0.8, match=0.85, strict=0.9), Thresholds(grey=0.5, match=0.6, strict=0.7)


@dataclass
class Networks:
    """Reads of a picture who stands there. fails: the recogniser does."""

    space: str
    door_thresholds: Thresholds
    fails: bool = False
    asked: int = 0
    alignment: str = "arcface_112"
    builds: dict[str, str] = field(default_factory=lambda: {"detector": "0123456789ab"})

    @property
    def recognizer(self) -> Networks:
        return self

    def crops(self, image: Image, faces: Sequence[Face]) -> list[Image]:
        return [image for _ in faces]

    def assess(self, _image: Image, faces: Sequence[Face], _crops: Sequence[Image]) -> list[Assessment]:
        return [Assessment(0.9) for _ in faces]

    def settled(self, before: Sequence[Assessment], _templates: Sequence[Template]) -> list[Assessment]:
        return list(before)

    def embed(self, crops: Sequence[Image]) -> list[Template]:
        self.asked += 1
        if self.fails:
            raise EngineError("the network fails")
        return [template(Sitter(int(crop[0, 0, 2]), int(crop[0, 0, 0])), self.space) for crop in crops]


def bundle(gallery: Gallery, networks: Networks) -> Bundle:
    rules = Decide()
    roster = Roster(gallery, "cosine", networks.space)
    judge = Judge(rules, networks.door_thresholds, lambda a, b: similarity(a, b, "cosine"), space=networks.space)
    return Bundle(0, cast(Vision, networks), roster, judge, Numbers.of((), rules, networks.door_thresholds))


def shown(sitter: Sitter, seq: int = 1) -> Shot:
    """With its frame."""
    picture = np.full((112, 112, 3), (sitter.pose, 7, sitter.person), np.uint8)
    face = Face(np.array([0, 0, 110, 110], np.float32), 0.99, np.zeros((5, 2), np.float32))
    return Shot("main", 1, seq, 10.0, face, picture, Assessment(0.9), frame=picture)


@dataclass
class Door:
    """A serving bundle with the one before beside it."""

    gallery: Gallery
    old: Networks
    before: Bundle
    serving: Bundle
    dual: Dual
    kept: list[str]

    def sees(self, sitter: Sitter, *, quality: float = 0.9, frame: bool = True) -> Match:
        """What comes of a shot of somebody."""
        for one in (self.before, self.serving):
            one.roster.follow()
        shot = replace(shown(sitter), assessment=Assessment(quality))
        made = template(sitter, NEW)
        match = self.serving.roster.identifier.identify(made)
        return self.dual.heard(shot if frame else replace(shot, frame=None), made, match)


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    with Gallery.open(tmp_path / "state") as gallery:
        old = Networks(OLD, OLD_LEVELS)
        serving = bundle(gallery, Networks(NEW, NEW_LEVELS))
        before = bundle(gallery, old)
        kept: list[str] = []
        dual = Dual(Opinion(serving, before, lambda _shot, person: kept.append(person)))
        yield Door(gallery, old, before, serving, dual, kept)


def enrol(door: Door, name: str, person: int, *spaces: str) -> Person:
    found = door.gallery.add_person(name)
    for space in spaces:
        door.gallery.add_template(found.id, template(Sitter(person), space), PHOTO)
    return found


def test_whom_the_serving_recogniser_does_not_know_the_one_before_names(door: Door) -> None:
    ada = enrol(door, "Ada", ADA, OLD)
    match = door.sees(Sitter(ADA, 1))
    assert (match.person, match.most) == (ada.id, "trusted")
    usual = door.serving.numbers.usual
    assert match.similarity >= usual.strict
    assert match.margin >= usual.margin
    assert door.kept == [ada.id]


def test_whom_the_serving_recogniser_knows_the_one_before_is_not_asked_about(door: Door) -> None:
    ada = enrol(door, "Ada", ADA, OLD, NEW)
    enrol(door, "Bob", BOB, OLD)
    match = door.sees(Sitter(ADA, 1))
    assert (match.person, door.old.asked, door.kept) == (ada.id, 0, [])


def test_of_whom_the_serving_recogniser_has_a_template_the_one_before_says_nothing(door: Door) -> None:
    """Not even in a picture in which the serving one does not find her."""
    ada = enrol(door, "Ada", ADA, OLD)
    enrol(door, "Bob", BOB, OLD)
    door.gallery.add_template(ada.id, template(Sitter(EVE), NEW), PHOTO)
    match = door.sees(Sitter(ADA, 1))
    assert (match.similarity < NEW_LEVELS.grey, door.old.asked, door.kept) == (True, 1, [])


def test_whoever_looks_like_somebody_to_be_enrolled_again_is_not_let_in_as_them(door: Door) -> None:
    """Ada, whom the serving recogniser does not find in this picture, is nearer to herself than to her double."""
    ada, double = enrol(door, "Ada", ADA, OLD), door.gallery.add_person("Eve")
    door.gallery.add_template(ada.id, template(Sitter(EVE), NEW), PHOTO)
    door.gallery.add_template(double.id, template(Sitter(ADA, 5), OLD), PHOTO)
    assert similarity(template(Sitter(ADA, 5), OLD), template(Sitter(ADA, 0), OLD), "cosine") > OLD_LEVELS.match
    match = door.sees(Sitter(ADA, 0))
    assert (match.person, match.similarity < NEW_LEVELS.grey, door.kept) == (ada.id, True, [])


def test_a_stranger_stays_one(door: Door) -> None:
    enrol(door, "Ada", ADA, OLD)
    match = door.sees(Sitter(EVE))
    assert match.person is None
    assert door.old.asked == 1
    assert door.kept == []


def test_as_soon_as_somebody_is_enrolled_again_the_one_before_is_silent(door: Door) -> None:
    ada = enrol(door, "Ada", ADA, OLD)
    assert door.sees(Sitter(ADA, 1)).person == ada.id
    door.gallery.add_template(ada.id, template(Sitter(ADA), NEW), PHOTO)
    asked = door.old.asked
    assert door.sees(Sitter(ADA, 2)).person == ada.id
    assert door.sees(Sitter(EVE)).similarity < NEW_LEVELS.grey
    assert door.old.asked == asked


def test_in_a_picture_that_is_not_to_be_trusted_nothing_is_kept(door: Door) -> None:
    ada = enrol(door, "Ada", ADA, OLD)
    assert door.sees(Sitter(ADA, 1), quality=0.5).person == ada.id
    assert door.kept == []


def test_a_recogniser_that_fails_and_a_shot_without_its_frame_change_nothing(door: Door) -> None:
    enrol(door, "Ada", ADA, OLD)
    assert door.sees(Sitter(ADA, 1), frame=False).person is None
    door.old.fails = True
    assert door.sees(Sitter(ADA, 1)).person is None
    door.old.fails = False
    assert door.sees(Sitter(ADA, 1)).person is not None


def levels(numbers: Thresholds, **more: Any) -> Any:
    return replace(Numbers.of((), Decide(), numbers).usual, **more)


@pytest.mark.parametrize(
    ("theirs", "ours"), [(0.8, 0.5), (0.825, 0.55), (0.85, 0.6), (0.9, 0.7), (0.95, 0.75), (0.7, 0.4), (1.3, 1.0)]
)
def test_a_score_means_the_same_on_the_other_scale(theirs: float, ours: float) -> None:
    told = on_scale(Match("id", theirs, 0.05), levels(OLD_LEVELS), levels(NEW_LEVELS), "grey")
    assert (told.similarity, told.most) == (pytest.approx(ours), "grey")


def test_a_lead_that_is_too_small_stays_so() -> None:
    theirs, ours = levels(OLD_LEVELS, margin=0.1), levels(NEW_LEVELS, margin=0.02)
    assert on_scale(Match("id", 0.9, 0.09), theirs, ours, "grey").margin < ours.margin
    assert on_scale(Match("id", 0.9, 0.1), theirs, ours, "grey").margin >= ours.margin


def test_whoever_only_the_recogniser_before_knows_is_let_in_by_its_numbers(door: Door) -> None:
    """Through the stage that decides, with its votes."""
    ada = enrol(door, "Ada", ADA, OLD)
    enrol(door, "Bob", BOB, OLD, NEW)
    for one in (door.before, door.serving):
        one.roster.follow()
    said: list[Decision] = []
    publisher = SimpleNamespace(publish=lambda decision: said.append(decision) or Published(decision))
    parts = [door.serving.vision, door.serving.roster.identifier, door.serving.judge, publisher]
    stage = RecogniseStage(*cast(list[Any], parts), clock=lambda: 10.0)
    shots = [shown(Sitter(ADA, pose), seq=pose) for pose in range(3)]
    stage(shots)
    stage.second = door.dual
    stage([replace(one, track=2) for one in shots])
    told = [(one.outcome, one.person, one.band) for one in said]
    assert told == [("deny", None, "none"), ("grant", ada.id, "trusted")]


def test_what_a_broken_network_makes_of_a_face_keeps_nobody_else_out(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it raises would otherwise cost everybody's votes."""

    def breaks(*_: object) -> list[Template]:
        raise ValueError("operands could not be broadcast together")

    enrol(door, "Ada", ADA, OLD)
    monkeypatch.setattr(door.old, "embed", breaks)
    assert door.sees(Sitter(ADA, 1)).similarity < NEW_LEVELS.grey
