"""Every row of the table in docs/door.md is executed: what fails, what one sees then, and when the door opens again."""

from __future__ import annotations

import dataclasses
import os
import pwd
import resource
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt import publish

from faceedge.config import Broker
from faceedge.door.broker import LocalBroker, local_broker, mosquitto
from faceedge.door.contract import DoorKey
from faceedge.door.relays import NoRelay, Order
from faceedge.jobs.backup import backup
from faceedge.jobs.restore import restore
from faceedge.rules.book import Book, Group, Rule, Standing
from faceedge.rules.schedule import Schedule, Window
from tests.fakes.swallowing_proxy import SwallowingProxy
from tests.system.at_the_door import CONFIG, Porch, Process, granted, opened, wait_for
from tests.system.authority import Authority
from tests.system.entrance import ANNA, Entrance, Listener
from tests.system.failure_table import EXECUTED, ROWS, Row, executes

pytestmark = [
    pytest.mark.system,
    pytest.mark.broker,
    pytest.mark.skipif(mosquitto() is None, reason="mosquitto is not installed"),
]
CHALLENGE = "faceedge/dev/door/main/main/challenge"
AS_US = f"user {pwd.getpwuid(os.getuid()).pw_name}"
"""Mosquitto would leave root, and could not read our files any more."""
GRANT = "faceedge/dev/door/main/main/grant"


def test_every_row_of_the_table_has_its_test() -> None:
    assert set(ROWS) == EXECUTED


@pytest.fixture
def broker() -> Iterator[LocalBroker]:
    with local_broker(kind="mosquitto") as running:
        yield running


def at(where: LocalBroker | SwallowingProxy, **more: Any) -> Broker:
    return Broker(port=where.port, **{"keepalive_s": 2} | more)


def lost(entrance: Entrance, why: str) -> str:
    """Decides until that is what becomes of it; returns it."""
    entrance.until(lambda: entrance.decide().why == why)
    return entrance.told[-1].why


@executes("broker-killed")
def test_a_killed_broker_gets_nothing_later(row: Row, broker: LocalBroker, tmp_path: Path) -> None:
    with Entrance(tmp_path, at(broker)) as entrance:
        guard = entrance.guard(at(broker))
        entrance.opens()
        broker.kill()
        lost(entrance, "offline")
        row.shows(entrance.told[-1].verdict or "", entrance.told[-1].why)
        shut = guard.count("opened")
        broker.start()
        entrance.until_ready(row.within_s)
        assert guard.count("opened") == shut, "what was decided in the dark stays in the dark"
        entrance.opens(row.within_s)


@executes("broker-killed-open")
def test_an_open_door_shuts_without_a_broker(row: Row, broker: LocalBroker, tmp_path: Path) -> None:
    with Entrance(tmp_path, at(broker), pulse_ms=700) as entrance:
        guard = entrance.guard(at(broker))
        entrance.opens()
        broker.kill()
        assert guard.count("closed") == 0
        entrance.until(lambda: guard.count("closed"), 1.5)
        row.shows("closed")
        broker.start()
        entrance.opens(row.within_s)


@executes("broker-restarted")
def test_a_broker_without_memory_is_told_anew(row: Row, broker: LocalBroker, tmp_path: Path) -> None:
    with Entrance(tmp_path, at(broker)) as entrance:
        entrance.guard(at(broker))
        entrance.exchange.retain_state(b'{"a":1}')
        entrance.opens()
        broker.stop()
        broker.start()
        entrance.opens(row.within_s)
        with Listener(broker.port) as listener:
            entrance.until(lambda: listener.json("faceedge/dev/state") == {"a": 1})
            entrance.until(lambda: listener.last.get("faceedge/dev/availability") == b"online")
            row.shows("availability", "state", listener.last["faceedge/dev/availability"].decode())


