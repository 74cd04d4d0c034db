"""What is retained at a real broker is exactly what is configured, whoever was away when it changed."""

from __future__ import annotations

import getpass
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from faceedge.config import Broker
from faceedge.door import uplink as uplink_module
from faceedge.door.broker import LocalBroker, local_broker, mosquitto
from faceedge.door.connection import Message, Session
from faceedge.door.discovery import Facts, discovery
from faceedge.door.mqtt import MqttClient
from faceedge.door.uplink import Uplink
from faceedge.errors import StoreError
from faceedge.jobs.announce import AT_ONCE, FILE, Announcer
from tests.door.running import until
from tests.fakes.memory_mqtt import MemoryBroker

OLD = discovery(Facts("dev", "1.0", {"main": ["inner", "outer"]}, ["entry"]))
RENAMED = discovery(Facts("dev", "1.0", {"front": ["inner", "outer"]}, ["entry"]))
OTHERS = "homeassistant/sensor/dev/somebody_elses/config"


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> MemoryBroker:
    broker = MemoryBroker()
    monkeypatch.setattr(uplink_module, "MqttClient", broker.client)
    return broker


def start(state: Path, wanted: Mapping[str, bytes]) -> tuple[Announcer, Uplink]:
    uplink = Uplink(Broker(), "dev")
    announcer = Announcer(state, wanted, uplink)
    uplink.start()
    return announcer, uplink


def tick_often(announcer: Announcer) -> None:
    for _ in range(20):
        announcer.tick()


def found(broker: MemoryBroker) -> dict[str, bytes]:
    return {topic: payload for topic, payload in broker.retained.items() if payload and topic.endswith("/config")}


def test_every_message_is_retained_with_qos_1(tmp_path: Path, memory: MemoryBroker) -> None:
    announcer, _ = start(tmp_path, OLD)
    tick_often(announcer)
    assert found(memory) == OLD
    assert all(message.qos == 1 and message.retain for message in memory.sent)


def test_a_restart_without_change_writes_nothing_to_the_disk(tmp_path: Path, memory: MemoryBroker) -> None:
    tick_often(start(tmp_path, OLD)[0])
    before = (tmp_path / FILE).stat()
    tick_often(start(tmp_path, OLD)[0])
    assert (tmp_path / FILE).stat() == before
    assert found(memory) == OLD


def test_what_was_renamed_is_cleared_and_forgotten(tmp_path: Path, memory: MemoryBroker) -> None:
    tick_often(start(tmp_path, OLD)[0])
    tick_often(start(tmp_path, RENAMED)[0])
    assert found(memory) == RENAMED
    assert set(json.loads((tmp_path / FILE).read_bytes())["topics"]) == set(RENAMED)


def test_discovery_switched_off_leaves_nothing_at_the_broker_and_nothing_on_the_disk(
    tmp_path: Path, memory: MemoryBroker
) -> None:
    tick_often(start(tmp_path, OLD)[0])
    tick_often(start(tmp_path, {})[0])
    assert found(memory) == {}
    assert not (tmp_path / FILE).exists()


def test_a_clear_that_was_not_acknowledged_is_sent_again_after_a_reconnect(
    tmp_path: Path, memory: MemoryBroker
) -> None:
    tick_often(start(tmp_path, OLD)[0])
    announcer, _ = start(tmp_path, {})
    memory.hold()
    tick_often(announcer)
    assert memory.held
    memory.held = None  # the link was dead all along: nothing of it ever arrives
    memory.clients[-1].cut()
    tick_often(announcer)
    assert found(memory) == OLD
    assert (tmp_path / FILE).exists()
    memory.clients[-1].start()
    tick_often(announcer)
    assert found(memory) == {}
    assert not (tmp_path / FILE).exists()


def test_a_daemon_killed_before_the_broker_came_back_clears_at_a_later_start(
    tmp_path: Path, memory: MemoryBroker
) -> None:
    tick_often(start(tmp_path, OLD)[0])
    for _ in range(2):
        uplink = Uplink(Broker(), "dev")
        tick_often(Announcer(tmp_path, {}, uplink))  # never connected
    tick_often(start(tmp_path, {})[0])
    assert found(memory) == {}


def test_what_was_once_published_is_on_disk_before_it_is_sent(tmp_path: Path, memory: MemoryBroker) -> None:
    Announcer(tmp_path, OLD, Uplink(Broker(), "dev"))
    assert memory.sent == []
    assert set(json.loads((tmp_path / FILE).read_bytes())["topics"]) == set(OLD)


def test_a_grant_never_waits_behind_many_announcements(tmp_path: Path, memory: MemoryBroker) -> None:
    doors = {f"door-{number}": ["main"] for number in range(30)}
    announcer, _ = start(tmp_path, discovery(Facts("dev", "1.0", doors)))
    memory.hold()
    tick_often(announcer)
    assert memory.held is not None
    assert len(memory.held) == AT_ONCE


def test_a_spoilt_memory_clears_nothing_but_discovery(tmp_path: Path, memory: MemoryBroker) -> None:
    strange = ["faceedge/dev/state", OTHERS, "homeassistant/lock/dev/faceedge_x/config", "#", 7, *OLD]
    (tmp_path / FILE).write_text(json.dumps({"topics": strange}))
    tick_often(start(tmp_path, {})[0])
    assert {message.topic for message in memory.sent if not message.payload} == set(OLD)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"topics": 1}', "[" * 100_000, '{"other": 1}'])
