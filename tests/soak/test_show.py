"""A table in words and numbers, and a picture."""

from __future__ import annotations

from pathlib import Path

import cv2

from tests.soak import show
from tests.soak.house import Sample
from tests.soak.verdict import MEGA, Slope


def sample(at: float, decisions: float, journal: int) -> Sample:
    held = {"rss": 160 * MEGA, "pss": 120 * MEGA, "anonymous": 90 * MEGA,
            "threads": 18, "descriptors": 20, "memfds": 2, "children": 1}  # fmt: skip
    return {
        "at": at, **dict.fromkeys(show.PARTS, held), "disk": {"journal.db": journal}, "queues": {"frames": 2},
        "decisions": decisions, "frames": 10 * at, "dropped": 40 * at, "opened": 3,
    }  # fmt: skip


SAMPLES = [sample(600.0, 100, 4096), sample(660.0, 200, 104_096)]
SLOPES = dict.fromkeys(show.PARTS, Slope(1.0, -0.5, 2.5))


def test_the_tables_tell_each_part_its_slope_and_what_a_decision_costs_on_disk() -> None:
    memory, work = show.memory_table(SAMPLES, SLOPES), show.work_table(SAMPLES)
    assert [line.split()[0] for line in memory[1:]] == list(show.PARTS)
    assert "-0.50 ..    2.50" in memory[1]
    assert "100 decisions" in work[0]
    assert "10.0 pictures a second, 40.0 left out" in work[0]
    assert work[1].endswith("1000 bytes a decision")


def test_the_picture_can_be_looked_at(tmp_path: Path) -> None:
    show.plot(SAMPLES, 600.0, SLOPES, tmp_path / "memory.png")
    assert cv2.imread(str(tmp_path / "memory.png")).shape == (960, 1080, 3)
