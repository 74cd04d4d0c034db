"""The device's side of a door without its cameras, and controllers: all that a decision passes, over a real broker.

Decisions are made up; rules, lockdown, journal, grants and verdicts are the product's own.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from faceedge.chaos.proxy import SwallowingProxy
from faceedge.config import Broker, Door, Events, HomeAssistant
from faceedge.door.broker import LocalBroker
from faceedge.door.contract import Address, DoorKey
from faceedge.door.controller import Controller, DoorEvent
from faceedge.door.keys import key_path, make_key, read_key
from faceedge.door.link import GrantResult
from faceedge.door.relays import Relay
from faceedge.exchange import Exchange, Terms
from faceedge.journal.chain import Keep
from faceedge.journal.writer import Journal
from faceedge.lockdown import Lockdown
from faceedge.permit import Permit
from faceedge.publish import Publisher
from faceedge.rules.book import Book, Standing
from faceedge.types import Decision, Evidence

ANNA = "5d0c4b9e-0f6c-4a76-9d3a-0c8f3f1f3a11"
SOON_S = 10.0


class Told(NamedTuple):
    """What is told of a decision."""

    outcome: str
    reason: str
    verdict: str | None
    why: str


class Guard:
    """A controller in a thread of its own."""

    def __init__(self, broker: Broker, address: Address, keys: list[DoorKey], relay: Relay | None = None) -> None:
        self.events: list[DoorEvent] = []
        self._controller = Controller(broker, address, keys, self.events.append, relay=relay)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._controller.run, args=(self._stop,))
        self._thread.start()

    def count(self, event: str) -> int:
        return sum(one.event == event for one in self.events)

    def whys(self, event: str) -> list[str]:
        return [one.why for one in self.events if one.event == event]

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()


def at(where: LocalBroker | SwallowingProxy, **more: Any) -> Broker:
    """The way to a broker, or to a proxy before it."""
    return Broker(port=where.port, **{"keepalive_s": 2} | more)


class Entrance:
    """Use it in a `with` block. Controllers are made by `guard`, after the entrance."""

    def __init__(
        self, folder: Path, device: Broker, *controllers: str, ttl_ms: int = 1500, pulse_ms: int = 100
    ) -> None:
        self.state = folder / "state"
        self.door = Door(name="main", controllers=controllers or ("main",), ttl_ms=ttl_ms, pulse_ms=pulse_ms)
        for controller in self.door.controllers:
            if not key_path(self.state, "main", controller).exists():
                make_key(self.state, "main", controller)
        self.told: list[Told] = []
        self.book: Book | None = Book({ANNA: Standing()})
        self.now: datetime | None = datetime(2026, 6, 10, 12, tzinfo=timezone.utc)
        terms = Terms("dev", device, (self.door,), ("entry",), Events(), HomeAssistant())
        self.exchange = Exchange(terms, self.state, self._result)
        self.journal = Journal.of(self.state, Keep(), lambda why: None, self.exchange.wake)
        self.lockdown = Lockdown(self.state)
        self._guards: list[Guard] = []
        self._permit = Permit(
            lambda: self.book, {"entry": ("main",)}, lambda: self.now, lambda *_: None, lambda: self.lockdown.is_on
        )
        self._publisher = Publisher(
            self.exchange.link, {"entry": [self.door]}, self._tell, lambda *_: None, journal=self.journal
        )

    def __enter__(self) -> Entrance:
        self.journal.start()
        self.exchange.serve({}, self.journal, lambda: None)
        self.exchange.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for guard in self._guards:
            guard.stop()
        self.exchange.stop()
        self.journal.stop()

    def guard(
        self, broker: Broker, controller: str = "main", key: DoorKey | None = None, relay: Relay | None = None
    ) -> Guard:
        """A controller of the door, with its own key unless given another."""
        own = read_key(key_path(self.state, "main", controller))
        self._guards.append(Guard(broker, Address("dev", "main", controller), [key or own], relay))
        return self._guards[-1]

    def decide(self) -> Told:
        """A grant for Anna is decided now; what became of it."""
        before = len(self.told)
        now = time.monotonic()
        evidence = Evidence(0.9, float("inf"), 0.8, 3, 3, now)
        made = Decision("entry", 1, 0, "grant", "match", "trusted", ANNA, evidence, now + 0.5)
        self._publisher.publish(self._permit(made))
        self.until(lambda: len(self.told) > before)
        return self.told[-1]

    def until(self, happened: Callable[[], object], within_s: float = SOON_S) -> None:
        """Waits, and gives up on grants whose time is over."""
        deadline = time.monotonic() + within_s
        while not happened():
            assert time.monotonic() < deadline, f"did not happen within {within_s} s"
            self.exchange.link.sweep()
            time.sleep(0.005)

    def until_ready(self, within_s: float = SOON_S) -> None:
        """Until a grant could be sent."""
        self.until(lambda: self.exchange.link.has_challenge("main") and self.exchange.as_json()["mqtt"], within_s)

    def opens(self, within_s: float = SOON_S) -> None:
        """Decides until the door has opened."""
        self.until(lambda: self.decide().verdict == "opened", within_s)

    def view(self, controller: str = "main") -> dict[str, Any]:
        """What the device says of a controller in its state."""
        return self.exchange.link.views()["main"][controller]._asdict()

    def _result(self, result: GrantResult) -> None:
        self._publisher.result(result)

    def _tell(self, event: dict[str, Any]) -> None:
        self.told.append(Told(event["outcome"], event["reason"], event["verdict"], event["why"]))


def lost(entrance: Entrance, why: str) -> str:
    """Decides until that is what becomes of it; returns it."""
    entrance.until(lambda: entrance.decide().why == why)
    return entrance.told[-1].why


class Listener:
    """Somebody who reads along on the broker: the last payload of each topic."""

    def __init__(self, port: int, topic: str = "faceedge/#") -> None:
        self.last: dict[str, bytes] = {}
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.on_connect = lambda client, *_: client.subscribe(topic, 1)
        self._client.on_message = lambda client, userdata, message: self._note(message)
        self._client.reconnect_delay_set(1, 1)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def __enter__(self) -> Listener:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def json(self, topic: str) -> dict[str, Any]:
        """Empty before anything came."""
        read: dict[str, Any] = json.loads(self.last.get(topic, b"{}"))
        return read

    def _note(self, message: paho.MQTTMessage) -> None:
        self.last[message.topic] = bytes(message.payload)
