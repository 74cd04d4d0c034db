"""The product at full rate for a long time: memory stays, and so do threads, descriptors and processes.

`make soak` runs half an hour of it, `make soak HOURS=8` a night; the short form is for every change, and leaks on
purpose at its end, to show that it would be seen. Everything measured is left in the test's folder, or in
$FACEEDGE_SOAK_OUT: samples.jsonl, traces.jsonl, report.txt, memory.png.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from faceedge.demo.ending import stoppable
from tests.soak import show
from tests.soak.house import House, Sample
from tests.soak.samples import COUNTED
from tests.soak.verdict import has_more, slope, still_growing, top_lines

pytestmark = pytest.mark.broker
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """warm_s: not judged. still_s: judged as it is. traced_s: then with the allocations traced. most, most_line: MB an
    hour, of a process (upper end of 95 %) and of one line of code (lower end)."""

    warm_s: float
    still_s: float
    traced_s: float
    most: float
    most_line: float
    every_s: float = 5.0


SHORT = Plan(warm_s=30, still_s=60, traced_s=30, most=200.0, most_line=40.0, every_s=1.0)
LEAKING_S = 30.0
"""A leak of 1 MB in 10 s is 377 MB an hour."""


def long_plan(hours: float) -> Plan:
    """Half an hour, or up to a night; then a sixth of it traced, an hour at most."""
    is_night = hours >= 4
    warm_s = 1800.0 if is_night else min(300.0, 600 * hours)
    return Plan(
        warm_s, 3600 * hours - warm_s, min(3600.0, 600 * hours), 1.0 if is_night else 10.0, 0.5 if is_night else 2.0
    )


class Soak:
    """A house, everything that was sampled of it, and where that goes."""

    def __init__(self, house: House, plan: Plan, out: Path, say: Say) -> None:
        self.house, self.plan, self.out, self.say = house, plan, out, say
        self.samples: list[Sample] = []
        self._told = 0.0

    def during(self, seconds: float) -> list[Sample]:
        """Samples for so long; each is on disk at once."""
        began = len(self.samples)
        due = time.monotonic()
        ends = due + seconds
        with (self.out / "samples.jsonl").open("a", encoding="utf-8") as file:
            while due < ends:
                time.sleep(max(0.0, due - time.monotonic()))
                self.samples.append(self.house.sample())
                file.write(json.dumps(self.samples[-1]) + "\n")
                file.flush()
                self._progress()
                due += self.plan.every_s
        return self.samples[began:]

    def still(self) -> list[str]:
        """What grew that must not; empty when all is well."""
        self.during(self.plan.warm_s)
        judged = self.during(self.plan.still_s)
        seconds = [one["at"] for one in judged]
        slopes = {part: slope(seconds, [one[part]["rss"] for one in judged]) for part in show.PARTS}
        self.tell([*show.memory_table(judged, slopes), "", *show.work_table(judged), ""])
        show.plot(self.samples, seconds[0], slopes, self.out / "memory.png")
        grown = [
            f"{part} grows by {found.high:.1f} MB an hour or less, at most {self.plan.most:g}"
            for part, found in slopes.items() if found.high >= self.plan.most
        ]  # fmt: skip
        for part in show.PARTS:
            grown += [f"{part}: more {name}" for name in COUNTED if has_more([one[part][name] for one in judged])]
        assert judged[-1]["opened"] > judged[0]["opened"], "nobody was let in meanwhile"
        return grown

    def traced(self) -> list[str]:
        """Lines of code that hold more and more; empty when there is none."""
        self.house.order("trace")
        self.during(self.plan.traced_s)
        return self.growing_lines(0.0)

    def growing_lines(self, since: float) -> list[str]:
        traces = [trace for trace in self.house.traces() if trace[0] >= since]
        lines = top_lines(traces)
        self.tell([*show.lines_table(lines), ""])
        return [line.name for line in still_growing(lines, traces, self.plan.most_line)]

    def tell(self, lines: list[str]) -> None:
        with (self.out / "report.txt").open("a", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
        self.say("\n".join(lines))

    def _progress(self) -> None:
        if self.samples[-1]["at"] - self._told >= 60:
            self._told = self.samples[-1]["at"]
            self.say(show.progress(self.samples[-1], self.samples[0]["at"]))


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    def told(text: str) -> None:
        with capsys.disabled():
            print(text, flush=True)  # noqa: T201

    return told


@pytest.fixture
def house() -> Iterator[House]:
    """In a folder with a short name: a path of a socket holds 107 bytes. A run that is ended leaves no process."""
    with stoppable(), tempfile.TemporaryDirectory(prefix="faceedge-soak-") as folder, House(Path(folder)) as house:
        yield house


@pytest.fixture
def out(tmp_path: Path, house: House) -> Iterator[Path]:
    folder = Path(os.environ.get("FACEEDGE_SOAK_OUT") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    yield folder
    for path in (house.orders / "traces.jsonl", *house.folder.glob("*.log")):
        if path.exists():
            shutil.copy(path, folder)


@pytest.mark.system
def test_for_two_minutes_nothing_grows_and_a_leak_would_be_seen(house: House, out: Path, say: Say) -> None:
    soak = Soak(house, SHORT, out, say)
    assert soak.still() == []
    assert soak.traced() == []
    house.order("leak")
    since = time.monotonic()
    leaking = soak.during(LEAKING_S)
    assert slope([one["at"] for one in leaking], [one["daemon"]["anonymous"] for one in leaking]).high > SHORT.most
    assert any("traced_run.py" in line for line in soak.growing_lines(since))


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_for_a_long_time_nothing_grows(house: House, out: Path, say: Say) -> None:
    soak = Soak(house, long_plan(float(os.environ.get("FACEEDGE_SOAK_HOURS", "0.5"))), out, say)
    grown = soak.still() + soak.traced()
    assert grown == []
