"""Rows of the table of failures in docs/door.md: the device itself, as the processes that it is."""

from __future__ import annotations

import resource
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from faceedge.door.broker import LocalBroker, local_broker, mosquitto
from faceedge.jobs.backup import backup
from faceedge.jobs.restore import restore
from tests.system.at_the_door import CONFIG, Porch, Process, granted, opened, wait_for
from tests.system.entrance import Listener
from tests.system.failure_table import Row, executes

pytestmark = [
    pytest.mark.system,
    pytest.mark.broker,
    pytest.mark.skipif(mosquitto() is None, reason="mosquitto is not installed"),
]


@dataclass
class Street:
    """The real daemon and a controller, and what the broker says of them."""

    porch: Porch
    daemon: Process
    controller: Process
    listener: Listener
    broker: LocalBroker

    def opens(self, within_s: float, daemon: Process | None = None) -> None:
        since = time.monotonic()
        wait_for(lambda: (daemon or self.daemon).at(granted, since), within_s)

    def state(self) -> dict[str, Any]:
        return self.listener.json("faceedge/outage/state")

    def decision(self, outcome: str, since: float) -> dict[str, Any]:
        """The first of that outcome since then."""
        wait_for(lambda: self._decisions(outcome, since), 10)
        return self._decisions(outcome, since)[0]

    def _decisions(self, outcome: str, since: float) -> list[dict[str, Any]]:
        return [event for at, event in self.daemon.events if at >= since and event.get("outcome") == outcome]


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory, standing: Path) -> Iterator[Street]:
    """Somebody stands before the camera all the time; each test leaves the door working."""
    folder = tmp_path_factory.mktemp("street")
    film = folder / "film.avi"
    film.write_bytes(standing.read_bytes())
    with local_broker(kind="mosquitto") as broker, Listener(broker.port) as listener:
        porch = Porch.built(folder, film, broker.port, broker.port)
        street = Street(porch, porch.daemon(), porch.controller(), listener, broker)
        try:
            street.opens(30)
            yield street
        finally:
            street.daemon.stop()
            street.controller.stop()


@executes("lockdown")
def test_a_lockdown_outlasts_a_restart(row: Row, street: Street) -> None:
    assert street.porch.call("lockdown", "on").returncode == 0
    since = time.monotonic() + 1
    told = street.decision("deny", since)
    wait_for(lambda: street.state().get("lockdown"), 12)
    row.shows(told["outcome"], told["reason"], "lockdown", street.state()["lockdown"], "state")
    street.daemon.stop()
    street.daemon = street.porch.daemon()
    assert street.decision("deny", 0)["reason"] == "lockdown"
    assert street.daemon.at(granted) == []
    assert street.porch.call("lockdown", "off").returncode == 0
    street.opens(5)


@executes("camera-fails")
def test_a_camera_that_is_gone_is_named(row: Row, street: Street) -> None:
    film = street.porch.folder / "film.avi"
    content = film.read_bytes()
    film.unlink()
    wait_for(lambda: not street.state()["cameras"][0]["ok"], 20)
    camera = street.state()["cameras"][0]
    assert camera["why"]
    row.shows("state", "ok", camera["ok"], "why")
    film.write_bytes(content)
    street.opens(row.within_s)


@executes("journal-stuck")
def test_what_cannot_be_written_down_is_not_granted(row: Row, street: Street) -> None:
    """No file of the daemon may grow for a while, as on a full disk."""
    process = street.daemon.child.pid
    before = resource.prlimit(process, resource.RLIMIT_FSIZE)
    resource.prlimit(process, resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        told = street.decision("deny", time.monotonic())
        wait_for(lambda: not street.state()["journal"]["ok"], 15)
        row.shows(told["outcome"], told["reason"], "journal", "ok", street.state()["journal"]["ok"], "state")
        dark = time.monotonic()
        time.sleep(2)
        assert street.controller.at(opened, dark) == []
    finally:
        resource.prlimit(process, resource.RLIMIT_FSIZE, before)
    street.opens(row.within_s)


@executes("device-killed")
def test_a_killed_daemon_leaves_a_shut_door(row: Row, street: Street) -> None:
    street.daemon.stop(signal.SIGKILL)
    wait_for(lambda: street.listener.last["faceedge/outage/availability"] == b"offline", 10)
    row.shows("availability", street.listener.last["faceedge/outage/availability"].decode())
    dark = time.monotonic() + 0.5
    time.sleep(2)
    assert street.controller.at(opened, dark) == []
    assert [event["event"] for _, event in street.controller.events if event["event"] in ("opened", "closed")][-1] == (
        "closed"
    )
    street.daemon = street.porch.daemon()
    street.opens(row.within_s)


@executes("device-restored")
def test_a_restored_device_needs_new_keys(row: Row, street: Street, tmp_path: Path) -> None:
    street.opens(10)
    backup(street.porch.folder / "state", tmp_path / "saved", "correct horse battery", quiet)
    restore(tmp_path / "saved", tmp_path / "state", "correct horse battery", quiet)
    config = tmp_path / "daemon.toml"
    config.write_text(CONFIG.format(port=street.broker.port, clip=street.porch.folder / "film.avi"))
    porch = Porch(tmp_path, street.porch.environ | {"FACEEDGE_STATE": str(tmp_path / "state")})
    porch.config("controller").write_text(config.read_text())
    street.daemon.stop()
    ran = porch.call("run")
    said = "missing; a door's key is made with: faceedge door add NAME"
    row.shows("faceedge run", str(ran.returncode), said if said in ran.stderr else ran.stderr)
    assert porch.call("door", "add", "main").returncode == 0
    shut = time.monotonic()
    daemon = porch.daemon()
    try:
        wait_for(lambda: daemon.at(lambda event: event.get("why") == "no fresh challenge"), 30)
        assert street.controller.at(opened, shut) == [], "it has the key of the board that is gone"
        street.controller.stop()
        street.controller = porch.controller()
        street.opens(row.within_s, daemon)
    finally:
        daemon.stop()
        street.controller.stop()
        street.controller, street.daemon = street.porch.controller(), street.porch.daemon()
    street.opens(30)


def quiet(_text: str, _done: float) -> None:
    """Nobody watches."""
