"""With a quick detector and recogniser of the assets: the films of `dev/video`, one by one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.replay.cases import CASES, Case
from tests.replay.hold import hold


@pytest.mark.assets
@pytest.mark.system
@pytest.mark.usefixtures("default_models")
@pytest.mark.parametrize("case", [case for case in CASES if case.networks == "fast"], ids=str)
def test_a_film_gives_its_golden_decisions(case: Case, tmp_path: Path, assets: Path, is_update: bool) -> None:
    hold(case, lambda: assets, tmp_path, is_update=is_update)
