"""The real link of a device, and the MicroPython example as it runs on its board, over a real broker."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from faceedge.config import Broker, Door
from faceedge.door.broker import LocalBroker
from faceedge.door.contract import DoorKey
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
    results: list[GrantResult] = field(default_factory=list)

    @property
    def is_ready(self) -> bool:
        return self.uplink.connected and self.link.has_challenge(ADDRESS.door)

    @property
    def verdicts(self) -> list[tuple[str, str, str]]:
        return [(result.token, result.verdict, result.why) for result in self.results]

    @property
    def state(self) -> str:
        return self.link.views()[ADDRESS.door][ADDRESS.controller].state

    def send(self, token: str, pulse_ms: int = 100, ttl_ms: int = 1500) -> str | None:
        return self.link.send_grant(
            ADDRESS.door, reason="match", sub="s", pulse_ms=pulse_ms, ttl_ms=ttl_ms, token=token
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


@contextmanager
def site(broker: LocalBroker, *keys: DoorKey, device: Broker | None = None, **config: Any) -> Iterator[Site]:
    """A device and a board on one broker. keys: the device's; config: what is different on the board."""
    with Board(settings(**{"BROKER_HOST": broker.host, "BROKER_PORT": broker.port} | config)).powered() as board:
        results: list[GrantResult] = []
        door = Door(name=ADDRESS.door, controllers=(ADDRESS.controller,))
        uplink = Uplink(device or Broker(host=broker.host, port=broker.port), ADDRESS.device)
        known = {(ADDRESS.door, ADDRESS.controller): keys or (KEY,)}
        link = DoorLink(uplink, ADDRESS.device, [door], known, results.append)
        uplink.start()
        try:
            yield Site(board, uplink, link, results)
        finally:
            uplink.stop()
