"""Every event that was written reaches the broker, in order per kind: over dead brokers, links and processes."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from faceedge.chaos.proxy import SwallowingProxy
from faceedge.config import Broker
from faceedge.door.broker import LocalBroker, local_broker
from faceedge.door.connection import Message
from faceedge.door.contract import fresh_token
from faceedge.door.events import Letter
from faceedge.door.mqtt import MqttClient, Session
from faceedge.door.uplink import Uplink
from faceedge.jobs import postbag, postman
from faceedge.jobs.postman import Postman
from faceedge.journal.chain import Keep
from faceedge.journal.outbox import Outbox
from faceedge.journal.reading import entries, reading
from faceedge.journal.signing import public_path, read_public
from faceedge.journal.verify import verify
from faceedge.journal.writer import Journal

pytestmark = pytest.mark.system

KINDS = ("decision", "door", "camera")
ROOT = Path(__file__).parents[2]
PATIENT = "max_queued_messages 0"
"""A broker that drops nothing for a listener that is slower than a burst."""
PROBE = "faceedge/probe/event/probe"


def until(happened: Callable[[], object], within_s: float = 20.0) -> None:
    deadline = time.monotonic() + within_s
    while not happened():
        assert time.monotonic() < deadline, f"did not happen within {within_s} s"
        time.sleep(0.01)


def until_or_not(happened: Callable[[], object], within_s: float = 5.0) -> None:
    deadline = time.monotonic() + within_s
    while not happened() and time.monotonic() < deadline:
        time.sleep(0.01)


class Listener:
    """Hears all events of all devices.

    With QoS 0: so the broker passes an event on before it acknowledges it, and takes none with it when it is killed.
    """

    def __init__(self, broker: Broker) -> None:
        self.heard: list[tuple[str, str]] = []
        self._probed = threading.Event()
        session = Session(
            "listener", (("faceedge/+/event/#", 0),), lambda: Message(PROBE + "/bye", b"{}"), lambda: None, self._hear
        )
        self.client = MqttClient(broker, session)

    def _hear(self, topic: str, payload: bytes) -> None:
        if topic == PROBE:
            self._probed.set()
        elif not topic.startswith(PROBE):
            self.heard.append((topic, json.loads(payload)["id"]))

    def wait(self) -> None:
        """Until what is published from now on is heard."""
        self._probed.clear()
        until(lambda: self.client.publish(Message(PROBE, b"{}")) and self._probed.wait(0.05))

    def of(self, device: str, kind: str) -> list[str]:
        """Ids in order, each once."""
        topic = f"faceedge/{device}/event/{kind}"
        return list(dict.fromkeys(name for at, name in list(self.heard) if at == topic))


class Station:
    """What a device has to do with events: a thread that makes them, journal, postman and uplink. Use it in `with`."""

    def __init__(self, state: Path, device: str, broker: Broker) -> None:
        self.state = state
        self.device = device
        self.uplink = Uplink(broker, device)
        self.postman = Postman(state, self.uplink, f"{self.uplink.prefix}/event")
        self.uplink.on_up(self.postman.wake)
        self.journal = Journal.of(state, Keep(), lambda why: None, self.postman.wake)
        self.made: list[Letter] = []
        self._stop = threading.Event()
        self._maker = threading.Thread(target=self._make, name=f"maker {device}")

    def __enter__(self) -> Station:
        for part in (self.journal, self.postman, self.uplink, self._maker):
            part.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.rest()
        assert self.postman.stop()
        self.uplink.stop()
        assert self.journal.stop()

    def rest(self) -> None:
        """Makes no more."""
        self._stop.set()
        self._maker.join()

    def made_of(self, kind: str) -> list[str]:
        return [letter.id for letter in self.made if letter.kind == kind]

    def left(self) -> int:
        outbox = Outbox.open(self.state)
        try:
            return outbox.count()
        finally:
            outbox.close()

    def _make(self) -> None:
        dice = random.Random(self.device)
        while not self._stop.wait(0.01):
            name, kind = fresh_token(), dice.choice(KINDS)
            letter: Any = Letter(name, kind, json.dumps({"id": name}).encode())  # type: ignore[arg-type]
            self.made.append(letter)
            self.journal.append("note", {"id": name}, [letter])


def assert_all_heard(listener: Listener, station: Station) -> None:
    station.rest()
    until(lambda: station.left() == 0, 30)
    for kind in KINDS:
        wanted = station.made_of(kind)
        until_or_not(lambda kind=kind, wanted=wanted: len(listener.of(station.device, kind)) >= len(wanted))
        heard = listener.of(station.device, kind)
        assert [name for name in wanted if name not in heard] == []
        assert heard == wanted
    assert len(station.made) > 100


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kind that is refused is soon tried again."""
    monkeypatch.setattr(postbag, "PAUSE_MIN_S", 0.1)
    monkeypatch.setattr(postbag, "PAUSE_MAX_S", 0.4)
    monkeypatch.setattr(postman, "COUNT_S", 0.1)


@contextmanager
def listening(host: str, port: int) -> Iterator[Listener]:
    listener = Listener(Broker(host=host, port=port))
    listener.client.start()
    listener.wait()
    try:
        yield listener
    finally:
        listener.client.stop()


