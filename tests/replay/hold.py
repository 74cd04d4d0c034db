"""Holds one film against its golden page, or writes the page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.replay.cases import DEMO, Case
from tests.replay.play import play
from tests.replay.table import differences, page
from tests.replay.truth import outcomes, scenes

GOLDEN = Path(__file__).parent / "golden"
HOW = "pytest tests/replay --update-golden"


def hold(case: Case, shared: Callable[[], Path], folder: Path, *, is_update: bool) -> None:
    """Raises AssertionError with the lines that differ, or the scenes that went wrong and are not known to.

    shared: finds the assets. folder: empty.
    """
    played = play(case, shared, folder)
    video = Path() if case.film == DEMO else shared() / "data" / "dev" / "video"
    parts = outcomes(scenes(case, video, played.fps), played.rows)
    got, path = page(case, played, parts), GOLDEN / f"{case.name}.md"
    if is_update:
        path.write_text(got, encoding="utf-8")
    assert path.exists(), f"{path.name} is missing: {HOW}"
    changed = differences(path.read_text(encoding="utf-8"), got)
    assert not changed, "\n".join([f"{case.name} is decided otherwise; if that is meant: {HOW}", *changed])
    wrong = {one.scene.first: one.words for one in parts if not one.is_right}
    assert set(wrong) == set(case.misses), f"wrong, by first frame: {wrong}; known: {dict(case.misses)}"
    assert not played.undecided, f"tracks without an outcome: {played.undecided}"
