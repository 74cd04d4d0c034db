"""What one daemon is to be: the whole configuration, and how it is run this time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faceedge.config import Config
from faceedge.safe_mode import SafeMode
from faceedge.seams import Seams

Tell = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """once: every frame of every file is processed, at its own speed. tell: receives each event as a dictionary of JSON
    types. seams: where faults are put in on purpose. safe: the safe mode that it runs in."""

    config: Config
    state: Path
    cache: Path
    tell: Tell
    once: bool = False
    seams: Seams = field(default_factory=Seams)
    safe: SafeMode | None = None
