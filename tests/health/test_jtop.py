"""The process that asks jtop hangs, babbles, dies or floods, and the one that keeps it never waits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from faceedge.health import jtop_child
from faceedge.health.jtop_reader import AGAIN_MOST_S, AGAIN_S, CHUNK, FRESH_S, SILENT_S, JtopReader, _telemetry
from faceedge.health.telemetry import Telemetry

LINE = json.dumps({"temperature_c": 51.5, "zone": "cpu", "gpu_load": 0.25, "power_w": 4.2, "strain": ""})
TOLD = Telemetry("jtop", 51.5, "cpu", 0.25, 4.2, "")
SPEAKS = f"import sys, time; sys.stdout.write('''{LINE}\\n'''); sys.stdout.flush(); time.sleep(60)"
TALKS = f"import sys, time\nwhile True: sys.stdout.write('''{LINE}\\n'''); sys.stdout.flush(); time.sleep(0.01)"
HANGS = "import time; time.sleep(60)"
DIES = "raise SystemExit(3)"
BABBLES = "import sys, time; sys.stdout.write('nonsense\\n[1]\\n\\0\\xff\\n' * 9); sys.stdout.flush(); time.sleep(60)"
FLOODS = f"import os\nline = b'''{LINE}\\n''' * 500\nwhile True: os.write(1, line)"
FLOODS_WITHOUT_AN_END = "import os\nwhile True: os.write(1, b'x' * 65536)"


class Bench:
    """A reader of a stand-in, and the clock that it goes by."""

    def __init__(self, code: str) -> None:
        self.now = 0.0
        self.reader = JtopReader((sys.executable, "-S", "-c", code), lambda: self.now)
        self.slowest_s = 0.0

    def read(self) -> Telemetry | None:
        began = time.perf_counter()
        told = self.reader.read()
        self.slowest_s = max(self.slowest_s, time.perf_counter() - began)
        return told

    def until(self, is_so: Callable[[Telemetry | None], bool]) -> None:
        """Reads, while its clock stands still."""
        ends = time.monotonic() + 10
        while not is_so(self.read()):
            assert time.monotonic() < ends
            time.sleep(0.01)

    @property
    def pid(self) -> int | None:
        return self.reader._child.pid if self.reader._child is not None else None


@pytest.fixture
def bench() -> Iterator[Callable[[str], Bench]]:
    made: list[Bench] = []

    def make(code: str) -> Bench:
        made.append(Bench(code))
        return made[-1]

    yield make
    for each in made:
        each.reader.stop()
        assert each.slowest_s < 5  # a busy machine; whoever waited for a stand-in would wait a minute


@pytest.mark.parametrize(
    "line", [b'{"temperature_c": 1' + b"0" * 400 + b', "zone": "cpu"}', b"[" * 100_000], ids=["huge", "deep"]
)
def test_no_line_is_too_odd_to_be_read(line: bytes) -> None:
    told = _telemetry(line)
    assert told is None or told.temperature_c is None


def test_it_sees_no_address_and_nothing_that_speaks_for_the_daemon(
    bench: Callable[[str], Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEEDGE__CAMERA__0__URI", "rtsp://admin:hunter2@porch")
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/hunter2")
    jtop = bench(SPEAKS)
    jtop.until(lambda told: told == TOLD)
    assert b"hunter2" not in Path(f"/proc/{jtop.pid}/environ").read_bytes()


def test_a_line_is_taken_and_grows_old(bench: Callable[[str], Bench]) -> None:
    jtop = bench(SPEAKS)
    jtop.until(lambda told: told == TOLD)
    jtop.now = FRESH_S + 1
    assert jtop.read() is None


@pytest.mark.parametrize("code", [HANGS, BABBLES, FLOODS_WITHOUT_AN_END])
def test_one_that_tells_nothing_is_killed_and_tried_again_later(bench: Callable[[str], Bench], code: str) -> None:
    jtop = bench(code)
    assert jtop.read() is None
    first = jtop.pid
    jtop.now = SILENT_S + 0.1
    jtop.until(lambda _: jtop.pid is None)
    jtop.now += AGAIN_S - 0.1
    assert jtop.read() is None
    assert jtop.pid is None
    jtop.now += 0.2
    jtop.read()
    assert jtop.pid not in (None, first)


def test_one_that_falls_silent_after_a_while_is_killed_too(bench: Callable[[str], Bench]) -> None:
    jtop = bench(SPEAKS)
    jtop.until(lambda told: told == TOLD)
    jtop.now = SILENT_S + 0.1
    jtop.until(lambda _: jtop.pid is None)


def test_one_that_dies_is_tried_less_and_less_often(bench: Callable[[str], Bench]) -> None:
    jtop, starts = bench(DIES), []
    for _ in range(9):
        jtop.read()
        starts.append(jtop.now)
        jtop.until(lambda _: jtop.pid is None)
        jtop.now = jtop.reader._start_at
    waits = [after - before for before, after in pairwise(starts)]
    assert waits == [10, 20, 40, 80, 160, 320, 600, AGAIN_MOST_S]


def test_one_that_goes_on_talking_is_kept(bench: Callable[[str], Bench]) -> None:
    jtop = bench(TALKS)
    jtop.until(lambda told: told == TOLD)
    first = jtop.pid
    for _ in range(5):
        jtop.now += FRESH_S + 1
        jtop.until(lambda told: told == TOLD)
    assert jtop.pid == first


def test_a_line_without_an_end_takes_no_memory(bench: Callable[[str], Bench]) -> None:
    jtop = bench(FLOODS_WITHOUT_AN_END)
    jtop.until(lambda _: len(jtop.reader._buffer) >= CHUNK)
    for _ in range(50):
        jtop.read()
        time.sleep(0.002)
    assert len(jtop.reader._buffer) <= 2 * CHUNK


def test_a_flood_is_sipped_from(bench: Callable[[str], Bench]) -> None:
    jtop = bench(FLOODS)
    jtop.until(lambda told: told == TOLD)
    for _ in range(50):
        assert jtop.read() == TOLD
    assert len(jtop.reader._buffer) < 1 << 18


def test_a_program_that_is_not_there_is_no_fault() -> None:
    assert JtopReader(("/nowhere/python",), lambda: 0.0).read() is None


@pytest.mark.parametrize("value", ['"hot"', "true", "NaN", "Infinity", "null", "[]"])
def test_numbers_that_are_none_are_not_told(bench: Callable[[str], Bench], value: str) -> None:
    jtop = bench(SPEAKS.replace("51.5", value))
    jtop.until(lambda told: told is not None)
    told = jtop.read()
    assert told is not None
    assert told.temperature_c is None


def test_stopping_leaves_no_process(bench: Callable[[str], Bench]) -> None:
    jtop = bench(HANGS)
    jtop.read()
    pid = jtop.pid
    assert pid is not None
    jtop.reader.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_sample_of_jtop_becomes_plain_numbers() -> None:
    """As jetson-stats 7.2 documents its properties."""
    jetson: Any = SimpleNamespace(
        temperature={"cpu": {"temp": 50.2, "online": True}, "cv0": {"temp": -256, "online": False}, "tj": {"temp": 51}},
        gpu={"gpu": {"status": {"load": 25.0, "railgate": False}}},
        power={"tot": {"volt": 5000, "power": 4200}, "rail": {"VDD_IN": {"curr": 5000, "warn": 0, "crit": 4000}}},
    )
    assert jtop_child.sample(jetson) == {
        "temperature_c": 51.0, "zone": "tj", "gpu_load": 0.25, "power_w": 4.2, "strain": "too much current: VDD_IN",
    }  # fmt: skip


def test_a_jtop_before_its_first_reading_tells_nothing() -> None:
    jetson: Any = SimpleNamespace(temperature={}, gpu={}, power={})
    told = jtop_child.sample(jetson)
    assert [told[name] for name in ("temperature_c", "gpu_load", "power_w", "strain")] == [None, None, None, ""]


def test_the_child_ends_with_whoever_started_it() -> None:
    """Also while jtop hangs: here one that sleeps takes its place."""
    code = (
        "import sys, time, types; jtop = types.ModuleType('jtop'); jtop.jtop = lambda **_: time.sleep(60);"
        "sys.modules['jtop'] = jtop; from faceedge.health.jtop_child import main; main()"
    )
    child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE)
    assert child.stdin is not None
    child.stdin.close()
    assert child.wait(10) == 0


def test_without_jtop_the_child_says_so_with_its_exit_code() -> None:
    code = "import sys; sys.modules['jtop'] = None; from faceedge.health.jtop_child import main; sys.exit(main())"
    command = (sys.executable, "-c", code)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        assert child.wait(10) == jtop_child.UNAVAILABLE_EXIT
