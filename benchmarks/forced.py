"""A recogniser that is worse on purpose, forced into a door that works: how soon it is found out, and who suffers.

    python -m benchmarks.forced [--sigma 0.3] [--times 5] [--cameras 2] [--out forced.json]

The whole daemon, without a broker, on films of people who come and go (`visits.py`). The network that serves, with
noise in its weights (`trials.py`), is ordered by name; the checks that would refuse it are left out. In turn it has a
say about every track, and looks on. Told are the seconds from the order to its end, making everybody known to it
included, grants for somebody who was not to be seen, refusals because of the trial, and threads left over.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from statistics import median
from typing import Any

import onnx

from benchmarks.measure import machine
from benchmarks.networks import ASSETS
from benchmarks.swapping import PAIRS, WARM_S, World, furnished
from benchmarks.trials import spoiled
from benchmarks.visits import Door
from faceedge.health.machine import load_average
from faceedge.jobs import choose_model
from faceedge.jobs.swap_order import Order
from faceedge.models.store import make_package, write_parts

WORSE = "worse"
LONGEST_S = 120.0
CHECKS = ("check_package", "check_photo")


def worse(world: World, sigma: float, folder: Path) -> str:
    """Label of what serves first, spoiled, as another version beside it."""
    graph, recipe = PAIRS["recognizer"][0]
    source = folder / "worse.onnx"
    onnx.save(spoiled(ASSETS / "models" / f"{graph}.onnx", sigma), source)
    made = make_package(source, recipe, folder / "made")
    target = world.state / "models" / made.manifest.name / WORSE
    shutil.copytree(made.folder, target)
    write_parts(target, made.manifest.model_copy(update={"version": WORSE}), made.fit)
    return f"{made.manifest.name}@{WORSE}"


def forced(door: Door, order: Order) -> tuple[str, float]:
    """Why it was given up, and after how many seconds. Raises SystemExit when it serves."""
    serves = dict(door.serving().builds)
    why, (start, end) = door.ordered(order)
    if not why or door.serving().builds != serves:
        raise SystemExit("what is worse serves")
    return why, end - start


def run(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """All of it in one run of the daemon."""
    world = furnished(folder, args.cameras)
    name = worse(world, args.sigma, folder)
    orders = {"canary": Order("recognizer", name, canary=1.0), "shadow": Order("recognizer", name, shadow_s=LONGEST_S)}
    took: dict[str, list[float]] = {kind: [] for kind in orders}
    whys: Counter[str] = Counter()
    with Door(world.state, world.films, world.models) as door:
        time.sleep(WARM_S)
        threads = threading.active_count()
        for _ in range(args.times):
            for kind, order in orders.items():
                why, seconds = forced(door, order)
                took[kind].append(round(seconds, 1))
                whys[f"{kind}: {why}"] += 1
        left = threading.active_count() - threads
    reasons = Counter(f"{one.event['outcome']} {one.event['reason']}" for one in door.seen.decided)
    return {
        "machine": machine(), "load": load_average(), "sigma": args.sigma, "threads_left": left, "why": dict(whys),
        "seconds": {kind: {"median": median(all_of), "all": all_of} for kind, all_of in took.items()},
        "wrong_grants": len(door.seen.wrong(world.cast)), "decisions": dict(reasons),
    }  # fmt: skip


def main() -> None:
    """Prints the figures, and writes them down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sigma", type=float, default=0.3, help="of the noise, against the spread of each tensor")
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--cameras", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("forced.json"))
    args = parser.parse_args()
    for check in CHECKS:
        setattr(choose_model, check, lambda *_: None)
    with tempfile.TemporaryDirectory() as folder:
        text = json.dumps(run(args, Path(folder)), indent=1)
    print(text)
    args.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
