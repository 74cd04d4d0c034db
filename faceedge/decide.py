"""Matches over time become decisions. No input or output, the clock is passed in, and doubt means no grant.

A shot votes for the nearest person when it is good enough. N of the last M votes of one track must agree, the newest
among them and young (`votes`), by the numbers of the door (`bands`); only pictures between which the face has moved
count as several (`continuity`); a sudden change of the face splits the track. Whoever stands nearest is decided first.
A review becomes a grant only by a second factor, while the votes still say the same.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from faceedge import motion
from faceedge.bands import ANYWHERE, PRODUCT, TRUSTED_QUALITY, USABLE_QUALITY, Limits, as_small, grouped, limits_of
from faceedge.case import DEADLINE_S, Case
from faceedge.config import Decide
from faceedge.continuity import Continuity
from faceedge.fit import Judging, Thresholds
from faceedge.lockout import Lockout
from faceedge.types import Decision, Floats, Match, Shot, Template
from faceedge.votes import RANK, Ruling, Similarity, Vote, agreeing, ruling

__all__ = ["DEADLINE_S", "PARTING", "TRUSTED_QUALITY", "USABLE_QUALITY", "Judge"]

TRACK_ENDS_AFTER_S = 1.0
STILL_SEEN_S = TRACK_ENDS_AFTER_S
"""A second factor counts while the newest vote is no older. Votes come every 0.1 to 0.3 s, poor pictures in between
cost some; whoever gives none for a second has left by the judge's own measure."""
NEAREST_WAIT_S = 1.0
"""So long a face waits for the decision of one that stands nearer, once."""

GONE, OTHER, ANEW = "not seen any more", "somebody else stands there", "asked anew since"
UNSURE, DONE = "not recognised well enough now", "decided already"
"""Why a second factor makes no grant."""

PARTING = frozenset({"too_few_shots", "low_quality", "too_slow", "not_moving", "behind", "model_changed"})
"""Reasons of refusals that are made when a track ends; they come late by nature."""
RECOGNISED = frozenset({"locked_out", "look_alike", "on_trial"})
"""Reasons of reviews that are no failure of the face: it was recognised."""
MOST_LEFT = 256
"""Tracks that are remembered after they have ended."""
NO_LOOK: Floats = np.empty(0, np.float32)

Key = tuple[str, int]