@executes("device-half-open")
def test_a_device_whose_bytes_vanish_loses_grants_and_says_so(row: Row, broker: LocalBroker, tmp_path: Path) -> None:
    with (
        SwallowingProxy(broker.host, broker.port) as proxy,
        Entrance(tmp_path, at(proxy), ttl_ms=400) as entrance,
        Listener(broker.port) as listener,
    ):
        guard = entrance.guard(at(broker))
        entrance.opens()
        shut = guard.count("opened")
        entrance.until_ready()
        proxy.swallow()
        seen = [entrance.decide().why, lost(entrance, "no fresh challenge")]
        entrance.until(lambda: listener.last.get("faceedge/dev/availability") == b"offline")
        row.shows(*seen, listener.last["faceedge/dev/availability"].decode())
        proxy.release()
        entrance.until_ready(row.within_s)
        assert guard.count("opened") == shut
        entrance.opens(row.within_s)


@executes("controller-half-open")
def test_a_controller_whose_bytes_vanish_is_missed(row: Row, broker: LocalBroker, tmp_path: Path) -> None:
    with (
        SwallowingProxy(broker.host, broker.port) as proxy,
        Entrance(tmp_path, at(broker), ttl_ms=400) as entrance,
    ):
        guard = entrance.guard(at(proxy))
        entrance.opens()
        shut = guard.count("opened")
        entrance.until_ready()
        proxy.swallow()
        seen = [entrance.decide().why, lost(entrance, "no fresh challenge")]
        entrance.until(lambda: not entrance.view()["answering"])
        row.shows(*seen, "answering", entrance.view()["answering"], "state")
        proxy.release()
        entrance.until_ready(row.within_s)
        assert guard.count("opened") == shut
        entrance.opens(row.within_s)


@executes("network-late")
def test_a_grant_that_was_held_back_opens_nothing(row: Row, broker: LocalBroker, tmp_path: Path) -> None:
    with (
        SwallowingProxy(broker.host, broker.port) as proxy,
        Entrance(tmp_path, at(broker, keepalive_s=10), ttl_ms=400) as entrance,
    ):
        guard = entrance.guard(at(proxy, keepalive_s=10))
        entrance.opens()
        shut = guard.count("opened")
        entrance.until_ready()
        proxy.hold()
        why = entrance.decide().why
        time.sleep(3)
        proxy.release()
        entrance.until(lambda: guard.count("refused"))
        row.shows(why, "refused", guard.whys("refused")[0])
        assert guard.count("opened") == shut
        entrance.opens(row.within_s)


@executes("way-too-slow")
def test_a_way_slower_than_the_time_to_live_opens_nothing(row: Row, broker: LocalBroker, tmp_path: Path) -> None:
    with (
        SwallowingProxy(broker.host, broker.port) as proxy,
        Entrance(tmp_path, at(broker), ttl_ms=200) as entrance,
    ):
        guard = entrance.guard(at(proxy))
        entrance.opens()
        shut = guard.count("opened")
        while not guard.count("refused"):
            entrance.until_ready()
            proxy.hold()
            told = entrance.decide()
            time.sleep(0.2)
            proxy.release()
            time.sleep(0.2)
        row.shows(told.verdict or "", told.why, "refused", guard.whys("refused")[0])
        assert guard.count("opened") == shut
        entrance.opens(row.within_s)


def simulated(folder: Path, port: int) -> Process:
    """The reference controller as a process, beside the keys of an entrance."""
    config = folder / "controller.toml"
    config.write_text(f'device = "dev"\nstate_dir = "{folder / "state"}"\n[broker]\nport = {port}\n')
    return Process(["door", "simulate", "--config", str(config)], {})


@executes("controller-restarted")
def test_a_controller_that_starts_anew_honours_nothing_from_before(
    row: Row, broker: LocalBroker, tmp_path: Path
) -> None:
    with Entrance(tmp_path, at(broker), ttl_ms=400) as entrance, Listener(broker.port, GRANT) as listener:
        first = simulated(tmp_path, broker.port)
        entrance.opens()
        entrance.until_ready()
        first.stop(signal.SIGKILL)
        row.shows(entrance.decide().why, lost(entrance, "no fresh challenge"))
        second = simulated(tmp_path, broker.port)
        try:
            entrance.until(lambda: second.at(lambda event: event["event"] == "connected"))
            publish.single(GRANT, listener.last[GRANT], hostname=broker.host, port=broker.port)
            entrance.until(lambda: second.at(lambda event: event["event"] == "refused"))
            assert second.at(opened) == []
            entrance.opens(row.within_s)
        finally:
            second.stop()


