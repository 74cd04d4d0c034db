"""How full the own cgroup is: the tightest of all groups above this process that have a limit. v1 and v2.

Formats: cgroups(7), proc(5), and the kernel's admin-guide/cgroup-v1/memory and admin-guide/cgroup-v2. What the GPU of
a Jetson holds is not counted in any cgroup; `pressure.py` sees it in MemAvailable.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from faceedge.health.machine import ROOT, read_text

NO_LIMIT = 1 << 60
"""v1 writes the largest multiple of a page below 2^63 where there is no limit; nothing has as much as this."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How one version names things. limits: the lowest counts; v2 throttles beyond `high`, so that is a limit too.

    prefix: of the lines of memory.stat that count the groups below as well.
    """

    used: str
    limits: tuple[str, ...]
    prefix: str


V1 = Layout("memory.usage_in_bytes", ("memory.limit_in_bytes",), "total_")
V2 = Layout("memory.current", ("memory.max", "memory.high"), "")


@dataclass(slots=True)
class OwnGroup:
    """Reads from below `root`, one thread. The mounts are looked at once, the own group each time: systemd, or whoever
    starts a ballast, may move a process."""

    root: Path = ROOT
    _mounts: list[tuple[Layout, str, Path]] = field(init=False)
    _member: str | None = None
    _groups: list[tuple[Layout, Path]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._mounts = list(_mounted(read_text(self.root / "proc/self/mountinfo"), self.root))

    def share(self) -> float | None:
        """Used of the limit, 0 and up; None where no group has a limit that can be read."""
        return max((share for layout, folder in self._chain() if (share := used_share(layout, folder)) is not None),
                   default=None)  # fmt: skip

    def left(self, most: float) -> int | None:
        """Bytes until some group is used to this share of its limit, negative beyond; None where none has a limit."""
        held = (used_and_limit(layout, folder) for layout, folder in self._chain())
        return min((int(most * limit) - used for used, limit in filter(None, held)), default=None)

    def _chain(self) -> list[tuple[Layout, Path]]:
        member = read_text(self.root / "proc/self/cgroup")
        if member != self._member:
            self._member = member
            self._groups = list(_groups(member, self._mounts))
        return self._groups


def _mounted(mountinfo: str, root: Path) -> Iterator[tuple[Layout, str, Path]]:
    """Where memory is accounted: the layout, which group the mount shows as its top, and the folder."""
    for line in mountinfo.splitlines():
        left, _, right = line.partition(" - ")
        fields, kind = left.split(), right.split()
        if len(fields) < 5 or len(kind) < 3:
            continue
        place = root / fields[4].lstrip("/")
        if kind[0] == "cgroup2":
            yield V2, fields[3], place
        elif kind[0] == "cgroup" and "memory" in kind[2].split(","):
            yield V1, fields[3], place


def _groups(member: str, mounts: list[tuple[Layout, str, Path]]) -> Iterator[tuple[Layout, Path]]:
    """The own group and all above it. member: lines as `4:memory:/system.slice/x` (v1) and `0::/system.slice/x` (v2).

    A hybrid system has both; the one without a memory controller shows no files, and is passed over when read.
    """
    for line in member.splitlines():
        parts = line.split(":", 2)
        if len(parts) != 3:
            continue
        number, controllers, path = parts
        layout = V2 if number == "0" and not controllers else V1 if "memory" in controllers.split(",") else None
        for mounted, top, place in mounts:
            if mounted is layout:
                yield from ((layout, folder) for folder in _upwards(place, _below(path, top)))


def _below(path: str, top: str) -> tuple[str, ...]:
    """Steps from the mount to the group. In a container the mount's top is the container's own group."""
    if top != "/" and (path == top or path.startswith(f"{top}/")):
        path = path[len(top) :]
    steps = tuple(step for step in path.split("/") if step)
    return () if ".." in steps else steps  # a group outside the namespace: what the mount shows is all that can be seen


def _upwards(place: Path, steps: tuple[str, ...]) -> Iterator[Path]:
    """From the innermost folder that exists up to the mount."""
    for length in range(len(steps), -1, -1):
        # Not Path.is_dir, which fails on a folder that may not be looked into.
        if os.path.isdir(folder := place.joinpath(*steps[:length])):
            yield folder


def own_groups(root: Path = ROOT) -> list[tuple[Layout, Path]]:
    """The own group and all above it as far as they are mounted, innermost first, of each version there is."""
    mounts = list(_mounted(read_text(root / "proc/self/mountinfo"), root))
    return list(_groups(read_text(root / "proc/self/cgroup"), mounts))


def used_share(layout: Layout, folder: Path) -> float | None:
    """Of one group: used of its limit, 0 and up; None where it has none."""
    held = used_and_limit(layout, folder)
    return held[0] / held[1] if held is not None else None


def used_and_limit(layout: Layout, folder: Path) -> tuple[int, int] | None:
    """Bytes of one group, what the kernel can take back left out; None where it has no limit."""
    limits = (_number(read_text(folder / name)) for name in layout.limits)
    limit = min((limit for limit in limits if limit is not None and limit < NO_LIMIT), default=0)
    used = _number(read_text(folder / layout.used))
    if limit <= 0 or used is None:
        return None
    return max(0, used - _reclaimable(layout, folder)), limit


def _reclaimable(layout: Layout, folder: Path) -> int:
    """Bytes that the kernel takes back before it kills: files that nobody has mapped, and what the kernel keeps for
    itself and can drop. Mapped files are programs and networks at work, which would be read again at once."""
    kept: dict[str, int] = {}
    for line in read_text(folder / "memory.stat").splitlines():
        name, _, value = line.partition(" ")
        if (number := _number(value)) is not None:
            kept[name] = number
    inactive, active, mapped = (
        kept.get(f"{layout.prefix}{name}", 0)
        for name in ("inactive_file", "active_file", "mapped_file" if layout is V1 else "file_mapped")
    )
    return max(inactive, inactive + active - mapped) + kept.get("slab_reclaimable", 0)


def _number(text: str) -> int | None:
    """None for `max`, for nothing, and for what no kernel writes."""
    text = text.strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 20 else None
