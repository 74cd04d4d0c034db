"""Enrolment by command: one person alone before one camera, nothing opens meanwhile, and not at once afterwards."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from faceedge.config import Decide
from faceedge.decide import Judge
from faceedge.door.events import Letter
from faceedge.errors import StoreError
from faceedge.gallery.search import Index, similarity
from faceedge.gallery.store import Gallery
from faceedge.identify import Identifier
from faceedge.jobs.before_camera import LEFT_S, SHADE_S
from faceedge.jobs.enrol_mode import (
    CHANGED,
    ENROLLING,
    LEAVING,
    NO_JOURNAL,
    NOTHING_RUNS,
    RUNNING,
    STOPPED,
    EnrolMode,
)
from faceedge.jobs.enroll import TAKEN, UNLIKE, Wish, enroll
from faceedge.jobs.registrar import FAULT, KNOWN, NO_NAME, NOBODY, ONE_OF_TWO, UNREADABLE, Registrar
from faceedge.publish import Published
from faceedge.stages.recognise import Onlookers, RecogniseStage
from faceedge.types import Decision, Evidence, Image, Shot, Template
from tests.fakes.vision import SPACE, FakeVision, Sitter, photo, save, template

ADA, BOB = 1, 2
OPENERS = ("grant", "review")


class Diary:
    """What was written down; `written` wakes who waits for the end of an enrolment."""

    def __init__(self) -> None:
        self.trouble: str | None = None
        self.entries: list[tuple[str, Mapping[str, Any]]] = []
        self.letters: list[dict[str, Any]] = []
        self.written = threading.Event()

    def append(self, kind: str, body: Mapping[str, Any], letters: Sequence[Letter] = ()) -> None:
        self.entries.append((kind, body))
        self.letters += [json.loads(letter.payload) for letter in letters]
        self.written.set()


class Porch:
    """An enrolment mode over a real gallery, at the cameras `entry` and `yard`. A shot every 0.7 s."""

    def __init__(self, state: Path) -> None:
        self.now, self.seq = 100.0, 0
        self.state, self.diary = state, Diary()
        self.told: list[dict[str, Any]] = []
        registrar = Registrar(FakeVision(), partial(Gallery.open, state))
        self.mode = EnrolMode(("entry", "yard"), registrar, self.diary, self.told.append, clock=lambda: self.now)

    def begin(self, **args: str | int) -> str:
        return self.mode.begin({"camera": "entry", "name": "Ada", **args} if "person" not in args else args)

    def sees(
        self, person: int = ADA, *poses: int, track: int = 1, camera: str = "entry", quality: float = 0.9,
        after_s: float = 0.7,
    ) -> None:  # fmt: skip
        for shot in self.shots(person, *poses, track=track, camera=camera, quality=quality, after_s=after_s):
            self.mode.see(shot, embed([shot.crop])[0] if quality >= 0.4 else None)

    def shots(
        self, person: int, *poses: int, track: int, after_s: float, camera: str = "entry", quality: float = 0.9
    ) -> Iterator[Shot]:
        for pose in poses or (self.seq,):
            self.now += after_s
            self.seq += 1
            (one,) = FakeVision().portraits(photo(Sitter(person, pose, quality)))
            yield Shot(camera, track, self.seq, self.now, one.face, one.crop, one.assessment)

    def is_open(self, track: int = 1, camera: str = "entry") -> bool:
        """Whether a grant, and a review alike, would pass."""
        passed = [self.mode.shut(decision(camera, track, outcome)) for outcome in OPENERS]
        assert all(one.outcome in OPENERS or (one.reason, one.doors) == (ENROLLING, ()) for one in passed)
        assert len({one.outcome == before for one, before in zip(passed, OPENERS, strict=True)}) == 1
        return passed[0].outcome == "grant"

    def ends(self) -> dict[str, Any]:
        """The event, once it is there."""
        assert self.diary.written.wait(10)
        self.diary.written.clear()
        return self.diary.letters[-1]

    def people(self) -> dict[str, int]:
        with Gallery.open(self.state) as gallery:
            return {person.name: person.templates for person in gallery.people()}


def embed(crops: Sequence[Image]) -> list[Template]:
    """The pixels of the fake portraits say who it is."""
    return [template(Sitter(int(crop[0, 0, 2]), int(crop[0, 0, 1]))) for crop in crops]


def decision(camera: str, track: int, outcome: Any) -> Decision:
    return Decision(
        camera, track, 0, outcome, "match", "trusted", "id", Evidence(0.9, 0.3, 0.9, 3, 3, 1.0), 1.5, ("main",)
    )


@pytest.fixture
def porch(tmp_path: Path) -> Iterator[Porch]:
    made = Porch(tmp_path / "state")
    yield made
    made.mode.stop()
    assert [thread.name for thread in threading.enumerate() if thread.name == "enrol"] == []


def enrolled(porch: Porch, name: str, person: int) -> str:
    """Somebody who is in the gallery already; returns the id."""
    with Gallery.open(porch.state) as gallery:
        image = save(porch.state.parent / f"{person}.png", Sitter(person, 9))
        return enroll(gallery, FakeVision(), Wish(name, (image,))).person.id


def test_five_good_shots_that_differ_make_a_person(porch: Porch) -> None:
    assert porch.begin(seconds=30) == ""
    porch.sees(ADA, 0, 1, 2, 3, 4)
    event = porch.ends()
    assert porch.people() == {"Ada": 5}
    with Gallery.open(porch.state) as gallery:
        person = gallery.find("Ada")
        assert person is not None
        assert [entry.crop for entry in gallery.entries(person.id)] == [True] * 5
    assert {key: event[key] for key in ("kind", "camera", "ok", "why", "sub", "photos", "look_alikes")} == {
        "kind": "enrolment", "camera": "entry", "ok": True, "why": "", "sub": person.id, "photos": 5,
        "look_alikes": 0,
    }  # fmt: skip
    ((kind, entry),) = porch.diary.entries
    assert (kind, entry["ok"], entry["person"], entry["new"]) == ("enrolment", True, person.id, True)


def test_no_event_and_no_entry_holds_the_name(porch: Porch) -> None:
    enrolled(porch, "Bob", BOB)
    porch.begin(name="Ada")
    porch.sees(BOB, 0, 1, 2, 3, 4)
    porch.ends()
    said = json.dumps([porch.diary.entries, porch.diary.letters, porch.told, porch.mode.as_json()])
    assert "Ada" not in said
    assert "Bob" not in said
    assert "0." not in porch.diary.letters[0]["why"], "no similarity either"


def test_somebody_of_the_gallery_gets_more_pictures(porch: Porch) -> None:
    ada = enrolled(porch, "Ada", ADA)
    assert porch.begin(camera="entry", person=ada) == ""
    porch.sees(ADA, 0, 1, 2, 3, 4)
    assert (porch.ends()["sub"], porch.people()) == (ada, {"Ada": 6})


def test_whoever_stands_there_in_place_of_the_person_is_refused(porch: Porch) -> None:
    ada = enrolled(porch, "Ada", ADA)
    porch.begin(camera="entry", person=ada)
    porch.sees(BOB, 0, 1, 2, 3, 4)
    event = porch.ends()
    assert (event["ok"], event["why"], event["sub"], porch.people()) == (False, UNLIKE, "", {"Ada": 1})
    assert porch.diary.entries[0][1]["person"] == ada


def test_who_looks_like_somebody_else_is_refused_as_by_the_command_line(porch: Porch) -> None:
    enrolled(porch, "Bob", BOB)
    porch.begin(name="Ada")
    porch.sees(BOB, 0, 1, 2, 3, 4)
    assert (porch.ends()["why"], porch.people()) == (TAKEN, {"Bob": 1})


@pytest.mark.parametrize(
    ("args", "why"),
    [
        ({"camera": "cellar"}, "no such camera"),
        ({"seconds": 4}, "seconds: 5 to 120"),
        ({"seconds": 121}, "seconds: 5 to 120"),
        ({"name": ""}, ONE_OF_TWO),
        ({"name": " Ada"}, NO_NAME),
        ({"name": "11111111-1111-4111-8111-111111111111"}, NO_NAME),
        ({"camera": "entry", "person": "11111111-1111-4111-8111-111111111111"}, NOBODY),
        ({"camera": "entry", "person": "Bob"}, NOBODY),
        ({"name": "Bob"}, KNOWN),
    ],
)
def test_a_wrong_command_begins_nothing(porch: Porch, args: dict[str, str | int], why: str) -> None:
    enrolled(porch, "Bob", BOB)
    assert porch.begin(**args) == why
    assert (porch.mode.as_json(), porch.is_open()) == ({"on": False}, True)


def test_an_id_and_a_name_together_are_one_too_many(porch: Porch) -> None:
    assert porch.mode.begin({"camera": "entry", "person": "x", "name": "Ada"}) == ONE_OF_TWO


def test_too_little_time_enrols_nobody_and_says_what_stood_in_the_way(porch: Porch) -> None:
    porch.begin(seconds=5)
    porch.sees(ADA, 0, 1)
    porch.sees(ADA, 2, 3, 4, quality=0.5)
    porch.now += 5
    event = porch.ends()
    assert (event["ok"], event["photos"], porch.people()) == (False, 0, {})
    assert event["why"] == "2 of 5 good shots in time; most often it was: more light"


def test_two_faces_at_once_are_a_crowd_and_nothing_of_either_is_kept(porch: Porch) -> None:
    porch.begin(seconds=60)
    for pose in range(10):
        porch.sees(ADA, pose, track=1, after_s=0.4)
        porch.sees(BOB, pose, track=2, after_s=0.4)
    assert porch.mode.as_json()["guidance"] == "one person only"
    porch.mode.end()
    assert (porch.ends()["why"], porch.people()) == (STOPPED, {})


def test_somebody_who_comes_after_is_not_mixed_with_whoever_was_there_before(porch: Porch) -> None:
    porch.begin(seconds=60)
    porch.sees(BOB, 0, 1, 2, 3, track=1)
    porch.sees(ADA, 0, 1, 2, 3, track=2, after_s=1.2)
    assert porch.mode.as_json()["shots"] == 4
    porch.sees(ADA, 4, track=2)
    porch.ends()
    with Gallery.open(porch.state) as gallery:
        person = gallery.find("Ada")
        assert person is not None
        assert person.templates == 5


def test_a_poor_picture_without_a_template_is_guidance_only(porch: Porch) -> None:
    porch.begin(seconds=60)
    porch.sees(ADA, quality=0.2)
    assert (porch.mode.as_json()["guidance"], porch.mode.as_json()["shots"]) == ("more light", 0)


def test_shots_taken_before_the_command_do_not_count(porch: Porch) -> None:
    porch.begin(seconds=60)
    porch.now -= 50
    porch.sees(ADA, 0, 1, 2, 3, 4)
    assert porch.mode.as_json()["shots"] == 0


def test_only_the_camera_of_the_command_is_shut_and_looked_at(porch: Porch) -> None:
    porch.begin(seconds=60)
    porch.sees(ADA, 0, 1, 2, 3, 4, camera="yard")
    assert porch.mode.as_json()["shots"] == 0
    assert (porch.is_open(), porch.is_open(camera="yard")) == (False, True)


def test_an_enrolment_that_cannot_even_begin_shuts_no_camera(porch: Porch, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as machine:
        machine.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError):
            porch.mode.begin({"camera": "entry", "name": "Ada"})
    assert porch.mode.shut(decision("entry", 1, "grant")).outcome == "grant"
    assert porch.mode.as_json() == {"on": False}
    assert porch.mode.begin({"camera": "entry", "name": "Ada"}) == ""


def test_a_refusal_stays_what_it_is(porch: Porch) -> None:
    porch.begin()
    refusal = decision("entry", 1, "deny")
    assert porch.mode.shut(refusal) is refusal


def test_two_at_once_is_one_too_many_and_the_first_goes_on(porch: Porch) -> None:
    assert porch.begin() == ""
    assert porch.begin(camera="yard", name="Bob") == RUNNING
    porch.sees(ADA, 0, 1, 2, 3, 4)
    assert porch.ends()["ok"]
    porch.mode.stop()


def test_one_after_the_other_is_fine(porch: Porch) -> None:
    porch.begin()
    assert porch.mode.end() == ""
    assert porch.ends()["why"] == STOPPED
    assert porch.mode.end() == NOTHING_RUNS
    assert porch.begin() == ""
    porch.sees(ADA, 0, 1, 2, 3, 4)
    assert porch.ends()["ok"]


def test_a_daemon_that_stops_meanwhile_has_enrolled_nobody(porch: Porch) -> None:
    porch.begin()
    porch.sees(ADA, 0, 1, 2, 3)
    porch.mode.stop()
    assert (porch.ends()["why"], porch.people()) == (LEAVING, {})
    assert porch.begin() == RUNNING, "nothing begins after the end"


def test_nobody_is_enrolled_who_cannot_be_written_down(porch: Porch) -> None:
    porch.diary.trouble = "the disk is full"
    assert porch.begin() == NO_JOURNAL
    porch.diary.trouble = None
    porch.begin()
    porch.diary.trouble = "the disk is full"
    porch.sees(ADA, 0, 1, 2, 3, 4)
    assert (porch.ends()["why"], porch.people()) == (NO_JOURNAL, {})


@pytest.mark.parametrize(("error", "why"), [(StoreError("gallery.db: is locked"), UNREADABLE), (KeyError("x"), FAULT)])
def test_a_gallery_that_fails_in_the_middle_ends_the_enrolment_and_says_so(
    porch: Porch, monkeypatch: pytest.MonkeyPatch, error: Exception, why: str
) -> None:
    """The third of five templates cannot be written: none is there afterwards."""
    porch.begin()
    count = iter(range(9))
    add = Gallery.add_template

    def broken(*args: Any, **kwargs: Any) -> str:
        if next(count) == 2:
            raise error
        return add(*args, **kwargs)

    monkeypatch.setattr(Gallery, "add_template", broken)
    porch.sees(ADA, 0, 1, 2, 3, 4)
    assert (porch.ends()["why"], porch.people()) == (why, {})
    assert porch.is_open(track=2)


def test_who_was_enrolled_must_leave_and_come_again(porch: Porch) -> None:
    porch.begin()
    porch.sees(ADA, 0, 1, 2, 3, 4)
    assert porch.ends()["ok"]
    porch.sees(ADA, after_s=0.1)
    assert not porch.is_open(), "the same track, a moment later"
    for _ in range(100):
        porch.sees(ADA)
    assert not porch.is_open(), "and a minute later"
    porch.sees(ADA, track=2, after_s=LEFT_S + 0.1)
    assert porch.is_open(track=2)
    assert not porch.is_open(track=1)


def test_a_track_that_only_breaks_is_not_leaving(porch: Porch) -> None:
    porch.begin()
    porch.sees(ADA, 0, 1, 2, 3, 4)
    porch.ends()
    porch.sees(ADA, track=2, after_s=1.0)
    porch.sees(ADA, track=3, after_s=1.9)
    assert not porch.is_open(track=3)
    porch.sees(ADA, track=4, after_s=2.1)
    assert (porch.is_open(track=3), porch.is_open(track=4)) == (False, True)


def test_a_face_that_never_leaves_keeps_newcomers_out_for_a_minute_only(porch: Porch) -> None:
    porch.begin()
    porch.sees(ADA, 0, 1, 2, 3, 4)
    porch.ends()
    end = porch.now
    while porch.now < end + SHADE_S - 1:
        porch.sees(BOB, track=1, after_s=0.9)
    porch.sees(ADA, track=2, after_s=0.1)
    assert not porch.is_open(track=2)
    porch.sees(BOB, track=1, after_s=1.5)
    porch.sees(ADA, track=3, after_s=0.1)
    assert [porch.is_open(track=track) for track in (1, 2, 3)] == [False, False, True]


def test_who_was_refused_must_leave_as_well(porch: Porch) -> None:
    porch.begin(seconds=5)
    porch.sees(ADA, 0, 1)
    porch.now += 5
    assert not porch.ends()["ok"]
    porch.sees(ADA, after_s=0.1)
    assert not porch.is_open()


def test_the_door_stays_shut_for_somebody_known_from_the_first_shot_until_they_come_again(porch: Porch) -> None:
    """Through the real recogniser's stage and judge: three votes are a grant, and the last one of them is fresh."""
    told: list[Decision] = []
    enrolled(porch, "Ada", ADA)
    with Gallery.open(porch.state) as gallery:
        identifier = Identifier(Index.of(gallery.templates(SPACE), "cosine"))
    judge = Judge(Decide(min_face_px=20, cooldown_s=0), FakeVision.thresholds, partial(similarity, metric="cosine"))
    parts: list[Any] = [
        SimpleNamespace(recognizer=SimpleNamespace(embed=embed), settled=lambda before, _: list(before)),
        identifier, judge,
        SimpleNamespace(publish=lambda decision: told.append(decision) or Published(decision)),
    ]  # fmt: skip
    stage = RecogniseStage(*parts, lambda: porch.now, porch.mode.shut, Onlookers(watch=porch.mode.see))

    def outcomes(track: int, *poses: int, after_s: float = 0.7) -> set[str]:
        told.clear()
        for shot in porch.shots(ADA, *poses, track=track, after_s=after_s):
            stage([shot])
        return {decision.outcome for decision in told}

    assert outcomes(1, 0, 1, 2) == {"grant"}
    assert porch.begin(camera="entry", person=identifier.identify(template(Sitter(ADA))).person or "") == ""
    assert outcomes(1, 3, 4, 5, 6, 7) == {"deny"}
    assert porch.ends()["ok"]
    assert outcomes(1, 8, 9, 10, 11) == {"deny"}
    assert outcomes(2, 12, 13, 14, 15) == {"deny"}, "the track broke for 0.7 s"
    assert outcomes(3, 16, after_s=2.5) == set()
    assert outcomes(3, 17, 18) == {"grant"}


