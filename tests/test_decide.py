"""Stories at a door: shots of made-up people pass, the judge must grant, refuse or ask."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pytest

from faceedge.bands import Limits
from faceedge.config import Decide
from faceedge.decide import GONE, Judge
from faceedge.fit import Thresholds
from faceedge.types import Assessment, Decision, Face, Match, Shot, Template

THRESHOLDS = Thresholds(grey=0.5, match=0.6, strict=0.7)
ANNA, BORIS = "anna", "boris"


def cosine(a: Template, b: Template) -> float:
    return float(a.embedding @ b.embedding)


class Door:
    """A judge with a clock of its own; every shot is 0.1 s after the one before."""

    def __init__(self, doors: Mapping[str, Limits] | None = None, **rules: float) -> None:
        self.judge = Judge(Decide(**rules), THRESHOLDS, cosine, {"entry": doors or {}})
        self.now = 100.0
        self.seq = 0

    def sees(
        self, person: str | None, similarity: float = 0.9, *, quality: float = 0.9, margin: float = 0.3,
        face: int = 0, size: int = 120, repeat: bool = False, late_s: float = 0.0, track: int = 1,
    ) -> list[Decision]:  # fmt: skip
        """One shot. face: which unit vector the embedding is; two faces have similarity 0."""
        self.now += 0.1
        self.seq += not repeat
        crop = np.full((4, 4, 3), self.seq, np.uint8)
        box = np.array([0, 0, size, size], np.float32)
        where = Face(box, 1.0, np.zeros((5, 2), np.float32))
        shot = Shot("entry", track, self.seq, self.now - late_s, where, crop, Assessment(quality, ("blurred",)))
        if not self.judge.is_usable(shot):
            return self.judge.poor(shot, self.now)
        template = Template(np.eye(4, dtype=np.float32)[face], 1.0, "space")
        return self.judge.vote(shot, template, Match(person, similarity, margin), self.now)

    def waits(self, seconds: float) -> list[Decision]:
        self.now += seconds
        return self.judge.sweep(self.now)


def fails(door: Door) -> None:
    """A stranger is refused until the face is locked out."""
    for _ in range(5):
        door.now += 10
        [door.sees(None, 0.1) for _ in range(3)]


def outcomes(*steps: list[Decision]) -> list[tuple[str, str]]:
    return [(decision.outcome, decision.reason) for step in steps for decision in step]


def test_three_agreeing_shots_open_the_door_and_two_do_not() -> None:
    door = Door()
    assert door.sees(ANNA) == door.sees(ANNA) == []
    (grant,) = door.sees(ANNA)
    assert (grant.outcome, grant.person, grant.band) == ("grant", ANNA, "trusted")
    assert grant.deadline == pytest.approx(door.now + 0.5)


def test_a_stranger_is_refused_once_and_not_again_within_the_cooldown() -> None:
    door = Door()
    assert outcomes(*[door.sees(None, 0.1) for _ in range(9)]) == [("deny", "unknown")]


def test_a_face_below_the_grey_threshold_is_a_stranger_whoever_is_nearest() -> None:
    door = Door()
    (refusal,) = [d for _ in range(3) for d in door.sees(ANNA, 0.49)]
    assert (refusal.outcome, refusal.person) == ("deny", None)


def test_someone_refused_from_afar_is_let_in_when_recognised_later() -> None:
    door = Door()
    far = [door.sees(None, 0.2) for _ in range(3)]
    near = [door.sees(ANNA) for _ in range(3)]
    assert outcomes(*far, *near) == [("deny", "unknown"), ("grant", "match")]


def test_the_grey_zone_asks_for_a_second_factor_and_never_grants() -> None:
    door = Door()
    assert outcomes(*[door.sees(ANNA, 0.55) for _ in range(6)]) == [("review", "grey_zone")]


def test_two_people_too_close_to_tell_apart_are_ambiguous() -> None:
    door = Door()
    assert outcomes(*[door.sees(ANNA, 0.8, margin=0.001) for _ in range(3)]) == [("review", "ambiguous")]


def test_votes_for_different_people_do_not_add_up() -> None:
    door = Door()
    assert outcomes(*[door.sees(who) for who in (ANNA, BORIS, ANNA, BORIS)]) == []


def test_the_newest_shot_must_be_among_those_that_agree() -> None:
    door = Door()
    assert outcomes(door.sees(ANNA), door.sees(ANNA), door.sees(None, 0.1)) == []


def test_a_match_that_arrives_late_opens_nothing() -> None:
    door = Door()
    assert outcomes(*[door.sees(ANNA, late_s=0.6) for _ in range(5)]) == []


def test_the_same_picture_over_and_over_counts_once() -> None:
    door = Door()
    door.sees(ANNA)
    assert outcomes(*[door.sees(ANNA, repeat=True) for _ in range(20)]) == []


def test_another_face_in_the_same_track_loses_the_votes_of_the_first() -> None:
    door = Door()
    door.sees(ANNA, face=0)
    door.sees(ANNA, face=0)
    ended = door.sees(ANNA, face=1)
    assert outcomes(ended) == [("deny", "too_few_shots")]
    assert outcomes(door.sees(ANNA, face=1)) == []
    (grant,) = door.sees(ANNA, face=1)
    assert grant.segment == 1


def test_poor_pictures_never_vote_and_say_why_when_the_person_leaves() -> None:
    door = Door()
    assert outcomes(*[door.sees(ANNA, quality=0.39) for _ in range(8)]) == []
    (refusal,) = door.waits(1.5)
    assert (refusal.outcome, refusal.reason, refusal.evidence.poor) == ("deny", "low_quality", ("blurred",))


def test_a_face_that_is_too_small_is_refused_as_such_however_good_it_looks() -> None:
    door = Door()
    door.sees(ANNA, size=40)
    (refusal,) = door.waits(2)
    assert (refusal.reason, refusal.evidence.poor[0]) == ("low_quality", "too small")
    assert refusal.evidence.quality == pytest.approx(0.4 / 2 * 40 / 80)


def test_a_face_smaller_than_allowed_never_votes() -> None:
    door = Door()
    assert outcomes(*[door.sees(ANNA, size=79) for _ in range(8)], door.waits(2)) == [("deny", "low_quality")]


def test_doubtful_quality_grants_only_above_strict_and_is_marked() -> None:
    door = Door()
    (grant,) = [d for _ in range(3) for d in door.sees(ANNA, 0.75, quality=0.5)]
    assert (grant.outcome, grant.band) == ("grant", "low_quality")
    assert outcomes(*[Door().sees(ANNA, 0.65, quality=0.5) for _ in range(1)]) == []
    other = Door()
    assert outcomes(*[other.sees(ANNA, 0.65, quality=0.5) for _ in range(4)]) == [("review", "low_quality")]


def test_a_lost_grant_is_decided_anew_after_half_a_second_and_not_with_every_shot() -> None:
    door = Door()
    first = [door.sees(ANNA) for _ in range(3)]
    assert outcomes(*first, door.sees(ANNA)) == [("grant", "match")]
    door.judge.forget("entry", 1, 0)
    assert outcomes(*[door.sees(ANNA) for _ in range(3)]) == []
    assert outcomes(*[door.sees(ANNA) for _ in range(3)]) == [("grant", "match")]


def test_every_track_ends_in_an_outcome_when_the_film_ends() -> None:
    door = Door()
    door.sees(ANNA, track=1)
    door.sees(None, 0.0, track=2)
    ended = door.judge.sweep(door.now, everything=True)
    assert sorted((d.track, d.reason) for d in ended) == [(1, "too_few_shots"), (2, "too_few_shots")]
    assert door.judge.sweep(door.now + 99, everything=True) == []


def test_a_score_that_is_no_number_opens_nothing() -> None:
    door = Door()
    assert outcomes(*[door.sees(ANNA, math.nan) for _ in range(5)]) == [("deny", "unknown")]
    door = Door()
    assert outcomes(*[door.sees(ANNA, margin=math.nan) for _ in range(5)]) == [("review", "ambiguous")]


def test_a_lost_grant_is_not_refused_as_well_when_the_person_leaves() -> None:
    door = Door()
    assert outcomes(*[door.sees(ANNA) for _ in range(3)]) == [("grant", "match")]
    door.judge.forget("entry", 1, 0)
    assert door.waits(2) == []


def test_the_clock_of_one_camera_does_not_end_the_tracks_of_another() -> None:
    door = Door()
    door.sees(ANNA)
    assert door.judge.sweep(door.now + 99, camera="yard") == []
    assert outcomes(door.judge.sweep(door.now + 99, camera="entry")) == [("deny", "too_few_shots")]


def test_who_was_there_but_recognised_too_late_is_refused_for_that_and_not_forgotten() -> None:
    door = Door()
    assert [d for _ in range(6) for d in door.sees(ANNA, late_s=0.6)] == []
    assert outcomes(door.waits(2)) == [("deny", "too_slow")]


def test_shots_that_were_never_recognised_keep_their_track_and_refuse_it_when_it_ends() -> None:
    door = Door()
    shot = Shot("entry", 4, 1, door.now - 0.7, Face(np.zeros(4, np.float32), 1.0, np.zeros((5, 2), np.float32)),
                np.empty((0, 0, 3), np.uint8), Assessment(0.0))  # fmt: skip
    door.judge.late(shot, door.now)
    assert door.waits(0.9) == []
    (refusal,) = door.waits(0.2)
    assert (refusal.track, refusal.outcome, refusal.reason, refusal.evidence.shots) == (4, "deny", "too_slow", 1)


def test_late_shots_between_good_ones_cost_nobody_the_door() -> None:
    door = Door()
    seen = [door.sees(ANNA), door.sees(ANNA, late_s=0.6), door.sees(ANNA)]
    assert outcomes(*seen) == [("grant", "match")]
    assert door.waits(2) == []


def test_after_a_fault_the_votes_so_far_are_void_and_it_takes_as_many_anew() -> None:
    door = Door()
    before = [door.sees(ANNA), door.sees(ANNA)]
    door.judge.reopen()
    assert outcomes(*before, door.sees(ANNA), door.sees(ANNA)) == []
    assert outcomes(door.sees(ANNA)) == [("grant", "match")]


def test_after_a_fault_a_door_that_was_just_opened_is_not_opened_again() -> None:
    door = Door()
    first = [door.sees(ANNA) for _ in range(3)]
    door.judge.reopen()
    assert outcomes(*first, *[door.sees(ANNA) for _ in range(6)]) == [("grant", "match")]


def test_a_fault_does_not_make_the_second_face_of_a_track_the_first_again() -> None:
    door = Door()
    door.sees(ANNA)
    door.sees(BORIS, face=1)
    door.judge.reopen()
    (grant,) = [d for _ in range(3) for d in door.sees(BORIS, face=1)]
    assert grant.segment == 1


def test_a_question_from_before_a_fault_cannot_be_confirmed() -> None:
    door = Door()
    (review,) = [d for _ in range(3) for d in door.sees(ANNA, 0.55)]
    door.judge.reopen()
    assert door.judge.confirm(review, door.now) == GONE
    [door.sees(ANNA, 0.55) for _ in range(3)]
    assert isinstance(door.judge.confirm(review, door.now), str)


def test_who_was_seen_only_before_a_fault_is_refused_and_not_forgotten() -> None:
    door = Door()
    door.sees(ANNA)
    door.judge.reopen()
    assert [outcome for outcome, _ in outcomes(door.waits(2))] == ["deny"]


def test_after_a_split_a_lost_grant_of_the_first_face_changes_nothing_for_the_second() -> None:
    door = Door()
    [door.sees(ANNA, face=0) for _ in range(3)]
    refused = [d for _ in range(3) for d in door.sees(BORIS, 0.2, face=1)]
    door.judge.forget("entry", 1, 0)
    assert outcomes(refused, *[door.sees(BORIS, 0.2, face=1) for _ in range(8)]) == [("deny", "unknown")]


def test_votes_count_only_with_a_newest_that_looks_like_them() -> None:
    """Each picture is like the one before, and the last no longer like the first: somebody turned into somebody."""
    door = Door()
    turning = [np.array([math.cos(a), math.sin(a), 0, 0], np.float32) for a in (0.0, 0.9, 1.8)]
    said: list[Decision] = []
    for embedding in turning:
        door.now, door.seq = door.now + 0.1, door.seq + 1
        where = Face(np.array([0, 0, 120, 120], np.float32), 1.0, np.zeros((5, 2), np.float32))
        shot = Shot("entry", 1, door.seq, door.now, where, np.full((4, 4, 3), door.seq, np.uint8), Assessment(0.9))
        said += door.judge.vote(shot, Template(embedding, 1.0, "space"), Match(ANNA, 0.9, 0.3), door.now)
    assert said == []


def test_votes_of_long_ago_do_not_count() -> None:
    door = Door()
    door.sees(ANNA)
    door.sees(ANNA)
    [door.sees(ANNA, quality=0.3) for _ in range(60)]
    assert outcomes(door.sees(ANNA)) == []


def test_whoever_stands_nearer_is_decided_first_and_the_other_right_after() -> None:
    door = Door()
    behind = [d for _ in range(3) for d in (*door.sees(BORIS, face=1, track=2), *door.sees(ANNA, size=200))]
    assert [(d.track, d.outcome) for d in behind] == [(1, "grant"), (2, "grant")]


def test_a_stranger_in_front_is_refused_before_the_door_opens_for_somebody_behind() -> None:
    door = Door()
    seen = [d for _ in range(4) for d in (*door.sees(BORIS, face=1, track=2), *door.sees(None, 0.1, size=200))]
    assert [(d.track, d.outcome) for d in seen] == [(1, "deny"), (2, "grant")]


def test_nobody_waits_longer_than_a_second_for_a_face_that_gives_no_decision() -> None:
    door = Door()
    waited = 0.0
    while not (granted := door.sees(BORIS, face=1, track=2)):
        door.sees(ANNA, quality=0.2, size=200)
        waited = door.now - 100.0
    assert granted[0].outcome == "grant"
    assert 1.0 <= waited <= 2.0


def test_a_poster_in_front_holds_nobody_up_for_ever() -> None:
    door = Door()
    [door.sees(ANNA, quality=0.2, size=200) for _ in range(40)]
    seen = [d for _ in range(3) for d in (*door.sees(ANNA, quality=0.2, size=200), *door.sees(BORIS, face=1, track=2))]
    assert [(d.track, d.outcome) for d in seen] == [(2, "grant")]


def test_who_left_while_somebody_nearer_came_first_is_told_so() -> None:
    door = Door()
    for _ in range(3):
        door.sees(ANNA, quality=0.2, size=200)
        door.sees(BORIS, face=1, track=2)
    ended = door.waits(2)
    assert ("deny", "behind") in outcomes(ended)


def test_who_fails_again_and_again_needs_a_second_factor_and_then_none() -> None:
    door = Door(cooldown_s=0)
    fails(door)
    asked = [d for _ in range(3) for d in door.sees(ANNA, 0.65)]
    assert outcomes(asked) == [("review", "locked_out")]
    grant = door.judge.confirm(asked[0], door.now)
    assert isinstance(grant, Decision)
    assert (grant.outcome, grant.reason) == ("grant", "second_factor")


def test_a_lock_out_is_over_after_half_a_minute() -> None:
    door = Door(cooldown_s=0)
    fails(door)
    assert outcomes(*[door.sees(ANNA, 0.65) for _ in range(3)]) == [("review", "locked_out")]
    door.waits(31)
    assert outcomes(*[door.sees(ANNA, 0.65) for _ in range(3)]) == [("grant", "match")]
