"""Who is seen when, from the film's timeline, and what came of it. Pure but for reading the timeline."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from faceedge.demo import script
from tests.replay.cases import DEMO, Case
from tests.replay.play import Row

LONG_ENOUGH_S = 1.2
"""An enrolled person who is seen for so long is to be granted."""


@dataclass(frozen=True)
class Scene:
    """Frames `first` to `last`, both included. wanted: `open`, who is there is to be granted; `shut`, nobody is;
    `any`, nobody is who is not there."""

    first: int
    last: int
    who: str
    wanted: Literal["open", "shut", "any"]


@dataclass(frozen=True)
class Outcome:
    """What came of a scene, in words. at: the row that says so."""

    scene: Scene
    words: str
    is_right: bool
    at: Row | None = None


def scenes(case: Case, video: Path, fps: float) -> list[Scene]:
    """Of a film, in order. video: the folder with the timeline."""
    if case.film == DEMO:
        return [
            Scene(one.start, one.end - 1, one.subject, "open" if one.expect == "open" else "shut")
            for one in script.timeline().scenes
        ]
    with (video / "timeline.csv").open(newline="", encoding="utf-8") as lines:
        rows = [row for row in csv.DictReader(lines) if row["video"] == f"video/{case.film}"]
    found = []
    for row in rows:
        first, last = int(row["first_frame"]), int(row["last_frame"])
        is_due = row["person"] in case.people and (last + 1 - first) / fps >= LONG_ENOUGH_S
        found.append(Scene(first, last, row["person"], "open" if is_due else "any"))
    return found


def outcomes(parts: Sequence[Scene], rows: Sequence[Row]) -> list[Outcome]:
    """What came of every scene."""
    return [_outcome(scene, [row for row in rows if scene.first <= row.frame <= scene.last]) for scene in parts]


def _outcome(scene: Scene, rows: Sequence[Row]) -> Outcome:
    grants = [row for row in rows if row.outcome == "grant"]
    absent = next((row for row in grants if row.person != scene.who), None)
    if absent is not None:
        return Outcome(scene, f"granted as {absent.person}, who is not there", False, absent)
    if grants:
        return Outcome(scene, "granted", scene.wanted != "shut", grants[0])
    asked = next((row for row in rows if row.outcome == "review"), None)
    if asked is not None:
        doubt = "" if asked.person == scene.who else ", who is not there"
        return Outcome(scene, f"a second factor asked for as {asked.person}{doubt}", scene.wanted != "open", asked)
    words = f"not granted: {', '.join(sorted({row.reason for row in rows}))}" if rows else "nobody decided"
    return Outcome(scene, words, scene.wanted != "open")
