"""Stories of a review that is confirmed in time, and of all the ways in which it must not open. Time is passed in."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from faceedge.config import Decide, Door
from faceedge.decide import ANEW, DONE, GONE, OTHER, UNSURE, Judge
from faceedge.door.events import Letter
from faceedge.door.link import GrantResult
from faceedge.errand import FAILED
from faceedge.fit import Thresholds
from faceedge.journal.bodies import second_factor_letter
from faceedge.permit import Permit
from faceedge.publish import Publisher
from faceedge.reviews import LATE, UNKNOWN, USED, Reviews
from faceedge.rules.book import Book, Rule, Standing
from faceedge.stages.recognise import BUSY, PLAYED, RecogniseStage
from faceedge.types import Assessment, Decision, Face, Image, Match, Shot, Template

THRESHOLDS = Thresholds(grey=0.5, match=0.6, strict=0.7)
ANNA, BORIS = "anna", "boris"
BOTH_MAY = Book({ANNA: Standing(), BORIS: Standing()})
NOBODY_MAY = replace(BOTH_MAY, rules=(Rule("1", "nobody", "main"), Rule("2", "nobody", "lab")))


def cosine(a: Template, b: Template) -> float:
    return float(a.embedding @ b.embedding)


class Link:
    """Takes every grant, or says why not."""

    def __init__(self) -> None:
        self.refusal: str | None = None
        self.sent: list[tuple[str, dict[str, Any]]] = []

    def send_grant(self, door: str, **grant: Any) -> str | None:
        if self.refusal is None:
            self.sent.append((door, grant))
        return self.refusal

    def publish_decision(self, body: dict[str, Any]) -> None:
        pass


class Diary:
    """Everything that is written down, in order."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, dict[str, Any]]] = []

    def append(self, kind: str, body: dict[str, Any], letters: Sequence[Letter] = ()) -> None:
        self.entries.append((kind, body))

    def append_now(self, kind: str, body: dict[str, Any], wait_s: float) -> int:
        self.entries.append((kind, body))
        return len(self.entries)


