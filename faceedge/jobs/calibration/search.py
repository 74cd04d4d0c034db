"""From ranges to a build that holds its gates: methods in turn, and then the smallest set of nodes back to float.

In: a workbench that writes graphs, a judge. Out: the build, and the curve of what was tried.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from faceedge.jobs.calibration.gates import Judge, Judged
from faceedge.quantize.collect import Batches
from faceedge.quantize.options import Method

Progress = Callable[[str, float], None]
Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Made:
    """A graph that was written. kept: nodes left in float, and why. kept_float: their share of the multiply-adds.

    weights_before, weights_after: bytes of the constants.
    """

    graph: Path
    kept: tuple[tuple[str, str], ...]
    kept_float: float
    weights_before: int
    weights_after: int


@dataclass(frozen=True, slots=True)
class Harm:
    """How much the quantisation of a node harms the outputs, on any scale, and its share of the multiply-adds."""

    node: str
    harm: float
    share: float


class Workbench(Protocol):
    """Writes a network's INT8 graphs; ranges are made once a method."""

    def make(self, target: Path, method: Method, returned: Collection[str]) -> Made:
        """Writes the graph with these nodes, beside those that the rules keep, in float."""
        ...

    def ranking(self, method: Method) -> Sequence[Harm]:
        """The nodes in INT8, most harmful first."""
        ...

    def oddities(self, build: Path, gates: Batches) -> tuple[str, ...]:
        """What is odd about the values that the pictures cause, beside those of the gates, in sentences."""
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """What a search may spend: seconds, and share of the multiply-adds in float."""

    budget_s: float
    most_float: float


@dataclass(frozen=True, slots=True)
class Point:
    """One graph that was tried. returned: how many nodes went back to float; likeness: `Judged.likeness`."""

    method: Method
    returned: int
    kept_float: float
    likeness: float
    passed: bool


@dataclass(frozen=True, slots=True, eq=False)
class Build:
    """The build that was settled on, passed or not. returned: nodes that the search brought back to float, most
    harmful first, from the beginning of `ranking`. ended: why the search stopped without success, in words. fast: the
    form that ONNX Runtime runs on a CPU, where it passed its gates, too; `judged` is then of it."""

    made: Made
    judged: Judged
    method: Method
    returned: tuple[Harm, ...]
    curve: tuple[Point, ...]
    ranking: tuple[Harm, ...] = ()
    ended: str = ""
    fast: Path | None = None


class Search:
    """One search. folder: where its graphs lie."""

    def __init__(
        self, bench: Workbench, judge: Judge, folder: Path, oddities: Sequence[str], tell: Progress,
        clock: Clock = time.monotonic,
    ) -> None:  # fmt: skip
        self._bench = bench
        self._judge = judge
        self._folder = folder
        self._oddities = oddities
        self._tell = tell
        self._clock = clock
        self._curve: list[Point] = []
        self._ranking: tuple[Harm, ...] = ()

    def run(self, methods: Sequence[Method], limits: Limits) -> Build:
        """The first method that passes with every node in INT8; else the best one, with nodes back in float."""
        start, best = self._clock(), None
        for number, method in enumerate(methods):
            self._tell(f"quantising ({method})", number / len(methods) / 2)
            build = self._tried(method, ())
            if best is None or build.judged.likeness > best.judged.likeness or build.judged.verdict.passed:
                best = build
            if build.judged.verdict.passed:
                break
        assert best is not None, "a recipe names at least one method"
        if not best.judged.verdict.passed:
            best = self._returning(best, start, limits)
        return best

    def _returning(self, whole: Build, start: float, limits: Limits) -> Build:
        """The smallest number of nodes, most harmful first, with which the gates hold: doubled, then halved."""
        ranking = self._ranking = tuple(self._bench.ranking(whole.method))
        most, ended = _affordable(ranking[:-1], limits.most_float - whole.made.kept_float)
        if not most:
            return self._done(whole, ended or "no node is left to return to float")
        low, high, best = 0, 1, whole
        while not best.judged.verdict.passed:
            if self._clock() - start > limits.budget_s:
                return self._done(best, f"the search had {limits.budget_s:.0f} s")
            build = self._tried(whole.method, ranking[:high])
            best = build if build.judged.verdict.passed or build.judged.likeness >= best.judged.likeness else best
            if not build.judged.verdict.passed:
                if high == most:
                    return self._done(best, ended or "all nodes but one were returned to float")
                low, high = high, min(2 * high, most)
        while high - low > 1 and self._clock() - start <= limits.budget_s:
            middle = (low + high) // 2
            build = self._tried(whole.method, ranking[:middle])
            low, high, best = (low, middle, build) if build.judged.verdict.passed else (middle, high, best)
        return self._done(best, "")

    def _tried(self, method: Method, returned: Sequence[Harm]) -> Build:
        """Writes and judges one graph."""
        if returned:
            self._tell(f"returning {len(returned)} nodes to float", 0.5 + 0.5 * min(1.0, len(self._curve) / 12))
        made = self._bench.make(
            self._folder / f"{method}-{len(returned)}.onnx", method, {harm.node for harm in returned}
        )
        judged = self._judge.judge(made.graph, self._oddities)
        point = Point(method, len(returned), made.kept_float, judged.likeness, judged.verdict.passed)
        self._curve.append(point)
        return Build(made, judged, method, tuple(returned), tuple(self._curve))

    def _done(self, build: Build, ended: str) -> Build:
        return Build(build.made, build.judged, build.method, build.returned, tuple(self._curve), self._ranking, ended)


def _affordable(ranking: Sequence[Harm], share: float) -> tuple[int, str]:
    """How many of the first nodes may return to float, and what the limit was if not all may."""
    spent = 0.0
    for count, harm in enumerate(ranking):
        spent += harm.share
        if spent > share + 1e-9:
            return count, f"the search may leave {100 * max(share, 0):.0f} % more of the multiply-adds in float"
    return len(ranking), ""
