"""A minute of flood: recordings and forgeries, a thousand a second, and the live challenge once a second among them."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

import pytest

from faceedge.door.challenges import Challenges, Heard
from faceedge.door.contract import DoorKey, Grant, Verdict, fresh_token, seal, unseal
from faceedge.door.verifier import Verifier
from tests.door.conftest import ADDRESS, KEY
from tests.fakes.clock import FakeClock

SECONDS = 60
A_SECOND = 1000
NEW = DoorKey(b"n" * 32)


def recordings(key: DoorKey, boots: int = 1000, each: int = 10) -> list[bytes]:
    """Genuine challenges of many starts long ago, each start in its own order."""
    clock = FakeClock()
    voices = [Verifier(ADDRESS, [key], clock) for _ in range(boots)]
    return [voice.challenge() for _ in range(each) for voice in voices]


def forgeries(number: int = 1000) -> list[bytes]:
    chance = random.Random(5)
    stranger = Verifier(ADDRESS, [DoorKey(b"x" * 32)], FakeClock())
    return [stranger.challenge() if chance.random() < 0.5 else chance.randbytes(180) for _ in range(number)]


def mixed(old: Sequence[bytes]) -> list[bytes]:
    """A recording after each forgery."""
    return [wire for pair in zip(itertools.cycle(forgeries()), old, strict=False) for wire in pair]


class Minute:
    """A device, its controller, and an attacker who speaks a thousand times a second.

    The device grants once a second, at a random moment; opened: what became of each of these grants.
    """

    def __init__(self, flood: Sequence[bytes], device: Challenges, clock: FakeClock, *keys: DoorKey) -> None:
        self.flood = itertools.cycle(flood)
        self.device = device
        self.clock = clock
        self.opened: list[bool] = []
        self._chance = random.Random(3)
        self.start(*keys)

    def start(self, *keys: DoorKey) -> None:
        """The controller, for the first time or again, with these keys."""
        self.controller = Verifier(ADDRESS, keys, self.clock)

    def run(self, seconds: int) -> Minute:
        for _ in range(seconds):
            grant_at = self._chance.randrange(1, A_SECOND)
            for step in range(A_SECOND):
                self.clock.advance(1 / A_SECOND)
                if self.controller.is_due:
                    self.device.receive(self.controller.challenge())
                self.device.receive(next(self.flood))
                if step == grant_at:
                    self.opened.append(self._grant())
        return self

    def _grant(self) -> bool:
        """As the link does it: answer what seems live, and believe the verdict."""
        heard = self.device.fresh()
        if heard is None:
            return False
        heard.is_spent = True
        sent_at = self.clock()
        ruling = self.controller.judge(seal(heard.key, _grant(heard)))
        if ruling.answer is not None:
            self.device.prove(unseal(Verdict, ruling.answer, [KEY, NEW])[0].boot, sent_at)
        return ruling.opens


def _grant(heard: Heard) -> Grant:
    return Grant(
        id=fresh_token(), dev="dev", door="main", ctl="inner", kid=heard.key.kid, n=heard.nonce, ttl_ms=2500,
        reason="match", sub="", pulse_ms=100,
    )  # fmt: skip


@pytest.fixture(scope="module")
def old() -> list[bytes]:
    """Ten thousand recordings under the key of now."""
    return recordings(KEY)


@pytest.mark.parametrize("flood", ["recordings", "forgeries", "both"])
def test_in_a_flood_every_grant_opens_but_the_first(flood: str, old: list[bytes], clock: FakeClock) -> None:
    """The device remembers nothing at first: its first grant may answer a recording. Then it knows who lives."""
    spoken = {"recordings": old, "forgeries": forgeries(), "both": mixed(old)}[flood]
    minute = Minute(spoken, Challenges([KEY], clock), clock, KEY).run(10)
    assert minute.opened == [flood == "forgeries", *[True] * 9]


def test_in_a_minute_of_flood_each_start_of_the_controller_costs_one_grant_at_most(
    old: list[bytes], clock: FakeClock
) -> None:
    minute = Minute(mixed(old), Challenges([KEY], clock), clock, KEY)
    for _ in range(4):
        minute.run(SECONDS // 4)
        minute.start(KEY)
    assert len(minute.opened) == SECONDS
    assert [minute.opened[at] for at in (0, 15, 30, 45)] == [False] * 4
    assert minute.opened.count(False) == 4
    assert sum(minute.device.counts.values()) > 10_000


def test_recordings_under_the_old_key_do_not_starve_a_controller_that_has_the_new_one_only(
    old: list[bytes], clock: FakeClock
) -> None:
    """It cannot even refuse what answers an old recording, so nothing but the key tells who lives."""
    minute = Minute(old, Challenges([KEY, NEW], clock), clock, KEY).run(3)
    minute.start(NEW)
    minute.run(5)
    # Until two seconds after its last word the old start counts as alive, and its key says nothing to the new one.
    assert minute.opened == [False, True, True, False, False, *[True] * 3]


def test_the_flood_would_starve_a_device_that_believes_the_newest(old: list[bytes], clock: FakeClock) -> None:
    """The test can fail: without the proof that a verdict is, recordings win."""

    class Gullible(Challenges):
        def prove(self, boot: str, sent_at: float) -> None:
            return

    assert not any(Minute(old, Gullible([KEY], clock), clock, KEY).run(3).opened)
