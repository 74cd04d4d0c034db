"""Another recogniser's templates, of the pictures that were kept: whole, resumable, and never across spaces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faceedge.errors import EngineError
from faceedge.fit import Thresholds
from faceedge.gallery.base import Levels, Origin, Person
from faceedge.gallery.rows import made_of
from faceedge.gallery.store import Gallery
from faceedge.jobs.reembed import Outcome, reembed, without
from faceedge.jobs.vision import Portrait
from faceedge.types import Face, Image, Template
from tests.fakes.vision import Sitter, template

OLD, NEW = "space0of0old", "space0of0new"
ADA, BOB, EVE = 1, 2, 3
LEVELS = Thresholds(grey=0.6, match=0.7, strict=0.8)


def crop(sitter: Sitter, side: int = 112) -> Image:
    return np.full((side, side, 3), (sitter.pose, 7, sitter.person), np.uint8)


@dataclass
class Network:
    """Reads of a crop who it shows. most: it fails after so many crops."""

    most: int = 1 << 30
    seen: int = 0

    def embed(self, crops: Sequence[Image]) -> list[Template]:
        self.seen += len(crops)
        if self.seen > self.most:
            raise EngineError("the network fails")
        return [template(Sitter(int(one[0, 0, 2]), int(one[0, 0, 0])), NEW) for one in crops]


@dataclass
class Eyes:
    """The recogniser that is to serve."""

    recognizer: Any = field(default_factory=Network)
    alignment: str = "arcface_112"
    scheme: str = "eyes_nose_mouth"
    thresholds: Thresholds = LEVELS
    door_thresholds: Thresholds = LEVELS
    look_alike: float = 0.6
    metric: str = "cosine"
    space: str = NEW
    recognizer_build: str = "build0of0new"

    def portraits(self, _image: Image) -> list[Portrait]:
        return []

    def crops(self, image: Image, faces: Sequence[Face]) -> list[Image]:
        return [np.full((112, 112, 3), image[0, 0], np.uint8) for _ in faces]


@pytest.fixture
def gallery(tmp_path: Path) -> Iterator[Gallery]:
    with Gallery.open(tmp_path / "state", count(1_700_000_000).__next__) as opened:
        yield opened


def enrol(gallery: Gallery, name: str, *sitters: Sitter, space: str = OLD, side: int | None = 112) -> Person:
    person = gallery.find(name) or gallery.add_person(name)
    for sitter in sitters:
        origin = Origin(sitter.quality, f"{name}-{sitter.pose}.jpg", "build0of0old")
        picture = None if side is None else crop(sitter, side)
        gallery.add_template(person.id, template(sitter, space), origin, picture)
    return person


def run(gallery: Gallery, eyes: Eyes | None = None, **more: Any) -> Outcome:
    return reembed(gallery, eyes or Eyes(), lambda _share: None, **more)


def test_everybody_gets_templates_of_the_new_recogniser(gallery: Gallery) -> None:
    ada = enrol(gallery, "Ada", Sitter(ADA, 0, 0.7), Sitter(ADA, 1, 0.8))
    enrol(gallery, "Bob", Sitter(BOB))
    shares: list[float] = []
    outcome = reembed(gallery, Eyes(), shares.append)
    assert (outcome.people, outcome.templates, outcome.is_whole) == (2, 3, True)
    assert (outcome.without, outcome.refused) == ((), ())
    assert (shares == sorted(shares), shares[-1]) == (True, 1.0)
    old, _, new, _ = gallery.entries(ada.id)
    assert new.id == made_of(old.id, NEW)
    assert (new.space, new.created, new.origin) == (NEW, old.created, replace(old.origin, build="build0of0new"))
    assert np.array_equal(gallery.templates(NEW, [ada.id]).embeddings[0], template(Sitter(ADA, 0), NEW).embedding)
    assert np.array_equal(gallery.crop(ada.id, new), crop(Sitter(ADA, 0)))  # type: ignore[arg-type]


def test_old_templates_stay_for_the_way_back(gallery: Gallery) -> None:
    ada = enrol(gallery, "Ada", Sitter(ADA))
    before = gallery.templates(OLD)
    run(gallery)
    assert np.array_equal(gallery.templates(OLD).embeddings, before.embeddings)
    back = run(gallery, Eyes(space=OLD))
    assert (back.templates, len(gallery.entries(ada.id))) == (0, 2)


def test_a_second_run_makes_nothing_twice(gallery: Gallery) -> None:
    enrol(gallery, "Ada", Sitter(ADA, 0), Sitter(ADA, 1))
    run(gallery)
    eyes, before = Eyes(), gallery.changes()
    assert (run(gallery, eyes).templates, eyes.recognizer.seen, gallery.changes()) == (0, 0, before)


def test_whoever_is_enrolled_meanwhile_comes_with_the_next_run(gallery: Gallery) -> None:
    enrol(gallery, "Ada", Sitter(ADA))
    run(gallery)
    enrol(gallery, "Bob", Sitter(BOB))
    assert run(gallery).people == 1


def test_a_run_that_is_ended_goes_on_where_it_was(gallery: Gallery) -> None:
    for number in range(40):
        enrol(gallery, f"person {number:02}", Sitter(number + 1))
    answers = iter([False, True])
    first = run(gallery, ending=lambda: next(answers))
    assert (first.is_whole, 0 < first.templates < 40, len(first.without)) == (False, True, 40 - first.templates)
    second = run(gallery)
    assert (second.is_whole, first.templates + second.templates, second.without) == (True, 40, ())


def test_a_network_that_fails_leaves_whole_people_only(gallery: Gallery) -> None:
    for number in range(20):
        enrol(gallery, f"person {number:02}", Sitter(number + 1, 0), Sitter(number + 1, 1))
    with pytest.raises(EngineError):
        run(gallery, Eyes(Network(most=20)))
    counts = {person.templates for person in gallery.people()}
    assert counts == {2, 4}
    assert run(gallery).without == ()


def test_the_governor_is_asked_between_any_two_batches(gallery: Gallery) -> None:
    for number in range(40):
        enrol(gallery, f"person {number:02}", Sitter(number + 1))
    paused: list[int] = []
    eyes = Eyes()
    run(gallery, eyes, pace=lambda: paused.append(eyes.recognizer.seen))
    assert paused == [16, 32, 40]


def test_people_without_pictures_are_told_by_name(gallery: Gallery) -> None:
    enrol(gallery, "Ada", Sitter(ADA))
    bob = enrol(gallery, "Bob", Sitter(BOB), side=None)
    assert [person.id for person in run(gallery).without] == [bob.id]
    assert [person.name for person in without(gallery, NEW)] == ["Bob"]
    assert without(gallery, OLD) == ()


def test_a_picture_of_no_known_size_is_refused_and_told(gallery: Gallery) -> None:
    enrol(gallery, "Ada", Sitter(ADA), side=96)
    outcome = run(gallery)
    assert [(person.name, why.split(":")[0]) for person, why in outcome.refused] == [("Ada", "Ada-0.jpg")]
    assert [person.name for person in outcome.without] == ["Ada"]


def test_a_picture_of_another_alignment_is_cut_anew(gallery: Gallery) -> None:
    ada = enrol(gallery, "Ada", Sitter(ADA), side=150)
    assert run(gallery).templates == 1
    _, new = gallery.entries(ada.id)
    assert gallery.crop(ada.id, new).shape == (112, 112, 3)  # type: ignore[union-attr]


def test_a_picture_of_somebody_else_is_refused_and_told(gallery: Gallery) -> None:
    ada = enrol(gallery, "Ada", Sitter(ADA, 0), Sitter(ADA, 1), Sitter(EVE, 2))
    outcome = run(gallery)
    assert [why.split(":")[0] for _, why in outcome.refused] == ["Ada-2.jpg"]
    assert (outcome.templates, outcome.without) == (2, ())
    assert len(gallery.templates(NEW, [ada.id]).persons) == 2


def test_of_two_pictures_that_are_unlike_the_better_stays(gallery: Gallery) -> None:
    enrol(gallery, "Ada", Sitter(ADA, 0, 0.5), Sitter(EVE, 1, 0.9))
    assert [why.split(":")[0] for _, why in run(gallery).refused] == ["Ada-0.jpg"]


def test_a_picture_must_fit_what_the_new_recogniser_knows_of_the_person(gallery: Gallery) -> None:
    enrol(gallery, "Ada", Sitter(ADA, 0), space=NEW)
    enrol(gallery, "Ada", Sitter(EVE, 1, 1.0))
    assert [why.split(":")[0] for _, why in run(gallery).refused] == ["Ada-1.jpg"]


def test_a_template_made_of_a_picture_is_no_source_of_others(gallery: Gallery) -> None:
    ada = enrol(gallery, "Ada", Sitter(ADA))
    run(gallery)
    third = run(gallery, Eyes(space="space0third0"))
    assert (third.templates, len(gallery.entries(ada.id))) == (1, 3)


def test_a_template_that_was_erased_stays_erased(gallery: Gallery) -> None:
    ada = enrol(gallery, "Ada", Sitter(ADA, 0), Sitter(ADA, 1))
    run(gallery)
    gallery.remove_template(ada.id, gallery.entries(ada.id)[2].id)
    assert [entry.origin.source for entry in gallery.entries(ada.id)] == ["Ada-1.jpg", "Ada-1.jpg"]
    assert run(gallery).templates == 0


def test_somebody_removed_while_the_network_runs_is_not_brought_back(gallery: Gallery) -> None:
    ada = enrol(gallery, "Ada", Sitter(ADA))
    enrol(gallery, "Bob", Sitter(BOB))

    class Slow(Network):
        def embed(self, crops: Sequence[Image]) -> list[Template]:
            gallery.remove(ada)
            return super().embed(crops)

    assert run(gallery, Eyes(Slow())).templates == 1
    assert gallery.templates(NEW, [ada.id]).persons == ()


def test_look_alikes_are_carried_over_to_the_new_space(gallery: Gallery) -> None:
    one, other = enrol(gallery, "Ada", Sitter(ADA, 0)), enrol(gallery, "Twin", Sitter(ADA, 1))
    levels = Levels(0.6, 0.7)
    assert run(gallery).flagged == 0  # nobody has asked for them in any space
    gallery.compared.note(OLD, levels, gallery.changes())
    outcome = run(gallery)
    assert (outcome.templates, outcome.flagged) == (0, 1)
    assert [set(pair.people) for pair in gallery.alike.pairs()] == [{one.id, other.id}]
    assert gallery.compared.reaches(NEW, levels)


def test_look_alikes_are_looked_for_down_to_what_the_doors_ask(gallery: Gallery) -> None:
    enrol(gallery, "Ada", Sitter(ADA, 0))
    enrol(gallery, "Bob", Sitter(BOB, 1))
    assert run(gallery, levels=Levels(-1.0, -1.0)).flagged == 1
    assert gallery.compared.reaches(NEW, Levels(-1.0, -1.0))


def test_looking_for_look_alikes_can_be_ended_and_is_done_the_next_time(gallery: Gallery) -> None:
    enrol(gallery, "Ada", Sitter(ADA, 0))
    enrol(gallery, "Twin", Sitter(ADA, 1))
    levels, answers = Levels(0.6, 0.7), iter([False, True])
    first = run(gallery, levels=levels, ending=lambda: next(answers))
    assert (first.is_whole, first.templates, gallery.compared.reaches(NEW, levels)) == (False, 2, False)
    assert (run(gallery, levels=levels).flagged, gallery.compared.reaches(NEW, levels)) == (1, True)
