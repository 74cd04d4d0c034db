"""When a batch leaves. Pure: what waits in, yes or no out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


def _always() -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Batching:
    """A batch leaves when it is full, when its oldest member has waited `max_wait_s`, or when the engine is idle: one
    waiting face is never held back by an idle engine.

    is_idle: whether what computes has nothing else to do. A stage with an engine of its own is idle whenever it asks;
    stages that share a device ask the device.
    """

    max_wait_s: float = 0.02
    is_idle: Callable[[], bool] = _always

    def leaves(self, waiting: int, most: int, oldest_s: float) -> bool:
        """waiting: members there are. oldest_s: how long the oldest has waited."""
        return waiting > 0 and (waiting >= most or oldest_s >= self.max_wait_s or self.is_idle())


GREEDY = Batching()
