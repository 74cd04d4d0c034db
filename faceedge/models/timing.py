"""Two networks on the same picture, turn by turn; the fastest turn of each counts, which noise cannot make faster."""

from __future__ import annotations

import time

from faceedge.models.running import Network
from faceedge.types import Floats

BUDGET_S = 1.0
MIN_TURNS, MAX_TURNS = 3, 30


def times_as_fast(one: Network, other: Network, picture: Floats) -> float:
    """How many times `one` is as fast as `other`."""
    best = [float("inf"), float("inf")]
    for network in (one, other):
        network.run_one(picture)
    start = time.perf_counter()
    for turn in range(MAX_TURNS):
        for place, network in enumerate((one, other)):
            best[place] = min(best[place], _seconds(network, picture))
        if turn + 1 >= MIN_TURNS and time.perf_counter() - start > BUDGET_S:
            break
    return best[1] / best[0]


def _seconds(network: Network, picture: Floats) -> float:
    start = time.perf_counter()
    network.run_one(picture)
    return time.perf_counter() - start
