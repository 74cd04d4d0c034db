"""After a crash loop the cameras come from what has worked, and nothing that opens doors does."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from faceedge.config import Config, load
from faceedge.errors import ConfigError
from faceedge.health.starts import WINDOW_S, Moment, Starts, read
from faceedge.lookout import doors_by_camera
from faceedge.safe_mode import NAME, RETRY_S, WORKED_S, Care, SafeMode, fingerprint, recall, remember, safe_settings
from tests.fakes.clock import FakeClock

GOOD = """
[engine]
backend = "tensorrt"
threads = 3
[batch]
max = 4
[[camera]]
name = "entry"
uri = "rtsp://user:secret@10.0.0.7/door"
[[camera]]
name = "yard"
uri = "rtsp://10.0.0.8/"
[[door]]
name = "main"
cameras = ["entry"]
"""
NOW = """
[decide]
votes = 5
[batch]
max = 64
[[camera]]
nmae = "entry"
[[door]]
name = "main"
cameras = ["entry"]
[[door]]
name = "back"
cameras = ["garden"]
liveness = "required"
[[door]]
name = "hall"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The configuration as it is now; another one has worked before."""
    path = tmp_path / "faceedge.toml"
    path.write_text(GOOD)
    remember(tmp_path, load(path, {}))
    path.write_text(NOW)
    return path


def test_cameras_and_batches_are_those_that_worked_and_everything_else_is_current(file: Path) -> None:
    config, safe = safe_settings(file, file.parent, {})
    assert [camera.name for camera in config.camera] == ["entry", "yard"]
    assert (config.batch.max, config.engine.backend, config.engine.providers) == (4, "onnx", ("cpu",))
    assert config.engine.threads == 3
    assert config.decide.votes == 5
    assert [door.name for door in config.door] == ["main", "back", "hall"]
    assert config.door[1].liveness == "required"
    assert safe.cameras == "last"
    assert "camera.0.nmae: unknown key" in safe.why


def test_a_door_whose_cameras_are_not_there_is_watched_by_none_and_that_is_said(file: Path) -> None:
    config, safe = safe_settings(file, file.parent, {})
    watched = {
        name: [door.name for door in doors] for name, doors in doors_by_camera(config.camera, config.door).items()
    }
    assert watched == {"entry": ["main", "hall"], "yard": ["hall"]}
    assert safe.notices()[1:] == ["safe mode: no camera looks at door back, it stays shut"]


def test_variables_of_the_environment_do_not_bring_the_wrong_cameras_back(file: Path) -> None:
    environ = {"FACEEDGE__CAMERA__0__URI": "", "FACEEDGE__ENGINE__BACKEND": "tensorrt", "FACEEDGE__DECIDE__VOTES": "4"}
    config, _ = safe_settings(file, file.parent, environ)
    assert (config.engine.backend, config.decide.votes) == ("onnx", 4)


def test_where_nothing_has_worked_yet_only_the_engine_is_taken_back(file: Path) -> None:
    (file.parent / NAME).unlink()
    file.write_text(GOOD)
    config, safe = safe_settings(file, file.parent, {})
    assert (config.engine.backend, len(config.camera), config.batch.max) == ("onnx", 2, 4)
    assert safe == SafeMode("the daemon ended three times in ten minutes", "current")


@pytest.mark.parametrize("kept", [b"", b"[]", b'{"camera":[{"uri":1}],"engine":{},"batch":{}}', b'{"camera":[]}'])
def test_what_worked_and_cannot_be_read_is_passed_over(file: Path, kept: bytes) -> None:
    (file.parent / NAME).write_bytes(kept)
    file.write_text(GOOD)
    assert safe_settings(file, file.parent, {})[1].cameras == "current"


@pytest.mark.parametrize("now", [NOW.replace("votes = 5", "votes = 50"), NOW.replace('"required"', '"off?"'), "["])
def test_nothing_that_decides_is_ever_taken_back(file: Path, now: str) -> None:
    file.write_text(now)
    with pytest.raises(ConfigError):
        safe_settings(file, file.parent, {})


def test_in_daily_use_a_door_may_not_name_a_camera_that_is_not_there(file: Path) -> None:
    file.write_text(GOOD.replace('cameras = ["entry"]', 'cameras = ["garden"]'))
    with pytest.raises(ConfigError, match="no \\[\\[camera\\]\\] declares"):
        load(file, {})


def test_what_is_kept_is_for_the_service_alone_and_holds_nothing_of_doors(file: Path) -> None:
    kept = file.parent / NAME
    assert kept.stat().st_mode & 0o777 == 0o600
    assert set(json.loads(kept.read_text())) == {"camera", "engine", "batch"}


def test_another_file_or_another_variable_is_another_configuration(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    prints = [fingerprint(path, {})]
    for text in ("a", "b"):
        path.write_text(text)
        prints.append(fingerprint(path, {}))
    prints.append(fingerprint(path, {"FACEEDGE__DEVICE": "x"}))
    assert len(set(prints)) == 4
    assert fingerprint(path, {"HOME": "/"}) == prints[2]


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
