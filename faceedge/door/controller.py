"""The reference door controller: a verifier, a relay, and the broker between it and the device.

`faceedge door simulate` runs it as a process of its own; what it does it tells as events.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from faceedge.config import Broker
from faceedge.door.contract import Address, DoorKey, DoorState
from faceedge.door.latch import MAX_PULSE_MS, Change, Latch
from faceedge.door.mqtt import Message, MqttClient, Session
from faceedge.door.relays import NoRelay, Relay
from faceedge.door.verifier import MAX_AGE_S, Ruling, Verifier

TICK_S = 0.05
RELAY_TICK_S = 0.005
"""While a relay is asked: its answer becomes the verdict."""
CHALLENGE_EXPIRY_S = 2
TELL_IGNORED_S = 1.0
MOST_BYTES = 2048
"""Of a packet that comes in. The largest is a grant: 556 bytes and its topic."""
HELD_OPEN_S = 30.0
"""A door that stands open for longer without a pulse is held open."""
assert CHALLENGE_EXPIRY_S <= MAX_AGE_S, "a challenge that the broker kept too long is not worth answering"


class Stop(Protocol):
    """A wish to end, as `threading.Event` has it."""

    def wait(self, timeout: float) -> bool:
        """Whether it was wished within so many seconds."""
        ...


@dataclass(frozen=True, slots=True)
class DoorEvent:
    """What happened at the door.

    why: of a refusal, or of a fault of the relay. id, reason, sub: of the grant. pulse_ms: asked for and allowed.
    count: bad messages so far, for `ignored`.
    """

    event: Literal["connected", "disconnected", "opened", "refused", "closed", "ignored", "fault", "mended"]
    why: str = ""
    id: str = ""
    reason: str = ""
    sub: str = ""
    pulse_ms: int = 0
    count: int = 0


@dataclass(frozen=True, slots=True)
class Sight:
    """The controller at this moment. left_s: of the pulse. asked: challenges so far. counts: messages so far."""

    state: DoorState
    is_connected: bool
    left_s: float
    asked: int
    counts: dict[str, int]


class Controller:
    """One controller of one door. It says `opened` when its relay has obeyed, and `closed` when it has let go.

    Events come from two threads, but never two at once. Whoever takes them must not block: the pulse would not end.
    """

    def __init__(
        self,
        broker: Broker,
        address: Address,
        keys: Sequence[DoorKey],
        on_event: Callable[[DoorEvent], None],
        clock: Callable[[], float] = time.monotonic,
        *,
        relay: Relay | None = None,
        max_pulse_ms: int = MAX_PULSE_MS,
        stands_open: Callable[[], bool] = lambda: False,
    ) -> None:
        """relay: closed at the end of `run`. stands_open: the door contact; nothing opens because of it.

        Raises ConfigError or StoreError when the broker's settings are bad.
        """
        self.verifier = Verifier(address, keys, clock)
        self._address = address
        self._on_event = on_event
        self._clock = clock
        self._lock = threading.RLock()  # an event handler may look at the controller
        self._latch = Latch(relay or NoRelay(), clock, max_pulse_ms)
        self._stands_open = stands_open
        self._shut_at = clock()
        self._granted: Ruling | None = None
        self._told_state: DoorState = "offline"
        self._is_leaving = False
        self._was_connected = False
        self._told_ignored = 0
        self._tell_ignored_at = 0.0
        session = Session(
            client_id=f"faceedge.{address.device}.{address.door}.{address.controller}",
            subscriptions=((address.topic("grant"), 0),),
            last_word=lambda: self._status_message("offline"),
            on_up=self._on_up,
            on_message=self._on_grant,
            most_bytes=MOST_BYTES,
        )
        self._mqtt = MqttClient(broker, session)

    @property
    def is_open(self) -> bool:
        return self._latch.is_open

    @property
    def protocol(self) -> str:
        """MQTT version spoken: 5 or 3.1.1."""
        return self._mqtt.protocol

    def sight(self) -> Sight:
        """For a face; any thread may ask."""
        with self._lock:
            counts = dict(self.verifier.counts)
            return Sight(self._state(), self._mqtt.connected, self._latch.left_s, self.verifier.asked, counts)

    def run(self, stop: Stop) -> None:
        """Serves until `stop`; leaves the relay released and says `offline`. Below 2 s with a relay that obeys."""
        self._mqtt.start()
        try:
            while not stop.wait(RELAY_TICK_S if self._latch.is_busy else TICK_S):
                self.tick()
        finally:
            with self._lock:
                self._is_leaving = True
            self._tell_door(self._latch.close())
            self._mqtt.stop()

    def tick(self) -> None:
        """Asks anew when it is time, hears the relay, ends its pulse. Call it every 50 ms or so."""
        with self._lock:
            self._tell_link()
            self._look_at_door()
            self._tell_door(self._latch.tick())
            if self._mqtt.connected and self.verifier.is_due:
                self._ask()
            self._tell_ignored()

    def _on_up(self) -> None:
        with self._lock:
            self._tell_link()
            self._tell_state()
            self._ask()

    def _on_grant(self, _topic: str, wire: bytes) -> None:
        with self._lock:
            if self._is_leaving:
                return
            ruling = self.verifier.rule(wire)
            if not ruling.opens:
                self._answer(ruling)
            elif self._latch.is_busy:
                self._answer(ruling.refused("relay busy"))
            else:
                self._open(ruling)

    def _open(self, ruling: Ruling) -> None:
        assert ruling.grant is not None
        self._granted = ruling
        self._latch.open(ruling.grant.pulse_ms)
        self._tell_door(self._latch.tick())
        self._ask()

    def _answer(self, ruling: Ruling) -> None:
        answer = self.verifier.answer(ruling)
        if answer is None or ruling.grant is None:
            return
        grant = ruling.grant
        name: Literal["opened", "refused"] = "opened" if ruling.opens else "refused"
        pulse_ms = self._latch.allowed_ms(grant.pulse_ms)
        self._on_event(DoorEvent(name, ruling.why, grant.id, grant.reason, grant.sub, pulse_ms))
        self._mqtt.publish(Message(self._address.topic("verdict"), answer, qos=1))

    def _ask(self) -> None:
        wire = self.verifier.challenge()
        self._mqtt.publish(Message(self._address.topic("challenge"), wire, expiry_s=CHALLENGE_EXPIRY_S))

    def _tell_door(self, changes: list[Change]) -> None:
        """The verdict says what the relay did, not what it was told."""
        with self._lock:
            for change in changes:
                if change in ("opened", "failed"):
                    ruling, self._granted = self._granted, None
                    assert ruling is not None, "the latch opens for grants only"
                    self._answer(ruling if change == "opened" else ruling.refused("relay"))
                elif change == "fault":
                    self._on_event(DoorEvent("fault", why=self._latch.fault))
                elif change in ("closed", "mended"):
                    self._on_event(DoorEvent(change))
            if self._state() != self._told_state:
                self._tell_state()

    def _state(self) -> DoorState:
        if self._latch.fault:
            return "fault"
        if self._latch.is_open:
            return "unlocked"
        return "held_open" if self._clock() - self._shut_at > HELD_OPEN_S else "locked"

    def _look_at_door(self) -> None:
        if self._latch.is_open or not self._stands_open():
            self._shut_at = self._clock()

    def _tell_state(self) -> None:
        """What a slow link does not take now is told at a later tick; after a connect all is told anew."""
        state = self._state()
        if self._mqtt.publish(self._status_message(state)) or not self._mqtt.connected:
            self._told_state = state

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