@dataclass(slots=True, eq=False)
class Judge:
    """Keeps the votes of every live track and says when they are enough. One thread.

    doors: the numbers of every door, by camera; where there are none, the model's and the device's hold. continuity:
    which pictures count as several; without it all that differ. looks_alike: whether a person (id) is flagged as a
    look-alike of somebody else. space: of the templates.
    """

    rules: Decide
    thresholds: Thresholds
    similarity: Similarity
    doors: Mapping[str, Mapping[str, Limits]] = field(default_factory=dict)
    continuity: Continuity | None = None
    judging: Judging = PRODUCT
    looks_alike: Callable[[str], bool] = lambda _person: False
    space: str = ""
    _usual: Limits = field(init=False)
    _lockout: Lockout = field(init=False)
    _cases: dict[Key, Case] = field(default_factory=dict)
    _left: dict[Key, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._usual = limits_of(self.rules, self.thresholds, judging=self.judging)
        self._lockout = Lockout(self.similarity, self.thresholds.match)

    def reopen(self) -> None:
        """Forgets all votes and questions; what was decided, and which face of a track it was, stays known."""
        self._cases = {key: case.anew() for key, case in self._cases.items()}

    def succeed(self, before: Judge) -> None:
        """Goes on where another judge leaves off, whose networks serve no more. What was decided stays. Votes begin
        anew where other numbers measured them, or another recogniser, as its templates do not compare; and by these
        alone it is known who is locked out.
        """
        self._left = dict(before._left)
        is_same = before.space == self.space
        if is_same:
            self._lockout.succeed(before._lockout)
        if is_same and (before._usual, before.doors) == (self._usual, self.doors):
            self._cases = dict(before._cases)
        else:
            self._cases = {key: replace(case.anew(), is_passed_on=True) for key, case in before._cases.items()}

    def limits(self) -> dict[str, float]:
        """What decides where a door has no numbers of its own, by name, as the journal writes it down."""
        return self._usual.as_json()

    def is_usable(self, shot: Shot) -> bool:
        """Whether a shot may vote at any door, and so is worth an embedding."""
        return any(limits.is_usable(shot) for limits in self._doors(shot.camera).values())

    def is_certain(self, match: Match) -> bool:
        """Whether one match by itself says who it is: near enough, and well before the second."""
        return self._usual.is_certain(match)

    def poor(self, shot: Shot, now: float) -> list[Decision]:
        """Notes a shot that may not vote; it is the reason when nothing better comes."""
        case = self._case(shot, now)
        case.shots += 1
        shot = as_small(shot, self._doors(shot.camera).values())
        if case.poorest is None or shot.assessment.quality >= case.poorest.assessment.quality:
            case.poorest = shot
        return []

    def late(self, shot: Shot, now: float, *, is_others: bool = False) -> None:
        """Notes a shot that comes too late to be recognised: it opens nothing, but its track is there, and refused.
        is_others: it was cut for networks that serve no more."""
        case = self._case(shot, now)
        case.shots += 1
        case.late, case.is_passed_on = shot, case.is_passed_on or is_others

    def vote(self, shot: Shot, template: Template, match: Match, now: float) -> list[Decision]:
        """Counts one recognised shot; returns what can be decided now, at most one decision a face."""
        case = self._case(shot, now)
        pixels = hashlib.blake2b(shot.crop.tobytes(), digest_size=16).digest()
        if any(vote.pixels == pixels for vote in case.recent):
            case.counted, case.repeated = case.counted + 1, case.repeated + 1
            case.trail.stand()
            return []
        ended: list[Decision] = []
        if case.votes and not self._are_alike(case.votes[-1].template, template):
            ended = self._end(case)
            case = self._split(shot, case, now)
        case.shots += 1
        look = motion.look(shot.crop) if self.continuity is not None else NO_LOOK
        self._count(case, Vote(shot, template, match, pixels, look), now)
        return [*ended, *self._weigh(case, now), *self._weigh_waiting(now, shot.camera)]

    def sweep(self, now: float, *, camera: str | None = None, everything: bool = False) -> list[Decision]:
        """Ends the tracks that have left; each that was never decided becomes a refusal with its reason.

        camera: only of this one, when every camera has a clock of its own.
        """
        waited = [] if everything else self._weigh_waiting(now, camera)
        mine = [(key, case) for key, case in self._cases.items() if camera in (None, key[0])]
        gone = [key for key, case in mine if everything or now - case.seen > TRACK_ENDS_AFTER_S]
        return [*waited, *(decision for key in gone for decision in self._leave(key))]

    def forget(self, camera: str, track: int, segment: int) -> None:
        """A grant was lost on its way: after a short pause the next best shot of that face may decide anew."""
        case = self._cases.get((camera, track))
        if case is not None and case.segment == segment:
            case.reached, case.asked = {}, -math.inf

    def confirm(self, review: Decision, now: float) -> Decision | str:
        """The grant that a second factor makes of a review, or why it makes none.

        The newest vote is young and, like N of the last M, for the person named; not one is for anybody else, so of
        two people who look alike none passes while the votes swing between them.
        """
        case = self._cases.get((review.camera, review.track))
        if case is None or not case.votes or not now - case.votes[-1].shot.captured <= STILL_SEEN_S:
            return GONE
        newest, asked = case.votes[-1], case.review
        asked_about = self._asked_about(review)
        case.grow_old(now)
        known = {door: agreeing(case.votes, limits) for door, limits in asked_about.items()}
        people = {vote.match.person for votes in known.values() for vote in votes}
        if asked is None or {asked.person, *people} != {review.person}:
            return OTHER
        if asked.id != review.id:
            return ANEW
        sure = [door for door, votes in known.items() if newest in votes and len(votes) >= asked_about[door].votes]
        if not sure:
            return UNSURE
        open_still = tuple(door for door in sure if case.reached.get(door, -1) < RANK["grant"])
        if not open_still:
            return DONE
        votes = min(len(known[door]) for door in open_still)
        made = Ruling("grant", "second_factor", "grey", review.person, votes, open_still)
        grant = replace(case.decision(made, newest.shot, newest.match), deadline=now + DEADLINE_S)
        case.note(grant, open_still, now)
        self._lockout.passed(newest.template, now)
        return grant

    def _doors(self, camera: str) -> Mapping[str, Limits]:
        return self.doors.get(camera) or {ANYWHERE: self._usual}

    def _asked_about(self, review: Decision) -> dict[str, Limits]:
        named = self._doors(review.camera)
        return {door: limits for door, limits in named.items() if door == ANYWHERE or door in review.doors}

    def _case(self, shot: Shot, now: float) -> Case:
        key = (shot.camera, shot.track)
        if key not in self._cases:
            self._cases[key] = Case(*key, self._left.pop(key, -1) + 1)
        self._cases[key].see(shot, now)
        return self._cases[key]

    def _split(self, shot: Shot, case: Case, now: float) -> Case:
        """Another face: nothing of the first counts for it, neither votes nor what was decided, asked or lost."""
        fresh = Case(shot.camera, shot.track, case.segment + 1)
        fresh.see(shot, now)
        self._cases[shot.camera, shot.track] = fresh
        return fresh

    def _are_alike(self, one: Template, other: Template) -> bool:
        return self.similarity(one, other) >= self.thresholds.grey

    def _count(self, case: Case, newest: Vote, now: float) -> None:
        """Only votes that look like the newest count with it, and the picture before the last is no exception."""
        case.grow_old(now)
        votes = [vote for vote in case.votes if self._are_alike(vote.template, newest.template)]
        case.counted += 1
        if self.continuity is None:
            votes.append(newest)
        else:
            votes, is_new = self.continuity.joined(votes, newest, case.trail)
            case.repeated += not is_new
        case.votes = votes[-self.rules.of :]
        case.recent = [*case.recent, newest][-self.rules.of :]

    def _weigh(self, case: Case, now: float) -> list[Decision]:
        newest = case.votes[-1]
        if now - newest.shot.captured > self.rules.max_age_ms / 1000:
            case.late = newest.shot
            return []
        for made in self._rulings(case, now):
            told = case.news(made, now, self.rules.cooldown_s)
            if told is not None:
                case.waits = told.outcome != "deny" and self._must_wait(case, now)
                return [] if case.waits else [self._decided(case, told, now)]
        case.waits = False
        return []

    def _weigh_waiting(self, now: float, camera: str | None) -> list[Decision]:
        """Whoever waited for somebody nearer, who has been decided by now or takes too long."""
        waiting = [case for case in self._cases.values() if case.waits and camera in (None, case.camera)]
        return [decision for case in waiting for decision in self._weigh(case, now)]

    def _must_wait(self, case: Case, now: float) -> bool:
        case.ready = now if case.ready is None else case.ready
        in_time = now - case.ready < NEAREST_WAIT_S
        return in_time and any(other.stands_before(case, now) for other in self._cases.values())

    def _rulings(self, case: Case, now: float) -> Iterator[Ruling]:
        """What the votes say, best first; doors that say the same together. A refusal is one only when all say so."""
        groups = grouped(self._doors(case.camera))
        made = [
            replace(self._held_back(said, limits, case, now), doors=doors)
            for limits, doors in groups
            if (said := ruling(case.votes, case.recent, limits)) is not None
        ]
        for outcome in sorted(RANK, key=lambda outcome: -RANK[outcome]):
            same = [one for one in made if one.outcome == outcome]
            if same and (outcome != "deny" or len(same) == len(groups)):
                worst = min(same, key=lambda one: (one.band == "trusted", one.votes))
                yield replace(worst, doors=tuple(door for one in same for door in one.doors))

    def _held_back(self, made: Ruling, limits: Limits, case: Case, now: float) -> Ruling:
        """A face that has failed too often lately passes with a second factor only, and so does a look-alike at a door
        that wants it so."""
        newest = case.votes[-1]
        if made.outcome != "grant" or made.person is None:
            return made
        if limits.lockout and self._lockout.is_locked(newest.template, newest.match, now):
            return replace(made, outcome="review", reason="locked_out", band="grey")
        if limits.look_alikes and self.looks_alike(made.person):
            return replace(made, outcome="review", reason="look_alike", band="grey")
        return made

    def _decided(self, case: Case, made: Ruling, now: float) -> Decision:
        newest = case.votes[-1]
        decision = case.decision(made, newest.shot, newest.match)
        case.note(decision, made.doors, now)
        if made.outcome == "grant":
            self._lockout.passed(newest.template, now)
        elif made.reason not in RECOGNISED:
            self._lockout.failed(newest.template, now)
        return decision

    def _leave(self, key: Key) -> list[Decision]:
        """Should the tracker find the face again after all, it is another segment, which gets an outcome of its own."""
        case = self._cases.pop(key)
        self._left[key] = case.segment
        if len(self._left) > MOST_LEFT:
            del self._left[next(iter(self._left))]
        return self._end(case)

    def _end(self, case: Case) -> list[Decision]:
        parting = case.parting(self.rules.votes)
        return [] if parting is None else [parting]
