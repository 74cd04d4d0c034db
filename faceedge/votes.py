"""Votes of one face, and what they say for one door: N of the last M agree, the newest among them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from faceedge.bands import ON_TRIAL, Limits
from faceedge.types import Band, Floats, Match, Outcome, Shot, Template

VOTES_LAST_S = 5.0
"""Poor pictures may lie between votes; what was seen longer ago says nothing about who stands there now."""

RANK: dict[Outcome, int] = {"deny": 0, "review": 1, "grant": 2}

Similarity = Callable[[Template, Template], float]


@dataclass(frozen=True, slots=True, eq=False)
class Vote:
    """One recognised shot. pixels: digest of its crop. look: see `motion.look`, empty where nobody compares."""

    shot: Shot
    template: Template
    match: Match
    pixels: bytes
    look: Floats


@dataclass(frozen=True, slots=True)
class Ruling:
    """What votes come to. doors: for which."""

    outcome: Outcome
    reason: str
    band: Band = "none"
    person: str | None = None
    votes: int = 0
    doors: tuple[str, ...] = ()


def ruling(votes: Sequence[Vote], seen: Sequence[Vote], limits: Limits) -> Ruling | None:
    """What these votes, oldest first, say under one door's numbers; None while they do not say enough.

    The newest must be among those that agree. seen: also those that show nothing new, enough to refuse a stranger.
    """
    newest = votes[-1]
    if not limits.is_usable(newest.shot):
        return None
    person, band = newest.match.person, limits.band(newest.shot, newest.match)
    same = [limits.band(vote.shot, vote.match) for vote in agreeing(votes, limits) if vote.match.person == person]
    above = [here for here in same if here != "grey"]
    if band not in ("none", "grey") and len(above) >= limits.votes:
        is_trusted = above.count("trusted") >= limits.votes
        return Ruling("grant", "match", "trusted" if is_trusted else "low_quality", person, len(above))
    if band == "grey" and len(same) >= limits.votes:
        return Ruling("review", limits.doubt(newest.shot, newest.match), "grey", person, len(same))
    usable = [vote for vote in seen if limits.is_usable(vote.shot)]
    strangers = len(usable) - len(agreeing(usable, limits))
    if band == "none" and strangers >= limits.votes:
        is_disputed = any(limits.is_denied(vote.shot, vote.match) for vote in usable)
        return Ruling("deny", ON_TRIAL if is_disputed else "unknown", votes=strangers)
    return None


def agreeing(votes: Sequence[Vote], limits: Limits) -> list[Vote]:
    """Those that may vote at a door and name anybody there."""
    usable = [vote for vote in votes if limits.is_usable(vote.shot)]
    return [vote for vote in usable if limits.band(vote.shot, vote.match) != "none"]
