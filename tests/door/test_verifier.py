"""The controller's judgement, told as stories with a clock that moves when told."""

from __future__ import annotations

import pytest

from faceedge.door.contract import Challenge, DoorKey, Grant, Verdict, fresh_token, seal, unseal
from faceedge.door.verifier import Ruling, Verifier
from tests.door.conftest import ADDRESS, KEY
from tests.fakes.clock import FakeClock


def ask(verifier: Verifier) -> str:
    """A new challenge's nonce, as the device reads it."""
    return unseal(Challenge, verifier.challenge(), [KEY])[0].n


def grant(nonce: str, **changes: object) -> bytes:
    """A genuine grant, but for the changes."""
    body = {
        "id": fresh_token(), "dev": "dev", "door": "main", "ctl": "inner", "kid": KEY.kid, "n": nonce,
        "ttl_ms": 2500, "reason": "match", "sub": "somebody", "pulse_ms": 3000,
    }  # fmt: skip
    return seal(KEY, Grant.model_validate(body | changes))


def verdict(ruling: Ruling) -> Verdict:
    assert ruling.answer is not None
    return unseal(Verdict, ruling.answer, [KEY])[0]


def test_a_genuine_grant_opens_and_is_answered(verifier: Verifier) -> None:
    wire = grant(ask(verifier))
    ruling = verifier.judge(wire)
    assert ruling.opens
    assert ruling.grant is not None
    assert ruling.grant.pulse_ms == 3000
    answer = verdict(ruling)
    assert (answer.id, answer.opened, answer.why) == (ruling.grant.id, True, "")
    assert answer.boot == verifier.boot


def test_a_replay_does_not_open_and_is_not_answered_again(verifier: Verifier) -> None:
    wire = grant(ask(verifier))
    verifier.judge(wire)
    for _ in range(3):
        assert verifier.judge(wire) == Ruling(False, "spent challenge", _grant_of(wire), None)


def test_one_challenge_opens_once_even_for_two_grants(verifier: Verifier) -> None:
    nonce = ask(verifier)
    assert verifier.judge(grant(nonce)).opens
    second = verifier.judge(grant(nonce))
    assert verdict(second).why == "spent challenge"


def test_the_last_two_challenges_hold_the_third_is_over(verifier: Verifier, clock: FakeClock) -> None:
    first, second, third = ask(verifier), ask(verifier), ask(verifier)
    assert verdict(verifier.judge(grant(first))).why == "unknown challenge"
    assert verifier.judge(grant(second)).opens
    assert verifier.judge(grant(third)).opens


def test_a_challenge_dies_of_age_while_no_new_one_is_made(verifier: Verifier, clock: FakeClock) -> None:
    young, old = grant(ask(verifier)), grant(ask(verifier))
    clock.advance(2.4)
    assert verifier.judge(young).opens
    clock.advance(0.2)
    assert verdict(verifier.judge(old)).why == "too late"


def test_a_grant_says_how_long_its_challenge_counts(verifier: Verifier, clock: FakeClock) -> None:
    wire = grant(ask(verifier), ttl_ms=700)
    clock.advance(0.71)
    assert verdict(verifier.judge(wire)).why == "too late"


def test_a_long_time_to_live_does_not_stretch_the_age_of_a_challenge(verifier: Verifier, clock: FakeClock) -> None:
    wire = grant(ask(verifier), ttl_ms=10_000)
    clock.advance(2.6)
    assert not verifier.judge(wire).opens


@pytest.mark.parametrize("name", ["dev", "door", "ctl"])
def test_a_grant_for_someone_else_does_not_open(verifier: Verifier, name: str) -> None:
    ruling = verifier.judge(grant(ask(verifier), **{name: "other"}))
    assert verdict(ruling).why == "not for me"


def test_a_grant_under_another_key_id_does_not_open(verifier: Verifier) -> None:
    assert verdict(verifier.judge(grant(ask(verifier), kid="00000000"))).why == "not for me"


def test_a_refused_grant_spends_nothing(verifier: Verifier) -> None:
    nonce = ask(verifier)
    verifier.judge(grant(nonce, door="other"))
    assert verifier.judge(grant(nonce)).opens


def test_a_message_without_a_valid_mac_gets_no_answer_and_is_counted(verifier: Verifier) -> None:
    wire = grant(ask(verifier))
    assert verifier.judge(wire[:-1]) == Ruling(False, "mac")
    assert verifier.judge(b"") == Ruling(False, "size")
    assert verifier.counts == {"mac": 1, "size": 1}


def test_after_a_reboot_nothing_old_opens(verifier: Verifier, clock: FakeClock) -> None:
    wire = grant(ask(verifier))
    reborn = Verifier(ADDRESS, [KEY], clock)
    reborn.challenge()
    assert reborn.boot != verifier.boot
    assert verdict(reborn.judge(wire)).why == "unknown challenge"


def test_a_challenge_is_due_at_first_every_second_and_after_every_open(verifier: Verifier, clock: FakeClock) -> None:
    assert verifier.is_due
    nonce = ask(verifier)
    assert not verifier.is_due
    verifier.judge(grant(nonce))
    assert verifier.is_due
    ask(verifier)
    assert not verifier.is_due
    clock.advance(1.0)
    assert verifier.is_due


def test_an_open_by_the_older_challenge_calls_for_a_new_one_too(verifier: Verifier) -> None:
    older = ask(verifier)
    ask(verifier)
    verifier.judge(grant(older))
    assert verifier.is_due


def test_every_signed_message_has_a_higher_counter(verifier: Verifier) -> None:
    seen = [unseal(Challenge, verifier.challenge(), [KEY])[0].ctr for _ in range(3)]
    answer = verdict(verifier.judge(grant(fresh_token())))
    assert [*seen, answer.ctr] == [1, 2, 3, 4]


def test_two_keys_are_valid_while_one_is_replaced(clock: FakeClock) -> None:
    new = DoorKey(b"n" * 32)
    verifier = Verifier(ADDRESS, [new, KEY], clock)
    nonce = unseal(Challenge, verifier.challenge(), [new])[0].n
    assert verifier.judge(grant(nonce)).opens


def test_the_answer_waits_for_what_the_relay_does(verifier: Verifier) -> None:
    ruling = verifier.rule(grant(ask(verifier)))
    assert ruling.opens
    assert ruling.answer is None
    failed = verifier.answer(ruling.refused("relay"))
    assert failed is not None
    answer = unseal(Verdict, failed, [KEY])[0]
    assert (answer.opened, answer.why) == (False, "relay")


def test_a_grant_whose_relay_failed_does_not_open_by_a_replay(verifier: Verifier) -> None:
    wire = grant(ask(verifier))
    verifier.answer(verifier.rule(wire).refused("relay"))
    assert verifier.judge(wire) == Ruling(False, "spent challenge", _grant_of(wire), None)


def test_an_answer_made_late_still_has_the_highest_counter(verifier: Verifier) -> None:
    ruling = verifier.rule(grant(ask(verifier)))
    between = unseal(Challenge, verifier.challenge(), [KEY])[0].ctr
    answer = verifier.answer(ruling)
    assert answer is not None
    assert unseal(Verdict, answer, [KEY])[0].ctr > between


def test_what_has_no_valid_mac_has_no_answer(verifier: Verifier) -> None:
    assert verifier.answer(verifier.rule(b"x" * 100)) is None


def _grant_of(wire: bytes) -> Grant:
    return unseal(Grant, wire, [KEY])[0]
