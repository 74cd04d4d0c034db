"""Whether there is memory for networks beside those that serve: packages in, one sentence out, empty when there is.

Asked before anything is opened, and after a switch, of those that served: whether they may stay open. An estimate from
above, from what was measured of real networks (`benchmarks/beside.py`), and no promise: what is opened still has to
expect NoMemory.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from faceedge import align
from faceedge.families import detector_family
from faceedge.health.cgroup import OwnGroup
from faceedge.health.governor import HALVE_ABOVE
from faceedge.health.machine import ROOT, memory_table
from faceedge.jobs.engines import Engines
from faceedge.jobs.vision import CROPS_ON_CPU
from faceedge.manifest import Role
from faceedge.package import FIT, MANIFEST, Package

HELD, HELD_BYTES = 3.5, 2_000_000
"""ONNX Runtime holds at most so many times the file of a graph, and a little more: 1.9 to 3.4 times 1.7 MB and above.
A graph that makes its constants as it is opened holds more than its file tells."""
WORKING: dict[Role, float] = {"detector": 10, "recognizer": 45, "quality": 45}
"""What it takes to run a batch, at most so many times the bytes of the network's input: detectors 5 to 10 times,
networks that look at crops 3 to 45 times."""
MOST = HALVE_ABOVE
"""From this share of use on the governor takes work away: who opens a network must not bring that about."""
_MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Task:
    """What networks are to do. size: width and height of the largest frame in px. batch: most members of a batch."""

    size: tuple[int, int]
    batch: int


@dataclass(frozen=True, slots=True)
class Free:
    """Bytes that may be taken, of what, and how to get more."""

    count: int
    where: str
    remedy: str


def missing(packages: Iterable[Package], opener: Engines, task: Task, root: Path = ROOT) -> str:
    """Empty when these packages can be opened and run beside all that is open now, or nothing tells how much is free.

    On a device, graph and plan are open at once until the plan has been held against the graph.
    """
    wanted = list(packages)
    host = sum(need(package, task) for package in wanted)
    on_device = sum(package.graph.stat().st_size for package in wanted) if opener.backend == "tensorrt" else 0
    device_left = opener.device_left()
    names = " and ".join(package.label for package in wanted)
    if device_left is not None and on_device > device_left:
        free = Free(device_left, "on the GPU", "end what else runs there")
        return lacking(names, on_device, free)
    return lacking(names, host + (on_device if device_left is None else 0), machine_left(root))


def need(package: Package, task: Task) -> int:
    """Bytes that a package takes in ONNX Runtime: what it holds, and the largest batch that it is given."""
    role = package.manifest.role
    beside = (file for file in package.folder.iterdir() if file.suffix != ".onnx" and file.name not in (FIT, MANIFEST))
    held = HELD * package.fast_graph.stat().st_size + HELD_BYTES + sum(file.stat().st_size for file in beside)
    return int(held + WORKING[role] * _input_bytes(package, task))


def machine_left(root: Path = ROOT) -> Free | None:
    """What this process may take before work is taken away from it: of the machine, or of the service's limit, the
    less; None where nothing tells."""
    table, found = memory_table(root), []
    if (total := table.get("MemTotal")) and (available := table.get("MemAvailable")) is not None:
        remedy = "end other programs, or take smaller networks"
        found.append(Free(int(available - (1 - MOST) * total), "on this machine", remedy))
    if (group := OwnGroup(root).left(MOST)) is not None:
        found.append(Free(group, "to this service", "raise its MemoryMax, or take smaller networks"))
    return min(found, key=lambda free: free.count, default=None)


def lacking(names: str, wanted: int, free: Free | None) -> str:
    """The sentence, empty when `wanted` bytes fit."""
    if free is None or wanted <= free.count:
        return ""
    there = max(0, free.count)
    return (
        f"to open {names} beside what serves needs about {-(-(wanted - there) // _MB)} MB more than the "
        f"{there // _MB} MB that are free {free.where}; {free.remedy}"
    )


def _input_bytes(package: Package, task: Task) -> int:
    """Of one batch on the CPU: float32, three channels."""
    if package.manifest.role == "detector":
        width, height = task.size
        canvas = detector_family(package.manifest).canvas(height, width)
        return 12 * canvas.width * canvas.height
    spec = align.crop_spec(package.manifest.alignment)
    return 12 * spec.width * spec.height * min(task.batch, package.manifest.max_batch, CROPS_ON_CPU)
