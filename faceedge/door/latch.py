"""The relay in the hands of a controller: one pulse at a time, never longer than allowed, off whenever in doubt.

Pure but for the relay; the controller calls `tick` often, and does what it says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from faceedge.door.relays import Order, Relay

MAX_PULSE_MS = 30_000
OBEYS_S = 1.0
"""A relay that has not obeyed by then has failed; shorter than the time to live of a grant."""
AGAIN_S = 1.0
"""Until a relay that did not let go is told again, for ever."""

Change = Literal["opened", "failed", "closed", "fault", "mended"]


@dataclass(slots=True)
class _Asked:
    """A pulse that somebody waits for. order: None until the relay was told."""

    pulse_ms: int
    deadline: float
    order: Order | None = None


class Latch:
    """One relay. `is_open` from the moment it has obeyed until it has let go. fault: why it did not, else empty."""

    def __init__(self, relay: Relay, clock: Callable[[], float], max_pulse_ms: int = MAX_PULSE_MS) -> None:
        self._relay = relay
        self._clock = clock
        self._max_pulse_ms = max_pulse_ms
        self._asked: _Asked | None = None
        self._off: Order | None = None
        self._off_by = 0.0
        self._off_at: float | None = clock()
        self.is_open = False
        self.fault = ""

    @property
    def is_busy(self) -> bool:
        """A pulse is on its way; a second one has to wait."""
        return self._asked is not None

    @property
    def left_s(self) -> float:
        """Rest of the pulse."""
        return max(0.0, self._off_at - self._clock()) if self.is_open and self._off_at is not None else 0.0

    def allowed_ms(self, pulse_ms: int) -> int:
        """How much of a pulse is given."""
        return min(pulse_ms, self._max_pulse_ms)

    def open(self, pulse_ms: int) -> None:
        """Begins a pulse, not longer than allowed; `tick` says what became of it: `opened` or `failed`."""
        assert self._asked is None, "look at is_busy first"
        self._asked = _Asked(self.allowed_ms(pulse_ms), self._clock() + OBEYS_S)

    def tick(self) -> list[Change]:
        """Hears what the relay has done, tells it what is due. Returns what happened, in order."""
        changes = [*self._hear_off(), *self._hear_on()]
        if self._off is None and self._asked is not None and self._asked.order is None:
            self._asked.order = self._relay.on(self._asked.pulse_ms)
            changes += self._hear_on()
        if self._off is None and self._asked is None and self._off_at is not None and self._clock() >= self._off_at:
            self._off, self._off_by = self._relay.off(), self._clock() + OBEYS_S
            changes += self._hear_off()
        return changes

    def close(self) -> list[Change]:
        """Off for good. May take as long as the relay."""
        if self._asked is not None:
            _give_up(self._asked.order)
        if why := self._relay.close():
            return self._failed(why)
        was_open, self.is_open = self.is_open, False
        return ["closed"] if was_open else []

    def _hear_on(self) -> list[Change]:
        asked = self._asked
        if asked is None:
            return []
        why = asked.order.why if asked.order is not None else None
        if why is None and self._clock() >= asked.deadline:
            why = "no answer"
        if why is None:
            return []
        self._asked = None
        if why:
            _give_up(asked.order)
            self._off_at = self._clock()  # it may have opened all the same
            return ["failed", *self._failed(why)]
        self.is_open = True
        self._off_at = self._clock() + asked.pulse_ms / 1000
        return ["opened", *self._obeyed()]

    def _hear_off(self) -> list[Change]:
        if self._off is None:
            return []
        why = self._off.why
        if why is None and self._clock() >= self._off_by:
            why = "no answer"
        if why is None:
            return []
        if why:
            _give_up(self._off)
            self._off, self._off_at = None, self._clock() + AGAIN_S
            return self._failed(why)
        self._off = self._off_at = None
        was_open, self.is_open = self.is_open, False
        closed: list[Change] = ["closed"] if was_open else []
        return [*closed, *self._obeyed()]

    def _failed(self, why: str) -> list[Change]:
        was_well, self.fault = not self.fault, why
        return ["fault"] if was_well else []

    def _obeyed(self) -> list[Change]:
        was_faulty, self.fault = bool(self.fault), ""
        return ["mended"] if was_faulty else []


def _give_up(order: Order | None) -> None:
    if order is not None:
        order.is_void = True
