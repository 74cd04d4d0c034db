"""What the composition root refuses before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from faceedge.config import Config, cache_dir
from faceedge.daemon import Daemon
from faceedge.errors import CameraError, ConfigError


def test_a_daemon_without_a_camera_says_what_to_add(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"add \[\[camera\]\]"):
        Daemon(Config(), tmp_path, cache_dir(), lambda event: None)


@pytest.mark.parametrize("uri", ["file:/nowhere/clip.avi", "foo:bar", "images:/nowhere"])
def test_a_clip_that_is_not_there_is_refused_at_the_start_and_leaves_no_trace(tmp_path: Path, uri: str) -> None:
    config = Config.model_validate({"camera": [{"uri": uri}]})
    with pytest.raises(CameraError):
        Daemon(config, tmp_path / "state", cache_dir(), lambda event: None).run()
    assert not (tmp_path / "state").exists()
