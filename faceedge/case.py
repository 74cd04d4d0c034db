"""What the judge knows of one face: its votes, what was decided of it, and why nothing was. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from faceedge.bands import ANYWHERE, ON_TRIAL, size_px
from faceedge.continuity import Trail
from faceedge.types import SECOND_FACTOR_S, Decision, Evidence, Match, Shot
from faceedge.votes import RANK, VOTES_LAST_S, Ruling, Vote

DEADLINE_S = 0.5
RETRY_AFTER_S = 0.5
"""A lost grant may be decided anew after this: a broker that is away must not flood the log with every shot."""
NEARER = 1.25
"""So much larger is a face that stands before another one."""
PATIENCE_S = 3.0
"""A face that gives no decision for so long, as one on a poster, holds nobody up any more."""
HERE_S = 0.5
"""Since its last shot, a face is still in the picture."""


@dataclass(slots=True)
class Case:
    """One segment of one track. votes: those that count, oldest first. recent: also those that show nothing new.

    shots: all of them; counted: those that were recognised, of which `repeated` showed nothing new.
    poorest: the best of those too poor to vote. late: the newest that came too late to vote, or to decide.
    reached: how far the decisions of this cool-down went, by door. ready: since when somebody nearer comes first.
    review: the newest question; asked: when, and for which doors. is_passed_on: votes or shots were lost because others
    took over.
    """

    camera: str
    track: int
    segment: int = 0
    votes: list[Vote] = field(default_factory=list)
    recent: list[Vote] = field(default_factory=list)
    trail: Trail = field(default_factory=Trail)
    began: float = math.inf
    seen: float = 0.0
    size_px: float = 0.0
    shots: int = 0
    counted: int = 0
    repeated: int = 0
    poorest: Shot | None = None
    late: Shot | None = None
    reached: dict[str, int] = field(default_factory=dict)
    decided: float = -math.inf
    ready: float | None = None
    waits: bool = False
    review: Decision | None = None
    asked: float = -math.inf
    asked_doors: tuple[str, ...] = ()
    is_passed_on: bool = False

    @property
    def is_decided(self) -> bool:
        """A lost grant was a decision, too."""
        return self.decided > -math.inf

    def see(self, shot: Shot, now: float) -> None:
        """Notes that the face is there."""
        self.began = min(self.began, now)
        self.seen, self.size_px = now, size_px(shot)

    def grow_old(self, now: float) -> None:
        """Forgets what was seen too long ago to count."""
        self.votes = [vote for vote in self.votes if now - vote.shot.captured <= VOTES_LAST_S]
        self.recent = [vote for vote in self.recent if now - vote.shot.captured <= VOTES_LAST_S]

    def stands_before(self, other: Case, now: float) -> bool:
        """Whether this face is nearer, still there, and will soon be decided itself."""
        is_nearer = self.camera == other.camera and self.size_px >= NEARER * other.size_px
        is_open = not self.is_decided and now - self.began <= PATIENCE_S and now - self.seen <= HERE_S
        return is_nearer and is_open

    def anew(self) -> Case:
        """The same face after a fault: no vote and no question counts any more, what was decided does."""
        last = self.votes[-1].shot if self.votes else self.late
        return replace(
            self,
            votes=[],
            recent=[],
            trail=Trail(),
            late=last,
            ready=None,
            waits=False,
            review=None,
            asked=-math.inf,
            asked_doors=(),
        )

    def decision(self, ruling: Ruling, shot: Shot, match: Match | None) -> Decision:
        """A ruling as it is told, with the numbers of the shot that made it."""
        x0, y0, x1, y1 = (float(side) for side in shot.face.box)
        scored = match is not None and match.person is not None
        evidence = Evidence(
            similarity=match.similarity if match and scored else None,
            margin=match.margin if match and scored else None,
            quality=shot.assessment.quality,
            votes=ruling.votes,
            shots=self.shots,
            captured=shot.captured,
            box=(x0, y0, x1, y1),
            seq=shot.seq,
            poor=shot.assessment.reasons,
        )
        return Decision(
            camera=self.camera, track=self.track, segment=self.segment, outcome=ruling.outcome, reason=ruling.reason,
            band=ruling.band, person=ruling.person, evidence=evidence, deadline=shot.captured + DEADLINE_S,
            fit=None if ANYWHERE in ruling.doors or ruling.outcome == "deny" else ruling.doors,
        )  # fmt: skip

    def news(self, made: Ruling, now: float, cooldown_s: float) -> Ruling | None:
        """What of a ruling is to be told: once a cool-down, unless it became better for a door, as when a stranger is
        recognised after all, or a grey face becomes clear."""
        if self._is_asked(made, now):
            return None
        if not self.reached:
            return made if now - self.decided >= RETRY_AFTER_S else None
        better = tuple(door for door in made.doors if RANK[made.outcome] > self.reached.get(door, -1))
        if better:
            return replace(made, doors=better)
        return made if now - self.decided >= cooldown_s else None

    def _is_asked(self, made: Ruling, now: float) -> bool:
        """The same question is not put again while it may still be answered."""
        is_same = self.review is not None and self.review.person == made.person
        is_about = set(made.doors) <= set(self.asked_doors)
        return made.outcome == "review" and is_same and is_about and now - self.asked < SECOND_FACTOR_S

    def note(self, decision: Decision, doors: tuple[str, ...], now: float) -> None:
        """Remembers that this was decided for these doors."""
        rank = RANK[decision.outcome]
        if all(self.reached.get(door, -1) >= rank for door in doors):
            self.reached = {}  # another cool-down
        self.reached.update(dict.fromkeys(doors, rank))
        self.decided, self.waits = now, False
        if decision.outcome == "review":
            self.review, self.asked, self.asked_doors = decision, now, doors

    def parting(self, votes_needed: int) -> Decision | None:
        """The refusal of a face that leaves undecided."""
        last = self.votes[-1].shot if self.votes else self.late or self.poorest
        if self.is_decided or last is None:
            return None
        match = self.votes[-1].match if self.votes else None
        ruling = Ruling("deny", self._why_undecided(votes_needed), votes=len(self.votes))
        return self.decision(ruling, last, match)

    def _why_undecided(self, votes_needed: int) -> str:
        if self.waits:
            return "behind"
        if self.late is not None:
            return "model_changed" if self.is_passed_on else "too_slow"
        if self.votes and self.counted >= votes_needed and self.repeated * 2 >= self.counted:
            return "not_moving"
        if any(vote.match.most in ("none", "grey") for vote in self.votes):
            return ON_TRIAL
        return "too_few_shots" if self.votes else "low_quality"