def test_a_second_enrolment_does_not_let_the_first_one_in(porch: Porch) -> None:
    porch.begin()
    porch.sees(ADA, 0, 1, 2, 3, 4, track=7)
    porch.ends()
    porch.begin(name="Bob")
    porch.mode.end()
    porch.ends()
    assert not porch.is_open(track=7)


def other(porch: Porch) -> Registrar:
    return Registrar(FakeVision(), partial(Gallery.open, porch.state))


def test_pictures_of_two_recognisers_make_nobody(porch: Porch) -> None:
    porch.begin()
    porch.sees(ADA, 0, 1, 2)
    assert porch.mode.look_through(other(porch))
    assert (porch.ends()["why"], porch.people()) == (CHANGED, {})
    porch.begin(name="Bob")
    porch.sees(BOB, 0, 1, 2, 3, 4, track=2)
    assert (porch.ends()["ok"], porch.people()) == (True, {"Bob": 5})


def test_what_one_recogniser_has_seen_is_not_stored_for_another_that_serves_by_then(
    porch: Porch, monkeypatch: pytest.MonkeyPatch
) -> None:
    porch.begin()
    look_through = porch.mode.look_through
    trouble = property(lambda _diary: look_through(other(porch)) or None, lambda _diary, _none: None)
    monkeypatch.setattr(Diary, "trouble", trouble, raising=False)  # asked just before it is stored
    porch.sees(ADA, 0, 1, 2, 3, 4)
    assert (porch.ends()["why"], porch.people()) == (CHANGED, {})
