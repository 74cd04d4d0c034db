"""The wish for engines: what is asked for is built once, and nothing that comes meanwhile is forgotten."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from faceedge.jobs.wanted import path_of, taken, wish


def test_nobody_wishes_for_anything_at_first(tmp_path: Path) -> None:
    with taken(tmp_path) as wished:
        assert wished is None


def test_wishes_add_up_and_one_for_all_is_the_most(tmp_path: Path) -> None:
    assert wish(tmp_path, ["detector"]) == ("detector",)
    assert wish(tmp_path, ["recognizer", "detector"]) == ("detector", "recognizer")
    assert wish(tmp_path, []) == ()
    assert wish(tmp_path, ["quality"]) == ()
    assert os.stat(path_of(tmp_path)).st_mode & 0o777 == 0o600


def test_an_empty_file_of_a_script_wishes_for_all(tmp_path: Path) -> None:
    path_of(tmp_path).parent.mkdir()
    path_of(tmp_path).touch()
    with taken(tmp_path) as wished:
        assert wished == ()


def test_a_wish_goes_when_the_build_has_ended_also_when_it_failed(tmp_path: Path) -> None:
    wish(tmp_path, ["detector"])
    with pytest.raises(RuntimeError), taken(tmp_path):
        raise RuntimeError
    assert not path_of(tmp_path).exists()


def test_a_wish_that_comes_during_a_build_stays(tmp_path: Path) -> None:
    wish(tmp_path, ["detector"])
    with taken(tmp_path):
        wish(tmp_path, ["recognizer"])
    with taken(tmp_path) as wished:
        assert wished == ("detector", "recognizer")


def test_a_wish_that_cannot_be_read_is_one_for_all(tmp_path: Path) -> None:
    path_of(tmp_path).parent.mkdir()
    path_of(tmp_path).write_bytes(b"\xff\xfe")
    with taken(tmp_path) as wished:
        assert wished == ()
