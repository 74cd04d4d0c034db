"""Device side of the door: answers challenges with grants, waits for verdicts, tells what became of each.

Made and swept by the daemon; `send_grant` is called by the stage that publishes, results come from the MQTT thread
or from whoever sweeps.
"""

from __future__ import annotations

import json
import logging
import math
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ValidationError

from faceedge.config import Broker, Door
from faceedge.door.challenges import Challenges
from faceedge.door.contract import (
    Address,
    BadMessage,
    DoorKey,
    Grant,
    Verdict,
    fresh_token,
    prefix,
    seal,
    unseal,
)
from faceedge.door.mqtt import Message, MqttClient, Session

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class GrantResult:
    """What became of a grant at one controller. token: the caller's. seconds: since it was sent."""

    token: str
    door: str
    controller: str
    verdict: Literal["opened", "refused", "lost"]
    why: str
    seconds: float


@dataclass(frozen=True, slots=True)
class _Sent:
    token: str
    address: Address
    at: float
    deadline: float

    def result(self, verdict: Literal["opened", "refused", "lost"], why: str, now: float) -> GrantResult:
        return GrantResult(self.token, self.address.door, self.address.controller, verdict, why, now - self.at)


class DoorLink:
    """All doors of one device over one broker. Every grant that was sent gets one result a controller."""

    def __init__(
        self,
        broker: Broker,
        device: str,
        doors: Sequence[Door],
        keys: Mapping[tuple[str, str], DoorKey],
        on_result: Callable[[GrantResult], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """keys: by (door, controller). Raises ConfigError or StoreError when the broker's settings are unusable."""
        self._prefix = prefix(device)
        self._addresses = {door.name: [Address(device, door.name, ctl) for ctl in door.controllers] for door in doors}
        self._keys = {at: keys[at.door, at.controller] for ats in self._addresses.values() for at in ats}
        self._on_result = on_result
        self._clock = clock
        self._lock = threading.Lock()
        self._challenges = {address: Challenges([key], clock) for address, key in self._keys.items()}
        self._sent: dict[str, _Sent] = {}
        self._unsent: deque[GrantResult] = deque()
        self._state: bytes | None = None
        self._counts: Counter[str] = Counter()
        self._routes = {at.topic("challenge"): (self._on_challenge, at) for at in self._keys}
        self._routes |= {at.topic("verdict"): (self._on_verdict, at) for at in self._keys}
        subscriptions = tuple((topic, int(topic.endswith("/verdict"))) for topic in self._routes)
        self._mqtt = MqttClient(
            broker, Session(f"faceedge.{device}", subscriptions, self._offline, self._on_up, self._on_message)
        )

    @property
    def connected(self) -> bool:
        """The broker has accepted us. No proof that a grant arrives: only a verdict is."""
        return self._mqtt.connected

    @property
    def protocol(self) -> str:
        """MQTT version spoken: 5, or 3.1.1 where the broker refused 5 from the start."""
        return self._mqtt.protocol

    @property
    def counts(self) -> dict[str, int]:
        """Messages that were ignored, by why; floods show here and change nothing."""
        with self._lock:
            return dict(sum((book.counts for book in self._challenges.values()), self._counts))

    def start(self) -> None:
        self._mqtt.start()

    def stop(self) -> None:
        """Says `offline`, leaves, and ends the thread; below 2 s. Grants still out are lost."""
        self._mqtt.stop()

    def wait_connected(self, timeout_s: float) -> bool:
        return self._mqtt.wait_connected(timeout_s)

    def has_challenge(self, door: str) -> bool:
        """Whether a grant for this door could be sent now."""
        with self._lock:
            return any(self._challenges[address].fresh() for address in self._addresses[door])

    def send_grant(self, door: str, *, reason: str, sub: str, pulse_ms: int, ttl_ms: int, token: str) -> str | None:
        """Sends one grant to every controller of the door; None, or why none could be sent at all.

        When some were sent, the others are lost and get their result at the next `sweep`.
        """
        if not self.connected:
            return "offline"
        draft = {"reason": reason, "sub": sub, "pulse_ms": pulse_ms}
        refusals = {address: self._send(address, draft, ttl_ms, token) for address in self._addresses[door]}
        failed = [(address, why) for address, why in refusals.items() if why is not None]
        if len(failed) == len(refusals):
            return failed[0][1] if failed else "no controller"
        self._unsent.extend(GrantResult(token, to.door, to.controller, "lost", why, 0.0) for to, why in failed)
        return None

    def sweep(self) -> None:
        """Gives up on grants without a verdict inside their time to live. Call it every 50 ms or so."""
        now = self._clock()
        with self._lock:
            over = [grant_id for grant_id, sent in self._sent.items() if now > sent.deadline]
            lost = [self._sent.pop(grant_id).result("lost", "no verdict", now) for grant_id in over]
        while self._unsent:
            lost.append(self._unsent.popleft())
        for result in lost:
            self._on_result(result)

    def publish_decision(self, decision: Mapping[str, str]) -> None:
        """Tells people and home automation outcome, reason and band; whatever else is in there stays here."""
        body = {name: decision[name] for name in ("outcome", "reason", "band")}
        self._mqtt.publish(Message(f"{self._prefix}/decision", _json(body)))

    def publish_state(self, state: Mapping[str, Any]) -> None:
        """Publishes the retained state now, or as soon as the broker is back."""
        self._state = _json(state)
        self._publish_state()

    def _send(self, address: Address, draft: Mapping[str, Any], ttl_ms: int, token: str) -> str | None:
        now = self._clock()
        with self._lock:
            heard = self._challenges[address].fresh()
            if heard is None:
                return "no fresh challenge"
            # The controller counts from when it made the challenge, which was before we heard it: by adding
            # only the time since then, the door cannot open later than ttl_ms from now.
            died_ms = ttl_ms + math.floor(1000 * (now - heard.at))
            grant_id = fresh_token()
            try:
                wire = self._seal(address, {**draft, "id": grant_id, "n": heard.nonce, "ttl_ms": died_ms})
            except ValidationError as error:
                log.error("grant not sent, %s is wrong: %s", error.errors()[0]["loc"], error.errors()[0]["msg"])
                return "the grant cannot be written"
            self._sent[grant_id] = _Sent(token, address, now, now + ttl_ms / 1000)
            heard.is_spent = True
        message = Message(address.topic("grant"), wire, expiry_s=math.ceil(ttl_ms / 1000))
        if self._mqtt.publish(message):
            return None
        with self._lock:
            self._sent.pop(grant_id, None)
        return "offline"

    def _seal(self, address: Address, draft: Mapping[str, Any]) -> bytes:
        key = self._keys[address]
        return seal(key, Grant(dev=address.device, door=address.door, ctl=address.controller, kid=key.kid, **draft))

    def _on_message(self, topic: str, wire: bytes) -> None:
        if route := self._routes.get(topic):  # a broker may send what was not asked for
            receive, address = route
            receive(address, wire)

    def _on_challenge(self, address: Address, wire: bytes) -> None:
        with self._lock:
            self._challenges[address].receive(wire)

    def _on_verdict(self, address: Address, wire: bytes) -> None:
        now = self._clock()
        with self._lock:
            verdict = self._genuine_verdict(address, wire)
            if verdict is None:
                return
            result = self._sent.pop(verdict.id).result("opened" if verdict.opened else "refused", verdict.why, now)
            self._challenges[address].prove(verdict.boot)
        self._on_result(result)

    def _genuine_verdict(self, address: Address, wire: bytes) -> Verdict | None:
        """A verdict on a grant that is out, from the controller it was sent to."""
        try:
            verdict, _ = unseal(Verdict, wire, [self._keys[address]])
        except BadMessage as bad:
            self._counts[f"verdict {bad}"] += 1
            return None
        sent = self._sent.get(verdict.id)
        if sent is None or sent.address != address:
            self._counts["verdict late or replayed"] += 1
            return None
        return verdict

    def _offline(self) -> Message:
        return Message(f"{self._prefix}/availability", b"offline", qos=1, retain=True)

    def _on_up(self) -> None:
        with self._lock:
            for challenges in self._challenges.values():
                challenges.expire()
        self._mqtt.publish(Message(f"{self._prefix}/availability", b"online", qos=1, retain=True))
        self._publish_state()

    def _publish_state(self) -> None:
        if self._state is not None:
            self._mqtt.publish(Message(f"{self._prefix}/state", self._state, qos=1, retain=True))


def _json(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, separators=(",", ":"), allow_nan=False).encode("ascii")
