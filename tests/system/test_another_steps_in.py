"""A stands at the door, B steps in front: rendered scenes, real networks, and no grant on the votes of the other."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.switched import WAYS, run
from tests.shortened import shortened

pytestmark = [pytest.mark.assets, pytest.mark.system, pytest.mark.timeout(600)]


@pytest.mark.usefixtures("default_models")
@pytest.mark.parametrize("count", shortened([10, 200], 1))
def test_nobody_is_let_in_on_the_votes_of_somebody_else(count: int, assets: Path) -> None:
    results = list(run(assets / "data" / "dev", count))
    assert {one.way for one in results} == set(WAYS)
    assert sum(len(set(one.shown)) == 2 for one in results) > count / 2, "both were seen"
    assert any(one.granted(one.first) for one in results)
    assert any(one.granted(one.second) for one in results), "who is enrolled is let in by their own votes"
    assert [one for one in results if one.wrong] == []
