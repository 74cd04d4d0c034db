"""Other networks while the door is under full load: what is dropped, what is wrong, how late, and what stays behind.

    python -m benchmarks.swapping [--count 100] [--failures 50] [--rollbacks 20] [--cameras 4] [--out swapping.json]

The whole daemon, without a broker, on films of people who come and go (`visits.py`); every swap takes the way of
`faceedge model activate`, checks included, between two recognisers and between two detectors in turn. The people are
enrolled with the first recogniser; the second one gets to know them by the first swap. Latency during swaps is held
against that between them, in one run. Then packages that may not serve, and the way back.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import NodeProto, TensorProto, helper, numpy_helper

from benchmarks.measure import machine
from benchmarks.networks import ACCEPTED, ASSETS, DEV
from benchmarks.reopen import resident_mb
from benchmarks.scenes import sitters
from benchmarks.visits import Cast, Door, choose_first, enrolled, film
from faceedge.backends.base import Engine, Input, Tensor
from faceedge.backends.heap import return_freed_memory
from faceedge.config import Models, cache_dir
from faceedge.errors import NoMemory
from faceedge.health.machine import load_average
from faceedge.jobs.swap import Order
from faceedge.manifest import Graph, Role
from faceedge.models.store import find_package, make_package, write_parts
from faceedge.package import GRAPH, Package

PAIRS: Mapping[Role, tuple[tuple[str, str], tuple[str, str]]] = {
    "recognizer": (("edgeface_xs_512", "edgeface-xs"), ("mobileface_v2_256", "mobileface-v2")),
    "detector": (("yunet_n", "yunet"), ("scrfd_500m", "scrfd-500m")),
}
"""Graph and recipe, by role, of what serves first and of the other one."""
PEOPLE, STRANGERS = 6, 2
WARM_S, BETWEEN_S, SETTLE_S = 8.0, 2.5, 2.0
"""Before anything is measured; of steady work after each swap; after which what a swap does is over."""
SAMPLES = 20
BLOCKS = 5
"""The run in so many parts, for the spread."""
Span = tuple[float, float]


@dataclass(frozen=True)
class Held:
    """What the process has at a moment: resident megabytes, threads, open descriptors, sessions of ONNX Runtime."""

    resident_mb: float
    threads: int
    descriptors: int
    sessions: int


class Scarce:
    """Engines that have no memory when they are told so. where: nothing, `open` or `run`."""

    def __init__(self) -> None:
        self.where = ""

    def __call__(self, _role: str, engine: Engine) -> Engine:
        if self.where == "open":
            raise NoMemory("ONNX Runtime has no memory left: made up; lower [batch] max")
        return _Hungry(engine) if self.where == "run" else engine


class _Hungry:
    """An engine that finds no memory for a batch."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def infer(self, arrays: Mapping[str, Input]) -> dict[str, Tensor]:  # noqa: ARG002 - none are looked at
        """Raises NoMemory."""
        raise NoMemory("ONNX Runtime has no memory left: made up; lower [batch] max")


@dataclass(frozen=True)
class World:
    """A state directory with packages, people and films. labels: by role, what serves first and the other."""

    state: Path
    models: Models
    labels: Mapping[Role, tuple[str, str]]
    cast: Cast
    films: Sequence[Path]


def furnished(folder: Path, cameras: int, people: int = PEOPLE, strangers: int = STRANGERS) -> World:
    """Packages, people who are enrolled and who are not, and a film for every camera."""
    state = folder / "state"
    state.mkdir(mode=0o700)
    labels: dict[Role, tuple[str, str]] = {}
    for role, pair in PAIRS.items():
        made = [make_package(ASSETS / "models" / f"{graph}.onnx", recipe, state / "models") for graph, recipe in pair]
        labels[role] = (made[0].label, made[1].label)
    choose_first(state, {role: pair[0] for role, pair in labels.items()})
    models = Models(accept_licences=ACCEPTED)
    cast = enrolled(sitters(DEV), state, models, people, strangers)
    films = [film(folder / f"c{number}.avi", cast, 2 * number, number) for number in range(cameras)]
    return World(state, models, labels, cast, films)


def held() -> Held:
    """The median of some moments: a batch more or less at work is no leak."""
    gc.collect()
    return_freed_memory()
    resident = []
    for _ in range(SAMPLES):
        time.sleep(SETTLE_S / SAMPLES)
        resident.append(resident_mb())
    sessions = sum(isinstance(one, onnxruntime.InferenceSession) for one in gc.get_objects())
    return Held(
        round(median(resident), 1), threading.active_count(), len(os.listdir("/proc/self/fd")), sessions
    )  # fmt: skip


def swapped(door: Door, order: Order) -> Span:
    """From when to when. Raises SystemExit when it comes to nothing."""
    why, span = door.ordered(order)
    if why:
        raise SystemExit(f"{order}: {why}")
    return span


