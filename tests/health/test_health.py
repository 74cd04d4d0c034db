"""What the supervisor and systemd learn."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from faceedge.health.heartbeat import Heart
from faceedge.health.systemd import Systemd
from faceedge.health.watchdog import Vital, ailments


def test_a_heart_is_stuck_only_after_its_silence() -> None:
    now = 10.0
    heart = Heart("detect", 5.0, lambda: now)
    now = 14.9
    assert not heart.is_stuck
    now = 15.1
    assert heart.is_stuck
    heart.beat()
    assert not heart.is_stuck


def test_a_pause_of_the_process_excuses_its_silence_and_none_to_come() -> None:
    now = 10.0
    heart = Heart("detect", 5.0, lambda: now)
    now = 100.0
    heart.excuse(88.0)
    assert not heart.is_stuck
    now = 103.1
    assert heart.is_stuck
    heart.beat()  # it woke before whoever excuses it
    heart.excuse(3600.0)
    now = 108.2
    assert heart.is_stuck


def test_a_stage_that_does_nothing_but_fail_is_told_from_one_that_fails_now_and_then() -> None:
    now = 0.0
    heart = Heart("detect", 5.0, lambda: now)

    def fail(*times: float) -> None:
        nonlocal now
        for at in times:
            now = at
            heart.fault("EngineError")

    fail(1.0, 4.0, 9.0)
    assert not heart.is_failing
    heart.worked()
    fail(10.0, 15.0, 19.9)
    assert not heart.is_failing
    now = 20.1
    assert not heart.is_failing, "silence is no fault"
    heart.fault("EngineError")
    assert heart.is_failing
    assert (heart.streak, heart.faults["EngineError"]) == (4, 7)


def vital(**facts: bool) -> Vital:
    now = 0.0
    heart = Heart("journal", 4.0, lambda: now)
    now = 5.0 if facts.get("silent") else 3.0
    return Vital(heart, lambda: facts.get("alive", True), lambda: facts.get("ended", False))


@pytest.mark.parametrize(
    ("of", "words"),
    [
        (vital(), []),
        (vital(silent=True), ["journal makes no progress"]),
        (vital(alive=False), ["journal has died"]),
        (vital(alive=False, silent=True, ended=True), []),
    ],
)
def test_only_what_a_new_process_mends_is_an_ailment(of: Vital, words: list[str]) -> None:
    assert ailments([of]) == words


@pytest.fixture
def notified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> socket.socket:
    """The socket that systemd would listen on."""
    path = tmp_path / "notify"
    monkeypatch.setenv("NOTIFY_SOCKET", str(path))
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind(str(path))
    listener.settimeout(2)
    return listener


def test_systemd_hears_ready_alive_and_stopping(notified: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    systemd = Systemd()
    systemd.ready("1 camera")
    systemd.alive()
    systemd.stopping()
    systemd.close()
    heard = [notified.recv(200).decode() for _ in range(3)]
    assert heard == ["READY=1\nSTATUS=1 camera", "WATCHDOG=1", "STOPPING=1\nSTATUS=stopping"]
    notified.close()


def all_of(listener: socket.socket) -> list[str]:
    """What has been heard so far."""
    listener.setblocking(False)
    heard: list[str] = []
    while True:
        try:
            heard += listener.recv(400).decode("ascii").splitlines()
        except BlockingIOError:
            listener.close()
            return heard


def test_a_daemon_that_begins_anew_has_time_to_open_its_models_and_no_longer(
    notified: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "4000000")
    systemd = Systemd()
    systemd.reloading()
    systemd.ready("1 camera")
    systemd.close()
    heard = [line for line in all_of(notified) if not line.startswith("MONOTONIC")]
    assert heard == [
        "RELOADING=1", "EXTEND_TIMEOUT_USEC=60000000", "WATCHDOG_USEC=60000000", "WATCHDOG=1",
        "WATCHDOG_USEC=4000000", "WATCHDOG=1", "READY=1", "STATUS=1 camera",
    ]  # fmt: skip


def test_a_status_is_plain_ascii_told_when_it_changes_and_once_a_second_at_most(notified: socket.socket) -> None:
    now = 0.0
    systemd = Systemd(clock=lambda: now)
    systemd.ready("2 cameras")
    told = ((0.5, "entry is dark"), (1.1, "entry is d\xfcster\nREADY=1"), (1.5, "x"), (9.0, "x"), (20.0, "x"))
    for at, words in told:
        now = at
        systemd.status(words)
    systemd.close()
    heard = [line for line in all_of(notified) if line.startswith("STATUS")]
    assert heard == ["STATUS=2 cameras", "STATUS=entry is d?ster READY=1", "STATUS=x"]


def test_why_it_leaves_is_told_however_lately_something_else_was(notified: socket.socket) -> None:
    systemd = Systemd(clock=lambda: 0.0)
    systemd.ready("2 cameras")
    systemd.leaving("detect makes no progress")
    systemd.close()
    assert all_of(notified)[-1] == "STATUS=detect makes no progress"


def test_a_watchdog_meant_for_another_process_is_left_alone(
    notified: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_PID", "1")
    systemd = Systemd()
    systemd.alive()
    systemd.stopping()
    systemd.close()
    assert notified.recv(200) == b"STOPPING=1\nSTATUS=stopping"
    notified.close()
