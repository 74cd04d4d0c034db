"""Asks one controller whether it is there: listens to it, and on request sends it one genuine grant.

Run by `faceedge door test` and `faceedge door key finish`, beside the daemon and over a connection of its own.
"""

from __future__ import annotations

import math
import secrets
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import TracebackType

from faceedge.config import Broker
from faceedge.door.challenges import ANSWERS_S, FRESH_S, Challenges, Heard
from faceedge.door.connection import Message, Session
from faceedge.door.contract import Address, BadMessage, DoorKey, Grant, Verdict, fresh_token, seal, unseal
from faceedge.door.mqtt import MqttClient
from faceedge.door.watch import Watch
from faceedge.errors import LinkError

CONNECT_S = 5.0
POLL_S = 0.01
MAX_TIMES = 1000


@dataclass(frozen=True, slots=True)
class Found:
    """What was heard of a controller. kid: the key of its last challenge, empty when it does not answer.

    rhythm_ms: median time between challenges. jitter_ms: largest distance of one from that. Both None for too few.
    ignored: messages that changed nothing, by why.
    """

    answering: bool
    challenges: int
    boot: str
    kid: str
    state: str
    rhythm_ms: float | None
    jitter_ms: float | None
    ignored: dict[str, int]


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a grant: `opened`, `refused` or `lost`. latency_ms: until the verdict, None without one."""

    verdict: str
    why: str
    latency_ms: float | None


class Probe:
    """One controller, looked at. Use it in a `with` block."""

    def __init__(
        self,
        broker: Broker,
        address: Address,
        keys: Sequence[DoorKey],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raises ConfigError or StoreError when the broker's settings cannot be used."""
        self._address = address
        self._keys = keys
        self._where = f"{broker.host}:{broker.port}"
        self._lock = threading.Lock()
        self._challenges = Challenges(keys, clock)
        self._watch = Watch(keys, self._challenges)
        self._times: dict[str, list[float]] = {}
        self._counts: Counter[str] = Counter()
        self._verdicts: dict[str, Verdict] = {}
        self._sent = ""
        self._routes = {
            address.topic("challenge"): self._on_challenge,
            address.topic("verdict"): self._on_verdict,
            address.topic("status"): self._watch.receive,
        }
        name = f"faceedge.{address.device}.test.{secrets.token_hex(4)}"
        subscriptions = tuple((topic, 0) for topic in self._routes)
        self._mqtt = MqttClient(broker, Session(name, subscriptions, lambda: None, lambda: None, self._on_message))

    def __enter__(self) -> Probe:
        """Raises LinkError when the broker cannot be reached."""
        self._mqtt.start()
        if not self._mqtt.wait_connected(CONNECT_S):
            self._mqtt.stop()
            raise LinkError(f"no broker at {self._where}; check [broker] in the configuration, and that it runs")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._mqtt.stop()

    def listen(self, seconds: float) -> Found:
        """What comes in during this time."""
        time.sleep(seconds)
        return self.found()

    def found(self) -> Found:
        """What has come in so far."""
        with self._lock:
            living = self._challenges.living()
            times = self._times.get(living.boot, []) if living else []
            gaps = [1000 * (after - before) for before, after in pairwise(times)]
            rhythm_ms = statistics.median(gaps) if gaps else None
            return Found(
                answering=living is not None,
                challenges=len(times),
                boot=living.boot if living else "",
                kid=living.key.kid if living else "",
                state=self._watch.view().state,
                rhythm_ms=round(rhythm_ms, 1) if rhythm_ms else None,
                jitter_ms=round(max(abs(gap - rhythm_ms) for gap in gaps), 1) if rhythm_ms else None,
                ignored=dict(self._challenges.counts + self._watch.counts + self._counts),
            )

    def open(self, pulse_ms: int, ttl_ms: int) -> Answer:
        """Sends one grant with the reason `test` and waits for its verdict."""
        heard = self._await_challenge()
        if heard is None:
            return Answer("lost", "no fresh challenge", None)
        grant = self._grant(heard, pulse_ms, ttl_ms)
        self._sent = grant.id
        start = time.monotonic()
        message = Message(self._address.topic("grant"), seal(heard.key, grant), expiry_s=math.ceil(ttl_ms / 1000))
        if not self._mqtt.publish(message):
            return Answer("lost", "offline", None)
        while time.monotonic() < start + ttl_ms / 1000:
            if verdict := self._verdicts.get(grant.id):
                latency_ms = round(1000 * (time.monotonic() - start), 1)
                return Answer("opened" if verdict.opened else "refused", verdict.why, latency_ms)
            time.sleep(POLL_S / 10)
        return Answer("lost", "no verdict", None)

    def _await_challenge(self) -> Heard | None:
        """One heard from now on, so that the daemon has hardly had time to answer it."""
        start = time.monotonic()
        while time.monotonic() < start + FRESH_S:
            with self._lock:
                heard = self._challenges.fresh()
                if heard is not None and heard.at >= start:
                    heard.is_spent = True
                    return heard
            time.sleep(POLL_S)
        return None

    def _grant(self, heard: Heard, pulse_ms: int, ttl_ms: int) -> Grant:
        at = self._address
        return Grant(
            id=fresh_token(), dev=at.device, door=at.door, ctl=at.controller, kid=heard.key.kid, n=heard.nonce,
            ttl_ms=ttl_ms, reason="test", sub="", pulse_ms=pulse_ms,
        )  # fmt: skip

    def _on_message(self, topic: str, wire: bytes) -> None:
        with self._lock:
            if receive := self._routes.get(topic):
                receive(wire)

    def _on_challenge(self, wire: bytes) -> None:
        if self._challenges.receive(wire) and (living := self._challenges.living()):
            times = self._times.setdefault(living.boot, [])
            if len(times) < MAX_TIMES:
                times.append(living.at)

    def _on_verdict(self, wire: bytes) -> None:
        try:
            verdict, _ = unseal(Verdict, wire, self._keys)
        except BadMessage as bad:
            self._counts[f"verdict {bad}"] += 1
            return
        if verdict.id == self._sent:
            self._verdicts[verdict.id] = verdict


assert ANSWERS_S > FRESH_S, "a controller that could be answered is one that answers"