def there_and_back(door: Door, world: World, role: Role, count: int, between_s: float) -> list[Span]:
    """So many swaps, each by name; an even number ends with what served before."""
    spans = []
    for number in range(count):
        label = world.labels[role][1 - number % 2]
        spans.append(swapped(door, Order(role=role, name=label)))
        assert label in {package.label for package in door.serving().packages.values() if package is not None}
        _say(f"{role}: {number + 1} of {count} swaps, {spans[-1][1] - spans[-1][0]:.2f} s")
        time.sleep(between_s)
    return spans


@dataclass(frozen=True)
class Fault:
    """what: in words. spoil: of the graph. told: what the manifest says otherwise. scarce: where there is no memory."""

    what: str
    spoil: Callable[[bytes], bytes] = bytes
    told: Mapping[str, Any] = field(default_factory=dict)
    scarce: str = ""


def spoiled(world: World) -> Iterator[tuple[Fault, Package]]:
    """Packages that may not serve, for ever, each with what is wrong; it is deleted when the next one is asked for."""
    pairs = ((fault, other) for fault in cycle(FAULTS) for _, other in world.labels.values())
    for number, (fault, other) in enumerate(pairs):
        good = find_package(other, world.state, cache_dir())
        folder = good.folder.with_name(f"bad-{number}")
        noted = {"plain": Graph(sha256=good.graph_digest())} if fault is DAMAGED else {}
        manifest = good.manifest.model_copy(update={"version": folder.name, **noted, **fault.told})
        folder.mkdir()
        (folder / GRAPH).write_bytes(fault.spoil(good.graph.read_bytes()))
        write_parts(folder, manifest, good.fit)
        try:
            yield fault, replace(good, folder=folder, manifest=manifest)
        finally:
            shutil.rmtree(folder)


def refused(door: Door, order: Order) -> tuple[str, Span]:
    """Why, and from when to when; what serves is what served."""
    before = dict(door.serving().builds)
    why, span = door.ordered(order)
    if not why or door.serving().builds != before:
        raise SystemExit(f"{order.name} serves")
    return why, span


def failures(door: Door, world: World, scarce: Scarce, count: int, between_s: float) -> tuple[Counter[str], list[Span]]:
    """So many orders that come to nothing: how many of each kind, and when."""
    kinds, spans, bad = Counter[str](), list[Span](), spoiled(world)
    for fault, package in islice(bad, count):
        scarce.where = fault.scarce
        why, span = refused(door, Order(name=package.label))
        scarce.where = ""
        kinds[fault.what] += 1
        spans.append(span)
        _say(f"{fault.what}: {why}")
        time.sleep(between_s)
    bad.close()
    return kinds, spans


