"""All that goes over the broker, wired as the daemon wires it, over a real mosquitto."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from faceedge import __version__
from faceedge.config import Broker, Door, Events, HomeAssistant
from faceedge.door.broker import local_broker
from faceedge.door.connection import Message
from faceedge.door.discovery import Facts, discovery
from faceedge.door.keys import make_key
from faceedge.door.mqtt import MqttClient, Session
from faceedge.door.signed import SecondFactor, unsign
from faceedge.errors import StoreError
from faceedge.exchange import Exchange, Terms
from faceedge.journal.chain import Chain, Keep
from faceedge.journal.notes import Notes
from faceedge.journal.signing import public_path, read_public
from faceedge.journal.writer import Journal
from faceedge.types import Decision, Evidence
from tests.door.running import until
from tests.door.sniffer import Sniffer

pytestmark = pytest.mark.broker
DOOR = Door()
REVIEW = Decision(
    "entry", 1, 0, "review", "grey_zone", "grey", "somebody", Evidence(0.9, 0.1, 0.8, 3, 4, 1.0), 2.0, ("main",)
)


def terms(broker: Broker, *, discovery: bool = True) -> Terms:
    return Terms("dev", broker, (DOOR,), ("entry",), Events(), HomeAssistant(discovery=discovery))


class Desk:
    """An exchange that serves, and how often it was asked to hurry."""

    def __init__(self, state: Path, broker: Broker, *, discovery: bool = True) -> None:
        self.hurries = 0
        self.exchange = Exchange(terms(broker, discovery=discovery), state, lambda result: None)
        self.journal = Journal.of(state, Keep(), lambda _: None, self.exchange.wake)
        self.journal.start()
        self.exchange.serve({"ping": lambda _args, _key: ""}, self.journal, self.hurry)

    def hurry(self) -> None:
        self.hurries += 1


@contextmanager
def serving(state: Path, broker: Broker, *, discovery: bool = True) -> Iterator[Desk]:
    desk = Desk(state, broker, discovery=discovery)
    desk.exchange.start()
    try:
        yield desk
    finally:
        desk.exchange.stop()
        desk.journal.stop()


@pytest.fixture
def state(tmp_path: Path) -> Path:
    make_key(tmp_path, "main", "main")
    Chain.open(tmp_path).close()
    return tmp_path


@pytest.fixture
def broker() -> Iterator[Broker]:
    with local_broker() as running:
        yield Broker(host=running.host, port=running.port)


def test_with_discovery_on_exactly_what_describes_this_device_is_retained(state: Path, broker: Broker) -> None:
    wanted = discovery(Facts("dev", __version__, {"main": ("main",)}, ("entry",)))
    with Sniffer(broker) as sniffer, serving(state, broker) as desk:

        def announced() -> dict[str, bytes]:
            desk.exchange.tick()
            return {one.topic: one.payload for one in list(sniffer.heard) if one.topic.startswith("homeassistant/")}

        until(lambda: announced() == wanted)
        assert all(one.retain for one in sniffer.heard if one.topic.startswith("homeassistant/"))


def test_the_refresh_button_asks_for_the_state_and_nothing_else_is_obeyed_unsigned(state: Path, broker: Broker) -> None:
    quiet = Session("visitor", (), lambda: None, lambda: None, lambda _topic, _payload: None)
    visitor = MqttClient(broker, quiet)
    with Sniffer(broker) as sniffer, serving(state, broker) as desk:
        visitor.start()
        assert visitor.wait_connected(5)
        until(lambda: b"online" in sniffer.payloads("/availability"))
        before = desk.hurries
        visitor.publish(Message("faceedge/dev/cmd/lockdown", b"on", qos=1))
        visitor.publish(Message("faceedge/dev/button/refresh", b"PRESS"))
        until(lambda: desk.hurries > before)
        until(lambda: bool(desk.exchange.as_json()["commands"]))
        assert desk.exchange.as_json()["commands"] == {"size": 1}
        assert sniffer.payloads("/result") == []
        visitor.stop()


def test_what_is_noted_reaches_the_broker_as_an_event_and_leaves_the_outbox(state: Path, broker: Broker) -> None:
    with Sniffer(broker) as sniffer, serving(state, broker) as desk:
        Notes(desk.journal, lambda event: None, desk.hurry).camera("entry", False, "no such device")
        until(lambda: len(sniffer.payloads("/event/camera")) == 1)
        until(lambda: desk.exchange.as_json()["outbox"] == {"ok": True, "waiting": 0, "refused": []})


def test_a_second_factor_is_asked_for_under_the_key_of_the_device(state: Path, broker: Broker) -> None:
    asking = Exchange(terms(broker), state, lambda result: None).ask(REVIEW)
    assert asking is not None
    body, _ = unsign(SecondFactor, asking.payload, [read_public(public_path(state))])
    assert (body.decision, body.doors, body.sub, body.valid_ms) == (REVIEW.id, ["main"], "somebody", 30_000)


def test_without_the_devices_own_key_no_second_factor_is_asked_for(state: Path, broker: Broker) -> None:
    (state / "keys" / "journal.key").unlink()
    assert Exchange(terms(broker), state, lambda result: None).ask(REVIEW) is None


def test_a_door_without_a_key_is_refused_at_the_start(tmp_path: Path, broker: Broker) -> None:
    with pytest.raises(StoreError, match="faceedge door add"):
        Exchange(terms(broker), tmp_path, lambda result: None)
