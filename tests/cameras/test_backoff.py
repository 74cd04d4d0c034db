"""A camera that is away is tried less and less often, but never so seldom that its return goes unseen."""

from __future__ import annotations

from random import Random

from faceedge.cameras.backoff import HEALTHY_S, LONGEST_S, SHORTEST_S, Backoff


class Clock:
    now = 7.0

    def __call__(self) -> float:
        return self.now


def test_pauses_grow_and_stay_between_their_bounds() -> None:
    runs = [
        [backoff.failed() for _ in range(12)] for backoff in (Backoff(Random(seed), Clock()) for seed in range(200))
    ]
    assert all(SHORTEST_S <= pause <= LONGEST_S for run in runs for pause in run)
    assert sum(run[0] for run in runs) / len(runs) < 0.6
    assert sum(run[8] for run in runs) / len(runs) > 1.5


def test_two_cameras_do_not_ask_at_the_same_moments() -> None:
    one, other = Backoff(Random(1), Clock()), Backoff(Random(2), Clock())
    assert all(abs(one.failed() - other.failed()) > 1e-6 for _ in range(6))


def test_a_camera_that_was_well_for_a_while_is_tried_again_soon() -> None:
    clock = Clock()
    backoff = Backoff(Random(3), clock)
    for _ in range(20):
        backoff.failed()
    backoff.delivered()
    clock.now += HEALTHY_S
    backoff.delivered()
    assert backoff.failed() <= 3 * SHORTEST_S


def test_a_picture_now_and_then_is_no_health() -> None:
    clock = Clock()
    backoff, pauses = Backoff(Random(3), clock), []
    for _ in range(30):
        backoff.delivered()
        clock.now += HEALTHY_S / 2
        pauses.append(backoff.failed())
    assert sum(pauses[10:]) / 20 > 1.0
