"""What a hundred swaps of networks leave in memory: `python -m benchmarks.swap_memory [--count 50]`.

As `swapping.py`, without its accounts of every picture: what is recorded is forgotten before memory is looked at.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

from benchmarks.measure import machine
from benchmarks.swapping import WARM_S, Held, furnished, held, there_and_back
from benchmarks.visits import Door
from faceedge.health.machine import load_average

BETWEEN_S = 0.3


def bare(door: Door) -> Held:
    """What the process has, with nothing recorded."""
    for kept in (door.seen.decided, door.seen.tracks, door.seen.passed, door._marks):
        kept.clear()
    return held()


def main() -> None:
    """Prints what there was before and after so many swaps of each role."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.swap_memory", description=__doc__)
    parser.add_argument("--count", type=int, default=50, help="swaps of each role, an even number")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        world = furnished(Path(folder), 2)
        with Door(world.state, world.films, world.models) as door:
            time.sleep(WARM_S)
            for role in world.labels:
                there_and_back(door, world, role, 2, BETWEEN_S)
            found = {"machine": machine(), "load": load_average(), "before": asdict(bare(door))}
            for role in world.labels:
                there_and_back(door, world, role, args.count, BETWEEN_S)
                found[f"after {args.count} of {role}"] = asdict(bare(door))
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
