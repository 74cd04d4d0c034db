"""A replay as a page that a person can read, and what two such pages differ in. Pure.

Numbers may differ a little. On another kind of processor, which differs in the last digits of what a network answers,
other shots are then taken: such a page holds only what came of every scene.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from tests.replay.cases import Case
from tests.replay.play import ENROLLED, Played, Row
from tests.replay.truth import Outcome, Scene

TOLERANCES = {"time s": 0.3, "at s": 0.3, "frame": 8.0, "similarity": 0.02, "margin": 0.03, "quality": 0.05}
"""By column; of times, as much as a shot more or less takes."""
NOTHING = "–"
RECKONED = "Reckoned as "
"""Of what film and processor made of it: where that is another, only the scenes are held to this page."""
Line = tuple[str, ...]


def page(case: Case, played: Played, parts: Sequence[Outcome]) -> str:
    """The whole golden file."""
    lines = [
        f"# {case.name}",
        "",
        f"Film: {played.film}, {played.frames} frames at {played.fps:g} a second. Networks: {case.networks}.",
        f"Decided with {played.rule}.",
        *_enrolled(case),
        f"Tracks: {played.tracks}. Without an outcome: {_numbers(played.undecided)}.",
        f"{RECKONED}{played.reckoned}.",
        "",
        "## Decisions",
        "",
        *_decisions(played, [one.scene for one in parts]),
        "",
        "## Scenes",
        "",
        *_scenes(case, played, parts),
    ]
    return "\n".join(lines) + "\n"


def differences(golden: str, got: str) -> list[str]:
    """Lines of a diff, empty when the pages say the same within tolerances, or of their scenes on another processor."""
    if _reckoned(golden) != _reckoned(got):
        return list(difflib.unified_diff(_came_of(golden), _came_of(got), "golden", "now", lineterm="", n=1))
    old, new = _cells(golden), _cells(got)
    blanked = [[_blanked(line) for line in side] for side in (old, new)]
    shown = [text for text, _ in new]
    for tag, a0, a1, b0, _ in difflib.SequenceMatcher(None, blanked[0], blanked[1], autojunk=False).get_opcodes():
        if tag != "equal":
            continue
        for step in range(a1 - a0):
            if _is_near(old[a0 + step], new[b0 + step]):
                shown[b0 + step] = old[a0 + step][0]
    return list(difflib.unified_diff([text for text, _ in old], shown, "golden", "now", lineterm="", n=1))


def _enrolled(case: Case) -> list[str]:
    frames = f"frames {', '.join(map(str, ENROLLED))} of"
    said = [f"{label} ({frames} {', '.join(clips)})" if clips else label for label, clips in case.people.items()]
    return [f"Enrolled: {'; '.join(said)}."]


def _decisions(played: Played, scenes: Sequence[Scene]) -> list[str]:
    head = (
        "time s", "frame", "camera", "track", "outcome", "reason", "person", "band", "similarity", "margin", "quality",
        "votes", "shots", "there",
    )  # fmt: skip
    return _table(head, [_decision(row, played.fps, scenes) for row in played.rows])


def _decision(row: Row, fps: float, scenes: Sequence[Scene]) -> Line:
    there = next((scene.who for scene in scenes if scene.first <= row.frame <= scene.last), NOTHING)
    track = f"{row.track}.{row.segment}" if row.segment else str(row.track)
    return (
        f"{row.frame / fps:.2f}", str(row.frame), row.camera, track, row.outcome, row.reason, row.person or NOTHING,
        row.band, _number(row.similarity), _number(row.margin), _number(row.quality), str(row.votes), str(row.shots),
        there,
    )  # fmt: skip


def _scenes(case: Case, played: Played, parts: Sequence[Outcome]) -> list[str]:
    head = ("from", "to", "there", "enrolled", "what came of it", "at s", "right", "known miss")
    return _table(head, [_scene(case, played.fps, one) for one in parts])


def _scene(case: Case, fps: float, one: Outcome) -> Line:
    scene = one.scene
    at = NOTHING if one.at is None else f"{one.at.frame / fps:.2f}"
    right = "yes" if one.is_right else "NO"
    known = "yes" if scene.who in case.people else "no"
    reason = case.misses.get(scene.first, "")
    return (str(scene.first), str(scene.last), scene.who, known, one.words, at, right, reason)


def _table(head: Line, rows: Sequence[Line]) -> list[str]:
    widths = [max(len(row[at]) for row in (head, *rows)) for at in range(len(head))]
    rule = tuple("-" * width for width in widths)
    return [
        f"| {' | '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))} |"
        for row in (head, rule, *rows)
    ]


def _numbers(tracks: Sequence[int]) -> str:
    return f"{len(tracks)} (track {', '.join(map(str, tracks))})" if tracks else "none"


def _number(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.2f}"


def _reckoned(text: str) -> str:
    return next((line for line in text.splitlines() if line.startswith(RECKONED)), "")


def _came_of(text: str) -> list[str]:
    """Of every scene: its frames, who is there, who was let in, and whether that is right; without reasons."""
    rows = [cells for _, cells in _cells(text.partition("## Scenes")[2]) if cells]
    return [
        " | ".join([cells["from"], cells["to"], cells["there"], cells["what came of it"].split(":")[0], cells["right"]])
        for cells in rows
    ]


def _cells(text: str) -> list[tuple[str, dict[str, str]]]:
    """Every line, and its cells by column where it is a row of a table. Widths of columns do not count."""
    found: list[tuple[str, dict[str, str]]] = []
    head: list[str] = []
    for line in text.splitlines():
        if not line.startswith("|"):
            head = []
            found.append((line, {}))
            continue
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not head or all(set(cell) == {"-"} for cell in cells):
            head = head or cells
            found.append((f"| {' | '.join(cell.strip('-') for cell in cells)} |", {}))
            continue
        found.append((f"| {' | '.join(cells)} |", dict(zip(head, cells, strict=True))))
    return found


def _blanked(line: tuple[str, dict[str, str]]) -> str:
    text, cells = line
    return text if not cells else "|".join(cell for name, cell in cells.items() if name not in TOLERANCES)


def _is_near(old: tuple[str, dict[str, str]], new: tuple[str, dict[str, str]]) -> bool:
    return all(
        old[1][name] == cell
        or (NOTHING not in (cell, old[1][name]) and abs(float(cell) - float(old[1][name])) <= TOLERANCES[name])
        for name, cell in new[1].items()
        if name in TOLERANCES
    )