@executes("controller-off")
def test_a_controller_that_is_off_is_shown_as_off(row: Row, broker: LocalBroker, tmp_path: Path) -> None:
    with Entrance(tmp_path, at(broker), ttl_ms=400) as entrance:
        guard = entrance.guard(at(broker))
        entrance.opens()
        guard.stop()
        why = lost(entrance, "no fresh challenge")
        entrance.until(lambda: not entrance.view()["answering"])
        row.shows(why, "state", entrance.view()["state"], "answering", entrance.view()["answering"])
        entrance.guard(at(broker))
        entrance.opens(row.within_s)


@executes("wrong-key")
def test_a_controller_with_another_key_is_a_stranger(row: Row, broker: LocalBroker, tmp_path: Path) -> None:
    with Entrance(tmp_path, at(broker)) as entrance:
        guard = entrance.guard(at(broker), key=DoorKey(bytes(32)))
        entrance.until(lambda: entrance.exchange.as_json()["ignored"].get("challenge mac"))
        why = entrance.decide().why
        (counted,) = [name for name in entrance.exchange.as_json()["ignored"] if name.startswith("challenge")]
        row.shows(why, "ignored", counted, "state", entrance.view()["state"])
        guard.stop()
        entrance.guard(at(broker))
        entrance.opens(row.within_s)


@executes("one-of-two-off")
def test_of_two_controllers_the_living_one_opens(row: Row, broker: LocalBroker, tmp_path: Path) -> None:
    with Entrance(tmp_path, at(broker), "main", "inner") as entrance:
        entrance.guard(at(broker))
        inner = entrance.guard(at(broker), "inner")
        entrance.until(lambda: entrance.view("inner")["answering"])
        inner.stop()
        entrance.until(lambda: entrance.view("inner")["state"] == "offline")
        entrance.until_ready()
        row.shows(entrance.decide().verdict or "", entrance.view("inner")["state"], "state")


class Stubborn(NoRelay):
    """A relay that does not obey until it is mended."""

    why = "stuck"

    def on(self, _pulse_ms: int) -> Order:
        return Order(self.why)

    def off(self) -> Order:
        return Order(self.why)


@executes("relay-fails")
def test_a_relay_that_does_not_obey_is_no_open_door(row: Row, broker: LocalBroker, tmp_path: Path) -> None:
    relay = Stubborn()
    with Entrance(tmp_path, at(broker)) as entrance:
        guard = entrance.guard(at(broker), relay=relay)
        entrance.until_ready()
        told = entrance.decide()
        entrance.until(lambda: entrance.view()["state"] == "fault")
        row.shows(told.verdict or "", told.why, "state", entrance.view()["state"])
        assert guard.count("opened") == 0
        relay.why = ""
        entrance.opens(row.within_s)
        assert entrance.view()["state"] != "fault"


HOURS = Schedule((Window(frozenset(range(8)), 0, 24 * 60),), "UTC")


@executes("clock-unknown")
def test_without_a_clock_only_those_pass_who_always_may(row: Row, broker: LocalBroker, tmp_path: Path) -> None:
    staff = Standing(groups=frozenset({"s"}))
    with Entrance(tmp_path, at(broker)) as entrance:
        entrance.guard(at(broker))
        entrance.book = Book({ANNA: staff}, {"s": Group("s", "staff")}, (Rule("1", "s", "main", HOURS),))
        entrance.opens()
        known, entrance.now = entrance.now, None
        told = entrance.decide()
        row.shows(told.outcome, told.reason)
        entrance.book = Book({ANNA: staff}, {"s": Group("s", "staff", is_always=True)}, (Rule("1", "s", "main"),))
        entrance.opens(1)
        entrance.book = Book({ANNA: staff}, {"s": Group("s", "staff")}, (Rule("1", "s", "main", HOURS),))
        entrance.now = known
        entrance.opens(2)


