"""After a crash loop the cameras come from what has worked, and nothing that opens doors does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from faceedge.config import load
from faceedge.errors import ConfigError
from faceedge.lookout import doors_by_camera
from faceedge.safe_mode import NAME, SafeMode, fingerprint, remember, safe_settings

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


EYES = """
[[camera]]
name = "entry"
uri = "rtsp://10.0.0.7/door"
loop = true
[[camera]]
name = "yard"
uri = "rtsp://10.0.0.8/"
loop = true
[[camera]]
name = "film"
uri = "file:film.mp4"
loop = true
"""


def eyes(file: Path, now: str) -> dict[str, tuple[object, bool]]:
    file.write_text(EYES)
    remember(file.parent, load(file, {}))
    file.write_text(now)
    config, safe = safe_settings(file, file.parent, {})
    assert safe.cameras == "last"
    return {camera.name: (camera.roi, camera.loop) for camera in config.camera}


def test_where_faces_count_and_whether_films_may_be_shown_is_as_the_file_says_now(file: Path) -> None:
    """A region was drawn around a poster, and films are no longer for test: neither is undone by a safe mode."""
    now = '[[camera]]\nname = "entry"\nuir = "x"\nroi = [0.0, 0.0, 0.5, 1.0]\n'
    assert eyes(file, now) == {
        "entry": ((0.0, 0.0, 0.5, 1.0), False), "yard": (None, False), "film": (None, True),
    }  # fmt: skip


@pytest.mark.parametrize("roi", ["[0.9, 0.0, 0.5, 1.0]", '"left"'])
def test_a_region_that_cannot_be_understood_does_not_keep_the_cameras_that_worked_away(file: Path, roi: str) -> None:
    assert eyes(file, f'[[camera]]\nname = "entry"\nuri = "0"\nroi = {roi}\n')["entry"] == (None, False)


@pytest.mark.parametrize("now", ["camera = 1", "camera = [1]", '[[camera]]\nname = ["entry"]\n', ""])
def test_a_camera_section_of_any_shape_is_no_hindrance(file: Path, now: str) -> None:
    assert set(eyes(file, now)) == {"entry", "yard", "film"}


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


@pytest.mark.parametrize(
    "kept",
    [
        b"",
        b"[]",
        b'{"camera":[{"uri":1}],"engine":{},"batch":{}}',
        b'{"camera":[]}',
        b'{"camera":[1],"engine":{},"batch":{}}',
        b'{"camera":[{"name":[],"uri":"no","loop":1}],"engine":{},"batch":{}}',
    ],
)
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
