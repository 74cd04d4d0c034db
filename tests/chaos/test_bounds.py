"""What counts as lost, wrong and late, and that each of them breaks the bound."""

from __future__ import annotations

import pytest

from faceedge.chaos.bounds import BOUNDS, Bound, Outcome, broken, late, lost, wrong
from faceedge.chaos.observer import Decided, Opened
from faceedge.chaos.reel import Appearance
from faceedge.chaos.run import FAULTS

HER, OTHER = "her", "somebody else"
TTL_S = 0.6
SHOWN = [Appearance(10.0, 11.2, known=True), Appearance(11.5, 12.7, known=False)]
BOUND = Bound(3.0, 5.0, 2)
GOOD = Outcome(1.0, 2.0, 1, 0, 0, 1)


def grant(captured: float, verdict: str | None = "opened", person: str = HER) -> Decided:
    return Decided(captured, captured + 0.2, "grant", "match", person, verdict, "")


def refusal(captured: float, reason: str = "unknown") -> Decided:
    return Decided(captured, captured + 0.1, "deny", reason, None, None, "")


def test_every_fault_has_a_bound() -> None:
    assert {fault.name for fault in FAULTS} <= set(BOUNDS)


def test_what_is_within_its_bound_is_well() -> None:
    assert broken(BOUND, GOOD) == []


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        (Outcome(None, 2.0, 1, 0, 0, 1), "never detected"),
        (Outcome(3.1, 2.0, 1, 0, 0, 1), "detected after 3.1 s, at most 3 s"),
        (Outcome(1.0, None, 1, 0, 0, 1), "never recovered"),
        (Outcome(1.0, 5.1, 1, 0, 0, 1), "recovered after 5.1 s, at most 5 s"),
        (Outcome(1.0, 2.0, 3, 0, 0, 1), "3 decisions lost, at most 2"),
        (Outcome(1.0, 2.0, 1, 1, 0, 1), "once the door opened too late"),
        (Outcome(1.0, 2.0, 1, 0, 2, 1), "2 times the door opened for the wrong person or while it had to be shut"),
    ],
)
def test_each_bound_can_be_broken(seen: Outcome, why: str) -> None:
    assert broken(BOUND, seen) == [why]


def test_a_fault_without_a_sign_need_not_be_told() -> None:
    assert broken(Bound(None, 5.0, 2), Outcome(None, 2.0, 1, 0, 0, 1)) == []


def test_whoever_gets_no_proper_answer_is_lost() -> None:
    assert lost(SHOWN, [grant(10.5), refusal(12.0)], HER) == 0
    assert lost(SHOWN, [grant(10.5, "lost"), refusal(12.0)], HER) == 1, "her door stayed shut"
    assert lost(SHOWN, [grant(10.5), refusal(12.0, "too_few_shots")], HER) == 1
    assert lost(SHOWN, [grant(10.5, person=OTHER)], HER) == 2
    assert lost(SHOWN, [], HER) == 2


def test_an_open_while_she_stands_there_is_right() -> None:
    assert wrong([Opened(10.6, HER)], SHOWN, HER, TTL_S, None) == []


def test_an_open_for_the_stranger_is_wrong() -> None:
    assert wrong([Opened(10.6, OTHER)], SHOWN, HER, TTL_S, None)


def test_an_open_when_she_was_not_there_is_wrong() -> None:
    assert wrong([Opened(9.9, HER), Opened(13.0, HER)], SHOWN, HER, TTL_S, None) == [
        Opened(9.9, HER),
        Opened(13.0, HER),
    ]


def test_an_open_while_the_door_must_be_shut_is_wrong() -> None:
    shown = [Appearance(10.0, 40.0, known=True)]
    assert wrong([Opened(20.0, HER)], shown, HER, TTL_S, (12.0, 30.0))
    assert not wrong([Opened(12.5, HER)], shown, HER, TTL_S, (12.0, 30.0)), "that grant was on its way"
    assert not wrong([Opened(31.0, HER)], shown, HER, TTL_S, (12.0, 30.0)), "the fault was over"


def test_an_open_within_the_life_of_its_grant_is_in_time() -> None:
    assert late([Opened(10.9, HER)], [grant(10.5)], TTL_S) == []


def test_a_grant_that_was_held_back_and_opens_is_late() -> None:
    assert late([Opened(14.0, HER)], [grant(10.5, "lost")], TTL_S) == [Opened(14.0, HER)]


def test_an_open_that_comes_late_is_late_even_where_the_daemon_takes_it_for_good() -> None:
    assert late([Opened(11.9, HER)], [grant(10.5)], TTL_S) == [Opened(11.9, HER)]
    good = [Opened(10.7, HER), Opened(16.0, HER)]
    assert late(good, [grant(10.5)], TTL_S) == [], "that of the grant was in time; of the other nothing is known"


def test_a_later_grant_explains_an_open_after_a_lost_one() -> None:
    assert late([Opened(14.0, HER)], [grant(10.5, "lost"), grant(13.6)], TTL_S) == []


def test_a_busy_machine_gets_more_time_but_no_late_or_wrong_open() -> None:
    eased = BOUND.eased(3)
    assert broken(eased, Outcome(8.0, 14.0, 6, 0, 0, 1)) == []
    assert broken(eased, Outcome(8.0, 14.0, 6, 1, 1, 1)) != []
    assert Bound(None, 5.0, 2).eased(3).detected_s is None