@executes("rules-unreadable")
def test_without_rules_that_can_be_read_nobody_passes(row: Row, broker: LocalBroker, tmp_path: Path) -> None:
    with Entrance(tmp_path, at(broker)) as entrance:
        entrance.guard(at(broker))
        entrance.opens()
        book, entrance.book = entrance.book, None
        told = entrance.decide()
        row.shows(told.outcome, told.reason)
        entrance.book = book
        entrance.opens(2)


def logged(text: str, caplog: pytest.LogCaptureFixture) -> str:
    """That text, if the log has it."""
    return text if text in caplog.text else f"nothing like {text!r} in: {caplog.text}"


@contextmanager
def tls_broker(authority: Authority) -> Iterator[LocalBroker]:
    with local_broker(kind="mosquitto", extra=authority.settings()) as running:
        yield running


@executes("certificate-expired")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # paho drops a socket it could not shake
def test_an_expired_certificate_is_not_believed(row: Row, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    authority = Authority(tmp_path)
    authority.issue(days=-1)
    with tls_broker(authority) as broker:
        trusting = at(broker, host="localhost", tls=True, ca_file=authority.file)
        with Entrance(tmp_path, trusting) as entrance:
            entrance.guard(trusting)
            entrance.until(lambda: "no broker at" in caplog.text)
            told = entrance.decide()
            row.shows(told.verdict or "", told.why, logged("certificate has expired", caplog))
            authority.issue()
            broker.stop()
            broker.start()
            entrance.opens(row.within_s)


@executes("pin-differs")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_broker_with_another_certificate_than_the_pinned_one_is_told_nothing(
    row: Row, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    authority = Authority(tmp_path)
    pin = authority.issue()
    kept = {name: (tmp_path / name).read_bytes() for name in ("server.pem", "server.key")}
    authority.issue()
    with tls_broker(authority) as broker:
        pinned = at(broker, tls=True, pin=pin)
        with Entrance(tmp_path, pinned) as entrance:
            entrance.guard(pinned)
            entrance.until(lambda: "no broker at" in caplog.text)
            told = entrance.decide()
            row.shows(told.verdict or "", told.why, logged("is not broker.pin", caplog))
            for name, content in kept.items():
                (tmp_path / name).write_bytes(content)
            broker.stop()
            broker.start()
            entrance.opens(row.within_s)


@executes("password-wrong")
def test_a_wrong_password_keeps_the_device_out(row: Row, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    passwords = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-b", "-c", str(passwords), "dev", "right"], check=True, capture_output=True)
    passwords.chmod(0o644)
    files = {}
    for word in ("right", "wrong"):
        files[word] = tmp_path / word
        files[word].write_text(word + "\n")
        files[word].chmod(0o600)
    with local_broker(kind="mosquitto", extra=f"{AS_US}\npassword_file {passwords}") as broker:
        with Entrance(tmp_path, at(broker, username="dev", password_file=files["wrong"])) as entrance:
            entrance.until(lambda: "no broker at" in caplog.text)
            told = entrance.decide()
            row.shows(told.verdict or "", told.why, logged("it refuses us", caplog))
        with Entrance(tmp_path, at(broker, username="dev", password_file=files["right"])) as entrance:
            entrance.guard(at(broker))
            entrance.opens(row.within_s)


@executes("rights-missing")
def test_a_list_of_rights_without_the_challenges_keeps_the_door_shut(row: Row, tmp_path: Path) -> None:
    rights = tmp_path / "rights"
    rights.write_text(f"topic readwrite faceedge/#\ntopic deny {CHALLENGE}\n")
    rights.chmod(0o644)
    broker_with_rights = local_broker(kind="mosquitto", extra=f"{AS_US}\nacl_file {rights}")
    with broker_with_rights as broker, Entrance(tmp_path, at(broker)) as entrance:
        guard = entrance.guard(at(broker))
        entrance.until(lambda: guard.count("connected"))
        time.sleep(1.2)  # it has asked twice by then
        row.shows(lost(entrance, "no fresh challenge"))
        rights.write_text("topic readwrite faceedge/#\n")
        broker.stop()
        broker.start()
        entrance.opens(row.within_s)


@dataclasses.dataclass
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
