"""What networks on trial say of the shots that others decide, counted, and when that speaks against them. Pure.

One `Look` a shot goes in (`hearing.py`), `Trial.verdict` and `Trial.report` come out. Nobody is named in either.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from faceedge.quantize.intervals import wilson
from faceedge.types import Band

REMEMBERED = 1024
"""Newest shots of which times and scores are kept, and tracks that may still go on."""
SELDOM = 16
"""Of so many shots one looks at all the times: that takes longer than anything else here."""
KINDS = ("both", "different", "lost", "gained", "gained_other", "neither")
"""Whom would a shot, or a track, let in? both: the same person. different: two people. lost: only the networks that
serve let somebody in. gained: only those on trial, whom those that serve thought nearest, too; gained_other: whom they
did not. neither: nobody."""
LETS_IN: frozenset[Band] = frozenset({"low_quality", "trusted"})
NOT_FINITE = "an answer that is no number"


@dataclass(frozen=True, slots=True)
class Rules:
    """When networks on trial are given up.

    votes: shots that agree before a door opens. One track that would be let in as another person is enough. Of the rest
    a share may be: lost, of the tracks that are let in, may stay shut; lost_shots, of the shots by which they are, may
    not count, which keeps nobody out but takes time at the door; wrong, of the tracks that are let in, may have a shot
    for somebody else, and of all tracks, may be let in as somebody of whom the serving networks did not think.
    A rule is broken when the lower end of the interval of what was counted (Wilson, `confidence`) lies above, of no
    fewer than `tracks`. errors, of: so many failures among so many shots in a row are a burst. slow_s: what one face
    may take, or `slower` times what it takes the serving networks; shots: fewer say nothing of it. least: tracks that
    the serving networks let in, without which a trial has shown nothing.
    """

    votes: int = 3
    tracks: int = 10
    lost: float = 0.05
    lost_shots: float = 0.1
    wrong: float = 0.01
    confidence: float = 0.99
    errors: int = 3
    of: int = 20
    slow_s: float = 0.125
    slower: float = 1.5
    shots: int = 30
    least: int = 3


@dataclass(frozen=True, slots=True)
class Opinion:
    """What networks make of one shot. person: the nearest. band: what that is worth by their own numbers, at the
    strictest door. above: similarity less their own threshold of a match. seconds: that it took, 0 for the serving ones
    where the two times do not compare."""

    person: str | None
    band: Band
    above: float
    seconds: float

    @property
    def lets_in(self) -> str | None:
        """Whom this shot votes in."""
        return self.person if self.band in LETS_IN else None


@dataclass(frozen=True, slots=True)
class Look:
    """One shot, as both saw it. second: those on trial; None where they did not find the face, or failed, and then
    `error` says how."""

    camera: str
    track: int
    serving: Opinion
    second: Opinion | None
    error: str = ""


@dataclass(slots=True)
class _Passage:
    """One face: shots that vote somebody in, by person. other: those of the second of whom the first did not think.
    is_swapped: by one shot the two vote in two people. last: whom the serving networks voted in last."""

    serving: Counter[str] = field(default_factory=Counter)
    second: Counter[str] = field(default_factory=Counter)
    other: Counter[str] = field(default_factory=Counter)
    is_swapped: bool = False
    last: str | None = None

    def kind(self, votes: int) -> str:
        ours, theirs = _voted(self.serving, votes), _voted(self.second, votes)
        was_thought_of = theirs is None or self.other[theirs] < votes
        return _kind(ours, theirs, was_thought_of=was_thought_of)


class Trial:
    """Takes looks, one thread at a time. clock: monotonic seconds."""

    def __init__(self, rules: Rules, clock: Callable[[], float]) -> None:
        self.rules = rules
        self._clock = clock
        self._began = clock()
        self._shots: Counter[str] = Counter()
        self._tracks: Counter[str] = Counter()
        self._swapped = 0
        self._passages: OrderedDict[tuple[str, int], _Passage] = OrderedDict()
        self._errors: Counter[str] = Counter()
        self._newest: deque[bool] = deque(maxlen=rules.of)
        """Of the newest shots, whether they failed."""
        self._shifts: deque[float] = deque(maxlen=REMEMBERED)
        self._seconds: deque[tuple[float, float]] = deque(maxlen=REMEMBERED)
        self._against = ""

    def note(self, look: Look) -> None:
        """Counts one shot."""
        ours, theirs = look.serving.lets_in, look.second.lets_in if look.second else None
        self._shots[_kind(ours, theirs, was_thought_of=theirs == look.serving.person)] += 1
        self._newest.append(bool(look.error))
        if look.error:
            self._errors[look.error] += 1
        if look.second is not None:
            if look.serving.seconds > 0:
                self._seconds.append((look.serving.seconds, look.second.seconds))
            if look.second.person == look.serving.person and "none" not in (look.serving.band, look.second.band):
                self._shifts.append(look.second.above - look.serving.above)
        self._follow(look, ours, theirs)
        self._against = self._against or self._why()

    def verdict(self, *, is_over: bool = False) -> str:
        """What speaks against the networks on trial; empty when nothing does. Once said, it stays said.

        is_over: nothing more is seen, and too little seen is against them, too.
        """
        known, least = self._known(), self.rules.least
        if self._against or not is_over or known >= least:
            return self._against
        return f"too little was seen: {known} of {least} faces that are let in; try longer, or when people come"

    def report(self) -> dict[str, Any]:
        """What was seen, in JSON types: shots and tracks by whom they would let in (`KINDS`), agreement, score shift
        (similarity above the own threshold, second less serving), times in ms, failures, what speaks against them."""
        return {
            "seconds": round(self._clock() - self._began, 1),
            "shots": _counted(self._shots),
            "tracks": _counted(self._tracks),
            "agreement": self._agreement(),
            "score_shift": self._shift(),
            "latency_ms": self._latency(),
            "errors": {"all": self._errors.total(), "most": [list(one) for one in self._errors.most_common(3)]},
            "against": self._against,
        }

    def _follow(self, look: Look, ours: str | None, theirs: str | None) -> None:
        passage, votes = self._passage(look, ours), self.rules.votes
        self._tracks[passage.kind(votes)] -= 1
        if ours != theirs and None not in (ours, theirs):
            self._swapped += not passage.is_swapped
            passage.is_swapped = True
        if ours is not None:
            passage.serving[ours] += 1
            passage.last = ours
        if theirs is not None:
            passage.second[theirs] += 1
            passage.other[theirs] += theirs != look.serving.person
        self._tracks[passage.kind(votes)] += 1

    def _passage(self, look: Look, ours: str | None) -> _Passage:
        """Where one person takes another's place in a track, another face begins, as it does for the judge."""
        key = look.camera, look.track
        passage = self._passages.get(key)
        if passage is None or (ours is not None and passage.last not in (None, ours)):
            passage = self._passages[key] = _Passage()
            self._tracks["neither"] += 1
            if len(self._passages) > REMEMBERED:
                self._passages.popitem(last=False)
        return passage

    def _why(self) -> str:
        """The first rule that is broken, in words."""
        if self._tracks["different"]:
            return "a face would be let in as somebody else than now"
        if self._errors[NOT_FINITE]:
            return f"a shot got {NOT_FINITE}"
        if sum(self._newest) >= self.rules.errors:
            worst = self._errors.most_common(1)[0][0]
            return f"{sum(self._newest)} of the last {len(self._newest)} shots failed, most often: {worst}"
        return self._why_shut() or self._why_open() or self._why_slow()

    def _known(self) -> int:
        """Tracks that the serving networks let in."""
        return self._tracks["both"] + self._tracks["lost"] + self._tracks["different"]

    def _why_shut(self) -> str:
        rules, known, shots = self.rules, self._known(), self._shots
        if self._is_more(self._tracks["lost"], known, rules.lost):
            return f"{self._tracks['lost']} of {known} faces that are let in would not be"
        missing, voted = shots["lost"] + shots["different"], shots["lost"] + shots["different"] + shots["both"]
        if voted and self._is_more(
            round(missing / voted * known), known, rules.lost_shots
        ):  # of a track, all are alike
            return f"{missing} of {voted} shots by which people are let in would not count"
        return ""

    def _why_open(self) -> str:
        known, seen, wrong = self._known(), self._tracks.total(), self._tracks["gained_other"]
        if self._is_more(self._swapped, known, self.rules.wrong):
            return f"{self._swapped} of {known} faces that are let in would look like somebody else, too"
        if self._is_more(wrong, seen, self.rules.wrong):
            return f"{wrong} of {seen} faces would be let in as people of whom what serves does not think"
        return ""

    def _why_slow(self) -> str:
        if len(self._seconds) < self.rules.shots or self._shots.total() % SELDOM:
            return ""
        ours, theirs = np.median(np.array(self._seconds), axis=0)
        if theirs <= max(self.rules.slow_s, self.rules.slower * ours):
            return ""
        return f"one face takes {1000 * theirs:.0f} ms, and takes {1000 * ours:.0f} now"

    def _is_more(self, hits: int, count: int, share: float) -> bool:
        """Whether that is surely more than a share of all there will be. One track alone says nothing."""
        if count < self.rules.tracks or hits <= 1:
            return False
        return wilson(hits, count, self.rules.confidence)[0] > share

    def _agreement(self) -> float | None:
        """Share of the shots by which either would let somebody in in which both let in the same person."""
        spoken = self._shots.total() - self._shots["neither"]
        return round(self._shots["both"] / spoken, 4) if spoken else None

    def _shift(self) -> dict[str, Any]:
        if not self._shifts:
            return {"shots": 0}
        shifts = np.array(self._shifts)
        low, high = np.percentile(shifts, (5, 95))
        return {"shots": len(shifts), "mean": _number(shifts.mean()), "p5": _number(low), "p95": _number(high)}

    def _latency(self) -> dict[str, Any]:
        if not self._seconds:
            return {"shots": 0}
        times_ms = 1000 * np.array(self._seconds)
        middle, high = np.percentile(times_ms, (50, 95), axis=0)
        both = [{"median": _number(middle[side]), "p95": _number(high[side])} for side in (0, 1)]
        ratio = _number(middle[1] / middle[0]) if middle[0] > 0 else None
        return {"shots": len(times_ms), "serving": both[0], "second": both[1], "ratio": ratio}


def _voted(shots: Counter[str], votes: int) -> str | None:
    return next((person for person, count in shots.most_common(1) if count >= votes), None)


def _kind(ours: str | None, theirs: str | None, *, was_thought_of: bool) -> str:
    if ours is None and theirs is None:
        return "neither"
    if ours is None:
        return "gained" if was_thought_of else "gained_other"
    if theirs is None:
        return "lost"
    return "both" if ours == theirs else "different"


def _counted(kinds: Counter[str]) -> dict[str, int]:
    return {"all": kinds.total(), **{kind: kinds[kind] for kind in KINDS}}


def _number(value: float) -> float:
    return round(float(value), 4)
