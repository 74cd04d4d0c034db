"""Other networks serve from one batch to the next: each shot is decided by those that it was cut for, and no track is
forgotten."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from faceedge.bundle import Bundle, Turn
from faceedge.config import Decide
from faceedge.decide import GONE, Judge
from faceedge.door_limits import Numbers
from faceedge.errors import EngineError, FaceedgeError
from faceedge.fit import Thresholds
from faceedge.gallery.search import similarity
from faceedge.lockout import APART_S, TRIES
from faceedge.publish import Published
from faceedge.stages.detect import DetectStage
from faceedge.stages.recognise import RecogniseStage
from faceedge.types import Assessment, Decision, Face, Frame, Image, Match, Shot, Template

NUMBERS = Thresholds(grey=0.5, match=0.6, strict=0.7)
LOOSER = Thresholds(grey=0.3, match=0.4, strict=0.5)
FACE = Face(np.array([0, 0, 120, 120], np.float32), 1.0, np.zeros((5, 2), np.float32))


def alike(one: Template, other: Template) -> float:
    return similarity(one, other, "cosine")


@dataclass
class Networks:
    """Made up: everybody is Anna, as sure as `sure`. calls: how many crops were embedded."""

    space: str
    sure: float = 0.9
    quality: float = 0.9
    calls: int = 0
    recognizer: Any = field(init=False)

    def __post_init__(self) -> None:
        self.recognizer = SimpleNamespace(embed=self.embed, tidy=lambda: None, most=8)
        self.detector = SimpleNamespace(detect=lambda images, scale: [[FACE] for _ in images], most=8)
        self.identifier = SimpleNamespace(identify=lambda template: Match("anna", self.sure, 0.3))

    def embed(self, crops: Sequence[Image]) -> list[Template]:
        self.calls += len(crops)
        return [Template(np.eye(4, dtype=np.float32)[0], 1.0, self.space) for _ in crops]

    def settled(self, before: Sequence[Assessment], _templates: Sequence[Template]) -> list[Assessment]:
        return list(before)

    def crops(self, image: Image, faces: Sequence[Face]) -> list[Image]:
        return [image[:4, :4] for _ in faces]

    def assess(self, image: Image, faces: Sequence[Face], crops: Sequence[Image]) -> list[Assessment]:
        return [Assessment(self.quality) for _ in faces]

    def tidy_detection(self) -> None:
        pass

    def bundle(self, number: int, thresholds: Thresholds = NUMBERS) -> Bundle:
        judge = Judge(Decide(), thresholds, alike, space=self.space)
        roster = SimpleNamespace(identifier=self.identifier)
        return Bundle(number, cast(Any, self), cast(Any, roster), judge, Numbers.of((), Decide(), thresholds))


class Door:
    """A recognise stage with the clock of its shots; what was decided, and by which numbers."""

    def __init__(self, first: Networks) -> None:
        self.said: list[Decision] = []
        self.measured: list[float] = []
        self.by: list[float] = []
        """For each decision, the numbers that were in force when it was told."""
        publisher = SimpleNamespace(
            publish=self._publish,
            measured_by=lambda limits, own: self.measured.append(limits["match"]),
        )
        self.judge = first.bundle(0).judge
        parts = cast(list[Any], [first, first.identifier, self.judge, publisher])
        self.stage = RecogniseStage(*parts, clock=lambda: self.now)
        self.now = 10.0

    def _publish(self, decision: Decision) -> Published:
        self.said.append(decision)
        self.by += self.measured[-1:]
        return Published(decision)

    def see(self, *shots: Shot) -> None:
        self.now = max((shot.captured for shot in shots), default=self.now)
        self.stage(shots)

    @property
    def outcomes(self) -> list[tuple[str, str]]:
        return [(one.outcome, one.reason) for one in self.said]


def shot(seq: int, generation: int = 0, track: int = 1) -> Shot:
    crop = np.full((4, 4, 3), seq, np.uint8)
    return Shot("entry", track, seq, 10 + seq / 10, FACE, crop, Assessment(0.9), generation)


def test_shots_cut_before_the_change_are_decided_by_the_networks_that_they_were_cut_for() -> None:
    old, new = Networks("old"), Networks("new")
    door = Door(old)
    door.see(shot(0), shot(1))
    turn = Turn(new.bundle(1))
    door.stage.change(turn)
    door.see(shot(2))
    assert (old.calls, new.calls, door.outcomes) == (3, 0, [("grant", "match")])
    assert not turn.taken.is_set()


def test_the_first_shot_that_was_cut_for_other_networks_lets_them_serve() -> None:
    old, new = Networks("old"), Networks("new")
    door = Door(old)
    turn = Turn(new.bundle(1, LOOSER))
    door.stage.change(turn)
    door.see(shot(0), shot(1), shot(2), shot(3, 1))
    assert (old.calls, new.calls) == (3, 1)
    assert door.outcomes == [("grant", "match")], "the third of the old ones came in time"
    assert turn.taken.is_set()
    assert door.measured == [LOOSER.match]


def test_what_was_decided_before_the_change_is_told_first_though_the_new_networks_fail_at_once() -> None:
    new = Networks("new")
    door = Door(Networks("old"))
    door.stage.change(Turn(new.bundle(1, LOOSER)))

    def fails(_crops: object) -> list[Template]:
        raise EngineError("the network fails")

    new.recognizer.embed = fails
    with pytest.raises(EngineError):
        door.see(shot(0), shot(1), shot(2), shot(3, 1))
    assert (door.outcomes, door.by, door.measured) == ([("grant", "match")], [], [LOOSER.match])


def test_without_a_shot_the_change_comes_when_it_is_hurried() -> None:
    door = Door(Networks("old"))
    turn = Turn(Networks("new").bundle(1))
    door.stage.change(turn)
    door.see()
    assert not turn.taken.is_set()
    turn.hurried = True
    door.see()
    assert turn.taken.is_set()


def test_two_votes_of_one_recogniser_and_one_of_another_open_nothing() -> None:
    door = Door(Networks("old"))
    door.see(shot(0), shot(1))
    door.stage.change(Turn(Networks("new").bundle(1)))
    door.see(shot(2, 1), shot(3, 1))
    assert door.said == []
    door.see(shot(4, 1))
    assert door.outcomes == [("grant", "match")]


def test_who_is_gone_before_the_other_recogniser_has_seen_enough_is_refused_and_told_why() -> None:
    door = Door(Networks("old"))
    door.see(shot(0), shot(1))
    turn = Turn(Networks("new").bundle(1), hurried=True)
    door.stage.change(turn)
    door.see()
    door.stage.finish()
    assert door.outcomes == [("deny", "model_changed")]


def test_another_detector_costs_no_vote_because_the_recogniser_is_the_same() -> None:
    door = Door(Networks("same"))
    door.see(shot(0), shot(1))
    door.stage.change(Turn(Networks("same").bundle(1)))
    door.see(shot(2, 1))
    assert door.outcomes == [("grant", "match")]


def test_votes_are_not_measured_by_the_numbers_of_networks_that_have_not_seen_them() -> None:
    """A build of the same space may come with looser thresholds than those by which it was doubted who that is."""
    door = Door(Networks("same", sure=0.55))
    door.see(shot(0), shot(1))
    door.stage.change(Turn(Networks("same", sure=0.55).bundle(1, LOOSER)))
    door.see(shot(2, 1), shot(3, 1))
    assert door.said == []
    door.see(shot(4, 1))
    assert door.outcomes == [("grant", "match")]


@pytest.mark.parametrize(
    ("space", "numbers", "answer"), [("same", NUMBERS, "grant"), ("same", LOOSER, GONE), ("new", NUMBERS, GONE)]
)
def test_a_second_factor_counts_with_votes_of_the_networks_that_serve_only(
    space: str, numbers: Thresholds, answer: str
) -> None:
    door = Door(Networks("same", sure=0.55))
    door.see(*(shot(seq) for seq in range(3)))
    (review,) = door.said
    assert (review.outcome, review.reason) == ("review", "grey_zone")
    bundle = Networks(space, sure=0.55).bundle(1, numbers)
    door.stage.change(Turn(bundle, hurried=True))
    door.see()
    said = bundle.judge.confirm(review, door.now)
    assert (said.outcome if isinstance(said, Decision) else said) == answer


def test_who_was_let_in_is_not_let_in_once_more_by_the_other_networks() -> None:
    door = Door(Networks("old"))
    door.see(*(shot(seq) for seq in range(3)))
    door.stage.change(Turn(Networks("new").bundle(1)))
    door.see(*(shot(seq, 1) for seq in range(3, 9)))
    assert door.outcomes == [("grant", "match")]


def test_a_shot_that_comes_after_the_change_and_was_cut_before_it_is_embedded_by_nobody_and_refused() -> None:
    old, new = Networks("old"), Networks("new")
    door = Door(old)
    door.stage.change(Turn(new.bundle(1)))
    door.see(shot(0, 1))
    door.see(shot(1, 0, track=2))
    assert (old.calls, new.calls) == (0, 1)
    door.stage.finish()
    refused = sorted((one.track, one.outcome, one.reason) for one in door.said)
    assert refused == [(1, "deny", "too_few_shots"), (2, "deny", "model_changed")]


@pytest.mark.parametrize(("space", "is_locked"), [("same", True), ("new", False)])
def test_a_lock_holds_as_long_as_the_faces_compare(space: str, is_locked: bool) -> None:
    stranger = Networks("same", sure=0.2)
    door = Door(stranger)
    for time in range(TRIES):
        for seq in range(3):
            door.see(replace(shot(seq, track=time + 1), captured=10 + time * (APART_S + 1) + seq / 10))
    assert [one.reason for one in door.said] == ["unknown"] * TRIES
    known = Networks(space).bundle(1)
    door.stage.change(Turn(known, hurried=True))
    door.see()
    at = door.now + 0.2
    door.see(*(replace(shot(seq, 1, track=99), captured=at + seq / 10) for seq in range(20, 23)))
    assert (door.said[-1].reason == "locked_out") is is_locked


def standing(seq: int) -> Frame:
    return Frame("entry", seq, np.full((200, 200, 3), seq, np.uint8), 10 + seq / 10)


def test_the_detector_goes_on_with_its_tracks_and_marks_what_it_cuts() -> None:
    stage = DetectStage(cast(Any, Networks("old")), lambda _event: None)
    before = [one for seq in range(3) for one in stage([standing(seq)])]
    turn = Turn(Networks("new").bundle(1))
    stage.change(turn)
    after = [one for seq in range(3, 6) for one in stage([standing(seq)])]
    assert {(one.track, one.generation) for one in before} == {(1, 0)}
    assert {(one.track, one.generation) for one in after} == {(1, 1)}
    assert turn.taken.is_set()


def test_a_poor_shot_that_was_held_back_leaves_with_the_networks_it_was_cut_for() -> None:
    stage = DetectStage(cast(Any, Networks("old", quality=0.3)), lambda _event: None)
    assert [one for seq in range(2) for one in stage([standing(seq)])] == []
    turn = Turn(Networks("new", quality=0.9).bundle(1))
    stage.change(turn)
    assert [(one.seq, one.generation) for one in stage([standing(2)])] == [(1, 0), (2, 1)]
    assert not turn.taken.is_set(), "else the recogniser would turn before that shot has come to it"
    stage([])
    assert turn.taken.is_set()


def test_the_frame_goes_with_a_shot_only_while_other_networks_look_on() -> None:
    stage = DetectStage(cast(Any, Networks("old")), lambda _event: None)
    stage([standing(0)])
    assert [one.frame is None for one in stage([standing(1)])] == [True]
    stage.shows = True
    frame = standing(4)
    assert [one.frame is frame.image for one in stage([frame])] == [True]


def test_templates_of_two_recognisers_are_never_compared_however_often_they_change() -> None:
    door = Door(Networks("one"))
    for number in range(1, 40):
        door.stage.change(Turn(Networks(("two", "one")[number % 2]).bundle(number)))
        try:
            door.see(*(shot(3 * number + seq, number) for seq in range(2)))
        except FaceedgeError as error:
            pytest.fail(f"two spaces met: {error}")
    assert door.said == []


def test_a_change_that_another_thread_asks_for_is_taken_between_two_batches() -> None:
    door = Door(Networks("old"))
    turn = Turn(Networks("new").bundle(1), hurried=True)
    asking = threading.Thread(target=door.stage.change, args=(turn,))
    asking.start()
    asking.join()
    door.see(shot(0))
    assert turn.taken.is_set()


def test_nobody_but_the_second_keeps_the_whole_picture_of_a_shot() -> None:
    door, heard = Door(Networks("same")), []
    second = SimpleNamespace(took=lambda *_: None, heard=lambda shot, template, match: heard.append(shot) or match)
    door.stage.second = cast(Any, second)
    whole = np.zeros((200, 200, 3), np.uint8)
    poor = replace(shot(0), assessment=Assessment(0.2), frame=whole)
    late = replace(shot(1, generation=7), frame=whole)
    door.see(poor, late, *(replace(shot(seq), frame=whole) for seq in (2, 3)))
    (case,) = door.judge._cases.values()
    kept = [vote.shot for vote in (*case.votes, *case.recent)] + [case.poorest, case.late]
    assert [one.frame for one in kept if one is not None] == [None] * 6
    assert [one.frame is whole for one in heard] == [True, True]
