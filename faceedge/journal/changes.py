"""What a start found changed since the start before: keys, thresholds, models."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from faceedge.errors import FaceedgeError
from faceedge.journal.reading import newest, reading

WATCHED = ("limits", "keys", "builds", "doors", "capture")


def last_start(journal: Path) -> Mapping[str, Any]:
    """Body of the newest entry of a start; empty when there is none, or the journal cannot be read."""
    try:
        with reading(journal) as connection:
            entry = newest(connection, "start")
            return entry.body if entry is not None else {}
    except FaceedgeError:
        return {}


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One body a thing that changed, with how it was and how it is; none for a first start."""
    if not before:
        return []
    return [
        {"what": what, "before": before.get(what), "after": after.get(what)}
        for what in WATCHED
        if before.get(what) != after.get(what)
    ]
