"""Which work is too late, told with made-up times: nothing is dropped for ever, nothing late is worked on for long."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceedge.deadlines import SHARE, STALE_S, Deadlines

STAGES = ("detect", "recognise")
FRAME_S = 0.04


def learned(**usual_s: float) -> Deadlines:
    """At second 0 every stage has just done batches of one that took so long."""
    deadlines = Deadlines(STAGES, 0.5)
    for stage, seconds in usual_s.items():
        for _ in range(9):
            worked(deadlines, stage, seconds, 0.0)
    return deadlines


def worked(deadlines: Deadlines, stage: str, seconds: float, now: float, items: int = 1) -> None:
    """A batch that was let through and has taken so long, whatever is known."""
    deadlines._timely[stage] += items
    deadlines.took(stage, seconds, now)


def test_what_has_waited_past_its_deadline_is_late_and_counted_as_old() -> None:
    deadlines = Deadlines(STAGES, 0.5)
    assert not deadlines.is_late("detect", 10.0, 10.5)
    assert deadlines.is_late("detect", 10.0, 10.51)
    assert {name: n for name, n in deadlines.counters().items() if n} == {"late_detect_old": 1}


def test_what_the_stages_ahead_cannot_do_in_time_is_dropped_before_the_first_of_them() -> None:
    deadlines = learned(detect=0.2, recognise=0.1)
    assert not deadlines.is_late("detect", -0.15, 0.0)
    assert deadlines.is_late("detect", -0.25, 0.0)  # 0.25 s are left for 0.3 s of work
    assert not deadlines.is_late("crops", -0.35, 0.0)  # only the recogniser is still to come
    assert deadlines.is_late("recognise", -0.45, 0.0)
    assert {name: n for name, n in deadlines.counters().items() if n} == {
        "late_detect_slow": 1, "late_recognise_slow": 1,
    }  # fmt: skip


def test_one_slow_batch_drops_nothing() -> None:
    deadlines = learned(detect=0.02, recognise=0.02)
    worked(deadlines, "detect", 9.0, 0.0)
    assert not deadlines.is_late("detect", 0.0, 0.0)


def test_the_first_batches_of_a_network_say_nothing() -> None:
    deadlines = Deadlines(STAGES, 0.5)
    worked(deadlines, "detect", 2.0, 0.0)
    worked(deadlines, "detect", 2.0, 0.0)
    assert not deadlines.is_late("detect", 0.0, 0.0)


def test_one_fast_batch_ends_the_dropping() -> None:
    deadlines = learned(detect=0.8)
    assert deadlines.is_late("detect", 0.0, 0.0)
    worked(deadlines, "detect", 0.02, 0.0)
    assert not deadlines.is_late("detect", 0.0, 0.0)


def test_a_batch_of_which_nothing_was_worked_on_is_no_fast_batch() -> None:
    deadlines = learned(recognise=0.8)
    assert deadlines.is_late("recognise", 0.0, 0.0)
    deadlines.took("recognise", 0.0, 0.0)
    assert deadlines.is_late("recognise", 0.0, 0.0)


def test_a_stage_that_was_too_slow_is_tried_again_after_half_a_second() -> None:
    deadlines = learned(detect=0.8)
    assert deadlines.is_late("detect", STALE_S, STALE_S)
    assert not deadlines.is_late("detect", STALE_S + 0.01, STALE_S + 0.01)


@pytest.mark.parametrize(("each_s", "most"), [(0.001, 16), (0.03, 4), (0.05, 2), (0.4, 1), (0.0, 16)])
def test_a_batch_is_no_larger_than_what_is_done_in_a_quarter_of_the_time(each_s: float, most: int) -> None:
    deadlines = Deadlines(STAGES, 0.5)
    for _ in range(9):
        worked(deadlines, "detect", 4 * each_s, 0.0, items=4)
    assert deadlines.most("detect", 16) == most
    assert most == 1 or most * each_s <= SHARE * 0.5


def test_the_very_first_batch_has_one_member() -> None:
    deadlines = Deadlines(STAGES, 0.5)
    assert deadlines.most("detect", 16) == 1
    worked(deadlines, "detect", 0.005, 0.0)
    assert deadlines.most("detect", 16) == 16


def test_a_machine_that_is_too_slow_at_all_says_what_it_takes() -> None:
    assert learned(detect=0.7, recognise=0.1).too_slow_s == pytest.approx(0.8)
    assert learned(detect=0.1, recognise=0.1).too_slow_s is None


batches = st.tuples(st.sampled_from(STAGES), st.floats(0, 100), st.integers(1, 16), st.floats(0, 2))


@given(st.lists(batches, max_size=60), st.floats(0.001, 0.1), st.floats(0.001, 0.1), st.floats(0, 0.1))
def test_from_any_history_work_passes_within_a_second_once_the_stages_are_fast_again(
    history: list[tuple[str, float, int, float]], detect_s: float, recognise_s: float, age_s: float
) -> None:
    deadlines, now = Deadlines(STAGES, 0.5), 0.0
    for stage, seconds, items, pause_s in history:
        now += pause_s
        worked(deadlines, stage, seconds, now, items)
    assert first_decision_s(deadlines, now, detect_s, recognise_s, age_s) <= 1.0


def first_decision_s(deadlines: Deadlines, start: float, detect_s: float, recognise_s: float, age_s: float) -> float:
    """How long until a frame has passed both stages; frames come every 40 ms, `age_s` old."""
    now = start
    while now < start + 10:
        now += FRAME_S
        captured = now - age_s
        if deadlines.is_late("detect", captured, now):
            continue
        now += detect_s
        is_cut = not deadlines.is_late("crops", captured, now)
        deadlines.took("detect", detect_s, now)
        if not is_cut or deadlines.is_late("recognise", captured, now):
            continue
        now += recognise_s
        deadlines.took("recognise", recognise_s, now)
        return now - start
    return math.inf
