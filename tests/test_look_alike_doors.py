"""Doors that ask look-alikes for a second factor: who is flagged never passes on their face alone."""

from __future__ import annotations

from dataclasses import replace

from faceedge.config import Decide, Door, DoorDecide
from faceedge.door_limits import Numbers
from faceedge.journal.explain import Matter, paragraph
from faceedge.types import Decision
from tests.test_decide import ANNA, BORIS, THRESHOLDS, outcomes
from tests.test_decide import Door as Hall

WARY = Door(name="main", look_alikes="review")


def hall(*doors: Door) -> Hall:
    """Where Anna is flagged, and Boris is not."""
    made = Hall(Numbers.of(doors, Decide(), THRESHOLDS).by_camera({"entry": doors}).get("entry"))
    made.judge.looks_alike = lambda person: person == ANNA
    return made


def seen(at: Hall, person: str = ANNA, times: int = 3) -> list[Decision]:
    return [decision for _ in range(times) for decision in at.sees(person)]


def test_a_flagged_person_needs_a_second_factor_and_passes_with_it() -> None:
    at = hall(WARY)
    (review,) = seen(at)
    assert (review.outcome, review.reason, review.band, review.person) == ("review", "look_alike", "grey", ANNA)
    factor = at.judge.confirm(replace(review, doors=("main",)), at.now)
    assert isinstance(factor, Decision)
    assert (factor.outcome, factor.reason, factor.fit) == ("grant", "second_factor", ("main",))


def test_the_question_is_not_put_again_while_it_may_be_answered() -> None:
    assert outcomes(seen(hall(WARY), times=40)) == [("review", "look_alike")]


def test_who_is_not_flagged_passes_that_door_as_any_other() -> None:
    assert outcomes(seen(hall(WARY), BORIS)) == [("grant", "match")]


def test_a_door_that_says_nothing_lets_look_alikes_in_as_before() -> None:
    assert outcomes(seen(hall(Door(name="main")))) == [("grant", "match")]


def test_of_two_doors_only_the_wary_one_asks() -> None:
    grant, review = seen(hall(WARY, Door(name="yard")), times=4)
    assert (grant.outcome, grant.fit) == ("grant", ("yard",))
    assert (review.reason, review.fit) == ("look_alike", ("main",))


def test_a_door_with_numbers_of_its_own_asks_as_well() -> None:
    own = replace_door(WARY, DoorDecide(votes=4))
    assert outcomes(seen(hall(own), times=4)) == [("review", "look_alike")]


def replace_door(door: Door, decide: DoorDecide) -> Door:
    return door.model_copy(update={"decide": decide})


def test_being_asked_for_a_look_alike_locks_nobody_out() -> None:
    at = hall(WARY)
    for _ in range(6):
        at.waits(11)
        assert outcomes(seen(at, times=3)) in ([("review", "look_alike")], [])
    at.judge.looks_alike = lambda _person: False
    at.waits(60)
    assert outcomes(seen(at)) == [("grant", "match")]


def test_a_wary_door_is_no_looser_one_and_adds_no_number_to_the_journal() -> None:
    numbers = Numbers.of([WARY], Decide(), THRESHOLDS)
    assert (numbers.notices, numbers.own_json()) == ((), {"main": {}})


def test_why_names_whom_the_person_looks_like_and_what_to_do() -> None:
    (review,) = seen(hall(WARY))
    said = {
        "camera": "entry", "outcome": review.outcome, "reason": review.reason, "person": ANNA, "votes": 3, "shots": 3,
        "similarity": 0.9, "margin": 0.3, "quality": 0.9,
    }  # fmt: skip
    told = paragraph(Matter("now", 1, said, [], [], {ANNA: "Anna"}, alike=("Berta", "Cleo")))
    assert "Anna was recognised, but looks like somebody else of the gallery" in told
    assert "Anna looks like Berta and Cleo." in told
    assert "--no-look-alike" in told
