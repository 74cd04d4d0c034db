"""Starts of `faceedge run` under a service manager: after a crash loop in safe mode, and out of it again."""

from __future__ import annotations

from pathlib import Path

import pytest

from faceedge.cli.careful import Careful, is_watched
from faceedge.config import load
from faceedge.errors import ConfigError
from faceedge.health.starts import NAME, read
from faceedge.safe_mode import remember

GOOD = '[[camera]]\nname = "entry"\nuri = "0"\n'
WRONG = '[[camera]]\nname = "entry"\nuir = "0"\n'


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration that has worked."""
    monkeypatch.setenv("FACEEDGE_STATE", str(tmp_path))
    path = tmp_path / "faceedge.toml"
    path.write_text(GOOD)
    remember(tmp_path, load(path))
    return path


def loop(file: Path) -> Careful:
    """Three starts with a wrong file; the fourth, which is in safe mode."""
    file.write_text(WRONG)
    for _ in range(3):
        with pytest.raises(ConfigError):
            Careful(file).begin()
    return Careful(file)


def test_a_wrong_configuration_is_an_error_three_times_and_then_the_one_that_worked(file: Path) -> None:
    careful = loop(file)
    config = careful.begin()
    care = careful.care(config)
    assert [camera.uri for camera in config.camera] == ["0"]
    assert care.safe is not None
    assert "uir" in care.safe.why
    assert not care.is_over


def test_an_end_in_order_is_no_bad_end(file: Path) -> None:
    for _ in range(5):
        careful = Careful(file)
        careful.begin()
        careful.end()
    assert read(file.parent / NAME).ends == ()


def test_a_mended_file_is_taken_and_told_once_that_the_safe_mode_is_over(file: Path) -> None:
    careful = loop(file)
    careful.care(careful.begin())
    file.write_text(GOOD)
    mended = careful.checked(lambda: load(file))
    care = careful.care(mended)
    assert (care.safe, care.is_over) == (None, True)
    assert read(file.parent / NAME).mode == "trial"
    assert not careful.care(load(file)).is_over


def test_a_mended_file_that_does_not_start_gives_way_to_the_safe_mode_again(file: Path) -> None:
    careful = loop(file)
    safe_config = careful.begin()
    careful.care(safe_config)
    careful.care(careful.checked(safe_config.model_copy))
    care = careful.care(safe_config)
    assert care.safe is not None
    assert read(file.parent / NAME).mode == "safe"


def test_a_file_that_is_still_wrong_is_refused_and_the_safe_mode_goes_on(file: Path) -> None:
    careful = loop(file)
    careful.care(careful.begin())
    with pytest.raises(ConfigError):
        careful.checked(lambda: load(file))
    assert read(file.parent / NAME).mode == "safe"


def test_doors_are_the_current_ones_though_the_cameras_are_still_wrong(file: Path) -> None:
    careful = loop(file)
    first = careful.begin()
    careful.care(first)
    file.write_text(WRONG + "[decide]\nvotes = 5\n")
    config = careful.checked(lambda: load(file))
    assert (config.decide.votes, [camera.uri for camera in config.camera]) == (5, ["0"])
    care = careful.care(config)
    assert care.safe is not None
    assert read(file.parent / NAME).mode == "safe"
    assert careful.care(first).safe is not None, "where the newer one does not start"
    with pytest.raises(ConfigError):
        careful.checked(lambda: load(file))


def test_doors_are_the_current_ones_when_a_mended_file_does_not_start(file: Path) -> None:
    careful = loop(file)
    first = careful.begin()
    careful.care(first)
    file.write_text(GOOD + "[decide]\nvotes = 5\n")
    careful.care(careful.checked(lambda: load(file)))
    again = careful.again(first)
    assert again.decide.votes == 5
    assert careful.care(again).safe is not None
    assert read(file.parent / NAME).mode == "safe"
    ordinary = load(file)
    assert careful.again(ordinary) is ordinary


def test_once_the_safe_mode_is_over_a_wrong_file_does_not_bring_it_back(file: Path) -> None:
    careful = loop(file)
    careful.care(careful.begin())
    file.write_text(GOOD)
    careful.care(careful.checked(lambda: load(file)))
    file.write_text(WRONG + "[decide]\nvotes = 5\n")
    with pytest.raises(ConfigError):
        careful.checked(lambda: load(file))


def test_what_cannot_be_read_at_all_leaves_the_safe_mode_as_it_is(file: Path) -> None:
    careful = loop(file)
    first = careful.begin()
    careful.care(first)
    file.write_text(WRONG + "[decide]\nvotes = 500\n")
    with pytest.raises(ConfigError):
        careful.checked(lambda: load(file))
    assert careful.again(first) is first


def test_a_state_directory_that_a_wrong_file_names_is_found(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    file.write_text(f'state_dir = "{other}"\n{WRONG}')
    with pytest.raises(ConfigError):
        Careful(file).begin()
    assert read(other / NAME).running


def test_a_file_that_is_no_toml_still_counts(file: Path) -> None:
    file.write_text("[[[")
    with pytest.raises(ConfigError):
        Careful(file).begin()
    assert read(file.parent / NAME).running


def test_who_types_the_command_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not is_watched()
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/systemd/notify")
    assert is_watched()