def _cut(graph: bytes) -> bytes:
    return graph[: len(graph) // 2]


def _answering(node: Callable[[str, str], tuple[NodeProto, TensorProto | None]], graph: bytes) -> bytes:
    """The network with its answers led through one node more: of the old name and the new one it is made."""
    model = onnx.load_from_string(graph)
    for output in model.graph.output:
        inner = f"{output.name}_before"
        for each in model.graph.node:
            each.output[:] = [inner if name == output.name else name for name in each.output]
            each.input[:] = [inner if name == output.name else name for name in each.input]
        made, constant = node(inner, output.name)
        model.graph.node.append(made)
        if constant is not None:
            model.graph.initializer.append(constant)
        for number, side in enumerate(output.type.tensor_type.shape.dim):
            side.dim_param = f"{output.name}_{number}"
    return bytes(model.SerializeToString())


def _twice(inner: str, name: str) -> tuple[NodeProto, None]:
    return helper.make_node("Concat", [inner, inner], [name], axis=0), None


def _undefined(inner: str, name: str) -> tuple[NodeProto, TensorProto]:
    nothing = numpy_helper.from_array(np.array(np.nan, np.float32), f"{name}_nan")
    return helper.make_node("Mul", [inner, nothing.name], [name]), nothing


DAMAGED = Fault("truncated", _cut)
FAULTS = (
    DAMAGED,
    Fault("truncated, and nothing notes its digest", _cut),
    Fault("wrong shape", partial(_answering, _twice)),
    Fault("answers that are no numbers", partial(_answering, _undefined)),
    Fault("gate not passed", told={"precision": "int8"}),
    Fault("no memory to open it", scarce="open"),
    Fault("no memory to run it", scarce="run"),
)


def rollbacks(door: Door, world: World, count: int, between_s: float) -> list[float]:
    """Seconds of so many ways back, each by role alone, in turn."""
    for role, pair in world.labels.items():
        swapped(door, Order(role=role, name=pair[1]))
    seconds = []
    for number in range(count):
        start, end = swapped(door, Order(role=("recognizer", "detector")[number % 2]))
        seconds.append(end - start)
        time.sleep(between_s)
    return seconds


def between(spans: Sequence[Span], first: float, last: float) -> list[Span]:
    """The rest of the time, without what a swap may still do just after it."""
    starts = [first, *(end + SETTLE_S / 4 for _, end in spans)]
    return [(start, end) for start, end in zip(starts, [*(start for start, _ in spans), last], strict=True)]


def p99(values: Sequence[float]) -> float:
    """NaN for too few."""
    return quantiles(values, n=100)[98] if len(values) > 1 else float("nan")


def against_steady(door: Door, spans: Sequence[Span], first: float, last: float) -> dict[str, Any]:
    """Latencies during swaps and between them: p50, p99, the ratio, and that of each fifth of the run."""
    steady = between(spans, first, last)
    during, calm = door.seen.latencies(spans), door.seen.latencies(steady)
    ratios = []
    for block in range(BLOCKS):
        some, rest = spans[block::BLOCKS], steady[block::BLOCKS]
        ratios.append(p99(door.seen.latencies(some)) / p99(door.seen.latencies(rest)))
    return {
        "decisions": [len(during), len(calm)], "p50_ms": [round(median(during), 1), round(median(calm), 1)],
        "p99_ms": [round(p99(during), 1), round(p99(calm), 1)], "p99_ratio": round(p99(during) / p99(calm), 2),
        "p99_ratios": sorted(round(ratio, 2) for ratio in ratios),
        "swap_s": [round(median(end - start for start, end in spans), 2), round(max(e - s for s, e in spans), 2)],
    }  # fmt: skip


def account(door: Door, cast: Cast, spans: Sequence[Span], until: float) -> dict[str, Any]:
    """Who came, who was let in, and what was decided wrongly or never. until: when the last visit must have ended."""
    visits = [visit for visit in door.seen.visits(cast) if visit.end < until]
    over = [visit for visit in visits if any(start < visit.end and visit.start < end for start, end in spans)]
    reasons = Counter(f"{one.event['outcome']} {one.event['reason']}" for one in door.seen.decided)
    return {
        "visits": len(visits), "not_let_in": sum(visit.granted is None for visit in visits),
        "visits_during_a_swap": len(over), "not_let_in_during_a_swap": sum(visit.granted is None for visit in over),
        "wrong": len(door.seen.wrong(cast)), "tracks": len(door.seen.tracks),
        "tracks_undecided": len(door.seen.undecided()),
        "lost": sum(one.event["verdict"] == "lost" for one in door.seen.decided), "decisions": dict(reasons),
    }  # fmt: skip


def run(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """All of it in one run of the daemon."""
    world, scarce = furnished(folder, args.cameras), Scarce()
    found: dict[str, Any] = {"machine": machine(), "cameras": args.cameras, "load_before": load_average()}
    with Door(world.state, world.films, world.models, scarce) as door:
        time.sleep(WARM_S)
        for role in world.labels:
            there_and_back(door, world, role, 2, BETWEEN_S)  # from here on the one before is open in memory
        spans: list[Span] = []
        for role in world.labels:
            before, first = held(), time.monotonic()
            mine = there_and_back(door, world, role, args.count, BETWEEN_S)
            last = time.monotonic()
            found[role] = {
                "swaps": len(mine), **against_steady(door, mine, first, last), "before": asdict(before),
                "after": asdict(held()),
            }  # fmt: skip
            _say(json.dumps(found[role]))  # the whole takes long
            spans += mine
        before, first = held(), time.monotonic()
        kinds, failed = failures(door, world, scarce, args.failures, BETWEEN_S / 3)
        found["failures"] = {
            "kinds": dict(kinds), **against_steady(door, failed, first, time.monotonic()), "before": asdict(before),
            "after": asdict(held()),
        }  # fmt: skip
        _say(json.dumps(found["failures"]))
        back = rollbacks(door, world, args.rollbacks, BETWEEN_S / 3)
        found["rollback_s"] = {"median": round(median(back), 2), "most": round(max(back), 2), "count": len(back)}
        time.sleep(SETTLE_S)
        until = time.monotonic() - SETTLE_S
        counters = door.counters()
    found |= {
        "account": account(door, world.cast, [*spans, *failed], until), "load_after": load_average(),
        "counters": {name: count for name, count in counters.items() if count},
    }  # fmt: skip
    return found


def main() -> None:
    """Prints the figures, and writes them down."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.swapping", description=__doc__)
    parser.add_argument("--count", type=int, default=100, help="swaps of each role, an even number")
    parser.add_argument("--failures", type=int, default=50)
    parser.add_argument("--rollbacks", type=int, default=20)
    parser.add_argument("--cameras", type=int, default=4)
    parser.add_argument("--out", type=Path, default=Path("swapping.json"))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = run(args, Path(folder))
    text = json.dumps(found, indent=1)
    print(text)
    args.out.write_text(text + "\n", encoding="utf-8")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
