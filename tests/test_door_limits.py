"""Doors with numbers of their own: each is opened by its own measure, and looser ones are said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from faceedge.bands import Limits, limits_of
from faceedge.config import Decide, Door, DoorDecide
from faceedge.decide import DONE
from faceedge.door_limits import Numbers, loosened
from faceedge.errors import ConfigError
from faceedge.fit import Judging, Thresholds
from faceedge.types import Decision
from tests.test_decide import ANNA, THRESHOLDS, fails, outcomes
from tests.test_decide import Door as Hall

USUAL = limits_of(Decide(), THRESHOLDS)


def own(**numbers: float) -> Limits:
    return limits_of(Decide(), THRESHOLDS, DoorDecide(**numbers))  # type: ignore[arg-type]


def numbers(*doors: Door, **rules: bool) -> Numbers:
    return Numbers.of(doors, Decide(**rules), THRESHOLDS)


def seen(hall: Hall, similarity: float = 0.9, times: int = 3, **how: float) -> list[Decision]:
    return [d for _ in range(times) for d in hall.sees(ANNA, similarity, **how)]  # type: ignore[arg-type]


def test_without_numbers_of_its_own_every_door_is_meant() -> None:
    (grant,) = seen(Hall())
    assert grant.fit is None


def test_a_face_that_meets_the_numbers_of_one_door_opens_only_that_one() -> None:
    hall = Hall({"main": USUAL, "lab": own(match=0.8, strict=0.85)})
    (grant,) = seen(hall, 0.7)
    assert (grant.outcome, grant.fit) == ("grant", ("main",))


def test_the_other_door_asks_for_a_second_factor_and_opens_by_its_own_numbers() -> None:
    hall = Hall({"main": USUAL, "lab": own(match=0.8, strict=0.85)})
    grant, review = seen(hall, 0.7, times=4)
    assert (review.outcome, review.fit, review.reason) == ("review", ("lab",), "grey_zone")
    factor = hall.judge.confirm(_asked(review, "lab"), hall.now)
    assert isinstance(factor, Decision)
    assert factor.fit == ("lab",)
    assert hall.judge.confirm(_asked(review, "lab"), hall.now) == DONE
    assert grant.fit == ("main",)


def _asked(review: Decision, *doors: str) -> Decision:
    return replace(review, doors=doors)


def test_who_comes_nearer_opens_the_stricter_door_too_and_the_first_not_again() -> None:
    hall = Hall({"main": USUAL, "lab": own(match=0.8, strict=0.85)})
    far, near = seen(hall, 0.7), seen(hall, 0.9)
    assert [d.fit for d in (*far, *near) if d.outcome == "grant"] == [("main",), ("lab",)]


def test_more_votes_for_one_door_delay_only_that_one() -> None:
    hall = Hall({"main": USUAL, "lab": own(votes=5)})
    assert [(d.outcome, d.fit) for d in seen(hall, times=5)] == [("grant", ("main",)), ("grant", ("lab",))]


def test_a_refusal_is_one_only_when_no_door_may_open() -> None:
    hall = Hall({"main": USUAL, "lab": own(grey=0.8, match=0.8, strict=0.85)})
    assert [(d.outcome, d.fit) for d in seen(hall, 0.55)] == [("review", ("main",))]
    hall = Hall({"main": USUAL, "lab": own(grey=0.8, match=0.8, strict=0.85)})
    assert outcomes(seen(hall, 0.3)) == [("deny", "unknown")]


def test_what_one_door_would_refuse_is_no_refusal_while_the_other_has_not_enough_votes_yet() -> None:
    hall = Hall({"main": own(votes=5), "lab": own(grey=0.8, match=0.8, strict=0.85)})
    assert seen(hall, 0.55, times=4) == []
    assert [(d.outcome, d.fit) for d in seen(hall, 0.55, times=1)] == [("review", ("main",))]


def test_a_face_too_small_for_one_door_may_open_the_other() -> None:
    hall = Hall({"main": USUAL, "far": own(min_face_px=40)})
    assert [(d.outcome, d.fit) for d in seen(hall, size=60)] == [("grant", ("far",))]


def test_a_door_without_lockout_opens_for_whoever_is_recognised() -> None:
    hall = Hall({"main": USUAL, "out": own(lockout=False)}, cooldown_s=0)
    fails(hall)
    (grant,) = seen(hall, 0.65)
    assert (grant.outcome, grant.fit) == ("grant", ("out",))


def test_looser_numbers_are_said_and_stricter_ones_are_not() -> None:
    loose = Door(name="shed", decide=DoorDecide(match=0.55, votes=1, lockout=False))
    hard = Door(name="lab", decide=DoorDecide(match=0.7, strict=0.8, votes=5))
    assert numbers(loose, hard).notices == (
        "door shed lets in more than its model and [decide] would: match 0.55 (usually 0.6), votes 1 (usually 3), "
        "lockout off",
    )


def test_motion_that_is_off_is_said() -> None:
    assert "a photo" in numbers(motion=False).notices[0]


def test_what_differs_is_written_down_by_door() -> None:
    doors = (Door(name="lab", decide=DoorDecide(margin=0.1)), Door(name="main"))
    made = numbers(*doors)
    assert made.own_json() == {"lab": {"margin": 0.1}}
    assert made.by_camera({"entry": doors, "yard": [doors[1]]}) == {"entry": {"lab": made.own["lab"], "main": USUAL}}


@pytest.mark.parametrize(
    ("numbers_of", "word"),
    [({"grey": 0.65}, "must not fall"), ({"votes": 6}, "cannot exceed of"), ({"usable": 0.7}, "cannot exceed trusted")],
)
def test_numbers_that_do_not_go_together_are_refused_by_door(numbers_of: dict[str, float], word: str) -> None:
    with pytest.raises(ConfigError, match=f"door 'lab': .*{word}"):
        numbers(Door(name="lab", decide=DoorDecide(**numbers_of)))  # type: ignore[arg-type]


def test_numbers_come_from_the_model_unless_the_device_or_the_door_says_otherwise() -> None:
    judging = Judging(margin=0.05, usable=0.45, trusted=0.7, evidence="measured")
    model = Numbers.of([], Decide(), THRESHOLDS, judging)
    assert (model.usual.margin, model.usual.usable, model.usual.trusted, model.notices) == (0.05, 0.45, 0.7, ())
    device = Numbers.of([], Decide(margin=0.01), THRESHOLDS, judging)
    assert (device.usual.margin, device.notices) == (0.01, ("[decide] margin 0.01 is less than the model's 0.05",))
    lab = Door(name="lab", decide=DoorDecide(margin=0.2, trusted=0.8))
    (limits,) = Numbers.of([lab], Decide(), THRESHOLDS, judging).own.values()
    assert (limits.margin, limits.usable, limits.trusted) == (0.2, 0.45, 0.8)


def of_a_model(**levels: float) -> Numbers:
    doors = (Door(name="lab", decide=DoorDecide(match=0.45, grey=0.4)), Door(name="main"))
    return Numbers.of(doors, Decide(), Thresholds(**levels))


def test_scores_that_were_set_for_one_recogniser_do_not_loosen_a_door_of_another() -> None:
    one, other = of_a_model(grey=0.3, match=0.4, strict=0.5), of_a_model(grey=0.5, match=0.6, strict=0.7)
    assert loosened(one, other).startswith("door 'lab': its own grey 0.4, set for the recogniser that serves")
    assert loosened(other, one) == ""
    assert loosened(other, other) == "", "that was meant for this one"
