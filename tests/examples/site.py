"""The real link of a device, and the MicroPython example as it runs on its board, over a real broker."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from faceedge.config import Broker, Door
from faceedge.door.broker import LocalBroker
from faceedge.door.contract import Address, DoorKey
from faceedge.door.link import DoorLink, GrantResult
from faceedge.door.uplink import Uplink
from tests.door.conftest import ADDRESS, KEY
from tests.door.running import until
from tests.fakes.board import Board, settings


@dataclass
class Site:
    """Grants go out by `send`; results tell what became of them."""

    board: Board
    uplink: Uplink
    link: DoorLink
    address: Address
    results: list[GrantResult] = field(default_factory=list)

    @property
    def is_ready(self) -> bool:
        return self.uplink.connected and self.link.has_challenge(self.address.door)

    @property
    def verdicts(self) -> list[tuple[str, str, str]]:
        return [(result.token, result.verdict, result.why) for result in self.results]

    @property
    def state(self) -> str:
        return self.link.views()[self.address.door][self.address.controller].state

    def send(self, token: str, pulse_ms: int = 100, ttl_ms: int = 1500) -> str | None:
        return self.link.send_grant(
            self.address.door, reason="match", sub="s", pulse_ms=pulse_ms, ttl_ms=ttl_ms, token=token
        )

    def open(self, token: str, pulse_ms: int = 100) -> None:
        """Sends a grant and waits for it to open."""
        until(lambda: self.is_ready)
        assert self.send(token, pulse_ms) is None
        until(lambda: (token, "opened", "") in self.verdicts)

    def open_again(self, token: str) -> None:
        """After a restart of the board, or behind a flood, the first grant may be lost; then the next one opens."""
        until(lambda: self.is_ready)
        assert self.send(token) is None
        until(lambda: self.link.sweep() or token in [verdict[0] for verdict in self.verdicts])
        if (token, "opened", "") not in self.verdicts:
            self.open(token + ", again")


class Anyone:
    """Somebody else on the broker, without any key: keeps the last payload of every topic, and publishes."""

    def __init__(self, broker: LocalBroker) -> None:
        self.last: dict[str, bytes] = {}
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.on_message = lambda client, userdata, message: self.last.update({message.topic: message.payload})
        self._client.on_connect = lambda client, *_: client.subscribe("#", 1)
        self._client.connect(broker.host, broker.port)
        self._client.loop_start()

    def __enter__(self) -> Anyone:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, topic: str, payload: bytes, retain: bool = False) -> None:
        self._client.publish(topic, payload, qos=int(retain), retain=retain)


@contextmanager
def site(
    broker: LocalBroker, *keys: DoorKey, device: Broker | None = None, address: Address = ADDRESS, **config: Any
) -> Iterator[Site]:
    """A device and a board on one broker. keys, device: the device's side; config: what is different on the board."""
    names = {"DEVICE": address.device, "DOOR": address.door, "CONTROLLER": address.controller}
    with Board(
        settings(**{"BROKER_HOST": broker.host, "BROKER_PORT": broker.port} | names | config)
    ).powered() as board:
        results: list[GrantResult] = []
        door = Door(name=address.door, controllers=(address.controller,))
        uplink = Uplink(device or Broker(host=broker.host, port=broker.port), address.device)
        known = {(address.door, address.controller): keys or (KEY,)}
        link = DoorLink(uplink, address.device, [door], known, results.append)
        uplink.start()
        try:
            yield Site(board, uplink, link, address, results)
        finally:
            uplink.stop()
