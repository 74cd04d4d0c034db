"""Matches over time become decisions. No input or output, the clock is passed in, and doubt means no grant.

A shot votes for the nearest person when it is good enough. N of the last M votes of one track must agree, the
newest among them and young; equal pictures count once; a sudden change of the face splits the track. A review becomes
a grant only by a second factor, while the votes still say the same.
"""

from __future__ import annotations

import hashlib
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from faceedge.config import Decide
from faceedge.fit import Thresholds
from faceedge.types import SECOND_FACTOR_S, Band, Decision, Evidence, Match, Outcome, Shot, Template

USABLE_QUALITY = 0.4
TRUSTED_QUALITY = 0.6
TRACK_ENDS_AFTER_S = 1.0
DEADLINE_S = 0.5
RETRY_AFTER_S = 0.5
"""A lost grant may be decided anew after this: a broker that is away must not flood the log with every shot."""
STILL_SEEN_S = TRACK_ENDS_AFTER_S
"""A second factor counts while the newest vote is no older. Votes come every 0.1 to 0.3 s, poor pictures in between
cost some; whoever gives none for a second has left by the judge's own measure."""

GONE, OTHER, ANEW = "not seen any more", "somebody else stands there", "asked anew since"
UNSURE, DONE = "not recognised well enough now", "decided already"
"""Why a second factor makes no grant."""

_RANK: dict[Outcome, int] = {"deny": 0, "review": 1, "grant": 2}
PARTING = frozenset({"too_few_shots", "low_quality", "too_slow"})
"""Reasons of refusals that are made when a track ends; they come late by nature."""

Similarity = Callable[[Template, Template], float]
Key = tuple[str, int]


@dataclass(frozen=True, slots=True, eq=False)
class _Vote:
    shot: Shot
    template: Template
    match: Match
    band: Band
    pixels: bytes


@dataclass(frozen=True, slots=True)
class _Ruling:
    outcome: Outcome
    reason: str
    band: Band = "none"
    person: str | None = None


@dataclass(slots=True)
class _Case:
    """What is known of one segment of one track."""

    votes: deque[_Vote]
    segment: int = 0
    shots: int = 0
    seen: float = 0.0
    poorest: Shot | None = None
    late: Shot | None = None
    """The newest that came too late to vote, or whose vote came too late to decide."""
    outcome: Outcome | None = None
    decided: float = -math.inf
    review: Decision | None = None
    """The newest, and when it asked for a second factor."""
    asked: float = -math.inf


