"""A device's link and a controller's loop, running over a real broker; for tests that cross a socket."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType

from faceedge.config import Broker, Door
from faceedge.door.contract import Address
from faceedge.door.controller import Controller, DoorEvent
from faceedge.door.link import DoorLink, GrantResult
from faceedge.door.uplink import Uplink
from tests.door.conftest import ADDRESS, KEY
from tests.fakes.clock import FakeClock


def until(happened: Callable[[], bool], within_s: float = 10.0) -> None:
    """Waits for something that other threads bring about."""
    deadline = time.monotonic() + within_s
    while not happened():
        assert time.monotonic() < deadline, f"did not happen within {within_s} s"
        time.sleep(0.002)


class Running:
    """Use it in a `with` block. device, controller: the broker as each of them sees it."""

    def __init__(
        self,
        device: Broker,
        controller: Broker,
        clock: Callable[[], float] = time.monotonic,
        address: Address = ADDRESS,
    ) -> None:
        self._clock = clock
        self.results: list[GrantResult] = []
        self.events: list[DoorEvent] = []
        self.door = Door(name=address.door, controllers=(address.controller,), pulse_ms=100)
        keys = {(address.door, address.controller): (KEY,)}
        self.uplink = Uplink(device, address.device)
        self.link = DoorLink(self.uplink, address.device, [self.door], keys, self.results.append, clock)
        self.controller = Controller(controller, address, [KEY], self.events.append, clock)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self.controller.run, args=(self._stop,))

    def __enter__(self) -> Running:
        self.uplink.start()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.uplink.stop()
        self._stop.set()
        self._thread.join()

    @property
    def opened(self) -> int:
        return sum(event.event == "opened" for event in self.events)

    @property
    def verdicts(self) -> list[tuple[str, str, str]]:
        return [(result.token, result.verdict, result.why) for result in self.results]

    def ready(self, within_s: float = 10.0) -> None:
        """Waits until a grant could be sent; a clock that stands still is moved on to the next challenge."""
        deadline = time.monotonic() + within_s
        while not (self.uplink.connected and self.link.has_challenge(self.door.name)):
            assert time.monotonic() < deadline, f"no challenge within {within_s} s"
            time.sleep(0.01)
            if isinstance(self._clock, FakeClock):
                self._clock.advance(0.1)

    def send(self, token: str, ttl_ms: int = 1500) -> str | None:
        return self.link.send_grant(self.door.name, reason="match", sub="s", pulse_ms=100, ttl_ms=ttl_ms, token=token)

    def open(self, token: str) -> None:
        """Sends a grant and waits for it to open."""
        self.ready()
        assert self.send(token) is None
        until(lambda: (token, "opened", "") in self.verdicts)
