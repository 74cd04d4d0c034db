"""The lockdown: a file that keeps every door shut, and that no trouble with the disk can lift."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from faceedge import lockdown
from faceedge.errors import StoreError
from faceedge.journal.bodies import decision_body
from faceedge.journal.explain import Matter, advice, paragraph
from faceedge.lockdown import Lockdown
from faceedge.types import Decision, Evidence


def test_a_lockdown_lasts_until_it_is_lifted(tmp_path: Path) -> None:
    assert not lockdown.is_on(tmp_path)
    lockdown.switch(tmp_path, True)
    assert lockdown.is_on(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["lockdown"]
    lockdown.switch(tmp_path, False)
    assert not lockdown.is_on(tmp_path)
    lockdown.switch(tmp_path, False)


def test_switching_on_again_keeps_the_time_of_the_first(tmp_path: Path) -> None:
    lockdown.switch(tmp_path, True)
    os.utime(tmp_path / "lockdown", (1000, 1000))
    lockdown.switch(tmp_path, True)
    assert lockdown.since(tmp_path) == 1000


@pytest.mark.parametrize("kind", ["file", "folder", "dangling link", "fifo"])
def test_anything_by_that_name_locks(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "lockdown"
    {"file": path.touch, "folder": path.mkdir, "dangling link": lambda: path.symlink_to("nowhere"),
     "fifo": lambda: os.mkfifo(path)}[kind]()  # fmt: skip
    assert lockdown.is_on(tmp_path)


def test_what_cannot_be_read_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_path: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "lstat", fail)
    assert lockdown.is_on(tmp_path)


def test_a_state_directory_that_is_gone_locks(tmp_path: Path) -> None:
    assert lockdown.is_on(tmp_path / "gone")
    (tmp_path / "file").touch()
    assert lockdown.is_on(tmp_path / "file")


def test_a_folder_in_its_place_is_not_lifted_and_the_refusal_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "lockdown").mkdir()
    with pytest.raises(StoreError, match=r"cannot be lifted .*; look at"):
        lockdown.switch(tmp_path, False)
    assert lockdown.is_on(tmp_path)


def test_a_daemon_tells_every_switch_once_whoever_made_it(tmp_path: Path) -> None:
    told: list[bool] = []
    lock = Lockdown(tmp_path, told.append)
    lock.switch(True)
    lock.follow()
    assert told == [True]
    lockdown.switch(tmp_path, False)
    lock.follow()
    assert told == [True, False]
    (tmp_path / "lockdown").touch()
    assert lock.is_on
    lock.follow()
    assert told == [True, False, True]


def test_a_lockdown_from_before_the_start_is_on_and_no_news(tmp_path: Path) -> None:
    lockdown.switch(tmp_path, True)
    told: list[bool] = []
    lock = Lockdown(tmp_path, told.append)
    lock.follow()
    assert lock.is_on
    assert told == []


def test_a_lockdown_that_cannot_be_stored_holds_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    told: list[bool] = []
    lock = Lockdown(tmp_path, told.append)
    with monkeypatch.context() as disk:
        disk.setattr(lockdown, "write_whole", full)
        with pytest.raises(StoreError, match="No space left"):
            lock.switch(True)
    assert lock.is_on
    assert told == [True]
    lock.switch(False)
    assert not lock.is_on
    assert told == [True, False]


def test_a_lockdown_that_could_not_be_stored_is_stored_as_soon_as_there_is_room_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    lock = Lockdown(tmp_path)
    with monkeypatch.context() as disk:
        disk.setattr(lockdown, "write_whole", refuse)
        disk.setattr(Path, "touch", refuse)
        with pytest.raises(StoreError):
            lock.switch(True)
        lock.follow()
        assert not (tmp_path / "lockdown").exists()
    lock.follow()
    assert Lockdown(tmp_path).is_on, "for the next daemon, however this one ends"
    lockdown.switch(tmp_path, False)
    lock.follow()
    assert not lock.is_on, "lifted like any other"


def test_a_lockdown_that_cannot_be_lifted_stays(tmp_path: Path) -> None:
    (tmp_path / "lockdown").mkdir()
    lock = Lockdown(tmp_path)
    with pytest.raises(StoreError):
        lock.switch(False)
    assert lock.is_on
    (tmp_path / "lockdown").rmdir()
    assert not lock.is_on


def test_why_explains_a_lockdown_and_how_it_ends() -> None:
    evidence = Evidence(0.9, 0.4, 0.9, 3, 3, 1.0)
    refusal = Decision("entry", 1, 0, "deny", "lockdown", "none", "p1", evidence, 1.5)
    matter = Matter("today", 7, decision_body("id", refusal, {}, 1.0), [], [], {"p1": "Ada"})
    assert "refused, because a lockdown kept every door shut, for Ada too." in paragraph(matter)
    assert advice(matter) == ["when doors may open again: faceedge lockdown off"]
