"""Every face at the door ends in exactly one outcome with its reason, whatever its pictures were."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from faceedge.bands import Limits, limits_of
from faceedge.config import Decide, DoorDecide
from faceedge.continuity import Continuity
from faceedge.decide import PARTING, Judge
from faceedge.journal.explain import REASONS
from faceedge.types import Assessment, Decision, Face, Match, Shot, Template
from faceedge.votes import RANK
from tests.test_decide import ANNA, BORIS, THRESHOLDS, cosine

LAB = limits_of(Decide(), THRESHOLDS, DoorDecide(match=0.8, strict=0.85, votes=4))
MAIN = limits_of(Decide(), THRESHOLDS)
CROPS = [np.random.default_rng(seed).integers(0, 255, (8, 8, 3)).astype(np.uint8) for seed in range(6)]

shots = st.tuples(
    st.sampled_from((1, 1, 1, 2)),  # track
    st.sampled_from((ANNA, ANNA, BORIS, None)),
    st.sampled_from((0.1, 0.55, 0.65, 0.75, 0.9, float("nan"))),  # similarity
    st.sampled_from((0.001, 0.3)),  # margin
    st.sampled_from((0.2, 0.5, 0.9)),  # quality
    st.sampled_from((60, 120, 200)),  # px
    st.sampled_from((0, 0, 0, 0, 1)),  # face
    st.integers(0, 5),  # picture
    st.sampled_from((0.0, 0.0, 0.6)),  # age
)
steps = st.lists(
    st.one_of(
        shots.map(lambda one: ("shot", one)),
        st.tuples(shots, st.integers(3, 6)).map(lambda many: ("shots", many)),
        shots.map(lambda one: ("late", one)),
        st.sampled_from((0.2, 1.5, 6.0)).map(lambda seconds: ("wait", seconds)),
        st.just(("lost", None)),
        st.just(("confirm", None)),
    ),
    max_size=30,
)
doors = st.sampled_from(({}, {"main": MAIN, "lab": LAB}))


class Street:
    """A judge, and what it said of every face that was shown to it."""

    def __init__(self, limits: dict[str, Limits], *, moves: bool) -> None:
        self.judge = Judge(Decide(), THRESHOLDS, cosine, {"entry": limits}, Continuity() if moves else None)
        self.now, self.seq = 100.0, 0
        self.said: dict[tuple[int, int], list[Decision]] = defaultdict(list)
        self.decided_s: dict[str, float] = {}
        self.tracks: set[int] = set()
        self.lost: set[tuple[int, int]] = set()

    def takes(self, step: str, value: object) -> None:
        if step in ("shot", "late"):
            self.shows(value, late=step == "late")  # type: ignore[arg-type]
        elif step == "shots":
            for _ in range(value[1]):  # type: ignore[index]
                self.shows(value[0], late=False)  # type: ignore[index]
        elif step == "wait":
            self.now += value  # type: ignore[operator]
        elif step == "lost":
            for decision in [one for many in self.said.values() for one in many if one.outcome == "grant"][-1:]:
                self.lost.add((decision.track, decision.segment))
                self.judge.forget("entry", decision.track, decision.segment)
        else:
            self.confirms()
        self.hears(self.judge.sweep(self.now))

    def shows(self, shown: tuple, *, late: bool) -> None:  # type: ignore[type-arg]
        track, person, similarity, margin, quality, size, face, picture, age_s = shown
        self.now, self.seq = self.now + 0.1, self.seq + 1
        self.tracks.add(track)
        where = Face(np.array([0, 0, size, size], np.float32), 1.0, np.zeros((5, 2), np.float32))
        crop = CROPS[picture] ^ np.uint8(self.seq % 3)
        shot = Shot("entry", track, self.seq, self.now - age_s, where, crop, Assessment(quality))
        if late:
            self.judge.late(shot, self.now)
        elif not self.judge.is_usable(shot):
            self.hears(self.judge.poor(shot, self.now))
        else:
            template = Template(np.eye(4, dtype=np.float32)[face], 1.0, "space")
            self.hears(self.judge.vote(shot, template, Match(person, similarity, margin), self.now))

    def confirms(self) -> None:
        reviews = [one for many in self.said.values() for one in many if one.outcome == "review"]
        if reviews:
            made = self.judge.confirm(replace(reviews[-1], doors=reviews[-1].fit or ("main",)), self.now)
            self.hears([made] if isinstance(made, Decision) else [])

    def hears(self, decisions: list[Decision]) -> None:
        for one in decisions:
            self.decided_s[one.id] = self.now
            self.said[one.track, one.segment].append(one)


@given(doors, st.booleans(), steps)
def test_every_face_ends_in_exactly_one_outcome(
    limits: dict[str, Limits], moves: bool, taken: list[tuple[str, object]]
) -> None:
    street = Street(limits, moves=moves)
    for step, value in taken:
        street.takes(step, value)
    street.hears(street.judge.sweep(street.now, everything=True))
    assert {track for track, _ in street.said} == street.tracks, "nobody vanishes"
    assert street.judge._cases == {}
    for decisions in street.said.values():
        parting = [one for one in decisions if one.reason in PARTING and one.outcome == "deny"]
        assert len(parting) <= 1
        assert not parting or len(decisions) == 1
        assert all(one.reason in REASONS for one in decisions)


@given(doors, st.booleans(), steps)
def test_within_a_cool_down_a_face_is_decided_again_only_for_the_better(
    limits: dict[str, Limits], moves: bool, taken: list[tuple[str, object]]
) -> None:
    street = Street(limits, moves=moves)
    for step, value in taken:
        street.takes(step, value)
    for key, decisions in street.said.items():
        for a, b in pairwise(decisions):
            soon = street.decided_s[b.id] - street.decided_s[a.id] < 1.0
            same = set(b.fit or ("",)) & set(a.fit or ("",))
            assert not soon or not same or key in street.lost or RANK[b.outcome] > RANK[a.outcome]


@given(doors, st.booleans(), steps)
def test_every_grant_rests_on_enough_votes_of_its_doors(
    limits: dict[str, Limits], moves: bool, taken: list[tuple[str, object]]
) -> None:
    street = Street(limits, moves=moves)
    for step, value in taken:
        street.takes(step, value)
    for grant in [one for many in street.said.values() for one in many if one.outcome == "grant"]:
        measure = [limits[door] for door in grant.fit] if grant.fit else [MAIN]
        assert grant.person is not None
        for one in measure:
            assert grant.evidence.votes >= one.votes
            assert grant.evidence.similarity is not None
            assert grant.evidence.similarity >= (one.grey if grant.reason == "second_factor" else one.match)