class Hall:
    """The real stage, judge, rules and publisher; a link, a journal and a clock of its own. A shot every 0.1 s."""

    def __init__(self, *doors: Door, realtime: bool = True, **rules: float) -> None:
        self.now, self.seq = 100.0, 0
        self.book: Book | None = BOTH_MAY
        self.is_locked = False
        self.why_shut = ""
        self.asked: list[Decision] = []
        self.link, self.diary = Link(), Diary()
        self._matches: dict[int, Match] = {}
        doors = doors or (Door(),)
        judge = Judge(Decide(**rules), THRESHOLDS, cosine)
        self.publisher = Publisher(
            self.link, {"entry": doors}, lambda _event: None, self.retry, clock=self.clock, journal=self.diary,
            ask=self._ask, realtime=realtime,
        )  # fmt: skip
        names = {"entry": [door.name for door in doors]}
        permit = Permit(
            lambda: self.book, names, lambda: None, self.retry, lambda: self.is_locked, lambda _camera: self.why_shut
        )
        recognizer = SimpleNamespace(embed=embed, tidy=lambda: None)
        vision = SimpleNamespace(recognizer=recognizer, settled=lambda before, _: list(before))
        identifier = SimpleNamespace(identify=lambda template: self._matches[int(template.norm)])
        parts = cast(list[Any], [vision, identifier, judge, self.publisher])
        self.stage = RecogniseStage(*parts, self.clock if realtime else None, permit)

    def clock(self) -> float:
        return self.now

    def retry(self, camera: str, track: int, segment: int = 0) -> None:
        self.stage.retry(camera, track, segment)

    def sees(
        self, person: str | None = ANNA, similarity: float = 0.55, *, quality: float = 0.9, margin: float = 0.3,
        face: int = 0, track: int = 1, times: int = 1,
    ) -> None:  # fmt: skip
        """face: which unit vector the embedding is; two faces have similarity 0."""
        for _ in range(times):
            self.now += 0.1
            self.seq += 1
            crop = np.full((4, 4, 3), (self.seq % 256, self.seq // 256, face), np.uint8)
            self._matches[self.seq] = Match(person, similarity, margin)
            box = Face(np.array([0, 0, 120, 120], np.float32), 1.0, np.zeros((5, 2), np.float32))
            self.stage([Shot("entry", track, self.seq, self.now, box, crop, Assessment(quality, ("blurred",)))])

    def waits(self, seconds: float) -> None:
        self.now += seconds
        self.stage([])

    def is_asked(self) -> str:
        """Anna stands there, in doubt; returns the id of the question."""
        self.sees(times=3)
        return self.asked[-1].id

    def confirm(self, review: str) -> str:
        """From another thread, as commands come, while the stage goes round."""
        said: list[str] = []
        thread = threading.Thread(target=lambda: said.append(self.stage.confirm(review)))
        thread.start()
        while thread.is_alive():
            self.stage([])
        return said[0]

    @property
    def grants(self) -> list[tuple[str, str, str]]:
        return [(door, grant["reason"], grant["sub"]) for door, grant in self.link.sent]

    def _ask(self, review: Decision) -> Letter:
        self.asked.append(review)
        return Letter(review.id, "second_factor", b"")


def embed(crops: Sequence[Image]) -> list[Template]:
    """The number of the shot travels as the norm."""
    return [
        Template(
            np.eye(4, dtype=np.float32)[crop[0, 0, 2]], float(crop[0, 0, 0]) + 256.0 * float(crop[0, 0, 1]), "space"
        )
        for crop in crops
    ]


def test_asked_confirmed_and_granted_once() -> None:
    hall = Hall()
    review = hall.is_asked()
    assert hall.grants == []
    assert hall.confirm(review) == ""
    assert hall.grants == [("main", "second_factor", ANNA)]


def test_the_grant_is_marked_grey_and_says_what_it_rests_on() -> None:
    hall = Hall()
    review = hall.is_asked()
    hall.confirm(review)
    kinds = [kind for kind, _ in hall.diary.entries]
    assert kinds == ["decision", "second_factor", "decision", "grant"]
    (_, first), (_, asked), (_, second), (_, grant) = hall.diary.entries
    assert asked == {"id": review, "person": ANNA, "doors": ["main"], "valid_ms": 30_000}
    assert (second["outcome"], second["reason"], second["band"]) == ("grant", "second_factor", "grey")
    assert second["review"] == review
    assert (first["id"], grant["id"]) == (review, second["id"])
    assert second["id"] != review


def test_who_has_left_when_it_is_confirmed_stays_outside() -> None:
    hall = Hall()
    review = hall.is_asked()
    hall.waits(1.2)
    assert (hall.confirm(review), hall.grants) == (GONE, [])


def test_a_face_that_shows_only_poor_pictures_for_a_second_is_not_seen() -> None:
    hall = Hall()
    review = hall.is_asked()
    hall.sees(quality=0.2, times=9)
    assert hall.confirm(hall.asked[-1].id) == ""
    hall = Hall()
    review = hall.is_asked()
    hall.sees(quality=0.2, times=11)
    assert (hall.confirm(review), hall.grants) == (GONE, [])


def test_somebody_else_who_took_the_place_stays_outside() -> None:
    hall = Hall()
    review = hall.is_asked()
    hall.sees(BORIS, 0.9, face=1)
    assert (hall.confirm(review), hall.grants) == (OTHER, [])
    hall.sees(ANNA, 0.9, face=1)
    assert (hall.confirm(review), hall.grants) == (OTHER, []), "the face changed; that it now looks like Anna is new"


def test_a_face_that_now_looks_like_somebody_else_too_stays_outside() -> None:
    hall = Hall()
    review = hall.is_asked()
    hall.sees(BORIS, 0.55)
    assert hall.confirm(review) == OTHER
    hall.sees(ANNA, 0.55)
    assert hall.confirm(review) == OTHER, "one of the last five votes is for Boris"
    hall.sees(ANNA, 0.55, times=4)
    assert hall.confirm(review) == ""
    assert hall.grants == [("main", "second_factor", ANNA)]


def test_of_twins_none_passes_while_the_votes_swing_between_them() -> None:
    hall = Hall()
    hall.sees(ANNA, 0.8, margin=0.001, times=3)
    (asked,) = hall.asked
    assert (asked.reason, asked.person) == ("ambiguous", ANNA)
    for person in (BORIS, ANNA, BORIS, ANNA, ANNA):
        hall.sees(person, 0.8, margin=0.001)
        assert hall.confirm(asked.id) == OTHER
    hall.sees(ANNA, 0.8, margin=0.001, times=3)
    assert hall.confirm(asked.id) == ""
    assert hall.grants == [("main", "second_factor", ANNA)]


def test_whoever_is_below_grey_now_stays_outside() -> None:
    hall = Hall()
    review = hall.is_asked()
    hall.sees(ANNA, 0.49)
    assert (hall.confirm(review), hall.grants) == (UNSURE, [])
    hall.sees(ANNA, 0.55)
    assert hall.confirm(review) == ""


def test_the_newest_vote_alone_is_not_enough() -> None:
    hall = Hall()
    review = hall.is_asked()
    hall.sees(ANNA, 0.4, times=3)
    hall.sees(ANNA, 0.55)
    assert (hall.confirm(review), hall.grants) == (UNSURE, [])


def test_confirmed_twice_opens_once() -> None:
    hall = Hall()
    review = hall.is_asked()
    assert [hall.confirm(review), hall.confirm(review)] == ["", USED]
    assert len(hall.grants) == 1


def test_a_second_too_late_is_too_late() -> None:
    hall = Hall()
    review = hall.is_asked()
    hall.sees(times=299)
    assert hall.now - 100.3 < 30
    other = Hall()
    late = other.is_asked()
    other.sees(times=302)
    assert (hall.confirm(review), other.confirm(late)) == ("", LATE)
    assert (len(hall.grants), other.grants) == (1, [])


@pytest.mark.parametrize("wanted", ["0123456789abcdef", "", "x" * 1000])
def test_a_decision_that_nobody_was_asked_about_is_unknown(wanted: str) -> None:
    hall = Hall()
    hall.is_asked()
    assert hall.confirm(wanted) == UNKNOWN


def test_a_refusal_and_a_grant_cannot_be_confirmed() -> None:
    hall = Hall()
    hall.sees(None, 0.1, times=3)
    hall.sees(ANNA, 0.9, face=1, times=3)
    ids = [body["id"] for kind, body in hall.diary.entries if kind == "decision"]
    assert [body["outcome"] for kind, body in hall.diary.entries if kind == "decision"] == ["deny", "grant"]
    assert [hall.confirm(one) for one in ids] == [UNKNOWN, UNKNOWN]
    assert len(hall.grants) == 1


def test_a_lockdown_in_between_keeps_the_door_shut() -> None:
    hall = Hall()
    review = hall.is_asked()
    hall.is_locked = True
    assert (hall.confirm(review), hall.grants) == ("refused: lockdown", [])
    hall.is_locked = False
    assert (hall.confirm(review), hall.grants) == (USED, [])


def test_a_camera_that_stands_still_meanwhile_keeps_the_door_shut() -> None:
    hall = Hall()
    review = hall.is_asked()
    hall.why_shut = "its picture stands still"
    assert (hall.confirm(review), hall.grants) == ("refused: camera", [])


@pytest.mark.parametrize(
    ("book", "why"),
    [
        (None, "rules_unreadable"),
        (NOBODY_MAY, "not_here"),
        (replace(BOTH_MAY, people={ANNA: Standing(blocked=True)}), "blocked"),
        (replace(BOTH_MAY, people={BORIS: Standing()}), "unknown"),
    ],
)
def test_a_rule_that_changed_in_between_holds(book: Book | None, why: str) -> None:
    hall = Hall()
    review = hall.is_asked()
    hall.book = book
    assert (hall.confirm(review), hall.grants) == (f"refused: {why}", [])


def test_nobody_is_asked_about_somebody_whom_the_rules_refuse() -> None:
    hall = Hall()
    hall.book = NOBODY_MAY
    hall.sees(times=3)
    (body,) = [body for kind, body in hall.diary.entries]
    assert (body["outcome"], hall.asked) == ("deny", [])
    hall.book = BOTH_MAY
    assert (hall.confirm(body["id"]), hall.grants) == (UNKNOWN, [])


def test_nobody_is_asked_for_a_door_that_demands_liveness() -> None:
    hall = Hall(Door(liveness="required"))
    hall.sees(times=3)
    assert [(body["outcome"], body["reason"]) for _, body in hall.diary.entries] == [("deny", "no_liveness")]
    assert hall.asked == []


def test_a_door_that_was_not_asked_about_stays_shut_though_the_rules_allow_it_now() -> None:
    hall = Hall(Door(), Door(name="lab"))
    hall.book = replace(BOTH_MAY, rules=(Rule("1", "nobody", "lab"),))
    review = hall.is_asked()
    assert hall.asked[-1].doors == ("main",)
    hall.book = BOTH_MAY
    assert hall.confirm(review) == ""
    assert [door for door, _, _ in hall.grants] == ["main"]


def test_of_many_doors_a_second_factor_opens_those_that_fit_into_the_question() -> None:
    hall = Hall(*[Door(name=f"door-{number}") for number in range(12)])
    review = hall.is_asked()
    assert hall.asked[0].doors == tuple(f"door-{number}" for number in range(8))
    second_factor_letter("dev", Ed25519PrivateKey.generate(), hall.asked[0])
    assert hall.confirm(review) == ""
    assert [door for door, _, _ in hall.grants] == list(hall.asked[0].doors)


def test_a_question_is_put_once_while_it_may_be_answered_and_anew_after() -> None:
    hall = Hall(cooldown_s=0)
    hall.sees(times=300)
    assert len(hall.asked) == 1
    hall.sees(times=5)
    assert len(hall.asked) == 2
    assert hall.confirm(hall.asked[0].id) == LATE
    assert hall.confirm(hall.asked[1].id) == ""


def test_a_question_is_not_put_again_because_the_votes_fell_in_between() -> None:
    hall = Hall(cooldown_s=0)
    review = hall.is_asked()
    hall.sees(ANNA, 0.4, times=5)
    hall.sees(times=5)
    assert [question.id for question in hall.asked] == [review]
    assert hall.confirm(review) == ""


def test_a_face_made_clear_opens_by_itself_and_a_confirm_then_adds_nothing() -> None:
    hall = Hall()
    review = hall.is_asked()
    hall.sees(ANNA, 0.9, times=3)
    assert hall.grants == [("main", "match", ANNA)]
    assert hall.confirm(review) == DONE
    assert len(hall.grants) == 1


def test_a_face_made_clear_after_a_confirm_opens_nothing_again() -> None:
    hall = Hall()
    assert hall.confirm(hall.is_asked()) == ""
    hall.sees(ANNA, 0.9, times=10)
    assert hall.grants == [("main", "second_factor", ANNA)]


def test_a_camera_that_watches_no_door_asks_nothing_that_could_be_confirmed() -> None:
    hall = Hall()
    hall.is_asked()
    reviews = Reviews(lambda review, now: review)
    reviews.note(replace(hall.asked[0], doors=()), hall.now)
    assert reviews.confirm(hall.asked[0].id, hall.now) == UNKNOWN


def test_a_lost_grant_asks_anew_and_the_old_confirm_is_used() -> None:
    hall = Hall()
    review = hall.is_asked()
    hall.link.refusal = "no fresh challenge"
    assert hall.confirm(review) == "lost: no fresh challenge"
    assert hall.grants == []
    hall.link.refusal = None
    hall.sees(times=8)
    assert [question.id == review for question in hall.asked] == [True, False]
    assert hall.confirm(review) == USED
    assert hall.confirm(hall.asked[1].id) == ""
    assert hall.grants == [("main", "second_factor", ANNA)]


def test_a_grant_that_got_no_verdict_may_be_asked_about_again() -> None:
    hall = Hall()
    hall.confirm(hall.is_asked())
    token = hall.link.sent[0][1]["token"]
    hall.publisher.result(GrantResult(token, "main", "main", "lost", "no verdict", 1.5))
    hall.sees(times=8)
    assert len(hall.asked) == 2


def test_an_older_question_about_the_same_face_is_not_the_newest() -> None:
    hall = Hall()
    first = hall.is_asked()
    hall.retry("entry", 1)
    hall.sees(times=6)
    assert len(hall.asked) == 2
    assert hall.confirm(first) == ANEW
    assert hall.confirm(hall.asked[1].id) == ""


def test_a_stage_that_is_stuck_is_busy_and_never_opens_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("faceedge.stages.recognise.CONFIRM_WAIT_S", 0.01)
    hall = Hall()
    review = hall.is_asked()
    assert hall.stage.confirm(review) == BUSY
    hall.sees(times=3)
    assert hall.grants == []
    monkeypatch.undo()
    assert hall.confirm(review) == "", "it was not taken up, so the question is still open"


def test_a_fault_while_it_is_granted_is_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    hall = Hall()
    review = hall.is_asked()

    def broken(_: Decision) -> Decision:
        raise RuntimeError("rules")

    said: list[str] = []
    thread = threading.Thread(target=lambda: said.append(hall.stage.confirm(review)))
    monkeypatch.setattr(hall.stage, "_permit", broken)
    thread.start()
    while thread.is_alive():
        try:
            hall.stage([])
        except RuntimeError:
            break
    thread.join(5)
    assert (said, hall.grants) == ([FAILED], [])


def test_a_film_asks_nobody_and_cannot_be_confirmed() -> None:
    hall = Hall(realtime=False)
    hall.sees(times=3)
    (body,) = [body for _, body in hall.diary.entries]
    assert (body["outcome"], hall.asked) == ("review", [])
    assert hall.stage.confirm(body["id"]) == PLAYED


# Everything at once: any shots, any waiting, any confirms, against what must be true of each grant.

Step = tuple[str, Any]
shots = st.tuples(
    st.sampled_from((ANNA, ANNA, ANNA, BORIS, None)),
    st.sampled_from((0.3, 0.55, 0.55, 0.8)),  # similarity
    st.sampled_from((0.2, 0.9, 0.9)),  # quality
    st.sampled_from((0.001, 0.3)),  # margin
    st.sampled_from((1, 1, 2)),  # track
)
steps = st.one_of(
    shots.map(lambda shot: ("shot", shot)),
    st.tuples(shots, st.integers(3, 6)).map(lambda many: ("shots", many)),
    st.integers(0, 3).map(lambda back: ("confirm", back)),
    st.sampled_from((0.3, 0.95, 1.1, 12.0, 31.0)).map(lambda seconds: ("wait", seconds)),
    st.just(("lost", None)),
)


class Witness:
    """Judge and reviews under any steps; remembers by itself what was seen, and checks every grant against that."""

    def __init__(self) -> None:
        self.judge = Judge(Decide(cooldown_s=0), THRESHOLDS, cosine)
        self.reviews = Reviews(self.judge.confirm)
        self.now, self.number = 100.0, 0
        self.votes: dict[int, list[tuple[float, str | None, float]]] = {}
        self.seen: dict[int, float] = {}
        self.asked: list[tuple[Decision, float]] = []
        self.granted: list[str] = []

    def shot(self, seen: tuple[str | None, float, float, float, int]) -> None:
        person, similarity, quality, margin, track = seen
        self.now += 0.1
        self.number += 1
        crop = np.full((4, 4, 3), (self.number % 256, self.number // 256, 0), np.uint8)
        face = Face(np.array([0, 0, 120, 120], np.float32), 1.0, np.zeros((5, 2), np.float32))
        shot = Shot("entry", track, self.number, self.now, face, crop, Assessment(quality))
        if not self.judge.is_usable(shot):
            self.told(self.judge.poor(shot, self.now))
        else:
            self.votes.setdefault(track, []).append((self.now, person, similarity))
            template = Template(np.eye(4, dtype=np.float32)[0], 1.0, "space")
            self.told(self.judge.vote(shot, template, Match(person, similarity, margin), self.now))
        self.seen[track] = self.now
        self.wait(0.0)

    def shots(self, many: tuple[tuple[str | None, float, float, float, int], int]) -> None:
        for _ in range(many[1]):
            self.shot(many[0])

    def told(self, decisions: list[Decision]) -> None:
        for decision in decisions:
            told = replace(decision, doors=("main",))
            self.reviews.note(told, self.now)
            if told.outcome == "review":
                self.asked.append((told, self.now))

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.judge.sweep(self.now)
        for track in [track for track, at in self.seen.items() if self.now - at > 1.0]:
            self.votes.pop(track, None)  # whoever comes under this number afterwards comes anew

    def lost(self, _: None) -> None:
        self.judge.forget("entry", 1, 0)

    def confirm(self, back: int) -> None:
        if back >= len(self.asked):
            return
        review, asked = self.asked[-1 - back]
        grant = self.reviews.confirm(review.id, self.now)
        if isinstance(grant, str):
            return
        assert review.id not in self.granted
        self.granted.append(review.id)
        assert (grant.outcome, grant.reason, grant.band) == ("grant", "second_factor", "grey")
        assert (grant.person, grant.track, grant.segment) == (review.person, review.track, review.segment)
        assert self.now - asked <= 30.0
        at, person, similarity = self.votes[review.track][-1]
        assert self.now - at <= 1.0
        assert (person, similarity >= THRESHOLDS.grey) == (review.person, True)
        recent = self.votes[review.track][-5:]
        assert {one for _, one, similar in recent if one and similar >= THRESHOLDS.grey} == {person}
        assert grant.deadline <= self.now + 0.5


@settings(max_examples=120, deadline=None)
@given(st.lists(steps, min_size=4, max_size=30))
def test_no_order_of_shots_and_confirms_grants_without_a_fresh_vote_for_the_same_person(taken: list[Step]) -> None:
    witness = Witness()
    for name, detail in [("shots", ((ANNA, 0.55, 0.9, 0.3, 1), 3)), *taken]:
        act: Callable[[Any], None] = getattr(witness, name)
        act(detail)


def test_the_witness_sees_grants_at_all() -> None:
    witness = Witness()
    witness.shots(((ANNA, 0.55, 0.9, 0.3, 1), 3))
    witness.confirm(0)
    assert len(witness.granted) == 1
