"""With the networks that ship: the demo's film, which needs no assets, and one with the faces of strangers in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.replay.cases import CASES, DEMO
from tests.replay.hold import hold

BY_NAME = {case.name: case for case in CASES if case.networks == "default"}
pytestmark = [pytest.mark.system, pytest.mark.usefixtures("default_models")]


def no_assets() -> Path:
    raise AssertionError("the demo's film needs no assets")


def test_the_film_of_the_demo_gives_its_golden_decisions(tmp_path: Path, is_update: bool) -> None:
    case = BY_NAME["demo"]
    assert case.film == DEMO
    hold(case, no_assets, tmp_path, is_update=is_update)


@pytest.mark.assets
def test_people_who_talk_to_the_camera_give_their_golden_decisions(
    tmp_path: Path, assets: Path, is_update: bool
) -> None:
    hold(BY_NAME["talking_heads"], lambda: assets, tmp_path, is_update=is_update)
