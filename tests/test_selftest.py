"""The table of checks: what passes, fails and is not run; and a report that only its device can have signed."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from faceedge import selftest
from faceedge.backends.base import TensorSpec
from faceedge.backends.cpu import CpuPreprocessor
from faceedge.checks import answers, arena, film, kernels, memory
from faceedge.checks.answers import Apart
from faceedge.checks.base import Bench, Check, Finding, passed
from faceedge.checks.latency import told
from faceedge.checks.report import LABEL, read_signed, store
from faceedge.config import EngineSettings, Models, cache_dir
from faceedge.demo import clip, script
from faceedge.demo.told import Record
from faceedge.demo.verdict import Verdict, judge
from faceedge.door.broker import mosquitto
from faceedge.errors import BadInput, DeviceLost, EngineError, MissingExtra, StoreError
from faceedge.journal.signing import public_path, read_public
from faceedge.types import Floats

BENCH = cast(Bench, SimpleNamespace(packages={}))
MADE = datetime(2026, 11, 21, 14, 30, tzinfo=timezone.utc)


def check(name: str, run: Callable[..., Finding], why_not: str = "") -> Check:
    return Check(name, lambda bench: why_not, run)


def raising(error: Exception) -> Callable[..., Finding]:
    def run(bench: Bench, tell: Any) -> Finding:
        raise error

    return run


def verdicts(*checks: Check) -> list[str]:
    return [row.verdict for row in selftest.run(BENCH, lambda name, share: None, checks)]


def silent(share: float) -> None:
    """Nobody watches."""


def test_a_row_that_does_not_apply_says_why_and_fails_nothing() -> None:
    rows = selftest.run(BENCH, lambda *_: None, [check("kernels", raising(AssertionError()), "no GPU here")])
    assert [(row.verdict, row.finding.said) for row in rows] == [("not run", "no GPU here")]
    assert selftest.has_passed(rows)


def test_one_failed_row_fails_the_whole() -> None:
    good = check("good", lambda bench, tell: passed("well"))
    assert verdicts(good, check("bad", raising(EngineError("it fails; mend it")))) == ["passed", "failed"]
    assert not selftest.has_passed(
        selftest.run(BENCH, lambda *_: None, [good, check("bad", raising(EngineError("x")))])
    )


@pytest.mark.parametrize(
    ("error", "verdict", "said"),
    [
        (DeviceLost("the GPU is lost"), "failed", "the GPU is lost"),
        (MissingExtra("install matplotlib"), "not run", "install matplotlib"),
        (AttributeError("no such name"), "failed", "internal fault: AttributeError: no such name"),
    ],
)
def test_whatever_a_check_raises_is_its_row_and_the_others_still_run(error: Exception, verdict: str, said: str) -> None:
    rows = selftest.run(BENCH, lambda *_: None, [check("one", raising(error)), check("two", lambda *_: passed("well"))])
    assert [(row.verdict, row.finding.said) for row in rows] == [(verdict, said), ("passed", "well")]


def test_the_bar_rises_from_row_to_row() -> None:
    def half(bench: Bench, tell: Callable[[float], None]) -> Finding:
        tell(0.5)
        return passed("well")

    told: list[tuple[str, float]] = []
    selftest.run(BENCH, lambda name, share: told.append((name, share)), [check("one", half), check("two", half)])
    assert told == [("one", 0.0), ("one", 0.25), ("two", 0.5), ("two", 0.75)]


def test_the_film_is_the_last_row_as_it_closes_what_the_others_use() -> None:
    assert selftest.CHECKS[-1].run is film.check_film
    assert len({row.name for row in selftest.CHECKS}) == len(selftest.CHECKS)


# What is left behind.


def test_a_rising_line_has_its_slope_also_with_three_in_ten_values_wrong() -> None:
    random = np.random.default_rng(1)
    values = 1e8 + 4096.0 * np.arange(300)
    values[random.choice(300, 80, replace=False)] += 50e6
    assert memory.slope(list(values)) == pytest.approx(4096, rel=0.2)
    assert memory.slope([5.0] * 50) == 0


def test_memory_that_grows_with_every_run_fails() -> None:
    leak = [1e8 + 20_000 * number for number in range(500)]
    found = memory.finding({"process": [1e8] * 500, "CUDA": leak})
    assert found.verdict == "failed"
    assert found.said == "CUDA: 19.5 KiB more with every run, more than 16"


def test_a_warm_up_and_single_steps_are_no_leak() -> None:
    held = [min(number, 40) * 1e6 for number in range(1000)]
    held[600:] = [value + 2e6 for value in held[600:]]
    found = memory.finding({"process": held})
    assert found.verdict == "passed"
    assert found.said.startswith("1000 runs, a run: process +0.00 KiB")


def test_too_few_runs_are_not_judged() -> None:
    found = memory.finding({"process": [1.0] * 99})
    assert (found.verdict, found.said) == ("not run", "only 99 of 1000 runs fit in; give --minutes more")


# Answers.


@pytest.mark.parametrize(
    ("noted", "other", "is_good"),
    [(0.01, 0.02, True), (None, 0.05, True), (None, None, True), (0.06, 0.0, False), (0.0, 0.06, False)],
)
def test_answers_may_be_apart_as_far_as_the_precision_lets_them(
    noted: float | None, other: float | None, is_good: bool
) -> None:
    apart = Apart("net@1", noted, other, 0.05)
    assert (apart.fault == "") is is_good
    assert is_good or apart.fault.endswith("more than 0.05")


def test_numbers_that_are_none_are_too_far_apart() -> None:
    assert Apart("net@1", None, float("nan"), 0.05).fault


class Sums:
    """Answers with the sum of each row, from a memory that it shares with others of its kind."""

    inputs = (TensorSpec("x", "float32", (-1, 3, -1, -1)),)
    outputs = (TensorSpec("y", "float32", (-1, 1)),)
    max_batch = 4
    device = "cuda:0"

    def __init__(self, shared: Floats, *, is_broken: bool = False) -> None:
        self._shared, self._is_broken = shared, is_broken
        self.trims = 0

    def infer(self, arrays: dict[str, Any]) -> dict[str, Any]:
        rows = arrays["x"]
        sums = rows.sum(axis=(1, 2, 3), dtype=np.float64)[:, None]
        if self._is_broken:
            sums = sums + self._shared[0]  # what the other one left
        self._shared[0] = sums[0, 0] + 1
        return {"y": sums}

    def trim(self) -> None:
        self.trims += 1


@pytest.mark.parametrize("is_broken", [False, True])
def test_an_engine_that_reads_what_the_other_left_is_found_out(is_broken: bool) -> None:
    shared = np.zeros(1)
    engines = [Sums(shared), Sums(shared, is_broken=is_broken)]
    rows = [[answers.pictures((24, 32), 1), answers.pictures((24, 32), 4)] for _ in engines]
    alone = []
    for engine, batches in zip(engines, rows, strict=True):
        shared[0] = 0
        alone.append([answers.run_rows(engine, batch) for batch in batches])  # type: ignore[arg-type]
    changed = arena.in_turns(engines, rows, alone, silent)  # type: ignore[arg-type]
    assert (changed > arena.MOST) is is_broken
    assert all(engine.trims for engine in engines)


def test_rows_go_in_batches_that_the_engine_takes() -> None:
    rows = answers.pictures((24, 32), 7)
    found = answers.run_rows(cast(Any, Sums(np.zeros(1))), rows)["y"]
    assert found.shape == (7, 1)
    assert not np.allclose(found[0], found[1])


# Kernels.


class Off(CpuPreprocessor):
    """A preprocessor that is wrong in one way."""

    def __init__(self, what: str) -> None:
        super().__init__()
        self._what = what

    def letterbox(self, *args: Any) -> Any:
        made = super().letterbox(*args).copy()
        return made[:, :, :, ::-1] if self._what == "letterbox" else made

    def warp(self, *args: Any) -> Any:
        crops = super().warp(*args)
        return [crop[::-1] for crop in crops] if self._what == "crops" else crops

    def tensor(self, *args: Any) -> Any:
        made = super().tensor(*args)
        return made[:, ::-1] if self._what == "tensor" else made


@pytest.mark.parametrize("what", ["", "letterbox", "crops", "tensor"])
def test_a_preprocessor_that_differs_from_the_cpu_is_told_by_what_differs(what: str) -> None:
    found = kernels.differences(Off(what), 3, None)
    assert {name for name, apart in found.items() if apart > kernels.MOST} == ({what} if what else set())


# Latency and film in words.


def test_latency_names_batches_of_one_and_keeps_the_table() -> None:
    row = {"engine": "TensorRT", "role": "detector", "package": "d@1", "precision": "fp16", "batch": 1, "ms": 4.26}
    found = told([row, {**row, "batch": 4, "ms": 9.0}])
    assert found.said == "one at a time: TensorRT detector 4.3 ms"
    assert len(found.figures["table"]) == 2


def test_a_film_in_which_the_door_stayed_shut_fails_with_the_scene() -> None:
    story = script.timeline()
    found = film.told(judge(story, Record(), "her"), story)
    assert found.verdict == "failed"
    assert "the door stayed shut and must open" in found.said
    assert {one["must"] for one in found.figures["scenes"]} == {"open", "shut", "nothing"}


def test_a_film_in_which_the_door_did_right_passes() -> None:
    found = film.told(Verdict((), ()), script.timeline())
    assert (found.verdict, found.said) == ("passed", "27 s of film: opened 0 times for her, never wrongly")


# The report.


def document() -> dict[str, Any]:
    rows = selftest.run(BENCH, lambda *_: None, [check("one", lambda *_: passed("well", runs=3))])
    return selftest.document(BENCH, rows, MADE, 12.34)


def test_a_report_is_json_that_its_device_has_signed(tmp_path: Path) -> None:
    path = store(tmp_path, document(), MADE)
    assert path == tmp_path / "selftest" / "20261121T143000Z.json"
    assert json.loads(path.read_text()) == document()
    assert read_signed(path, read_public(public_path(tmp_path))) == document()
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("part", ["report", "signature", "key"])
def test_a_report_that_was_changed_or_is_of_another_device_does_not_hold(part: str, tmp_path: Path) -> None:
    path = store(tmp_path / "one", document(), MADE)
    other = store(tmp_path / "two", document() | {"passed": False}, MADE)
    key = read_public(public_path(tmp_path / ("two" if part == "key" else "one")))
    if part == "report":
        path.write_bytes(path.read_bytes().replace(b"well", b"fine"))
    if part == "signature":
        path.with_name(f"{path.name}.sig").write_bytes(other.with_name(f"{other.name}.sig").read_bytes())
    assert read_signed(path, key) is None


@pytest.mark.parametrize("signature", [b"", b"none\n", b"\xff\xff", b"A" * 86])
def test_a_signature_that_is_none_does_not_hold(signature: bytes, tmp_path: Path) -> None:
    path = store(tmp_path, document(), MADE)
    path.with_name(f"{path.name}.sig").write_bytes(signature)
    assert read_signed(path, read_public(public_path(tmp_path))) is None


def test_a_report_without_its_signature_is_refused_with_both_files_named(tmp_path: Path) -> None:
    path = store(tmp_path, document(), MADE)
    path.with_name(f"{path.name}.sig").unlink()
    with pytest.raises(BadInput, match=r"json\.sig: cannot be read .*name a report with its \.sig beside it"):
        read_signed(path, read_public(public_path(tmp_path)))


def test_a_state_directory_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    with pytest.raises(StoreError, match=r"state: .*; the report needs a folder that can be written"):
        store(tmp_path / "state", document(), MADE)


def test_what_is_signed_begins_with_a_label_of_its_own() -> None:
    assert LABEL.startswith(b"faceedge-selftest-")
    assert LABEL.endswith(b"\n")


# The film, with real processes.


@pytest.mark.broker
@pytest.mark.system
@pytest.mark.skipif(mosquitto() is None, reason="mosquitto is not installed")
@pytest.mark.usefixtures("default_models")
def test_the_film_goes_through_the_real_daemon_with_the_networks_of_the_site(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script, "ACTS", script.ACTS[:1])
    monkeypatch.setattr(clip, "cached", lambda *_, **__: (tmp_path / "film.avi", clip.render(tmp_path / "film.avi")))
    frame = np.zeros((360, 640, 3), np.uint8)
    with Bench(Models(), EngineSettings(backend="onnx"), tmp_path / "state", cache_dir(), frame, 240) as bench:
        rows = selftest.run(bench, lambda name, share: None, selftest.CHECKS[-1:])
        assert film.settings_of(bench)["models"]["detector"].endswith("dlib-mmod/1")
    assert [row.verdict for row in rows] == ["passed"], rows[0].finding.said
    assert rows[0].finding.figures["scenes"][0]["happened"] == "opened"
