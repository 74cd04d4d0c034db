"""Everything that depends on which networks serve, as one thing: whoever reads it sees all of one or all of another."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from faceedge.decide import Judge
from faceedge.door_limits import Numbers
from faceedge.jobs.roster import Roster
from faceedge.jobs.vision import Vision


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """Networks, the people as these know them, and the judge with the numbers of these.

    number: rises from one to the next; every shot carries that of the bundle it was cut for.
    """

    number: int
    vision: Vision
    roster: Roster
    judge: Judge
    numbers: Numbers


@dataclass(slots=True, eq=False)
class Turn:
    """A bundle that a stage is to go on with from its next batch on. taken: the stage has. hurried: not to wait for the
    first shot that was cut for it, for all that come from now on are."""

    bundle: Bundle
    hurried: bool = False
    taken: threading.Event = field(default_factory=threading.Event)
    _claimed: threading.Lock = field(default_factory=threading.Lock)

    def claim(self) -> bool:
        """Whether it is the caller's: the stage's, to take it, or of whoever has asked, to take it back. Only once."""
        return self._claimed.acquire(blocking=False)
