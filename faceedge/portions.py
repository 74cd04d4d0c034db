"""How much of its work a stage gives to an engine at once: what may be done now, what the engine takes, and less again
when there is no memory for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from faceedge.backends.base import Engine
from faceedge.effort import FULL, Effort
from faceedge.errors import NoMemory

T = TypeVar("T")
R = TypeVar("R")


def _full() -> Effort:
    return FULL


def _to_nobody() -> None:
    pass


@dataclass(frozen=True, slots=True)
class Portions:
    """effort: how much may be done now. short: told, on the stage's thread, whenever there was
    no memory for a batch. on_cpu: the most of an engine that runs
    on the CPU, where more are slower."""

    effort: Callable[[], Effort] = _full
    short: Callable[[], None] = _to_nobody
    on_cpu: int | None = None

    def most(self, engine: Engine) -> int:
        """Members of one batch: ask before every one."""
        most = max(1, min(self.effort().batch, engine.max_batch))
        return most if self.on_cpu is None or engine.device != "cpu" else min(most, self.on_cpu)

    def run(self, engine: Engine, items: Sequence[T], work: Callable[[Sequence[T]], list[R]]) -> list[R]:
        """What `work` makes of all items, in batches. One that finds no memory is run once more, one by one.

        Raises NoMemory when there is none for one either, and whatever else `work` raises.
        """
        made: list[R] = []
        while len(made) < len(items):
            part = items[len(made) : len(made) + self.most(engine)]
            made += self._again(engine, part, work) if (done := self._tried(part, work)) is None else done
        return made

    def _tried(self, part: Sequence[T], work: Callable[[Sequence[T]], list[R]]) -> list[R] | None:
        try:
            return work(part)
        except NoMemory:
            return None  # and with the exception goes what its traceback holds

    def _again(self, engine: Engine, part: Sequence[T], work: Callable[[Sequence[T]], list[R]]) -> list[R]:
        self.short()
        engine.trim()
        engine.tidy()
        return [one for at in range(len(part)) for one in work(part[at : at + 1])]


WHOLE = Portions()
"""As much at once as the engine takes."""
