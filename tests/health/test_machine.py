"""What the kernel tells of a machine, in made-up /proc and /sys."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from faceedge.health.machine import Moment, Resident, machine_name, moment, others_share, resident


def put(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_a_board_is_called_by_its_own_name_and_a_box_by_its_processor(tmp_path: Path) -> None:
    put(tmp_path, "proc/cpuinfo", "processor : 0\nmodel name\t: AMD EPYC: 7\n")
    assert machine_name(tmp_path) == "AMD EPYC: 7"
    put(tmp_path, "proc/device-tree/model", "NVIDIA Jetson Orin Nano\0")
    assert machine_name(tmp_path) == "NVIDIA Jetson Orin Nano"


def test_memory_is_told_in_bytes(tmp_path: Path) -> None:
    put(tmp_path, "proc/self/status", "Name:\tx\nVmHWM:\t   30 kB\nVmRSS:\t   20 kB\nThreads:\t3\n")
    put(tmp_path, "proc/meminfo", "MemTotal: 99 kB\nMemAvailable:  50 kB\n")
    assert resident(tmp_path) == Resident(20 * 1024, 30 * 1024, 50 * 1024)


def test_where_the_kernel_tells_nothing_there_are_zeros(tmp_path: Path) -> None:
    assert resident(tmp_path) == Resident(0, 0, 0)
    seen = moment(tmp_path)
    assert (seen.all_s, seen.throttled) == (0, 0)
    assert machine_name(tmp_path)


def test_waiting_is_no_work_and_stolen_time_is(tmp_path: Path) -> None:
    tick_s = 1 / os.sysconf("SC_CLK_TCK")
    put(tmp_path, "proc/stat", "cpu  1 20 300 999 999 4000 50000 600000 7 7\ncpu0 1 1 1 1\n")
    assert moment(tmp_path).all_s == pytest.approx(654321 * tick_s)


def test_throttling_is_counted_over_all_cores(tmp_path: Path) -> None:
    for core, times in ((0, "2\n"), (1, "3\n"), (2, "odd")):
        put(tmp_path, f"sys/devices/system/cpu/cpu{core}/thermal_throttle/core_throttle_count", times)
    assert moment(tmp_path).throttled == 5


def test_the_share_of_others_leaves_out_our_own_work() -> None:
    cores = os.cpu_count() or 1
    before = Moment(0.0, 100.0, 10.0, 0)
    assert others_share(before, Moment(10.0, 100.0 + 5 * cores + 4, 14.0, 0)) == pytest.approx(0.5)
    assert others_share(before, Moment(10.0, 103.0, 14.0, 0)) == 0.0
    assert others_share(before, before) == 0.0
