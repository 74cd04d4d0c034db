"""Where `faceedge chaos` puts faults into a running daemon on purpose. Everybody else leaves these places alone."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from faceedge.backends.base import Engine

Stage = Callable[[Sequence[Any]], list[Any]]
"""detect or recognise: a batch in, what it makes of it out."""


def _same_stage(_name: str, stage: Stage) -> Stage:
    return stage


def _same_engine(_role: str, engine: Engine) -> Engine:
    return engine


def _end_process(code: int) -> None:
    os._exit(code)


@dataclass(frozen=True, slots=True)
class Seams:
    """stage: receives every stage by name and gives what runs in its place. engine: likewise every engine, by role.
    wall: the wall clock, seconds since 1970. leave: ends the process at once, with this exit code."""

    stage: Callable[[str, Stage], Stage] = _same_stage
    engine: Callable[[str, Engine], Engine] = _same_engine
    wall: Callable[[], float] = time.time
    leave: Callable[[int], object] = _end_process
