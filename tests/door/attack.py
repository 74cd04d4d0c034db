"""Ten thousand attacks on a controller and a thousand genuine grants between them, as a script of steps.

Every attack would open the door but for the one thing that is wrong with it. The same steps can be played to several
controllers at once, and be written down and played elsewhere: times are whole eighths of a second, so that clocks in
milliseconds and in seconds agree.
"""

from __future__ import annotations

import base64
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from faceedge.door import contract
from faceedge.door.contract import Address, Challenge, DoorKey, Grant, Status, Verdict, seal, unseal
from tests.door.conftest import ADDRESS, KEY

GENUINE = 1000
ATTACKS_EACH = 10
NEW_KEY, STRANGER, OTHER_DOORS = DoorKey(b"n" * 32), DoorKey(b"f" * 32), DoorKey(b"o" * 32)
REBOOT_EVERY = 50
KEYS_FROM = {0: (KEY,), 500: (NEW_KEY, KEY), 750: (NEW_KEY,)}
"""Turn: the controller's keys from then on. It signs with the first, and so does the device."""


@dataclass(frozen=True, slots=True)
class Step:
    """What happens to a controller at `ms`: `boot` and `ask` with 16 random bytes, `judge` with a message."""

    what: str
    ms: int
    octets: bytes
    kind: str = ""
    keys: tuple[DoorKey, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a controller makes of a step. sent: a challenge or a verdict."""

    pulse_ms: int = 0
    why: str = ""
    sent: bytes = b""


class Player(Protocol):
    """Plays steps to one controller."""

    def play(self, step: Step) -> Outcome: ...


class Scene:
    """Device, broker and attacker. Its own controller is the first player; it needs its challenges only."""

    def __init__(self, *players: Player, seed: int = 7) -> None:
        self.players = players
        self.random = random.Random(seed)
        self.ms = 0
        self.keys: tuple[DoorKey, ...] = (KEY,)
        self.nonce = self.token()
        self.past: list[str] = [self.token()] * 3  # nonces before the last two
        self.sent: list[bytes] = [self.sealed()]  # grants that have opened
        self.lost: list[bytes] = [self.sealed()]  # grants to a controller that was just then switched off
        self.held: list[tuple[int, bytes]] = [(-10_000, self.sealed())]  # when, grants that never came
        self.kinds: Counter[str] = Counter()
        self.steps: list[Step] = []
        self.outcomes: list[list[Outcome]] = []

    def run(self, genuine: int = GENUINE) -> None:
        for turn in range(genuine):
            if turn % REBOOT_EVERY == 0:
                self._boot(KEYS_FROM.get(turn, self.keys))
            for _ in range(ATTACKS_EACH):
                name, make = self.random.choice(ATTACKS)
                self._judge(make(self), name)
            if turn % 10 == 5:
                self._delay_one()
            wire = seal(self.keys[0], self.grant())
            self._judge(wire, "genuine")
            self.sent.append(wire)
            self.ms += self.random.choice([0, 125, 375, 1000])
            self._ask()

    @property
    def opened(self) -> list[Counter[str]]:
        """By player: what has opened, by its kind."""
        counts: list[Counter[str]] = [Counter() for _ in self.players]
        for step, outcomes in zip(self.steps, self.outcomes, strict=True):
            for count, outcome in zip(counts, outcomes, strict=True):
                count[step.kind] += outcome.pulse_ms > 0
        return [+count for count in counts]

    def grant(self, nonce: str = "", key: DoorKey | None = None, at: Address = ADDRESS, ttl_ms: int = 2500) -> Grant:
        return Grant(
            id=self.token(), dev=at.device, door=at.door, ctl=at.controller, kid=(key or self.keys[0]).kid,
            n=nonce or self.nonce, ttl_ms=ttl_ms, reason="match", sub="s", pulse_ms=self.random.randint(1, 30_000),
        )  # fmt: skip

    def sealed(self, **fields: Any) -> bytes:
        """A grant as the device would send it, but for what is said."""
        return seal(self.keys[0], self.grant(**fields))

    def token(self) -> str:
        return token(self.random.randbytes(16))

    def _delay_one(self) -> None:
        """A grant comes too late, while its challenge is still remembered; another does not come at all."""
        ttl_ms, late_ms = self.random.choice([(500, 625), (10_000, 2625)])
        wire = self.sealed(ttl_ms=ttl_ms)
        self.held.append((self.ms, self.sealed()))
        self.ms += late_ms
        self._judge(wire, "late")
        self._ask()

    def _boot(self, keys: tuple[DoorKey, ...]) -> None:
        self.lost.append(self.sealed())
        self.keys = keys
        self._play(Step("boot", self.ms, self.random.randbytes(16), keys=keys))
        self._ask()

    def _ask(self) -> None:
        wire = self._play(Step("ask", self.ms, self.random.randbytes(16)))[0].sent
        self.past.append(self.nonce)
        self.nonce = unseal(Challenge, wire, [KEY, NEW_KEY])[0].n

    def _judge(self, wire: bytes, kind: str) -> None:
        self.kinds[kind] += 1
        self._play(Step("judge", self.ms, wire, kind))

    def _play(self, step: Step) -> list[Outcome]:
        outcomes = [player.play(step) for player in self.players]
        self.steps.append(step)
        self.outcomes.append(outcomes)
        return outcomes


def token(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def resealed(key: DoorKey, text: bytes) -> bytes:
    """A MAC that holds, over a body that the device would never sign."""
    return contract._mac(key, Grant.label, text) + b"." + text


def flipped(scene: Scene) -> bytes:
    wire = bytearray(scene.sealed())
    wire[scene.random.randrange(len(wire))] ^= 1 << scene.random.randrange(8)
    return bytes(wire)


def overdue(scene: Scene) -> bytes:
    """A genuine grant that never came, delivered when its challenge is too old."""
    return scene.random.choice([wire for at, wire in scene.held if scene.ms - at > 2500])


def other_label(scene: Scene) -> bytes:
    """Genuine messages of another kind; and the body of a grant under the label of another kind."""
    nonce, boot = scene.nonce, scene.token()
    body = scene.grant().model_dump_json().encode()
    return scene.random.choice(
        [
            seal(scene.keys[0], Status(state="unlocked", boot=boot, ctr=1)),
            seal(scene.keys[0], Challenge(n=nonce, boot=boot, ctr=1)),
            *(contract._mac(scene.keys[0], kind.label, body) + b"." + body for kind in (Status, Challenge, Verdict)),
            contract._mac(scene.keys[0], "faceedge-grant-2", body) + b"." + body,
        ]
    )


def restored(scene: Scene) -> bytes:
    """The device was put back to an old copy of its state: it answers what it heard then, with its genuine key."""
    return scene.sealed(nonce=scene.random.choice(scene.past[:-1]))


def retired(scene: Scene) -> bytes:
    """The key of before the rotation, once the controller has it no more; until then a stranger's."""
    key = STRANGER if KEY in scene.keys else KEY
    return seal(key, scene.grant(key=key))


def twice(scene: Scene) -> bytes:
    """A lenient parser takes one of the two, and one of the two is right."""
    text = scene.grant().model_dump_json().encode()
    first, last = b'{"door":"rear",', b',"door":"rear"}'
    return resealed(scene.keys[0], scene.random.choice([first + text[1:], text[:-1] + last]))


def malformed(scene: Scene) -> bytes:
    """The right fields, but not as the contract wants them."""
    text = scene.grant().model_copy(update={"pulse_ms": 3000}).model_dump_json().encode()
    old, new = scene.random.choice(
        [
            (b"}", b',"more":1}'), (b',"pulse_ms":3000', b""), (b"3000", b"3000.0"), (b"3000", b"03000"),
            (b"3000", b'"3000"'), (b"3000", b"3e3"), (b"3000", b"true"), (b"3000", b"0"), (b"3000", b"30001"),
            (b"3000", b"-1"), (b"2500", b"10001"), (b'"match"', "m\u00e4tch".encode().join([b'"', b'"'])),
            (b"match", b"m\x01tch"), (b'"match"', b'"' + b"m" * 49 + b'"'), (b',"ttl_ms"', b'"ttl_ms"'),
            (b'"ttl_ms":', b'"ttl_ms"'), (b"}", b",}"), (b"}", b"}x"), (b"{", b"[{"), (b"{", b""), (b"}", b""),
            (b'"dev"', b'"Dev"'), (b"dev", b"d\\u0065v\\ud800"),
        ]
    )  # fmt: skip
    assert old in text
    return resealed(scene.keys[0], text.replace(old, new, 1))


def huge(scene: Scene) -> bytes:
    """Mostly a little too long, with a MAC that holds; now and then much too long."""
    if scene.random.random() < 0.02:
        return scene.random.randbytes(20_000)
    text = scene.grant().model_dump_json().encode()
    return resealed(scene.keys[0], text + b" " * (513 - len(text) + scene.random.randrange(100)))


def elsewhere(**where: str) -> Callable[[Scene], bytes]:
    return lambda scene: scene.sealed(at=replace(ADDRESS, **where))


def not_ascii(scene: Scene) -> bytes:
    """Noise, without a MAC and with one."""
    noise = scene.random.randbytes(scene.random.randrange(1, 513))
    return scene.random.choice([noise, noise[:43] + b"." + noise, resealed(scene.keys[0], noise)])


ATTACKS: Sequence[tuple[str, Callable[[Scene], bytes]]] = (
    ("forged", lambda scene: seal(STRANGER, scene.grant())),
    ("bit flipped", flipped),
    ("replayed", lambda scene: scene.random.choice(scene.sent[-2:])),
    ("reordered", lambda scene: scene.random.choice(scene.sent)),
    ("held back", overdue),
    ("other door", elsewhere(door="rear")),
    ("other controller", elsewhere(controller="outer")),
    ("other device", elsewhere(device="ved")),
    ("other key", lambda scene: seal(OTHER_DOORS, scene.grant(key=OTHER_DOORS))),
    ("other key's name", lambda scene: seal(scene.keys[0], scene.grant(key=OTHER_DOORS))),
    ("other label", other_label),
    ("key twice", twice),
    ("malformed", malformed),
    ("huge", huge),
    ("empty", lambda scene: scene.random.choice([b"", b".", scene.sealed()[:44]])),
    ("not ascii", not_ascii),
    ("invented nonce", lambda scene: scene.sealed(nonce=scene.token())),
    ("before the reboot", lambda scene: scene.random.choice(scene.lost)),
    ("after a restore", restored),
    ("retired key", retired),
)
