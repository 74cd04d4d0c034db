"""What the supervisor and systemd learn."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from faceedge.health.heartbeat import Heart
from faceedge.health.systemd import Systemd


def test_a_heart_is_stuck_only_after_its_silence() -> None:
    now = 10.0
    heart = Heart("detect", 5.0, lambda: now)
    now = 14.9
    assert not heart.is_stuck
    now = 15.1
    assert heart.is_stuck
    heart.beat()
    assert not heart.is_stuck


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
    assert heard == ["READY=1\nSTATUS=1 camera", "WATCHDOG=1", "STOPPING=1"]
    notified.close()


def test_a_watchdog_meant_for_another_process_is_left_alone(
    notified: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_PID", "1")
    systemd = Systemd()
    systemd.alive()
    systemd.stopping()
    systemd.close()
    assert notified.recv(200) == b"STOPPING=1"
    notified.close()
