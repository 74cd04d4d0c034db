"""The reference door controller: a verifier, a relay, and the broker between it and the device.

`faceedge door simulate` runs it as a process of its own; what it does it tells as events.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from faceedge.config import Broker
from faceedge.door.contract import Address, DoorKey, DoorState
from faceedge.door.mqtt import Message, MqttClient, Session
from faceedge.door.verifier import MAX_AGE_S, Verifier

TICK_S = 0.05
CHALLENGE_EXPIRY_S = 2
TELL_IGNORED_S = 1.0
assert CHALLENGE_EXPIRY_S <= MAX_AGE_S, "a challenge that the broker kept too long is not worth answering"


@dataclass(frozen=True, slots=True)
class DoorEvent:
    """What happened at the door.

    why: of a refusal. id, reason, sub, pulse_ms: of the grant. count: bad messages so far, for `ignored`.
    """

    event: Literal["connected", "disconnected", "opened", "refused", "closed", "ignored"]
    why: str = ""
    id: str = ""
    reason: str = ""
    sub: str = ""
    pulse_ms: int = 0
    count: int = 0


class Controller:
    """One controller of one door. `on_event` is the relay too: `opened` energises it, `closed` lets it go.

    Events come from two threads, but never two at once.
    """

    def __init__(
        self,
        broker: Broker,
        address: Address,
        keys: Sequence[DoorKey],
        on_event: Callable[[DoorEvent], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raises ConfigError or StoreError when the broker's settings cannot be used."""
        self.verifier = Verifier(address, keys, clock)
        self._address = address
        self._on_event = on_event
        self._clock = clock
        self._lock = threading.RLock()  # an event handler may look at the controller
        self._close_at: float | None = None
        self._was_connected = False
        self._told_ignored = 0
        self._tell_ignored_at = 0.0
        session = Session(
            client_id=f"faceedge.{address.device}.{address.door}.{address.controller}",
            subscriptions=((address.topic("grant"), 0),),
            last_word=lambda: self._status_message("offline"),
            on_up=self._on_up,
            on_message=self._on_grant,
        )
        self._mqtt = MqttClient(broker, session)

    @property
    def is_open(self) -> bool:
        return self._close_at is not None

    @property
    def protocol(self) -> str:
        """MQTT version spoken: 5 or 3.1.1."""
        return self._mqtt.protocol

    def run(self, stop: threading.Event) -> None:
        """Serves until `stop`; leaves the relay released and says `offline`. Below 2 s."""
        self._mqtt.start()
        try:
            while not stop.wait(TICK_S):
                self.tick()
        finally:
            self._release()
            self._mqtt.stop()

    def tick(self) -> None:
        """Asks anew when it is time, lets the relay go when its pulse is over. Call it every 50 ms or so."""
        with self._lock:
            self._tell_link()
            if self._close_at is not None and self._clock() >= self._close_at:
                self._release()
            if self._mqtt.connected and self.verifier.is_due:
                self._ask()
            self._tell_ignored()

    def _on_up(self) -> None:
        with self._lock:
            self._tell_link()
            self._mqtt.publish(self._status_message("unlocked" if self.is_open else "locked"))
            self._ask()

    def _on_grant(self, _topic: str, wire: bytes) -> None:
        with self._lock:
            ruling = self.verifier.judge(wire)
            if ruling.grant is None:
                return
            grant = ruling.grant
            if ruling.opens:
                self._close_at = self._clock() + grant.pulse_ms / 1000
            if ruling.answer is not None:
                name: Literal["opened", "refused"] = "opened" if ruling.opens else "refused"
                self._on_event(DoorEvent(name, ruling.why, grant.id, grant.reason, grant.sub, grant.pulse_ms))
                self._mqtt.publish(Message(self._address.topic("verdict"), ruling.answer, qos=1))
            if ruling.opens:
                self._mqtt.publish(self._status_message("unlocked"))
                self._ask()

    def _ask(self) -> None:
        wire = self.verifier.challenge()
        self._mqtt.publish(Message(self._address.topic("challenge"), wire, expiry_s=CHALLENGE_EXPIRY_S))

    def _release(self) -> None:
        with self._lock:
            if self._close_at is not None:
                self._close_at = None
                self._on_event(DoorEvent("closed"))
                self._mqtt.publish(self._status_message("locked"))

    def _status_message(self, state: DoorState) -> Message:
        """Retained only where the memory of it is harmless: nobody shall read `unlocked` from the past."""
        with self._lock:
            wire = self.verifier.status(state)
        return Message(self._address.topic("status"), wire, qos=1, retain=state not in ("unlocked", "held_open"))

    def _tell_link(self) -> None:
        connected = self._mqtt.connected
        if connected != self._was_connected:
            self._was_connected = connected
            self._on_event(DoorEvent("connected" if connected else "disconnected"))

    def _tell_ignored(self) -> None:
        """A flood is one line a second, not one a message."""
        ignored = sum(count for why, count in self.verifier.counts.items() if why != "opened")
        if ignored > self._told_ignored and self._clock() >= self._tell_ignored_at:
            self._told_ignored, self._tell_ignored_at = ignored, self._clock() + TELL_IGNORED_S
            self._on_event(DoorEvent("ignored", count=ignored))
