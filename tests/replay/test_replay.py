"""Films with a timeline give the decisions of their golden pages, and these hold against who was really there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.replay.cases import CASES, DEMO, Case
from tests.replay.play import play
from tests.replay.table import differences, page
from tests.replay.truth import outcomes, scenes

GOLDEN = Path(__file__).parent / "golden"
HOW = "pytest tests/replay --update-golden"


def _marked(case: Case) -> object:
    needs = [pytest.mark.system]
    if case.film != DEMO:
        needs.append(pytest.mark.assets)
    return pytest.param(case, marks=needs, id=case.name)


@pytest.mark.parametrize("case", [_marked(case) for case in CASES])
@pytest.mark.usefixtures("default_models")
def test_a_film_gives_its_golden_decisions(
    case: Case, tmp_path: Path, request: pytest.FixtureRequest, is_update: bool
) -> None:
    def shared() -> Path:
        found: Path = request.getfixturevalue("assets")
        return found

    played = play(case, shared, tmp_path)
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