@dataclass(slots=True, eq=False)
class Judge:
    """Keeps the votes of every live track and says when they are enough. One thread."""

    rules: Decide
    thresholds: Thresholds
    similarity: Similarity
    _cases: dict[Key, _Case] = field(default_factory=dict)

    def reopen(self) -> None:
        """Forgets all votes and questions; what was decided, and which face of a track it was, stays known."""
        self._cases = {
            key: _Case(
                deque(maxlen=self.rules.of), case.segment, case.shots, case.seen, case.poorest,
                case.votes[-1].shot if case.votes else case.late, case.outcome, case.decided,
            )
            for key, case in self._cases.items()
        }  # fmt: skip

    def limits(self) -> dict[str, float]:
        """What decides, by name, as the journal writes it down."""
        return {
            "grey": self.thresholds.grey, "match": self.thresholds.match, "strict": self.thresholds.strict,
            "margin": self.rules.margin, "votes": self.rules.votes, "of": self.rules.of,
            "face_px": self.rules.min_face_px, "usable": USABLE_QUALITY, "trusted": TRUSTED_QUALITY,
        }  # fmt: skip

    def is_usable(self, shot: Shot) -> bool:
        """Whether a shot may vote, and so is worth an embedding."""
        large = min(shot.face.width_px, shot.face.height_px) >= self.rules.min_face_px
        return large and shot.assessment.quality >= USABLE_QUALITY

    def is_certain(self, match: Match) -> bool:
        """Whether one match by itself says who it is: near enough, and well before the second."""
        return match.similarity >= self.thresholds.match and match.margin >= self.rules.margin

    def poor(self, shot: Shot, now: float) -> list[Decision]:
        """Notes a shot that may not vote; it is the reason when nothing better comes."""
        case = self._case(shot)
        case.shots += 1
        case.seen = now
        if case.poorest is None or shot.assessment.quality >= case.poorest.assessment.quality:
            case.poorest = shot
        return []

    def late(self, shot: Shot, now: float) -> None:
        """Notes a shot that comes too late to be recognised: it opens nothing, but its track is there, and refused."""
        case = self._case(shot)
        case.shots += 1
        case.seen, case.late = now, shot

    def vote(self, shot: Shot, template: Template, match: Match, now: float) -> list[Decision]:
        """Counts one recognised shot; returns what can be decided now, at most one decision a segment."""
        case = self._case(shot)
        case.seen = now
        pixels = hashlib.blake2b(shot.crop.tobytes(), digest_size=16).digest()
        if any(vote.pixels == pixels for vote in case.votes):
            return []
        ended: list[Decision] = []
        if case.votes and not self.similarity(case.votes[-1].template, template) >= self.thresholds.grey:
            ended = self._end(case)
            case = self._split(shot, case, now)
        case.shots += 1
        case.votes.append(_Vote(shot, template, match, self._band(shot, match), pixels))
        decision = self._weigh(case, now)
        return [*ended, decision] if decision else ended

    def sweep(self, now: float, *, camera: str | None = None, everything: bool = False) -> list[Decision]:
        """Ends the tracks that have left; each that was never decided becomes a refusal with its reason.

        camera: only of this one, when every camera has a clock of its own.
        """
        mine = [(key, case) for key, case in self._cases.items() if camera in (None, key[0])]
        gone = [key for key, case in mine if everything or now - case.seen > TRACK_ENDS_AFTER_S]
        return [decision for key in gone for decision in self._end(self._cases.pop(key))]

    def forget(self, camera: str, track: int) -> None:
        """A grant was lost on its way: after a short pause the next best shot may decide anew."""
        case = self._cases.get((camera, track))
        if case is not None:
            case.outcome, case.asked = None, -math.inf

    def confirm(self, review: Decision, now: float) -> Decision | str:
        """The grant that a second factor makes of a review, or why it makes none.

        The newest vote is young and, like N of the last M, for the person named; not one is for anybody else, so of
        two people who look alike none passes while the votes swing between them.
        """
        case = self._cases.get((review.camera, review.track))
        if case is None or not case.votes or not now - case.votes[-1].shot.captured <= STILL_SEEN_S:
            return GONE
        newest, asked = case.votes[-1], case.review
        known = [vote for vote in case.votes if vote.band != "none"]
        if asked is None or {asked.person, *(vote.match.person for vote in known)} != {review.person}:
            return OTHER
        if asked.id != review.id:
            return ANEW
        if newest.band == "none" or len(known) < self.rules.votes:
            return UNSURE
        if case.outcome == "grant":
            return DONE
        case.outcome, case.decided = "grant", now
        ruling = _Ruling("grant", "second_factor", "grey", review.person)
        return replace(_decision(ruling, case, newest.shot, newest.match, len(known)), deadline=now + DEADLINE_S)

    def _case(self, shot: Shot) -> _Case:
        return self._cases.setdefault((shot.camera, shot.track), _Case(deque(maxlen=self.rules.of)))

    def _split(self, shot: Shot, case: _Case, now: float) -> _Case:
        fresh = _Case(deque(maxlen=self.rules.of), segment=case.segment + 1, seen=now)
        self._cases[shot.camera, shot.track] = fresh
        return fresh

    def _band(self, shot: Shot, match: Match) -> Band:
        """Where one shot stands: similarity first, then how far the picture and the lead can be trusted."""
        if match.person is None or not match.similarity >= self.thresholds.grey:
            return "none"
        if not self.is_certain(match):
            return "grey"
        if shot.assessment.quality >= TRUSTED_QUALITY:
            return "trusted"
        return "low_quality" if match.similarity >= self.thresholds.strict else "grey"

    def _weigh(self, case: _Case, now: float) -> Decision | None:
        newest = case.votes[-1]
        if now - newest.shot.captured > self.rules.max_age_ms / 1000:
            case.late = newest.shot
            return None
        same = [vote for vote in case.votes if vote.match.person == newest.match.person and vote.band != "none"]
        above = [vote for vote in same if vote.band != "grey"]
        trusted = [vote for vote in above if vote.band == "trusted"]
        nobody = [vote for vote in case.votes if vote.band == "none"]
        if newest in above and len(above) >= self.rules.votes:
            band: Band = "trusted" if len(trusted) >= self.rules.votes else "low_quality"
            return self._rule(case, _Ruling("grant", "match", band, newest.match.person), above, now)
        if newest.band == "grey" and len(same) >= self.rules.votes:
            return self._rule(case, _Ruling("review", self._doubt(newest), "grey", newest.match.person), same, now)
        if newest.band == "none" and len(nobody) >= self.rules.votes:
            return self._rule(case, _Ruling("deny", "unknown"), nobody, now)
        return None

    def _doubt(self, vote: _Vote) -> str:
        if not vote.match.margin >= self.rules.margin:
            return "ambiguous"
        return "grey_zone" if vote.match.similarity < self.thresholds.match else "low_quality"

    def _rule(self, case: _Case, ruling: _Ruling, votes: list[_Vote], now: float) -> Decision | None:
        """Once a cool-down, unless it became better: a stranger recognised after all, a grey face made clear."""
        rises = case.outcome is not None and _RANK[ruling.outcome] > _RANK[case.outcome]
        pause_s = RETRY_AFTER_S if case.outcome is None else 0.0 if rises else self.rules.cooldown_s
        if now - case.decided < pause_s or _is_asked(ruling, case, now):
            return None
        case.outcome, case.decided = ruling.outcome, now
        decision = _decision(ruling, case, votes[-1].shot, votes[-1].match, len(votes))
        if ruling.outcome == "review":
            case.review, case.asked = decision, now
        return decision

    def _end(self, case: _Case) -> list[Decision]:
        """The refusal of a segment that ends undecided; a lost grant was a decision."""
        last = case.votes[-1].shot if case.votes else case.late or case.poorest
        if case.decided > -math.inf or last is None:
            return []
        match = case.votes[-1].match if case.votes else None
        reason = "too_slow" if case.late else "too_few_shots" if case.votes else "low_quality"
        ruling = _Ruling("deny", reason)
        return [_decision(ruling, case, last, match, len(case.votes))]


def _is_asked(ruling: _Ruling, case: _Case, now: float) -> bool:
    """The same question is not put again while it may still be answered."""
    is_same = case.review is not None and case.review.person == ruling.person
    return ruling.outcome == "review" and is_same and now - case.asked < SECOND_FACTOR_S


def _decision(ruling: _Ruling, case: _Case, shot: Shot, match: Match | None, votes: int) -> Decision:
    x0, y0, x1, y1 = (float(side) for side in shot.face.box)
    scored = match is not None and match.person is not None
    evidence = Evidence(
        similarity=match.similarity if match and scored else None,
        margin=match.margin if match and scored else None,
        quality=shot.assessment.quality,
        votes=votes,
        shots=case.shots,
        captured=shot.captured,
        box=(x0, y0, x1, y1),
        seq=shot.seq,
        poor=shot.assessment.reasons,
    )
    return Decision(
        camera=shot.camera,
        track=shot.track,
        segment=case.segment,
        outcome=ruling.outcome,
        reason=ruling.reason,
        band=ruling.band,
        person=ruling.person,
        evidence=evidence,
        deadline=shot.captured + DEADLINE_S,
    )
