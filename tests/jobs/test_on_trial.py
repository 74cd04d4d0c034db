"""After a switch: a bad end within ten minutes starts the network before, and nothing else does."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from faceedge.errors import StoreError
from faceedge.health.starts import Moment
from faceedge.jobs import on_trial
from faceedge.jobs.on_trial import Trials, WentBack, begin, end, put_on_trial, read_trials, settle
from faceedge.models.active import Standing, stand, standing

OLD, NEW = Standing(active="old@1", previous="older@1"), Standing(active="new@1", previous="old@1")
SWITCH = Moment("boot", 1000.0)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Of a daemon that runs, in which `new@1` was switched in place of `old@1`."""
    stand("recognizer", OLD, tmp_path)
    switched(tmp_path)
    return tmp_path


def switched(state: Path, moment: Moment | None = SWITCH) -> None:
    put_on_trial("recognizer", "new@1", OLD, state, moment)
    stand("recognizer", NEW, state)


def at(seconds: float, boot: str = "boot") -> on_trial.Clock:
    return lambda: Moment(boot, 1000.0 + seconds)


def test_after_a_crash_the_one_before_serves_and_all_is_as_it_was(state: Path) -> None:
    assert begin(state, at(30)) == [WentBack("recognizer", "new@1", "old@1")]
    assert standing("recognizer", state) == OLD
    assert begin(state, at(31)) == [], "once"


def test_a_crash_that_is_found_late_was_within_ten_minutes_all_the_same(state: Path) -> None:
    """Else the trial would have been over: whoever runs for ten minutes says so."""
    assert begin(state, at(5000)) != []


def test_after_an_end_in_order_it_serves_on_and_is_still_on_trial(state: Path) -> None:
    end(state)
    assert begin(state, at(60)) == []
    assert standing("recognizer", state) == NEW
    assert begin(state, at(120)) != [], "and that start has crashed"


def test_after_ten_minutes_nothing_is_on_trial(state: Path) -> None:
    assert settle(state, at(599)) == []
    assert settle(state, at(600)) == ["recognizer"]
    assert not (state / "models" / on_trial.NAME).exists()
    assert begin(state, at(601)) == []
    assert standing("recognizer", state) == NEW


def test_whoever_has_ended_in_order_after_ten_minutes_is_not_on_trial(state: Path) -> None:
    end(state)
    assert begin(state, at(700)) == []
    assert read_trials(state) == Trials()


def test_a_power_cut_was_not_its_doing_and_the_ten_minutes_begin_anew(state: Path) -> None:
    assert begin(state, at(-900, "next boot")) == []
    assert standing("recognizer", state) == NEW
    assert settle(state, at(-301, "next boot")) == []
    assert begin(state, at(-500, "next boot")) != []


def test_what_was_chosen_without_a_daemon_is_on_trial_from_its_first_start(tmp_path: Path) -> None:
    stand("recognizer", OLD, tmp_path)
    switched(tmp_path, None)
    assert settle(tmp_path, at(9999)) == []
    assert begin(tmp_path, at(10_000)) == []
    assert begin(tmp_path, at(10_010)) == [WentBack("recognizer", "new@1", "old@1")]


def test_a_switch_that_was_cut_before_the_choice_stood_is_forgotten(tmp_path: Path) -> None:
    stand("recognizer", OLD, tmp_path)
    put_on_trial("recognizer", "new@1", OLD, tmp_path, SWITCH)
    assert begin(tmp_path, at(5)) == []
    assert standing("recognizer", tmp_path) == OLD
    assert read_trials(tmp_path) == Trials()


def test_what_was_chosen_since_is_not_taken_back(state: Path) -> None:
    stand("recognizer", Standing(active="third@1", previous="new@1"), state)
    assert begin(state, at(5)) == []
    assert standing("recognizer", state).active == "third@1"


def test_two_roles_go_back_each_to_its_own(state: Path) -> None:
    put_on_trial("detector", "eye@2", Standing(), state, Moment("boot", 1100.0))
    stand("detector", Standing(active="eye@2"), state)
    assert settle(state, at(650)) == ["recognizer"]
    assert begin(state, at(660)) == [WentBack("detector", "eye@2", "")]
    assert standing("recognizer", state) == NEW


@pytest.mark.parametrize("content", [b"", b"{", b'{"roles": {"door": {}}}', b"\xff" * 20_000])
def test_a_damaged_file_is_no_trial(state: Path, content: bytes) -> None:
    (state / "models" / on_trial.NAME).write_bytes(content)
    assert begin(state, at(5)) == []
    assert standing("recognizer", state) == NEW


def test_nothing_is_chosen_where_the_way_back_cannot_be_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(on_trial, "write_whole", full)
    with pytest.raises(StoreError, match="nothing was activated"):
        put_on_trial("recognizer", "new@1", OLD, tmp_path, SWITCH)