@pytest.mark.broker
def test_five_dead_brokers_lose_no_event(tmp_path: Path) -> None:
    """Each of them answers nothing for a moment before it dies.

    The listener is back before the device, or it would miss what the broker takes in between.
    """
    with (
        local_broker(kind="mosquitto", extra=PATIENT) as broker,
        SwallowingProxy(broker.host, broker.port) as proxy,
        listening(broker.host, broker.port) as listener,
        Station(tmp_path, "kill", Broker(host=proxy.host, port=proxy.port)) as station,
    ):
        for _ in range(5):
            heard = len(listener.heard)
            until(lambda heard=heard: len(listener.heard) > heard + 20)
            signal_to(broker, signal.SIGSTOP)
            time.sleep(random.uniform(0.0, 1.5))
            broker.kill()
            until(lambda: not station.uplink.connected)
            proxy.hold()
            time.sleep(random.uniform(0.1, 1.0))
            broker.start()
            listener.wait()
            proxy.release()
        assert_all_heard(listener, station)


def signal_to(broker: LocalBroker, what: signal.Signals) -> None:
    process = broker._process
    assert process is not None
    process.send_signal(what)


@pytest.mark.broker
@pytest.mark.timeout(180)
def test_twenty_half_open_links_lose_no_event(tmp_path: Path) -> None:
    """Five devices at a time, four times; every other time what the link has kept comes late and all at once."""
    with local_broker(kind="mosquitto", extra=PATIENT) as broker, listening(broker.host, broker.port) as listener:
        failures: list[BaseException] = []

        def device(number: int) -> None:
            try:
                four_half_open_links(tmp_path / str(number), f"half{number}", broker.port, listener)
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=device, args=(number,)) for number in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]


def four_half_open_links(state: Path, name: str, port: int, listener: Listener) -> None:
    with (
        SwallowingProxy("127.0.0.1", port) as proxy,
        Station(state, name, Broker(host=proxy.host, port=proxy.port, keepalive_s=2)) as station,
    ):
        for fault in (proxy.swallow, proxy.hold) * 2:
            heard = len(listener.of(name, "door"))
            until(lambda heard=heard: len(listener.of(name, "door")) > heard)
            before = proxy.swallowed
            fault()
            until(lambda: not station.uplink.connected)
            assert proxy.swallowed > before
            proxy.release()
            until(lambda: station.uplink.connected)
        assert_all_heard(listener, station)


@pytest.mark.broker
def test_what_an_access_list_refuses_waits_until_it_is_allowed(tmp_path: Path, quick: None) -> None:
    """MQTT 5 says so in its answer; the other kinds go on meanwhile."""
    rules = tmp_path / "acl"
    rules.write_text("topic read faceedge/#\ntopic write faceedge/probe/#\ntopic write faceedge/acl/event/door\n")
    with (
        local_broker(kind="mosquitto", extra=f"user root\nacl_file {rules}") as broker,
        listening(broker.host, broker.port) as listener,
        Station(tmp_path / "state", "acl", Broker(host=broker.host, port=broker.port)) as station,
    ):
        until(lambda: len(listener.of("acl", "door")) > 20)
        until(lambda: station.postman.as_json()["refused"] == ["camera", "decision"])
        until(lambda: len(station.made) > 200)
        assert not listener.of("acl", "camera")
        rules.write_text("topic readwrite #\n")
        signal_to(broker, signal.SIGHUP)
        assert_all_heard(listener, station)


@pytest.mark.broker
def test_an_event_too_large_for_the_broker_is_given_up_and_the_others_arrive(tmp_path: Path, quick: None) -> None:
    with (
        local_broker(kind="mosquitto", extra="message_size_limit 1000") as broker,
        listening(broker.host, broker.port) as listener,
        Station(tmp_path / "state", "big", Broker(host=broker.host, port=broker.port)) as station,
    ):
        station.journal.append("note", {}, [Letter("big", "camera", b'{"id": "big"}' + b" " * 2000)])
        until(lambda: listener.of("big", "dropped"), 60)
        assert_all_heard(listener, station)


class Mortal:
    """The process of `event_writer`."""

    def __init__(self, state: Path) -> None:
        command = [sys.executable, "-m", "tests.system.event_writer"]
        self._state = state
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.taken: list[tuple[str, str]] = []
        self.steps = 0

    def live(self, kill_at: int) -> int:
        """How it ended; 0 is never killed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{self._state} {kill_at}\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            words = json.loads(line)
            if "taken" in words:
                self.taken.append((words["kind"], words["taken"]))
            self.steps = words.get("steps", self.steps)
            if "over" in words:
                return int(words["over"])
        raise AssertionError("the process has ended")

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[Mortal]:
    process = Mortal(tmp_path / "state")
    yield process
    process.close()


def test_a_process_killed_between_any_two_steps_loses_no_event(tmp_path: Path, mortal: Mortal) -> None:
    state = tmp_path / "state"
    assert mortal.live(0) == 0
    whole = mortal.steps
    assert whole > 100
    for kill_at in range(random.randint(1, 5), whole * 2 // 3, 5):
        assert mortal.live(kill_at) == -9, f"step {kill_at} of {whole}"
    assert mortal.live(0) == 0
    with reading(state / "journal.db") as connection:
        written = [tuple(pair) for entry in entries(connection, "kind = 'note'") for pair in entry.body["letters"]]
    for kind in ("decision", "door"):
        taken = dict.fromkeys(name for one, name in mortal.taken if one == kind)
        assert list(taken) == [name for one, name in written if one == kind]
    assert verify(state / "journal.db", read_public(public_path(state))).problem is None
