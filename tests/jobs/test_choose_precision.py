"""The choice of a precision by times that are made up, and what is kept of it."""

from __future__ import annotations

import datetime
from pathlib import Path

import numpy as np
import pytest

from faceedge.config import EngineSettings
from faceedge.errors import StoreError
from faceedge.jobs import choose_precision as precision
from faceedge.jobs.choose_precision import Candidate, Choice, Timing, choices, choose, remember, time_all
from faceedge.package import read_package
from tests.jobs.made_up_calibration import site_with


def timing(package: str, kind: str, batch: int, times: float) -> Timing:
    return Timing(
        package=package, precision=kind, batch=batch, ms=10 / times, ms_quartiles=(1, 2), times=times, low=times,
        high=times,
    )  # fmt: skip


def timings(int8: tuple[float, float], mixed: tuple[float, float] | None = None) -> list[Timing]:
    rows = [timing("a@1", "fp32", batch, 1.0) for batch in (1, 8)]
    rows += [timing("a@1-int8", "int8", batch, times) for batch, times in zip((1, 8), int8, strict=True)]
    if mixed:
        rows += [timing("a@1-mixed", "mixed", batch, times) for batch, times in zip((1, 8), mixed, strict=True)]
    return rows


def test_the_fastest_is_chosen_and_the_words_say_by_how_much() -> None:
    label, kind, why = choose(timings((2.0, 1.8)), 1.05)
    assert (label, kind) == ("a@1-int8", "int8")
    assert why == "INT8 is 2.00 times as fast as float at batch 1 and 1.80 times as fast as float at batch 8"


def test_of_two_that_are_faster_the_fastest_over_all_batches_wins() -> None:
    assert choose(timings((2.0, 1.2), (1.6, 1.9)), 1.05)[:2] == ("a@1-mixed", "mixed")


@pytest.mark.parametrize("int8", [(0.5, 0.4), (1.9, 0.99), (1.04, 1.04), (1.0, 1.0)])
def test_float_stays_where_int8_is_slower_at_any_batch_or_hardly_faster(int8: tuple[float, float]) -> None:
    label, kind, why = choose(timings(int8), 1.05)
    assert (label, kind) == ("a@1", "fp32")
    assert why.startswith("float stays: INT8 is ")


def test_float_stays_where_nothing_passed() -> None:
    assert choose([timing("a@1", "fp32", 1, 1.0)], 1.05)[2] == "float stays: nothing else passed its gates"


def test_candidates_take_turns_and_the_ratio_is_of_the_same_round(tmp_path: Path) -> None:
    site_with(tmp_path / "state")
    package = read_package(tmp_path / "state" / "models" / "toy" / "1")
    both = (Candidate("a", "fp32", package.graph), Candidate("b", "int8", package.graph))
    found = time_all(both, package.manifest, np.zeros((1, 3, 112, 112), np.float32), EngineSettings())
    assert [(one.package, one.batch) for one in found] == [("a", 1), ("b", 1), ("a", 8), ("b", 8)]
    assert all(one.times == 1.0 for one in found if one.package == "a")
    assert all(one.low <= one.times <= one.high for one in found)


def choice(device: str = "d", source: str = "s", package: str = "a@1") -> Choice:
    return Choice(
        device=device, source=source, package=package, precision="fp32", why="w", date=datetime.date(2026, 1, 2),
        timings=(timing("a@1", "fp32", 1, 1.0),),
    )  # fmt: skip


def test_choices_are_kept_by_device_and_source_and_the_newest_counts(tmp_path: Path) -> None:
    for one in (choice(), choice(device="e"), choice(source="t"), choice(package="b@1")):
        remember(one, tmp_path)
    assert {(one.device, one.source, one.package) for one in choices(tmp_path)} == {
        ("d", "s", "b@1"), ("e", "s", "a@1"), ("d", "t", "a@1"),
    }  # fmt: skip


def test_a_damaged_note_is_told_when_it_is_read_and_replaced_when_it_is_written(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / precision.FILE).write_text("choice = 7\n")
    with pytest.raises(StoreError, match="damaged"):
        choices(tmp_path)
    remember(choice(), tmp_path)
    assert choices(tmp_path) == (choice(),)
