"""Do two engines that share their working memory answer as each does alone? A bench in, a finding out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from faceedge.backends.base import Engine, Tensor
from faceedge.checks.answers import pictures, run_rows, usual_shapes
from faceedge.checks.base import Bench, Finding, Share, judged
from faceedge.models.selftest import deviation_of_all
from faceedge.types import Floats

ROUNDS = 20
MOST = 1e-3
"""An engine may round otherwise from run to run; what another engine wrote over would be far beyond."""
Answers = Mapping[str, Tensor]


def check_arena(bench: Bench, tell: Share) -> Finding:
    """Detector and recogniser, alone and then in turns with batches of changing size, trimmed now and then."""
    packages = list(bench.packages.values())[:2]
    engines = [bench.on_gpu(package) for package in packages]
    rows = [_rows(usual_shapes(package, engine), engine) for package, engine in zip(packages, engines, strict=True)]
    alone = [[run_rows(engine, some) for some in sizes] for engine, sizes in zip(engines, rows, strict=True)]
    worst = in_turns(engines, rows, alone, tell)
    working = [engine.memory.working for engine in engines]
    faults = [f"answers changed by {worst:.2g} when two engines took turns, more than {MOST:g}"] if worst > MOST else []
    said = f"{ROUNDS} rounds of two engines in one block: answers changed by {worst:.2g}"
    return judged(faults, said, changed=worst, rounds=ROUNDS, working=working)


def in_turns(
    engines: Sequence[Engine], rows: Sequence[Sequence[Floats]], alone: Sequence[Sequence[Answers]], tell: Share
) -> float:
    """The largest deviation from what each answered alone. rows: batches for each engine, in several sizes."""
    worst = 0.0
    for number in range(ROUNDS):
        tell(number / ROUNDS)
        for turn, (engine, batches, right) in enumerate(zip(engines, rows, alone, strict=True)):
            which = (number + turn) % len(batches)
            worst = max(worst, deviation_of_all(right[which], run_rows(engine, batches[which])))
        if number % 5 == 4:
            engines[number % len(engines)].trim()
    return worst


def _rows(shapes: Sequence[tuple[int, ...]], engine: Engine) -> list[Floats]:
    """The smallest and the largest batch."""
    low, usual, _ = shapes
    return [pictures(usual[2:], count) for count in sorted({low[0], engine.max_batch})]
