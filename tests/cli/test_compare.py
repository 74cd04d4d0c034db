"""`compare`: the verdict is in the exit code, the numbers in the JSON."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.fakes.vision import Sitter, save


@pytest.fixture
def ada(tmp_path: Path) -> Path:
    return save(tmp_path / "ada.png", Sitter(1, 0))


def test_the_same_person_is_a_match_and_exit_0(run: Run, ada: Path, tmp_path: Path) -> None:
    answer = run("compare", ada, save(tmp_path / "b.png", Sitter(1, 1), Sitter(2)), "--json")
    assert answer.code == 0
    document = answer.document
    assert set(document) == {"similarity", "thresholds", "verdict", "a", "b"}
    assert document["thresholds"] == {"grey": 0.6, "match": 0.7, "strict": 0.8}
    assert document["verdict"] == "match"
    assert document["similarity"] > 0.8
    assert document["a"] == {"quality": pytest.approx(0.9, abs=0.01), "box": [0, 0, 40, 40]}


@pytest.mark.parametrize(
    ("sitter", "verdict"),
    [(Sitter(2), "no_match"), (Sitter(1, 1, quality=0.3), "untrusted"), (Sitter(2, quality=0.3), "untrusted")],
)
def test_any_other_verdict_is_exit_1(run: Run, ada: Path, tmp_path: Path, sitter: Sitter, verdict: str) -> None:
    other = save(tmp_path / "b.png", sitter)
    answer = run("compare", ada, other, "--json")
    assert (answer.code, answer.document["verdict"]) == (1, verdict)
    spoken = run("compare", other, ada)
    assert spoken.code == 1
    assert spoken.out.splitlines()[-1].startswith(f"{verdict}: ")


def test_bad_input_is_exit_2(run: Run, ada: Path, tmp_path: Path) -> None:
    for bad in (tmp_path / "nobody.png", save(tmp_path / "wall.png"), tmp_path):
        answer = run("compare", ada, bad, "--json")
        assert (answer.code, answer.out) == (2, "")
        assert str(bad) in answer.err
