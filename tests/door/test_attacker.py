"""An attacker with every right on the broker: reads, replays, invents. Nothing opens but what is genuine."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

from faceedge.door.contract import Address, Challenge, DoorKey, Grant, Status, fresh_token, seal, unseal
from faceedge.door.verifier import MAX_AGE_S, Verifier
from tests.door.conftest import ADDRESS, KEY
from tests.door.make_vectors import spoiled
from tests.fakes.clock import FakeClock

GENUINE = 1000
ATTACKS_EACH = 10


class Scene:
    """A device that answers challenges, a controller that judges, and what the attacker has heard so far."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.random = random.Random(7)
        self.controller = Verifier(ADDRESS, [KEY], self.clock)
        self.heard: list[bytes] = [seal(KEY, self.grant(fresh_token()))]
        self.held: list[tuple[float, bytes]] = []
        self.nonce = ""
        self.kinds: Counter[str] = Counter()
        self.ask()

    def ask(self) -> None:
        wire = self.controller.challenge()
        self.heard.append(wire)
        self.nonce = unseal(Challenge, wire, [KEY])[0].n

    def grant(self, nonce: str, key: DoorKey = KEY, at: Address = ADDRESS) -> Grant:
        return Grant(
            id=fresh_token(), dev=at.device, door=at.door, ctl=at.controller, kid=key.kid, n=nonce, ttl_ms=2500,
            reason="match", sub="s", pulse_ms=3000,
        )  # fmt: skip

    def attack(self) -> bytes:
        name, make = self.random.choice(list(ATTACKS.items()))
        self.kinds[name] += 1
        return make(self)

    def overdue(self) -> bytes:
        """A genuine grant that never reached the controller, delivered when it is too old."""
        if self.held and self.clock() - self.held[0][0] > MAX_AGE_S:
            return self.held.pop(0)[1]
        return b"too early for that"


def flipped(scene: Scene) -> bytes:
    """A grant that would open, but for one bit."""
    wire = bytearray(seal(KEY, scene.grant(scene.nonce)))
    wire[scene.random.randrange(len(wire))] ^= 1 << scene.random.randrange(8)
    return bytes(wire)


ATTACKS: dict[str, Callable[[Scene], bytes]] = {
    "forged": lambda scene: seal(DoorKey(b"f" * 32), scene.grant(scene.nonce)),
    "flipped": flipped,
    "replayed": lambda scene: scene.heard[-1 - scene.random.randrange(min(50, len(scene.heard)))],
    "reordered": lambda scene: scene.random.choice(scene.heard),
    "held back": Scene.overdue,
    "other door": lambda scene: seal(KEY, scene.grant(scene.nonce, at=Address("dev", "rear", "inner"))),
    "other controller": lambda scene: seal(KEY, scene.grant(scene.nonce, at=Address("dev", "main", "outer"))),
    "other device": lambda scene: seal(KEY, scene.grant(scene.nonce, at=Address("ved", "main", "inner"))),
    "other key's name": lambda scene: seal(KEY, scene.grant(scene.nonce, key=DoorKey(b"o" * 32))),
    "other label": lambda scene: seal(KEY, Status(state="unlocked", boot=fresh_token(), ctr=1)),
    "old nonce": lambda scene: seal(KEY, scene.grant(fresh_token())),
    "spoiled": lambda scene: scene.random.choice(list(spoiled().values()))[1],
    "huge": lambda scene: scene.random.randbytes(100_000),
    "empty": lambda scene: b"",
    "not ascii": lambda scene: scene.random.randbytes(200),
}


def test_ten_thousand_attacks_open_nothing_and_a_thousand_genuine_grants_all_open() -> None:
    scene = Scene()
    opened = wrongly = 0
    for turn in range(GENUINE):
        for _ in range(ATTACKS_EACH):
            wrongly += scene.controller.judge(scene.attack()).opens
        if turn % 100 == 50:  # held back: the device sent it, the attacker kept it
            scene.held.append((scene.clock(), seal(KEY, scene.grant(scene.nonce))))
            scene.clock.advance(1.0)
            scene.ask()
        wire = seal(KEY, scene.grant(scene.nonce))
        opened += scene.controller.judge(wire).opens
        scene.heard.append(wire)
        scene.clock.advance(scene.random.choice([0.05, 0.3, 1.0]))
        scene.ask()
        if turn % 250 == 249:  # the controller reboots: what was heard before is void
            scene.controller = Verifier(ADDRESS, [KEY], scene.clock)
            scene.ask()
    assert (opened, wrongly) == (GENUINE, 0)
    assert all(scene.kinds[name] > 300 for name in ATTACKS)


def test_the_attack_would_open_a_verifier_that_forgets_what_was_spent() -> None:
    """The test can fail: take the spending away and the same replays open the door."""

    class Forgetful(Verifier):
        def judge(self, wire: bytes):  # type: ignore[no-untyped-def]
            ruling = super().judge(wire)
            for asked in self._asked:
                asked.is_spent = False
            return ruling

    scene = Scene()
    scene.controller = Forgetful(ADDRESS, [KEY], scene.clock)
    scene.ask()
    wire = seal(KEY, scene.grant(scene.nonce))
    assert [scene.controller.judge(wire).opens for _ in range(2)] == [True, True]
