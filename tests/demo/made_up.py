"""Event lines as the daemon prints them, made up for tests."""

from __future__ import annotations

import json
from typing import Any

from faceedge.demo import told

KNOWN = "00000000-0000-4000-8000-000000000001"


def decision(seq: int, outcome: str = "grant", **changes: Any) -> str:
    """A decision line; a grant has opened unless told otherwise."""
    granted = outcome == "grant"
    event = {
        "event": "decision", "time": "2026-01-02T03:04:05.678+00:00", "camera": "entry", "track": 1, "segment": 0,
        "outcome": outcome, "reason": "match" if granted else "unknown", "band": "trusted" if granted else "none",
        "person": KNOWN if granted else None, "similarity": 0.71, "margin": None, "quality": 0.73, "votes": 3,
        "shots": 3, "seq": seq, "box": [190.0, 62.0, 304.0, 176.0], "latency_ms": 84.2,
        "verdict": "opened" if granted else None, "why": "",
    }  # fmt: skip
    return json.dumps(event | changes)


def track(seq: int, number: int = 1) -> str:
    return json.dumps({"event": "track", "camera": "entry", "track": number, "seq": seq})


def record(*lines: str) -> told.Record:
    """A record of these lines, and of a controller that did what they say."""
    made = told.Record()
    for line in lines:
        event = told.parse(line)
        assert event is not None
        made.take(event)
        if event.get("verdict") == "opened":
            made.take_from_door({"event": "opened"})
    return made
