"""A daemon keeps the configuration that has worked, and notices when to leave the safe mode."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from faceedge.care import RETRY_S, WORKED_S, Care
from faceedge.config import Config
from faceedge.health.starts import WINDOW_S, Moment, Starts, read
from faceedge.safe_mode import SafeMode, recall, remember
from tests.fakes.clock import FakeClock


class Watched:
    """A daemon that says once a second how it is."""

    def __init__(self, folder: Path, safe: SafeMode | None = None) -> None:
        self.folder, self.clock, self.file = folder, FakeClock(), "one"
        self.starts = Starts(folder, lambda: Moment("boot", self.clock()))
        self.starts.begin("one")
        self.config = Config.model_validate({"camera": [{"uri": "0"}]})
        self.care = Care(folder, self.config, self.starts, safe, lambda: self.file, self.clock)
        self.frames = self.faults = 0

    def run(self, seconds: int, fps: int = 25, faults: int = 0) -> int:
        """How often it was time to leave the safe mode."""
        times = 0
        for _ in range(seconds):
            self.clock.advance(1.0)
            self.frames += fps
            self.faults += faults
            times += self.care.look(self.frames, self.faults)
        for thread in threading.enumerate():
            if thread.name == "safe mode":
                thread.join()
        return times

    @property
    def has_worked(self) -> bool:
        return recall(self.folder) is not None


def test_a_configuration_has_worked_after_a_minute_of_frames_without_a_fault(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    watched.run(int(WORKED_S) - 1)
    assert not watched.has_worked
    watched.run(2)
    assert watched.has_worked


def test_what_has_worked_gives_way_only_to_what_lasts_longer_than_a_crash_loop(tmp_path: Path) -> None:
    """Else a configuration that ends after two minutes, each time, would be the one that a safe mode falls back on."""
    worked = Config.model_validate({"camera": [{"uri": "1"}]})
    remember(tmp_path, worked)
    kept = recall(tmp_path)
    for _ in range(3):
        Watched(tmp_path).run(120)
    assert recall(tmp_path) == kept
    Watched(tmp_path).run(int(WINDOW_S) + 2)
    assert recall(tmp_path) != kept


@pytest.mark.parametrize(("fps", "faults"), [(0, 0), (25, 1)])
def test_without_frames_or_with_faults_nothing_has_worked(tmp_path: Path, fps: int, faults: int) -> None:
    watched = Watched(tmp_path)
    watched.run(300, fps, faults)
    assert not watched.has_worked
    watched.run(62)
    assert watched.has_worked


def test_a_safe_mode_never_counts_as_what_has_worked(tmp_path: Path) -> None:
    watched = Watched(tmp_path, SafeMode("x", "last"))
    assert watched.run(300) == 0
    assert not watched.has_worked


def test_a_safe_mode_is_left_when_the_file_changes_and_every_hour(tmp_path: Path) -> None:
    watched = Watched(tmp_path, SafeMode("x", "last"))
    assert watched.run(10) == 0
    watched.file = "two"
    assert watched.run(10) == 1
    assert watched.run(int(RETRY_S) - 20) == 0
    assert watched.run(30) == 1


def test_after_ten_minutes_what_was_before_is_over(tmp_path: Path) -> None:
    for _ in range(2):
        watched = Watched(tmp_path)
    assert len(read(tmp_path / "starts.json").ends) == 1
    watched.run(int(WINDOW_S) + 1)
    assert read(tmp_path / "starts.json").ends == ()


def test_a_disk_that_refuses_costs_a_line_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    watched = Watched(tmp_path)
    watched.care.state = tmp_path / "gone"
    watched.run(62)
    assert "cannot be kept" in caplog.text