def test_a_memory_that_cannot_be_read_is_replaced_and_said(
    text: str, tmp_path: Path, memory: MemoryBroker, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / FILE).write_text(text)
    tick_often(start(tmp_path, OLD)[0])
    assert found(memory) == OLD
    assert FILE in caplog.text


def test_nothing_is_published_that_could_not_be_remembered(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="must be writable"):
        Announcer(tmp_path / "missing", OLD, Uplink(Broker(), "dev"))


class Listener:
    """Reads what is retained at a real broker."""

    def __init__(self, broker: LocalBroker) -> None:
        self._lock = threading.Lock()
        self._now: dict[str, bytes] = {}
        subscriptions = (("homeassistant/#", 1),)
        session = Session("listener", subscriptions, lambda: None, lambda: None, self._on_message)
        self.client = MqttClient(Broker(host=broker.host, port=broker.port), session)

    @property
    def now(self) -> dict[str, bytes]:
        with self._lock:
            return {topic: payload for topic, payload in self._now.items() if payload}

    def _on_message(self, topic: str, payload: bytes) -> None:
        with self._lock:
            self._now[topic] = payload


@contextmanager
def retained(broker: LocalBroker) -> Iterator[Callable[[], dict[str, bytes]]]:
    listener = Listener(broker)
    listener.client.start()
    try:
        yield lambda: listener.now
    finally:
        listener.client.stop()


@contextmanager
def device(broker: LocalBroker, state: Path, wanted: Mapping[str, bytes]) -> Iterator[Announcer]:
    """A device that announces, from start to a clean stop."""
    uplink = Uplink(Broker(host=broker.host, port=broker.port), "dev")
    announcer = Announcer(state, wanted, uplink)
    uplink.start()
    try:
        yield announcer
    finally:
        uplink.stop()


def shows(now: Callable[[], dict[str, bytes]], wanted: Mapping[str, bytes]) -> Callable[[], bool]:
    return lambda: now() == wanted


def settles(announcer: Announcer, happened: Callable[[], bool]) -> None:
    def look() -> bool:
        announcer.tick()
        return happened()

    until(look)


@pytest.fixture
def broker() -> Iterator[LocalBroker]:
    if mosquitto() is None:
        pytest.skip("mosquitto is not installed")
    with local_broker(kind="mosquitto") as broker:
        yield broker


@pytest.mark.broker
def test_a_real_broker_retains_exactly_what_is_configured_from_start_to_off(
    broker: LocalBroker, tmp_path: Path
) -> None:
    for wanted in (OLD, OLD, RENAMED, {}):
        with device(broker, tmp_path, wanted) as announcer, retained(broker) as now:
            settles(announcer, shows(now, wanted))
        with retained(broker) as now:  # who comes later finds the same
            until(shows(now, wanted))


@pytest.mark.broker
def test_discovery_switched_off_while_the_broker_was_away_is_cleared_once_it_is_back(
    broker: LocalBroker, tmp_path: Path
) -> None:
    with device(broker, tmp_path, OLD) as announcer, retained(broker) as now:
        settles(announcer, shows(now, OLD))
    broker.kill()
    with device(broker, tmp_path, {}) as announcer:
        announcer.tick()
        assert (tmp_path / FILE).exists()
        broker.start()
        restore(broker, OLD)
        with retained(broker) as now:
            settles(announcer, lambda: not (tmp_path / FILE).exists() and now() == {})


@pytest.mark.broker
def test_a_broker_that_forbids_it_is_said_once_and_its_topics_are_not_forgotten(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    if mosquitto() is None:
        pytest.skip("mosquitto is not installed")
    (tmp_path / "acl").write_text("topic read #\n")
    settings = f"acl_file {tmp_path / 'acl'}\nuser {getpass.getuser()}"
    with local_broker(kind="mosquitto", extra=settings) as broker:
        for times, wanted in enumerate((OLD, {}), start=1):
            with device(broker, tmp_path, wanted) as announcer:
                settles(announcer, lambda times=times: caplog.text.count("does not take all we publish") == times)
    assert caplog.text.count("(said once)") <= 1
    assert set(json.loads((tmp_path / FILE).read_bytes())["topics"]) == set(OLD)


@pytest.mark.broker
def test_a_broker_that_lost_everything_is_told_again(broker: LocalBroker, tmp_path: Path) -> None:
    with device(broker, tmp_path, OLD) as announcer:
        with retained(broker) as now:
            settles(announcer, shows(now, OLD))
        broker.kill()
        broker.start()
        with retained(broker) as now:
            settles(announcer, shows(now, OLD))


def restore(broker: LocalBroker, topics: Mapping[str, bytes]) -> None:
    """As a broker that kept its retained messages on disk."""
    session = Session("restorer", (), lambda: None, lambda: None, lambda _topic, _payload: None)
    client = MqttClient(Broker(host=broker.host, port=broker.port), session)
    client.start()
    assert client.wait_connected(10)
    receipts = [client.post(Message(topic, payload, qos=1, retain=True)) for topic, payload in topics.items()]
    until(lambda: all(receipt is not None and receipt.is_done() for receipt in receipts))
    client.stop()
