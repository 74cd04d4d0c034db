"""Somebody with every right on the broker: hears all, and sends what could open a door, or keep it shut."""

from __future__ import annotations

import random
import threading
from collections import Counter, deque
from collections.abc import Callable
from types import TracebackType

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from faceedge.door.contract import Address, Challenge, DoorKey, Grant, Status, Verdict, fresh_token, parse, seal

EVERY_S = 0.002
REMEMBERED = 2000
STRANGER = DoorKey(b"s" * 32)

Shot = tuple[str, bytes, bool]
"""Topic, payload, retained."""


class Attacker:
    """Use it in a `with` block; it listens at once, and fires from `fire` to `cease`."""

    def __init__(self, port: int, *victims: Address, seed: int = 7) -> None:
        self.victims = victims
        self.random = random.Random(seed)
        self.heard: deque[tuple[str, bytes]] = deque(maxlen=REMEMBERED)
        self.grants: list[tuple[str, bytes]] = []
        self.nonces: dict[str, str] = {}
        self.fired: Counter[str] = Counter()
        self._mine: set[tuple[str, bytes]] = set()
        self._firing, self._over = threading.Event(), threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.on_connect = lambda client, *_: client.subscribe("#")
        self._client.on_message = lambda client, userdata, message: self._hear(message.topic, bytes(message.payload))
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Attacker:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        self._client.disconnect()
        self._client.loop_stop()

    def fire(self) -> None:
        self._firing.set()

    def cease(self) -> None:
        self._firing.clear()

    def replay_all_grants(self, retain: bool = False) -> None:
        """Every grant that was ever sent, in a different order."""
        for topic, wire in self.random.sample(self.grants, len(self.grants)):
            self._client.publish(topic, wire, retain=retain)

    def pick(self) -> Address:
        return self.random.choice(self.victims)

    def recorded(self, ending: str = "") -> tuple[str, bytes]:
        """Something that others have sent, on a topic that ends so."""
        found = [shot for shot in list(self.heard) if shot[0].endswith(ending)]
        return self.random.choice(found) if found else ("faceedge", b"")

    def grant(self, at: Address) -> Grant:
        """As good as it gets without the key: the nonce is on the broker for everybody to read."""
        return Grant(
            id=fresh_token(), dev=at.device, door=at.door, ctl=at.controller, kid=STRANGER.kid,
            n=self.nonces.get(at.topic("challenge"), fresh_token()), ttl_ms=2500, reason="match", sub="s", pulse_ms=100,
        )  # fmt: skip

    def _hear(self, topic: str, payload: bytes) -> None:
        if (topic, payload) in self._mine or (topic, payload) in self.heard:
            return
        self.heard.append((topic, payload))
        if topic.endswith("/grant"):
            self.grants.append((topic, payload))
            if self._firing.is_set():
                self._client.publish(topic, payload)  # at once, while its challenge is young
        elif topic.endswith("/challenge"):
            self.nonces[topic] = parse(Challenge, payload[44:]).n

    def _run(self) -> None:
        while not self._over.wait(EVERY_S):
            if self._firing.is_set():
                name, aim = self.random.choice(SHOTS)
                topic, payload, retain = aim(self)
                self.fired[name] += 1
                self._mine.add((topic, payload))
                self._client.publish(topic, payload, retain=retain)


def flipped(attacker: Attacker) -> Shot:
    topic, payload = attacker.recorded("/grant")
    spoiled = bytearray(payload or b".")
    spoiled[attacker.random.randrange(len(spoiled))] ^= 1 << attacker.random.randrange(8)
    return topic, bytes(spoiled), False


def crossed(attacker: Attacker) -> Shot:
    """A genuine message where it does not belong: another kind, another controller."""
    name = attacker.random.choice(["challenge", "grant", "verdict", "status"])
    return attacker.pick().topic(name), attacker.recorded()[1], False  # type: ignore[arg-type]


def forged(
    name: str, make: Callable[[Attacker, Address], Grant | Challenge | Verdict | Status]
) -> Callable[[Attacker], Shot]:
    def aim(attacker: Attacker) -> Shot:
        at = attacker.pick()
        return at.topic(name), seal(STRANGER, make(attacker, at)), False  # type: ignore[arg-type]

    return aim


def noise(attacker: Attacker) -> Shot:
    size = attacker.random.choice([0, 1, 44, 300, 600, 5000])
    return attacker.pick().topic("grant"), attacker.random.randbytes(size), False


SHOTS: tuple[tuple[str, Callable[[Attacker], Shot]], ...] = (
    ("replayed grant", lambda attacker: (*attacker.recorded("/grant"), False)),
    ("retained grant", lambda attacker: (*attacker.recorded("/grant"), True)),
    ("replayed challenge", lambda attacker: (*attacker.recorded("/challenge"), False)),
    ("replayed verdict", lambda attacker: (*attacker.recorded("/verdict"), False)),
    ("replayed status", lambda attacker: (*attacker.recorded("/status"), True)),
    ("crossed", crossed),
    ("bit flipped", flipped),
    ("forged grant", forged("grant", Attacker.grant)),
    ("forged challenge", forged("challenge", lambda *_: Challenge(n=fresh_token(), boot=fresh_token(), ctr=10**9))),
    (
        "forged verdict",
        forged("verdict", lambda *_: Verdict(id=fresh_token(), opened=True, why="", boot=fresh_token(), ctr=10**9)),
    ),
    ("forged status", forged("status", lambda *_: Status(state="unlocked", boot=fresh_token(), ctr=10**9))),
    ("noise", noise),
    ("offline", lambda attacker: (f"faceedge/{attacker.pick().device}/availability", b"offline", True)),
)
