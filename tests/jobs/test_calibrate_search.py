"""The search for the smallest set of nodes in float, with a workbench and a judge that are made up."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from faceedge.jobs.calibration.gates import Judged
from faceedge.jobs.calibration.search import Build, Harm, Limits, Made, Search
from faceedge.quantize.gates import Finding, Verdict
from faceedge.quantize.scales import Method
from tests.jobs.made_up_calibration import quiet

NODES = tuple(Harm(f"n{at}", 100.0 - at, 0.05) for at in range(20))
FREE = Limits(budget_s=1000, most_float=1.0)


@dataclass
class Bench:
    """Writes nothing; remembers what was asked for."""

    made: dict[Path, Made] = field(default_factory=dict)
    returned: list[int] = field(default_factory=list)

    def make(self, target: Path, method: Method, returned: Collection[str]) -> Made:
        self.returned.append(len(returned))
        assert {harm.node for harm in NODES[: len(returned)]} == set(returned), "the most harmful go first"
        self.made[target] = Made(target, (), 0.05 * len(returned), 400, 100 + 15 * len(returned))
        return self.made[target]

    def ranking(self, method: Method) -> Sequence[Harm]:
        return NODES


@dataclass
class Judge:
    """Passes from so many returned nodes on; methods add a head start."""

    bench: Bench
    needed: int
    head_start: dict[str, int] = field(default_factory=dict)

    def judge(self, graph: Path, oddities: Sequence[str] = ()) -> Judged:
        method = graph.name.partition("-")[0]
        count = round(self.bench.made[graph].kept_float / 0.05) + self.head_start.get(method, 0)
        likeness = Finding(name="cosine_mean", value=count / 100, words="made up")
        outcome = "passed" if count >= self.needed else "failed"
        return Judged(Verdict(outcome=outcome, findings=(likeness,), sentence="made up"), None)


def search(
    needed: int, methods: tuple[Method, ...] = ("error",), limits: Limits = FREE, **head_start: int
) -> tuple[Build, Bench]:
    bench = Bench()
    judge = Judge(bench, needed, head_start)
    ticks = iter(range(10_000))
    found = Search(bench, judge, Path("x"), (), quiet, clock=lambda: float(next(ticks))).run(methods, limits)
    return found, bench


@pytest.mark.parametrize("needed", range(1, 20))
def test_the_smallest_number_of_nodes_is_found(needed: int) -> None:
    build, bench = search(needed)
    assert build.judged.verdict.passed
    assert len(build.returned) == needed
    assert len(bench.returned) <= 10, "doubled and halved, not one by one"
    assert [point.returned for point in build.curve] == bench.returned


def test_nothing_is_returned_when_the_first_build_passes() -> None:
    build, bench = search(0)
    assert build.returned == ()
    assert bench.returned == [0]


def test_every_node_but_one_may_return() -> None:
    build, _ = search(20)
    assert not build.judged.verdict.passed
    assert "all nodes but one" in build.ended
    assert len(build.curve) >= 2


def test_the_share_in_float_ends_the_search() -> None:
    build, bench = search(10, limits=Limits(1000, 0.2))
    assert not build.judged.verdict.passed
    assert max(bench.returned) == 4
    assert "20 % more of the multiply-adds" in build.ended


def test_the_budget_ends_the_search_with_the_best_so_far() -> None:
    build, bench = search(19, limits=Limits(2, 1.0))
    assert not build.judged.verdict.passed
    assert "the search had 2 s" in build.ended
    assert build.judged.likeness == max(bench.returned) / 100


def test_a_budget_that_ends_while_halving_still_passes() -> None:
    build, _ = search(9, limits=Limits(6, 1.0))
    assert build.judged.verdict.passed
    assert build.ended == ""


def test_methods_are_tried_in_turn_until_one_passes() -> None:
    build, bench = search(5, ("minmax", "error", "entropy"), error=5)
    assert build.method == "error"
    assert bench.returned == [0, 0], "the third was not needed"


def test_where_none_passes_the_search_goes_on_with_the_best_method() -> None:
    build, _ = search(5, ("minmax", "error", "entropy"), minmax=1, error=3)
    assert build.method == "error"
    assert len(build.returned) == 2
