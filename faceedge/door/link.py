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
from functools import partial
from typing import Any, Literal

from pydantic import ValidationError

from faceedge.config import Door
from faceedge.door.challenges import Challenges
from faceedge.door.contract import (
    Address,
    BadMessage,
    DoorKey,
    Grant,
    Verdict,
    fresh_token,
    seal,
    unseal,
)
from faceedge.door.mqtt import Message
from faceedge.door.uplink import Uplink
from faceedge.door.watch import View, Watch

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
    """All doors of one device over one uplink. Every grant that was sent gets one result a controller."""

    def __init__(
        self,
        uplink: Uplink,
        device: str,
        doors: Sequence[Door],
        keys: Mapping[tuple[str, str], Sequence[DoorKey]],
        on_result: Callable[[GrantResult], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """keys: by (door, controller). Make it before the uplink is started."""
        self._uplink = uplink
        self._addresses = {door.name: [Address(device, door.name, ctl) for ctl in door.controllers] for door in doors}
        self._keys = {at: keys[at.door, at.controller] for ats in self._addresses.values() for at in ats}
        self._on_result = on_result
        self._clock = clock
        self._lock = threading.Lock()
        self._challenges = {address: Challenges(known, clock) for address, known in self._keys.items()}
        self._watches = {at: Watch(known, self._challenges[at]) for at, known in self._keys.items()}
        self._sent: dict[str, _Sent] = {}
        self._unsent: deque[GrantResult] = deque()
        self._counts: Counter[str] = Counter()
        for address in self._keys:
            uplink.subscribe(address.topic("challenge"), 0, partial(self._on_challenge, address))
            uplink.subscribe(address.topic("verdict"), 1, partial(self._on_verdict, address))
            uplink.subscribe(address.topic("status"), 1, partial(self._on_status, address))
        uplink.on_up(self._on_up)

    @property
    def counts(self) -> dict[str, int]:
        """Messages that were ignored, by why; floods show here and change nothing."""
        with self._lock:
            heard = sum((book.counts for book in self._challenges.values()), self._counts)
            return dict(sum((watch.counts for watch in self._watches.values()), heard))

    def views(self) -> dict[str, dict[str, View]]:
        """What can be believed of each controller, by door and name."""
        with self._lock:
            return {
                door: {at.controller: self._watches[at].view() for at in ats} for door, ats in self._addresses.items()
            }

    def has_challenge(self, door: str) -> bool:
        """Whether a grant for this door could be sent now."""
        with self._lock:
            return any(self._challenges[address].fresh() for address in self._addresses[door])

    def send_grant(self, door: str, *, reason: str, sub: str, pulse_ms: int, ttl_ms: int, token: str) -> str | None:
        """Sends one grant to every controller of the door; None, or why none could be sent at all.

        When some were sent, the others are lost and get their result at the next `sweep`.
        """
        if not self._uplink.connected:
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
        text = json.dumps(body, separators=(",", ":")).encode("ascii")
        self._uplink.publish(Message(f"{self._uplink.prefix}/decision", text))

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
                wire = _sealed(heard.key, address, {**draft, "id": grant_id, "n": heard.nonce, "ttl_ms": died_ms})
            except ValidationError as error:
                log.error("grant not sent, %s is wrong: %s", error.errors()[0]["loc"], error.errors()[0]["msg"])
                return "the grant cannot be written"
            self._sent[grant_id] = _Sent(token, address, now, now + ttl_ms / 1000)
            heard.is_spent = True
        message = Message(address.topic("grant"), wire, expiry_s=math.ceil(ttl_ms / 1000))
        if self._uplink.publish(message):
            return None
        with self._lock:
            self._sent.pop(grant_id, None)
        return "offline"

    def _on_challenge(self, address: Address, wire: bytes) -> None:
        with self._lock:
            self._challenges[address].receive(wire)

    def _on_status(self, address: Address, wire: bytes) -> None:
        with self._lock:
            self._watches[address].receive(wire)

    def _on_verdict(self, address: Address, wire: bytes) -> None:
        now = self._clock()
        with self._lock:
            verdict = self._genuine_verdict(address, wire)
            if verdict is None:
                return
            sent = self._sent.pop(verdict.id)
            result = sent.result("opened" if verdict.opened else "refused", verdict.why, now)
            self._challenges[address].prove(verdict.boot, sent.at)
        self._on_result(result)

    def _genuine_verdict(self, address: Address, wire: bytes) -> Verdict | None:
        """A verdict on a grant that is out, from the controller it was sent to."""
        try:
            verdict, _ = unseal(Verdict, wire, self._keys[address])
        except BadMessage as bad:
            self._counts[f"verdict {bad}"] += 1
            return None
        sent = self._sent.get(verdict.id)
        if sent is None or sent.address != address:
            self._counts["verdict late or replayed"] += 1
            return None
        return verdict

    def _on_up(self) -> None:
        with self._lock:
            for challenges in self._challenges.values():
                challenges.expire()


def _sealed(key: DoorKey, at: Address, draft: Mapping[str, Any]) -> bytes:
    return seal(key, Grant(dev=at.device, door=at.door, ctl=at.controller, kid=key.kid, **draft))
