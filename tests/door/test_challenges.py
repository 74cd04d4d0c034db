"""The device's memory of challenges, and the attacks that try to hide the live one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceedge.door.challenges import FRESH_S, MAX_BOOTS, Challenges
from faceedge.door.contract import DoorKey, fresh_token
from faceedge.door.verifier import Verifier
from tests.door.conftest import ADDRESS, KEY
from tests.fakes.clock import FakeClock


@pytest.fixture
def known(clock: FakeClock) -> Challenges:
    return Challenges([KEY], clock)


def boot(clock: FakeClock) -> Verifier:
    """A controller that has just started."""
    return Verifier(ADDRESS, [KEY], clock)


def nonce(known: Challenges) -> str:
    heard = known.fresh()
    return heard.nonce if heard else ""


def test_the_newest_challenge_is_answered(known: Challenges, clock: FakeClock) -> None:
    controller = boot(clock)
    known.receive(controller.challenge())
    before = nonce(known)
    assert known.receive(controller.challenge())
    assert nonce(known) not in ("", before)


def test_a_challenge_is_stale_after_two_seconds(known: Challenges, clock: FakeClock) -> None:
    known.receive(boot(clock).challenge())
    clock.advance(FRESH_S)
    assert known.fresh() is not None
    clock.advance(0.01)
    assert known.fresh() is None


def test_a_spent_challenge_is_not_answered_again(known: Challenges, clock: FakeClock) -> None:
    wire = boot(clock).challenge()
    known.receive(wire)
    heard = known.fresh()
    assert heard is not None
    heard.is_spent = True
    assert known.fresh() is None
    assert not known.receive(wire)
    assert known.fresh() is None


def test_a_replay_within_a_boot_changes_nothing(known: Challenges, clock: FakeClock) -> None:
    controller = boot(clock)
    old = [controller.challenge() for _ in range(5)]
    known.receive(controller.challenge())
    live = nonce(known)
    assert not any(known.receive(wire) for wire in old)
    assert nonce(known) == live
    assert known.counts == {"challenge replayed": 5}


def test_forged_challenges_change_nothing(known: Challenges, clock: FakeClock) -> None:
    known.receive(boot(clock).challenge())
    live = nonce(known)
    stranger = Verifier(ADDRESS, [DoorKey(b"x" * 32)], clock)
    for wire in (stranger.challenge(), b"", b"x" * 600, boot(clock).status("locked")):
        assert not known.receive(wire)
    assert nonce(known) == live


def test_a_restarted_controller_is_heard_at_once_when_the_old_boot_is_silent(
    known: Challenges, clock: FakeClock
) -> None:
    old = boot(clock)
    known.receive(old.challenge())
    known.prove(old.boot, clock())
    clock.advance(FRESH_S + 0.1)
    known.receive(boot(clock).challenge())
    assert known.fresh() is not None


def test_recordings_of_unheard_boots_do_not_displace_a_proven_boot(known: Challenges, clock: FakeClock) -> None:
    live = boot(clock)
    known.receive(live.challenge())
    known.prove(live.boot, clock())
    expected = nonce(known)
    for _ in range(100):
        known.receive(boot(clock).challenge())
    assert nonce(known) == expected


def test_not_even_while_the_challenge_of_the_proven_boot_is_spent(known: Challenges, clock: FakeClock) -> None:
    live = boot(clock)
    known.receive(live.challenge())
    known.prove(live.boot, clock())
    heard = known.fresh()
    assert heard is not None
    heard.is_spent = True
    known.receive(boot(clock).challenge())
    assert known.fresh() is None


def test_a_verdict_that_was_held_back_does_not_bring_an_old_boot_back(known: Challenges, clock: FakeClock) -> None:
    old, new = boot(clock), boot(clock)
    known.receive(old.challenge())
    first_grant = clock()
    clock.advance(0.3)
    known.receive(new.challenge())
    known.prove(new.boot, clock())
    expected = nonce(known)
    known.prove(old.boot, first_grant)
    known.receive(old.challenge())
    assert nonce(known) == expected


def test_a_verdict_that_a_restart_overtook_does_not_deafen(known: Challenges, clock: FakeClock) -> None:
    """The first grant's verdict is held back until the next boot has been heard."""
    old, new = boot(clock), boot(clock)
    known.receive(old.challenge())
    first_grant = clock()
    known.receive(new.challenge())
    known.prove(old.boot, first_grant)
    clock.advance(FRESH_S + 0.1)  # the old boot is silent
    known.receive(new.challenge())
    assert nonce(known) != ""


def test_memory_is_bounded_whatever_is_replayed(known: Challenges, clock: FakeClock) -> None:
    for _ in range(1000):
        known.receive(boot(clock).challenge())
    assert len(known._heard) <= MAX_BOOTS


@given(st.lists(st.tuples(st.integers(0, 11), st.integers(0, 9)), max_size=200), st.booleans())
def test_after_one_verdict_no_flood_of_recordings_hides_the_live_challenge(
    replays: list[tuple[int, int]], restarts: bool
) -> None:
    """The worst start: a device that remembers nothing, twelve recorded boots, and a flood before each live word."""
    clock = FakeClock()
    known = Challenges([KEY], clock)
    recorded = [[each.challenge() for _ in range(10)] for each in (boot(clock) for _ in range(12))]
    live = boot(clock)
    for which, at in replays:
        known.receive(recorded[which][at])
    known.receive(live.challenge())
    if restarts:
        known.prove(live.boot, clock())
        live = boot(clock)
    known.prove(live.boot, clock())  # the refusal of one lost grant names it
    for which, at in replays:
        known.receive(recorded[which][at])
    assert known.receive(live.challenge())
    expected = nonce(known)
    for which, at in replays:
        known.receive(recorded[which][at])
    assert nonce(known) == expected != ""


def test_a_verdict_from_a_boot_not_yet_heard_does_not_deafen(known: Challenges, clock: FakeClock) -> None:
    known.prove(fresh_token(), clock())
    assert known.receive(boot(clock).challenge())
