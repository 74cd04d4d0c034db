"""Which work can no longer meet its deadline, so that it is dropped where that costs least. No clock of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

USUAL = 1 / 16
"""Weight of the newest batch in the running mean of what a stage takes."""


@dataclass(slots=True)
class Deadlines:
    """stages: in the order of the flow. deadline_s: from the picture to the decision."""

    stages: Sequence[str]
    deadline_s: float
    _usual_s: dict[str, float] = field(default_factory=dict)

    def took(self, stage: str, seconds: float) -> None:
        """A batch of this stage took so long. One thread a stage."""
        usual_s = self._usual_s.get(stage, seconds)
        self._usual_s[stage] = usual_s + USUAL * (seconds - usual_s)

    def is_late(self, stage: str, captured: float, now: float) -> bool:
        """Whether a picture taken at `captured` that now waits for `stage` comes to a decision too late."""
        return now + self._ahead_s(stage) > captured + self.deadline_s

    def _ahead_s(self, stage: str) -> float:
        """What this stage and those after it usually take together."""
        return sum(self._usual_s.get(name, 0.0) for name in self.stages[list(self.stages).index(stage) :])
