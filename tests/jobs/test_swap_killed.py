"""kill -9 in each of the five steps: what stands on disk is the old choice or the new one, and a start works."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from faceedge.config import EngineSettings, Models
from faceedge.health.starts import Moment
from faceedge.jobs import choose_model, on_trial
from faceedge.jobs.on_trial import begin, put_on_trial
from faceedge.jobs.open_vision import open_vision
from faceedge.jobs.site import Site
from faceedge.jobs.swap import STEPS, Order, swap
from faceedge.models.active import Standing, stand, standing
from tests.jobs.swap_site import NEW, OLD, START, FakeHost, made, package

__all__ = ["made"]
POINTS = (*STEPS, "in prepare", "choosing", "chosen", "in switch", "in retire")
STANDS_AFTER = ("chosen", "in switch", "retire", "in retire")
"""Points at which the choice has been written."""
BEFORE = {"activate": Standing(active=OLD), "rollback": Standing(active=NEW, previous=OLD)}
AFTER = {"activate": Standing(active=NEW, previous=OLD), "rollback": Standing(active=OLD, previous=NEW)}
ROLLBACK_S = 2.0


def killed_at(folder: Path, site: Site) -> dict[tuple[str, str], Path]:
    """A state directory for each order and point, in which a process was killed there."""
    states = {}
    for ordered, before in BEFORE.items():
        for point in POINTS:
            state = folder / f"{ordered} {point}"
            shutil.copytree(site.state, state)
            if ordered == "rollback":
                put_on_trial("recognizer", NEW, Standing(active=OLD), state, START)
            stand("recognizer", before, state)
            states[ordered, point] = state
    words = [f"{ordered}:{point}={state}" for (ordered, point), state in states.items()]
    command = [sys.executable, "-m", "tests.jobs.killed_swap", *words]
    done = subprocess.run(command, capture_output=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return states


@pytest.mark.system
def test_after_a_kill_in_any_step_the_old_choice_stands_or_the_new_one_and_a_start_works(
    made: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for (ordered, point), state in killed_at(tmp_path, made).items():
        stands = standing("recognizer", state)
        assert stands == (AFTER if point in STANDS_AFTER else BEFORE)[ordered], (ordered, point)
        began = time.monotonic()
        gone = begin(state, lambda: Moment("boot", START.seconds + 30))
        assert time.monotonic() - began < ROLLBACK_S
        # What was new, and served when the process ended, goes back to what was before; what has served before stays.
        was_tried = stands.active == NEW
        assert [one.before for one in gone] == ([OLD] if was_tried else []), (ordered, point)
        site = Site(state, state, Models())
        assert standing("recognizer", state).active == OLD
        with open_vision(site.models, EngineSettings(backend="onnx"), state, state) as vision:
            assert vision.recognizer_build == package(site, OLD).build
        assert not (state / "models" / on_trial.NAME).exists(), (ordered, point)
        assert not list((state / "models").glob(".*")), "nothing half written is left"


def test_a_rollback_takes_less_than_two_seconds(made: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for check in ("check_package", "check_photo"):
        monkeypatch.setattr(choose_model, check, lambda *_: None)
    site = Site(shutil.copytree(made.state, tmp_path / "state"), tmp_path, Models())
    host = FakeHost(site)
    swap(Order(name=NEW), site, host, lambda *_: None)
    began = time.monotonic()
    swap(Order("recognizer"), site, host, lambda *_: None)
    assert time.monotonic() - began < ROLLBACK_S
    assert host.now.recognizer_build == package(site, OLD).build
    host.close()
