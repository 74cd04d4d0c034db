"""All faults once, and more of them at random until the time is over; the table says what came of each."""

from __future__ import annotations

import json
import logging
import random
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from faceedge import __version__, config
from faceedge.chaos import of_camera, of_disk, of_inside, of_link, of_memory, reel, table
from faceedge.chaos.bounds import BOUNDS, Bound
from faceedge.chaos.drill import Row, drill
from faceedge.chaos.faults import Fault
from faceedge.chaos.house import House
from faceedge.demo import clip, stand
from faceedge.demo.ending import stoppable
from faceedge.errors import BadInput, FaceedgeError
from faceedge.health.machine import cores, load_average, machine_name
from faceedge.models.defaults import default_models

FAULTS: tuple[Fault, ...] = (
    *of_camera.FAULTS, *of_inside.FAULTS, *of_link.FAULTS, *of_disk.FAULTS, *of_memory.FAULTS,
)  # fmt: skip
FIRST_S = 60.0
"""For the first start; a machine that is slower than that is not fit for a door."""
NARROW = 100
"""Columns of a report that nobody watches."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the command line asks for. minutes: 0 is once through. only: names of faults, none for all. ease: times the
    bounds."""

    minutes: float = 0.0
    only: Sequence[str] = ()
    seed: int | None = None
    ease: float = 1.0
    keep: Path | None = None
    as_json: bool = False


def run(wishes: Wishes) -> int:
    """Returns the exit code: 0 when every bound held, 1 when one did not.

    Raises BadInput for a fault that there is not, FaceedgeError when the house cannot be built.
    """
    faults = chosen(wishes.only)
    seed = random.SystemRandom().randrange(10_000) if wishes.seed is None else wishes.seed
    console = Console(stderr=wishes.as_json, highlight=False, soft_wrap=True)
    machine = f"{machine_name()}, {cores()} cores, load {load_average():.1f}, faceedge {__version__}"
    if wishes.ease != 1:
        machine += f", bounds times {wishes.ease:g}"
    logging.getLogger("faceedge.door").setLevel(logging.ERROR)  # our controller loses its broker on purpose
    rows: list[Row] = []
    with stoppable(), ExitStack() as parts:
        folder = parts.enter_context(stand.workplace(wishes.keep))
        console.print("the house is built: networks, clip, broker, one person enrolled", style="dim")
        house = parts.enter_context(_house(folder))
        console.print(f"{len(faults)} faults, seed {seed}; {machine}; broker {house.broker.kind}", style="dim")
        if not house.settle(FIRST_S):
            raise FaceedgeError(f"the door does not work even without a fault; see {house.charge.log} with --keep")
        for fault in _order(faults, seed, time.monotonic() + 60 * wishes.minutes):
            rows.append(_told(console, house, fault, BOUNDS[fault.name].eased(wishes.ease)))
    console.print(table.table(rows), width=None if console.is_terminal else NARROW)
    console.print(table.last_line(rows))
    if wishes.as_json:
        sys.stdout.write(json.dumps(table.document(rows, seed, machine), allow_nan=False) + "\n")
        sys.stdout.flush()
    return 0 if table.has_passed(rows) else 1


def chosen(names: Sequence[str]) -> list[Fault]:
    """Raises BadInput with all names when one is none."""
    known = {fault.name: fault for fault in FAULTS}
    for name in names:
        if name not in known:
            raise BadInput(f"--only {name}: no such fault; there are {', '.join(known)}")
    return [known[name] for name in dict.fromkeys(names or known)]


def _house(folder: Path) -> House:
    cache = config.cache_dir()
    default_models(cache)
    return House(folder, reel.cut(clip.cached(cache)[0]))


def _order(faults: Sequence[Fault], seed: int, until: float) -> Iterator[Fault]:
    """Each once, then by chance until the time is over."""
    yield from faults
    chance = random.Random(seed)  # noqa: S311
    while time.monotonic() < until:
        yield chance.choice(faults)


def _told(console: Console, house: House, fault: Fault, bound: Bound) -> Row:
    with console.status(f"{fault.name}: {fault.what}"):
        row = drill(house, fault, bound)
    console.print(table.line(row))
    return row
