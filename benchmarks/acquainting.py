"""Hundreds of people get templates of another recogniser while the door works: how long it takes, and who waits for it.

    python -m benchmarks.acquainting [--people 500] [--rounds 4] [--cameras 2] [--out acquainting.json]

The whole daemon on films of people who come and go (`visits.py`), beside whom so many others of LFW are enrolled with
their pictures. One order lets another recogniser serve: latency from its begin to its end is held against that of
steady work before and after, in every round of the same daemon's life.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import threading
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np

from benchmarks.measure import machine
from benchmarks.networks import DEV
from benchmarks.swapping import PAIRS, WARM_S, Span, World, account, furnished, p99, swapped
from benchmarks.visits import Door
from faceedge.config import EngineSettings, cache_dir
from faceedge.gallery.base import Origin
from faceedge.gallery.store import Gallery
from faceedge.health.machine import load_average
from faceedge.jobs.open_vision import open_vision
from faceedge.jobs.swap import Order

STEADY_S = 20.0
"""Of steady work, before and after."""
LOOK_S = 0.1


def peopled(world: World, count: int) -> None:
    """Enrols one photo each of so many others, with its picture, by the recogniser that serves first."""
    folders = sorted(path for path in (DEV / "lfw" / "images").iterdir() if path.is_dir())
    photos = (np.asarray(cv2.imread(str(min(folder.iterdir()))), np.uint8) for folder in folders)
    models = world.models.model_copy(update={role: pair[0][1] for role, pair in PAIRS.items()})
    with (
        open_vision(models, EngineSettings(backend="onnx"), world.state, cache_dir()) as vision,
        Gallery.open(world.state) as gallery,
        gallery.transaction(),
    ):
        found = ((photo, vision.detector.detect([photo])[0]) for photo in photos)
        for number, (photo, faces) in enumerate(islice((pair for pair in found if pair[1]), count)):
            crop = vision.crops(photo, faces[:1])[0]
            person = gallery.add_person(f"person {number}")
            origin = Origin(0.9, "photo", vision.recognizer_build)
            gallery.add_template(person.id, vision.recognizer.embed([crop])[0], origin, crop)


def watched(door: Door, shares: list[float], ending: threading.Event) -> None:
    """Notes every share that is told of the step `prepare`."""
    while not ending.wait(LOOK_S):
        now = door._daemon._house.swapper.as_json()
        if now and now["step"] == "prepare" and (not shares or now["share"] != shares[-1]):
            shares.append(now["share"])


def run(world: World) -> dict[str, Any]:
    """One round: steady work, the order, steady work."""
    shares: list[float] = []
    ending = threading.Event()
    with Door(world.state, world.films, world.models) as door:
        time.sleep(WARM_S + STEADY_S)
        watching = threading.Thread(target=watched, args=(door, shares, ending))
        watching.start()
        span = swapped(door, Order(role="recognizer", name=world.labels["recognizer"][1]))
        ending.set()
        watching.join()
        time.sleep(STEADY_S)
        until = time.monotonic()
        steady: Sequence[Span] = [(span[0] - STEADY_S, span[0]), (span[1], until)]
        seen = account(door, world.cast, [span], until)
        during, calm = door.seen.latencies([span]), door.seen.latencies(steady)
    return {"seconds": span[1] - span[0], "shares": len(shares), "during": during, "calm": calm, **seen}


def main() -> None:
    """Prints one line a round, then all together."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.acquainting", description=__doc__)
    parser.add_argument("--people", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--cameras", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("acquainting.json"))
    args = parser.parse_args()
    rounds = []
    for number in range(args.rounds):
        with tempfile.TemporaryDirectory() as folder:
            world = furnished(Path(folder), args.cameras)
            peopled(world, args.people)
            rounds.append(run(world))
        one = rounds[-1]
        told = f"{one['seconds']:.1f} s, {one['shares']} shares told, {one['visits_during_a_swap']} visits meanwhile"
        print(f"{number}: {told}; {one['not_let_in']} of {one['visits']} not let in, {one['wrong']} wrong", flush=True)
    during, calm = ([ms for one in rounds for ms in one[name]] for name in ("during", "calm"))
    found = {
        "machine": machine(), "load_after": load_average(), "people": args.people,
        "seconds": [round(one["seconds"], 1) for one in rounds], "decisions": [len(during), len(calm)],
        "p50_ms": [round(median(during), 1), round(median(calm), 1)],
        "p99_ms": [round(p99(during), 1), round(p99(calm), 1)], "p99_ratio": round(p99(during) / p99(calm), 2),
        "rounds": [{key: value for key, value in one.items() if key not in ("during", "calm")} for one in rounds],
    }  # fmt: skip
    args.out.write_text(json.dumps(found, indent=1), encoding="utf-8")
    print(json.dumps({key: value for key, value in found.items() if key != "rounds"}, indent=1))


if __name__ == "__main__":
    main()
