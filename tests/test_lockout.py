"""Who fails again and again is locked out for a while; nobody else is."""

from __future__ import annotations

import math

import numpy as np

from faceedge.lockout import APART_S, FORGOTTEN_AFTER_S, REMEMBERED, TRIES, Lockout
from faceedge.types import Match, Template

SAME = 0.6


def face(degrees: float, number: int = 0) -> Template:
    """Two faces are as alike as the cosine of the angle between them; other numbers are strangers to each other."""
    embedding = np.zeros(200, np.float32)
    embedding[[number, 199]] = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return Template(embedding, 1.0, "space")


def lockout() -> Lockout:
    return Lockout(lambda a, b: float(a.embedding @ b.embedding), SAME)


def fails(lock: Lockout, who: Template, times: int, at: float = 0.0) -> float:
    """Each as soon as it counts; returns when the last one was."""
    for number in range(times):
        lock.failed(who, at + number * APART_S)
    return at + (times - 1) * APART_S


AS_ANNA = Match("anna", 0.7, 0.3)


def test_five_failures_lock_for_half_a_minute_and_four_do_not() -> None:
    lock = lockout()
    fourth = fails(lock, face(0), TRIES - 1)
    assert not lock.is_locked(face(0), AS_ANNA, fourth)
    lock.failed(face(0), fourth + APART_S)
    assert lock.is_locked(face(5), AS_ANNA, fourth + APART_S + 29.9)
    assert not lock.is_locked(face(5), AS_ANNA, fourth + APART_S + 30.1)


def test_who_waits_in_view_and_is_refused_every_other_second_fails_once_in_ten() -> None:
    lock = lockout()
    for number in range(20):
        lock.failed(face(0), number * 2.0)
    assert not lock.is_locked(face(0), AS_ANNA, 39.0)
    lock.failed(face(0), 40.0)
    assert lock.is_locked(face(0), AS_ANNA, 40.1)


def test_every_further_failure_locks_for_twice_as_long_up_to_five_minutes() -> None:
    lock, took = lockout(), []
    now = fails(lock, face(0), TRIES - 1) + APART_S
    for _ in range(6):
        lock.failed(face(0), now)
        took.append(next(s for s in range(1, 400) if not lock.is_locked(face(0), AS_ANNA, now + s)))
        now += took[-1]
    assert took == [30, 60, 120, 240, 300, 300]


def test_failures_while_locked_do_not_make_it_longer() -> None:
    lock = lockout()
    now = fails(lock, face(0), TRIES)
    fails(lock, face(0), 2, at=now + 1.0)
    assert not lock.is_locked(face(0), AS_ANNA, now + 30.1)


def test_a_stranger_who_resembles_anna_locks_out_that_stranger_and_not_anna() -> None:
    lock, anna_now = lockout(), face(50)
    now = fails(lock, face(0), TRIES) + 1.0
    assert lock.is_locked(face(3), AS_ANNA, now), "the stranger, taken for Anna at last"
    assert lock.similarity(face(0), anna_now) > SAME, "Anna does look like the stranger"
    assert not lock.is_locked(anna_now, Match("anna", 0.75, 0.3), now), "but more like herself"


def test_who_is_let_in_starts_afresh() -> None:
    lock = lockout()
    now = fails(lock, face(0), TRIES - 1)
    lock.passed(face(2), now + 1)
    now = fails(lock, face(0), TRIES - 1, at=now + 2)
    assert not lock.is_locked(face(0), AS_ANNA, now + 0.1)


def test_what_failed_long_ago_is_forgotten() -> None:
    lock = lockout()
    late = fails(lock, face(0), TRIES - 1) + FORGOTTEN_AFTER_S + 1
    lock.failed(face(0), late)
    assert not lock.is_locked(face(0), AS_ANNA, late + 1)


def test_a_crowd_fills_no_memory_and_pushes_no_lock_out() -> None:
    lock = lockout()
    now = fails(lock, face(0), TRIES)
    for number in range(1, 3 * REMEMBERED):
        lock.failed(face(0, number % 198 + 1), now + 1.0)
    assert len(lock._known) == REMEMBERED
    assert lock.is_locked(face(0), AS_ANNA, now + 20.0)


def test_a_similarity_that_is_no_number_locks_nobody() -> None:
    lock = Lockout(lambda a, b: math.nan, SAME)
    now = fails(lock, face(0), 3 * TRIES)
    assert not lock.is_locked(face(0), AS_ANNA, now)
