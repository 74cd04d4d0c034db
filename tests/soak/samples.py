"""What processes hold at one moment, read from /proc; and what their databases hold on disk."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")
MEMORY = {"Rss": "rss", "Pss": "pss", "Anonymous": "anonymous"}
COUNTED = ("threads", "descriptors", "memfds", "children")

Held = dict[str, int]
"""rss, pss and anonymous in bytes; threads, descriptors, memfds (among the descriptors) and children in numbers."""


def held_by(pid: int) -> Held:
    """By this process alone. Raises OSError when it has ended."""
    found: Counter[str] = Counter(dict.fromkeys((*MEMORY.values(), *COUNTED), 0))
    for line in (PROC / str(pid) / "smaps_rollup").read_text(encoding="ascii").splitlines()[1:]:
        name, _, rest = line.partition(":")
        if name in MEMORY:
            found[MEMORY[name]] = int(rest.split()[0]) * 1024
    found["threads"] = len(os.listdir(PROC / str(pid) / "task"))
    found["children"] = len(children_of(pid))
    for descriptor in (PROC / str(pid) / "fd").iterdir():
        with suppress(OSError):  # closed meanwhile
            found["memfds"] += os.readlink(descriptor).startswith("/memfd:")
            found["descriptors"] += 1
    return dict(found)


def held_together(pids: Iterable[int]) -> Held:
    """By all of them; one that has just ended holds nothing."""
    together: Counter[str] = Counter(dict.fromkeys((*MEMORY.values(), *COUNTED), 0))
    for pid in pids:
        with suppress(OSError):
            together.update(held_by(pid))
    return dict(together)


def children_of(pid: int) -> list[int]:
    """And theirs."""
    found: list[int] = []
    for task in (PROC / str(pid) / "task").iterdir():
        with suppress(OSError):  # the thread has ended
            found += [int(word) for word in (task / "children").read_text(encoding="ascii").split()]
    for child in list(found):
        with suppress(OSError):
            found += children_of(child)
    return found


def on_disk(state: Path) -> dict[str, int]:
    """Bytes of each database and its log, such as journal.db-wal, by name."""
    return {path.name: path.stat().st_size for path in sorted(state.glob("*.db*"))}
