"""Both decide about some tracks: whoever is let in there was recognised by both. Made-up networks, a real judge."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceedge import witness
from faceedge.bands import Limits
from faceedge.bundle import Bundle
from faceedge.canary import LATE_S, REST_S, Canary, portion
from faceedge.config import Decide, Door, DoorDecide
from faceedge.decide import Judge
from faceedge.door_limits import Numbers
from faceedge.errors import EngineError
from faceedge.fit import Thresholds
from faceedge.hearing import Hearing
from faceedge.trial import Rules, Trial
from faceedge.types import Assessment, Decision, Face, Image, Match, Shot, Template
from tests.test_decide import outcomes

SERVING, SECOND = Thresholds(grey=0.5, match=0.6, strict=0.7), Thresholds(grey=0.2, match=0.3, strict=0.4)
TEMPLATE = Template(np.eye(4, dtype=np.float32)[0], 1.0, "space")
FRAME: Image = np.zeros((8, 8, 3), np.uint8)
SURE, UNSURE = Match("anna", 0.9, 0.3), Match("anna", 0.55, 0.3)
ALSO_SURE, ALSO_UNSURE, OTHER = Match("anna", 0.35, 0.3), Match("anna", 0.25, 0.3), Match("boris", 0.35, 0.3)
STRANGER = Match("clara", 0.1, 0.0)
USUAL = Rules()
Said = Match | Exception | None


def bundle(levels: Thresholds, doors: Sequence[Door] = ()) -> Bundle:
    numbers = Numbers.of(doors, Decide(), levels)
    judge = Judge(Decide(), levels, lambda a, b: 1.0, numbers.by_camera({"entry": doors}))
    vision = SimpleNamespace(engines={}, builds={"detector": "d"}, alignment="arcface_112")
    roster = SimpleNamespace(knows=lambda person: person != "new")
    return Bundle(0, cast(Any, vision), cast(Any, roster), judge, numbers)


class Hall:
    """A door with two bundles; every shot is 0.1 s after the one before."""

    def __init__(self, share: float = 1.0, doors: Sequence[Door] = (), rules: Rules = USUAL) -> None:
        self.serving, self.second = bundle(SERVING, doors), bundle(SECOND, doors)
        self.trial = Trial(rules, itertools.count().__next__)
        self.says: Said = None
        self.takes_s = 0.001
        self.quality = 0.9
        self.asked = 0
        asked = cast(Any, SimpleNamespace(bundle=self.second, look=self.look, has_own_eyes=False))
        self.canary = Canary(self.serving, Hearing(self.serving, asked, self.trial), share, lambda: self.now)
        self.now, self.seq = 100.0, 0

    def look(self, shot: Shot) -> witness.Testimony | None:
        self.asked += 1
        self.now += self.takes_s
        if isinstance(self.says, Exception):
            raise self.says
        seen = replace(shot, assessment=Assessment(self.quality))
        return None if self.says is None else witness.Testimony(seen, self.says, 0.0, self.takes_s, self.takes_s)

    def sees(self, ours: Match, theirs: Said, *, track: int = 1, frame: Image | None = FRAME) -> list[Decision]:
        self.now += 0.1
        self.seq += 1
        self.says = theirs
        where = Face(np.array([0, 0, 120, 120], np.float32), 1.0, np.zeros((5, 2), np.float32))
        crop = np.full((4, 4, 3), self.seq % 256, np.uint8)
        shot = Shot("entry", track, self.seq, self.now, where, crop, Assessment(0.9), 0, frame)
        match = self.canary.heard(shot, TEMPLATE, ours)
        assert replace(match, most="trusted") == ours, "it can only take away"
        return self.serving.judge.vote(shot, TEMPLATE, match, self.now)

    def leaves(self) -> list[Decision]:
        return self.serving.judge.sweep(self.now + 5)


def outcome(ours: Match, theirs: Said, hall: Hall | None = None) -> list[tuple[str, str]]:
    at = hall or Hall()
    return outcomes(*[at.sees(ours, theirs) for _ in range(4)], at.leaves())


def test_whom_both_recognise_is_let_in() -> None:
    assert outcome(SURE, ALSO_SURE) == [("grant", "match")]


@pytest.mark.parametrize("theirs", [OTHER, STRANGER, None, EngineError("no memory"), ValueError("odd shape")])
def test_whom_only_the_serving_networks_recognise_stays_outside_and_reads_why(theirs: Said) -> None:
    assert outcome(SURE, theirs, Hall(rules=Rules(errors=99, votes=99))) == [("deny", "on_trial")]


def test_of_whom_one_is_unsure_a_second_factor_decides_and_it_reads_why() -> None:
    at = Hall()
    (review,) = [made for _ in range(4) for made in at.sees(SURE, ALSO_UNSURE)]
    assert (review.outcome, review.reason, review.person) == ("review", "on_trial", "anna")
    grant = at.serving.judge.confirm(review, at.now)
    assert isinstance(grant, Decision)
    assert (grant.outcome, grant.reason) == ("grant", "second_factor")


def test_a_match_that_the_others_do_not_share_is_certain_of_nobody() -> None:
    judge = Hall().serving.judge
    assert judge.is_certain(SURE)
    assert not any(judge.is_certain(replace(SURE, most=most)) for most in ("none", "grey"))


def test_of_whom_the_serving_networks_are_unsure_themselves_it_is_their_doubt() -> None:
    assert outcome(UNSURE, ALSO_SURE) == [("review", "grey_zone")]


def test_a_stranger_to_the_serving_networks_is_unknown_whatever_the_others_say() -> None:
    for theirs in (OTHER, ALSO_SURE, STRANGER, None):
        assert outcome(STRANGER, theirs) == [("deny", "unknown")]


def test_whoever_is_not_enrolled_for_those_on_trial_does_not_pass_and_is_not_held_against_them() -> None:
    at = Hall()
    new = Match("new", 0.9, 0.3)
    for track in range(20):
        at.now += 20
        assert outcomes(*[at.sees(new, OTHER, track=track) for _ in range(3)]) == [("deny", "on_trial")]
    assert (at.trial.verdict(), at.trial.report()["shots"]["all"], at.asked) == ("", 0, 0)


def test_a_picture_too_poor_for_those_on_trial_does_not_count() -> None:
    at = Hall()
    at.quality = 0.3
    assert outcome(SURE, ALSO_SURE, at) == [("deny", "on_trial")]


def test_an_answer_that_comes_too_late_does_not_count() -> None:
    at = Hall(rules=Rules(errors=99))
    at.takes_s = LATE_S + 0.01
    assert outcome(SURE, ALSO_SURE, at) == [("deny", "on_trial")]
    assert at.trial.report()["errors"]["most"] == [["an answer that came too late to be waited for", 1]]


@pytest.mark.parametrize("theirs", [Match("anna", np.nan, 0.3), Match("anna", 0.9, np.nan), Match("anna", np.inf, 0.3)])
def test_an_answer_that_is_no_number_does_not_count_and_ends_the_trial(theirs: Match) -> None:
    at = Hall()
    assert outcomes(*[at.sees(SURE, theirs), at.sees(SURE, theirs), at.sees(SURE, theirs)]) == []
    assert outcomes(at.sees(SURE, theirs)) == [("grant", "match")], "by the three shots since"
    assert at.asked == 1


def test_after_an_answer_that_came_too_late_nobody_is_asked_for_a_while_and_nobody_passes_by_that() -> None:
    at = Hall(rules=Rules(errors=99))
    at.takes_s = 0.4
    assert outcomes(*[at.sees(SURE, ALSO_SURE) for _ in range(9)]) == [("deny", "on_trial")]
    assert at.asked == 1
    assert at.sees(SURE, ALSO_SURE) == []
    at.now += REST_S
    at.sees(SURE, ALSO_SURE)
    assert at.asked == 2


def test_it_may_take_as_long_as_the_serving_networks_do() -> None:
    at = Hall()
    at.canary.took(1.6, 4)
    at.takes_s = 0.5
    assert outcome(SURE, ALSO_SURE, at) == [("grant", "match")]


def test_who_was_held_back_by_a_trial_is_not_locked_out() -> None:
    at = Hall(rules=Rules(votes=99, tracks=99))
    for track in range(8):
        at.now += 20
        assert outcomes(*[at.sees(SURE, None, track=track) for _ in range(3)]) == [("deny", "on_trial")]
    assert outcomes(*[at.sees(SURE, ALSO_SURE, track=9) for _ in range(3)]) == [("grant", "match")]


def test_who_leaves_before_both_agree_often_enough_reads_why() -> None:
    at = Hall()
    made = [*at.sees(SURE, ALSO_SURE), *at.sees(SURE, None), *at.leaves()]
    assert outcomes(made) == [("deny", "on_trial")]
    stranger = Hall()
    assert outcomes([*stranger.sees(STRANGER, None), *stranger.leaves()]) == [("deny", "too_few_shots")]


def test_tracks_that_it_does_not_take_and_shots_from_before_it_are_decided_as_ever() -> None:
    at = Hall(share=0.0)
    assert outcome(SURE, OTHER, at) == [("grant", "match")]
    before = Hall()
    assert outcomes(*[before.sees(SURE, OTHER, frame=None) for _ in range(3)]) == [("grant", "match")]
    assert (at.asked, before.asked) == (0, 0)


def test_once_something_speaks_against_them_they_are_asked_no_more() -> None:
    at = Hall()
    for _ in range(3):
        at.sees(SURE, OTHER)
    assert at.trial.verdict() == "a face would be let in as somebody else than now"
    assert outcomes(*[at.sees(SURE, OTHER, track=2) for _ in range(3)]) == [("grant", "match")]
    assert at.asked == 3


def test_at_two_doors_the_stricter_one_says_what_those_on_trial_are_worth() -> None:
    doors = (Door(name="main"), Door(name="lab", decide=DoorDecide(match=0.65, strict=0.8)))
    at = Hall(doors=doors)
    assert outcome(SURE, Match("anna", 0.6, 0.3), at) == [("review", "on_trial")]


def test_a_door_that_asks_for_less_lets_nobody_in_whom_those_on_trial_do_not_know() -> None:
    doors = (Door(name="main"), Door(name="yard", decide=DoorDecide(grey=0.1, match=0.2)))
    assert ("grant", "match") not in outcome(Match("anna", 0.4, 0.3), STRANGER, Hall(doors=doors))
    assert ("grant", "match") in outcome(Match("anna", 0.4, 0.3), STRANGER, Hall(0.0, doors))


def test_about_the_share_of_the_tracks_is_taken_and_always_the_same() -> None:
    taken = [Hall(share=0.1).canary.takes("entry", track) for track in range(2000)]
    assert 150 < sum(taken) < 250
    assert all(0 <= portion("yard", track) < 1 for track in range(100))
    assert [portion("yard", 7)] * 3 == [portion("yard", 7) for _ in range(3)] != [portion("entry", 7)] * 3


people = st.sampled_from(["anna", "boris"])
ours = st.builds(Match, people, st.sampled_from([0.4, 0.55, 0.65, 0.9]), st.sampled_from([0.0, 0.3]))
theirs = st.builds(Match, people, st.sampled_from([0.1, 0.25, 0.35, 0.9]), st.sampled_from([0.0, 0.3]))
failing = st.sampled_from([None, EngineError("no memory"), ValueError("odd")])
stories = st.lists(st.tuples(ours, theirs | failing), max_size=30)
NEVER = Rules(votes=99, tracks=999, errors=99)


def lets_in(match: Said, levels: Thresholds) -> str | None:
    limits = Limits(**levels.model_dump(), margin=0.02, votes=3, of=5, face_px=80)
    return match.person if isinstance(match, Match) and limits.is_certain(match) else None


@given(stories)
def test_nobody_is_let_in_but_by_three_of_five_shots_in_which_both_agree(story: list[tuple[Match, Said]]) -> None:
    at = Hall(rules=NEVER)
    for number, (one, other) in enumerate(story, 1):
        for made in at.sees(one, other):
            last = story[max(0, number - 5) : number]
            both = [who for a, b in last if (who := lets_in(a, SERVING)) is not None and who == lets_in(b, SECOND)]
            assert made.outcome != "grant" or both.count(str(made.person)) >= 3


@given(stories)
def test_nobody_is_let_in_sooner_than_without_the_trial(story: list[tuple[Match, Said]]) -> None:
    granted: Mapping[float, list[int]] = {1.0: [], 0.0: []}
    for share, at in ((1.0, Hall(rules=NEVER)), (0.0, Hall(share=0.0))):
        for number, (one, other) in enumerate(story):
            granted[share].extend(number for made in at.sees(one, other) if made.outcome == "grant")
    assert len(granted[1.0]) <= len(granted[0.0])
    assert all(ours >= alone for ours, alone in zip(granted[1.0], granted[0.0], strict=False))
