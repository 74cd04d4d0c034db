"""Nonces of the device: the last two are good, once each, and for a minute at most."""

from __future__ import annotations

import pytest

from faceedge.door.nonces import EVERY_S, OLD, UNKNOWN, USED, Nonces
from tests.fakes.clock import FakeClock


@pytest.fixture
def nonces(clock: FakeClock) -> Nonces:
    return Nonces(clock)


def test_a_nonce_is_good_once(nonces: Nonces) -> None:
    assert nonces.use(nonces.newest) == ""
    assert nonces.use(nonces.newest) == USED


def test_the_last_two_are_good_and_the_one_before_is_not(nonces: Nonces) -> None:
    first = nonces.newest
    nonces.renew()
    second = nonces.newest
    nonces.renew()
    assert nonces.use(first) == UNKNOWN
    assert nonces.use(second) == ""
    assert nonces.use(nonces.newest) == ""


def test_a_used_nonce_stays_used_when_a_fresh_one_is_made(nonces: Nonces) -> None:
    first = nonces.newest
    nonces.use(first)
    nonces.renew()
    assert nonces.use(first) == USED


def test_a_nonce_is_worth_nothing_after_a_minute_even_when_no_fresh_one_was_made(
    nonces: Nonces, clock: FakeClock
) -> None:
    clock.advance(60)
    early = nonces.newest
    assert nonces.use(early) == ""
    nonces.renew()
    clock.advance(60.1)
    assert nonces.use(nonces.newest) == OLD


def test_a_fresh_one_is_due_after_half_a_minute(nonces: Nonces, clock: FakeClock) -> None:
    assert nonces.due_in_s == EVERY_S
    clock.advance(31)
    assert nonces.due_in_s == -1
    nonces.renew()
    assert nonces.due_in_s == EVERY_S


def test_every_nonce_is_new(nonces: Nonces) -> None:
    seen = {nonces.newest}
    for _ in range(100):
        nonces.renew()
        seen.add(nonces.newest)
    assert len(seen) == 101


@pytest.mark.parametrize("nonce", ["", "x" * 22])
def test_what_was_never_given_is_unknown_and_uses_nothing_up(nonces: Nonces, nonce: str) -> None:
    assert nonces.use(nonce) == UNKNOWN
    assert nonces.use(nonces.newest) == ""
