"""Which threads the door cannot do without, and what ails them. Pure: hearts and facts in, words out.

A camera without pictures is not among it: its thread goes on beating, and the door goes on with the other cameras.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from faceedge.health.heartbeat import Heart


@dataclass(frozen=True, slots=True)
class Vital:
    """A thread that must live, and beats when there is nothing to do, too. is_alive: whether it runs. has_ended: it has
    come to its end in order, as that of a clip does, or has not begun."""

    heart: Heart
    is_alive: Callable[[], bool]
    has_ended: Callable[[], bool] = lambda: False

    @property
    def ailment(self) -> str:
        """What only a new process mends, in words; empty when there is nothing."""
        if self.has_ended():
            return ""
        if not self.is_alive():
            return f"{self.heart.name} has died"
        if self.heart.is_stuck:
            return f"{self.heart.name} makes no progress"
        if self.heart.is_failing:
            return f"{self.heart.name} does nothing but fail"
        return ""


def ailments(vitals: Iterable[Vital]) -> list[str]:
    """Of all of them, worded for the log, the journal and an event."""
    return [ailment for vital in vitals if (ailment := vital.ailment)]


def excuse(vitals: Iterable[Vital], seconds: float) -> None:
    """The whole process stood still for so long: nobody's silence of that time means anything."""
    for vital in vitals:
        vital.heart.excuse(seconds)
