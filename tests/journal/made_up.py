"""Entries of no door in particular, at times of one's choice."""

from __future__ import annotations

from typing import Any

from faceedge.journal.chain import Chain
from faceedge.journal.entry import Draft, Stamp

DAY_S = 86_400.0
NOW = 1_800_000_000.0


def stamp(wall: float = NOW, monotonic: float = 50_000.0) -> Stamp:
    return Stamp(lambda: wall, lambda: monotonic)


def draft(number: int = 0, kind: str = "decision", at: Stamp | None = None, **more: Any) -> Draft:
    return (at or stamp()).draft(kind, {"number": number, **more})


def grow(chain: Chain, count: int, at: Stamp | None = None, batch: int = 100) -> None:
    for start in range(0, count, batch):
        chain.append([draft(number, at=at) for number in range(start, min(count, start + batch))])
