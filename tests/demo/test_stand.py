"""What stands before the demo can begin."""

from __future__ import annotations

from pathlib import Path

import pytest

from faceedge import config
from faceedge.demo import stand
from faceedge.door.keys import load_keys
from faceedge.errors import BadInput


def test_the_configuration_is_one_that_the_daemon_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stand, "_enrol", lambda path: "someone")
    place = stand.build(tmp_path, "file:/film.avi", 4711)
    settings = config.load(place.config, {})
    assert settings.broker.port == 4711
    assert settings.camera[0].uri == "file:/film.avi"
    assert config.state_dir(settings) == tmp_path / "state"
    assert len(load_keys(tmp_path / "state", settings.door)) == 1
    assert place.names == {"someone": "Eileen Collins"}


def test_a_folder_with_something_in_it_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    with pytest.raises(BadInput, match="not empty"), stand.workplace(tmp_path):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_kept_folder_stays_and_another_vanishes(tmp_path: Path) -> None:
    with stand.workplace(tmp_path / "new" / "kept") as kept:
        pass
    with stand.workplace(None) as lent:
        assert lent.is_dir()
    assert kept.is_dir()
    assert not lent.exists()
