"""Swaps that are killed: one process, which forks a child for each of the points given and waits for its end.

Run by test_swap_killed.py: `python -m tests.jobs.killed_swap WORD=STATE…`, where the word says what is ordered, and
where it ends, as in `activate:switch`.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from faceedge.config import Models
from faceedge.jobs import choose_model, swap
from faceedge.jobs.site import Site
from faceedge.jobs.swap_order import Order
from tests.jobs.swap_site import NEW, FakeHost


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def killed(order: Order, point: str, site: Site) -> None:
    """Ends this process at that point: the begin of a step, or a call in the middle of one."""
    calls: dict[str, Any] = {"check_package": lambda *_: None, "check_photo": lambda *_: None}
    for name, call in calls.items():
        setattr(choose_model, name, call)
    real = swap.stand

    def stand(*words: Any) -> None:
        if point == "choosing":
            die()
        real(*words)
        if point == "chosen":
            die()

    swap.stand = stand  # type: ignore[attr-defined]
    host = FakeHost(site)
    host.at = lambda call: die() if call == point.removeprefix("in ") and point.startswith("in ") else None
    swap.swap(order, site, host, lambda step, share, text: die() if step == point else None)


def main() -> int:
    """How many children did not die."""
    alive = 0
    for word in sys.argv[1:]:
        what, _, state = word.partition("=")
        ordered, _, point = what.partition(":")
        child = os.fork()
        if not child:
            order = Order(name=NEW) if ordered == "activate" else Order("recognizer")
            killed(order, point, Site(Path(state), Path(state), Models()))
            os._exit(0)
        alive += os.waitpid(child, 0)[1] != signal.SIGKILL
    return alive


if __name__ == "__main__":
    sys.exit(main())
