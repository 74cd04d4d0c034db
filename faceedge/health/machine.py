"""What this machine is, what this process holds, and who else was at work while something was measured: /proc, /sys."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/")
_KIB = 1024
_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class Resident:
    """Bytes of this process in memory, the most there ever were, and what the machine could still give."""

    now: int
    most: int
    available: int


@dataclass(frozen=True, slots=True)
class Moment:
    """Running sums of the machine: processor seconds of everybody and of this process, times a core was throttled."""

    at_s: float
    all_s: float
    own_s: float
    throttled: int


def machine_name(root: Path = ROOT) -> str:
    """`NVIDIA Jetson Orin Nano …` or the name of the processor."""
    board = read_text(root / "proc/device-tree/model").strip("\0 \n")
    if board:
        return board
    lines = read_text(root / "proc/cpuinfo").splitlines()
    named = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
    return named or platform.machine()


def resident(root: Path = ROOT) -> Resident:
    """Zeros where the kernel does not tell."""
    own, machine = _table(root / "proc/self/status"), memory_table(root)
    return Resident(own.get("VmRSS", 0), own.get("VmHWM", 0), machine.get("MemAvailable", 0))


def memory_table(root: Path = ROOT) -> dict[str, int]:
    """/proc/meminfo: bytes by name, of the lines that are sizes."""
    return _table(root / "proc/meminfo")


def moment(root: Path = ROOT) -> Moment:
    """Now. Time that a hypervisor gave to others counts as theirs."""
    words = read_text(root / "proc/stat").partition("\n")[0].split()[1:9]
    user, nice, system, _idle, _wait, hard, soft, stolen = (int(word) for word in words) if len(words) == 8 else [0] * 8
    busy_s = (user + nice + system + hard + soft + stolen) / os.sysconf("SC_CLK_TCK")
    return Moment(time.perf_counter(), busy_s, time.process_time(), _throttled(root))


def cores() -> int:
    """That this process may run on."""
    return len(os.sched_getaffinity(0))


def others_share(before: Moment, after: Moment) -> float:
    """Share (0..1) of the machine's processor time that went to others between two moments."""
    span_s = (after.at_s - before.at_s) * (os.cpu_count() or 1)
    others_s = after.all_s - before.all_s - (after.own_s - before.own_s)
    return min(1.0, max(0.0, others_s / span_s)) if span_s > 0 else 0.0


def load_average() -> float:
    """Of the last minute: processes that ran or wanted to."""
    return os.getloadavg()[0]


def _throttled(root: Path) -> int:
    counters = (root / "sys/devices/system/cpu").glob("cpu[0-9]*/thermal_throttle/core_throttle_count")
    return sum(int(text) for path in counters if (text := read_text(path).strip()).isdigit())


def _table(path: Path) -> dict[str, int]:
    """Bytes by name, from lines as `VmRSS:   1234 kB`."""
    found = {}
    for line in read_text(path).splitlines():
        name, _, rest = line.partition(":")
        words = rest.split()
        if len(words) == 2 and words[1] == "kB" and words[0].isdigit():
            found[name] = int(words[0]) * _KIB
    return found


def read_text(path: Path) -> str:
    """What a file of the kernel says; nothing where it cannot be read, as a sensor that is switched off (EAGAIN).

    Not Path.read_text, which takes EAGAIN for an answer and fails on it, and takes twice as long.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return ""
    try:
        parts = list(iter(lambda: os.read(handle, _CHUNK), b""))
    except OSError:
        return ""
    finally:
        os.close(handle)
    return b"".join(parts).decode("utf-8", "replace")
