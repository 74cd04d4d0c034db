"""A crash loop is seen, whatever the clock says, and left behind again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from faceedge.health import starts
from faceedge.health.starts import Moment, Starts


class Board:
    """One state directory through starts, crashes, ends and boots."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.boot, self.seconds = "boot-1", 100.0
        self.config = "a"
        self.running = Starts(folder, self.moment)

    def moment(self) -> Moment:
        return Moment(self.boot, self.seconds)

    def start(self, after_s: float = 1.0) -> str:
        self.seconds += after_s
        self.running = Starts(self.folder, self.moment)
        return self.running.begin(self.config)


@pytest.fixture
def board(tmp_path: Path) -> Board:
    return Board(tmp_path)


def test_three_bad_ends_in_ten_minutes_make_the_next_start_safe(board: Board) -> None:
    assert [board.start() for _ in range(4)] == ["normal", "normal", "normal", "safe"]


def test_bad_ends_that_are_far_apart_are_no_loop(board: Board) -> None:
    assert {board.start(after_s=301) for _ in range(9)} == {"normal"}


def test_a_crash_after_weeks_counts_from_when_it_happened(board: Board) -> None:
    board.start()
    assert [board.start(after_s=2e6), board.start(), board.start()] == ["normal", "normal", "safe"]


def test_ends_in_order_are_no_crashes(board: Board) -> None:
    for _ in range(5):
        assert board.start() == "normal"
        board.running.end()


def test_an_end_in_order_forgets_the_crashes_before_it(board: Board) -> None:
    board.start()
    board.start()
    board.start()
    board.running.end()
    assert [board.start() for _ in range(4)] == ["normal", "normal", "normal", "safe"]


def test_a_safe_mode_that_crashes_stays_safe(board: Board) -> None:
    for _ in range(4):
        board.start()
    assert [board.start(after_s=400) for _ in range(5)] == ["safe"] * 5


def test_after_a_safe_mode_that_ended_in_order_one_more_bad_end_is_enough(board: Board) -> None:
    for _ in range(4):
        board.start()
    board.running.end()
    assert [board.start(), board.start()] == ["trial", "safe"]


def test_another_configuration_is_tried_at_once(board: Board) -> None:
    for _ in range(4):
        board.start()
    board.config = "b"
    assert [board.start(), board.start()] == ["trial", "safe"]


def test_a_trial_that_lasts_is_normal_again(board: Board) -> None:
    for _ in range(4):
        board.start()
    board.running.try_anew("a")
    board.running.settle()
    assert [board.start(), board.start()] == ["normal", "normal"]


def test_a_power_cut_is_no_crash_and_a_boot_begins_anew(board: Board) -> None:
    board.start()
    board.start()
    board.start()
    board.boot, board.seconds = "boot-2", 5.0
    assert [board.start() for _ in range(3)] == ["normal", "normal", "normal"]
    assert board.start() == "safe"
    board.boot, board.seconds = "boot-3", 5.0
    assert board.start() == "trial"


def test_a_board_that_names_no_boots_is_known_by_its_clock_going_back(board: Board) -> None:
    board.boot = ""
    assert [board.start() for _ in range(3)] == ["normal"] * 3
    board.seconds = 1.0
    assert board.start() == "normal"


@pytest.mark.parametrize("spoilt", [b"", b"{", b"[]", b"null", b'{"boot":"boot-1"}', b"\xff\x00" * 9, b'{"boot":1,'
    b'"running":"yes","mode":"wild","ends":["x"],"config":7}'])  # fmt: skip
def test_a_damaged_file_is_no_history(board: Board, spoilt: bytes) -> None:
    for _ in range(3):
        board.start()
    (board.folder / starts.NAME).write_bytes(spoilt)
    assert board.start() == "normal"
    assert board.start() == "normal"


def test_the_file_is_for_the_service_alone_and_no_half_of_it_is_ever_seen(board: Board) -> None:
    board.start()
    assert (board.folder / starts.NAME).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in board.folder.iterdir()] == [starts.NAME]


def test_a_directory_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    assert Starts(tmp_path / "none").begin("a") == "normal"
    assert not (tmp_path / "none").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_directory_that_cannot_be_written_keeps_nothing_from_starting(board: Board) -> None:
    board.folder.chmod(0o500)
    assert board.start() == "normal"
    board.folder.chmod(0o700)


def test_a_disk_that_refuses_keeps_nothing_from_starting(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(starts, "write_whole", refuse)
    assert board.start() == "normal"


def test_this_moment_has_a_boot_and_seconds_since_it() -> None:
    first, second = starts.now(), starts.now()
    assert first.boot == second.boot
    assert 0 < first.seconds <= second.seconds
