"""Which work can no longer meet its deadline, so that it is dropped where that costs least. No clock of its own.

What is dropped is counted as `late_<place>_<reason>`. The places, in the order of the flow: `detect` (a frame, before
anything is done with it), `crops` (its faces are known, nothing is cut), `recognise` (a shot, before it costs an
embedding). The reasons: `old` (the deadline has passed), `slow` (it has not, but what is left to do usually takes
longer than what is left of the time). A grant is looked at once more when it leaves (`publish.py`).
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Literal, get_args

Place = Literal["detect", "crops", "recognise"]

REMEMBERED = 9
"""Batches of a stage that say what it usually takes; one slow batch in between says nothing."""
ENOUGH = 3
"""Fewer drop nothing yet: the first batch of a network is slow."""
STALE_S = 0.5
"""A stage that has worked nothing for so long is tried again, however slow it was."""
SHARE = 0.25
"""Of the deadline, for one batch of one of two stages: before each of them a picture may wait for as long again, while
the batch before is worked on."""


@dataclass(slots=True)
class _Pace:
    """How fast a stage has been of late. One thread writes, any thread reads the two plain numbers."""

    batches: deque[float] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    each: deque[float] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    usual_s: float = 0.0
    """A batch; zero while nothing is known."""
    newest_s: float = 0.0
    each_s: float = 0.0
    """One member of a batch."""
    at: float = 0.0

    def note(self, seconds: float, items: int, now: float) -> None:
        self.batches.append(seconds)
        self.each.append(seconds / items)
        self.each_s = median(self.each)
        if len(self.batches) >= ENOUGH:
            self.usual_s = median(self.batches)
        self.newest_s, self.at = seconds, now

    def expected_s(self, now: float) -> float:
        """The newest batch alone may show that a stage is fast again, only the usual one that it is slow."""
        return min(self.usual_s, self.newest_s) if now - self.at <= STALE_S else 0.0


@dataclass(slots=True)
class Deadlines:
    """stages: in the order of the flow. deadline_s: from the picture to the decision."""

    stages: Sequence[str]
    deadline_s: float
    late: Counter[str] = field(default_factory=Counter)
    """As `counters` gives them. Each place is asked by one thread."""
    _timely: Counter[str] = field(default_factory=Counter)
    """What was let through since the stage last told how long it took."""
    _pace: dict[str, _Pace] = field(init=False)

    def __post_init__(self) -> None:
        self.late.update({f"late_{place}_{reason}": 0 for place in get_args(Place) for reason in ("old", "slow")})
        self._pace = {stage: _Pace() for stage in self.stages}

    def took(self, stage: str, seconds: float, now: float) -> None:
        """A batch of this stage took so long. One of which nothing was let through says nothing of the next."""
        if items := self._timely.pop(stage, 0):
            self._pace[stage].note(seconds, items, now)

    def failed(self, stage: str) -> None:
        """A batch of this stage came to nothing: what was let through for it says nothing of how fast it is."""
        self._timely.pop(stage, None)

    def is_late(self, place: Place, captured: float, now: float) -> bool:
        """Whether a picture taken at `captured` comes to a decision too late from here. Ask once, it is counted."""
        left_s = captured + self.deadline_s - now
        if left_s < 0:
            self.late[f"late_{place}_old"] += 1
        elif self._ahead_s(place, now) > left_s:
            self.late[f"late_{place}_slow"] += 1
        else:
            self._timely[place] += 1
            return False
        return True

    def most(self, stage: str, batch: int) -> int:
        """So many members, 1..batch, can one batch have and still be done in good time. The first of all has one: a
        machine that turns out to be very slow must not look as if it hung."""
        if not self._pace[stage].batches:
            return 1
        each_s = self._pace[stage].each_s
        return batch if batch * each_s <= SHARE * self.deadline_s else max(1, int(SHARE * self.deadline_s / each_s))

    def usual_s(self, stage: str) -> float:
        """What one member of a batch usually takes; 0 while nothing is known."""
        return self._pace[stage].each_s

    @property
    def too_slow_s(self) -> float | None:
        """What the stages usually take together when that is more than there is, whatever they are asked for."""
        usual_s = sum(pace.usual_s for pace in self._pace.values())
        return usual_s if usual_s > self.deadline_s else None

    def counters(self) -> dict[str, int]:
        """What was dropped, by place and reason."""
        return dict(self.late)

    def _ahead_s(self, place: Place, now: float) -> float:
        """What the stages that are still to come take together. Crops are cut by `detect` when it is nearly done."""
        stages = list(self.stages)
        first = stages.index("detect") + 1 if place == "crops" else stages.index(place)
        return sum(self._pace[name].expected_s(now) for name in stages[first:])
