"""Faults of the disk that the state lies on, and of the databases on it."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

from faceedge.chaos import evidence, mounts
from faceedge.chaos.faults import SETTLES_S, Do, Fault, either, ended, logged
from faceedge.chaos.house import TTL_S, House

HOLDS_S = 3.0
GARBAGE = 4096
"""Bytes at the begin of a database, with all that tells where the rest lies."""
DATABASES = ("gallery.db", "journal.db")


def _unwritten(house: House, began: float) -> str:
    """What still finds room is written and may open; nothing else may."""
    return evidence.objection(house.observer.opens(began, time.monotonic()), house.state / "journal.db", TTL_S)


def _needs_mount(_house: House) -> str:
    return "" if mounts.can_mount() else "root, or user namespaces, and unshare (util-linux)"


def _fill(house: House) -> None:
    mounts.fill(house.state)


def _empty(house: House) -> None:
    mounts.empty(house.state)


def _stop(house: House) -> None:
    house.charge.stop()


def _lock(house: House) -> None:
    """As after a start with a card that has worn out: the kernel mounts it read-only."""
    mounts.read_only(house.state, on=True)
    house.charge.start()


def _unlock(house: House) -> None:
    mounts.read_only(house.state, on=False)


def _keep_copy(name: str) -> Do:
    """Of a database at rest."""

    def prepare(house: House) -> None:
        house.charge.stop()
        for part in _parts(house.state, name):
            shutil.copy2(part, house.folder / f"good-{part.name}")
        house.charge.start()
        house.settle(SETTLES_S)

    return prepare


def _damage(name: str) -> Do:
    """While it runs, and then a start: what it holds in memory may carry it on until then."""

    def strike(house: House) -> None:
        _scribble(house.state, name)
        house.charge.kill()
        _scribble(house.state, name)  # whatever it has put right in between

    return strike


def _scribble(state: Path, name: str) -> None:
    """Over the log as well: it may hold a good copy of the very page, and SQLite would mend the file with it."""
    for path in (state / name, state / f"{name}-wal"):
        if path.exists():
            with open(path, "r+b") as part:
                part.write(os.urandom(min(GARBAGE, path.stat().st_size)))


def _restore(name: str) -> Do:
    """As an operator does from a backup."""

    def mend(house: House) -> None:
        house.charge.stop()
        for part in _parts(house.state, name):
            part.unlink()
        for good in house.folder.glob(f"good-{name}*"):
            shutil.move(good, house.state / good.name.removeprefix("good-"))
        house.charge.start()

    return mend


def _parts(state: Path, name: str) -> list[Path]:
    """The database and what SQLite keeps beside it."""
    return sorted(state.glob(f"{name}*"))


def _damaged(name: str) -> Fault:
    return Fault(
        f"{name.removesuffix('.db')}-damaged", f"{name} is overwritten with garbage", _damage(name),
        logged(name, name.removesuffix(".db")), _restore(name), _keep_copy(name), HOLDS_S,
    )  # fmt: skip


FAULTS = (
    Fault(
        "disk-full", "the disk is full", _fill, logged("nothing can be written"), _empty, holds_s=HOLDS_S,
        needs=_needs_mount, objects=_unwritten,
    ),
    Fault(
        "disk-read-only", "the disk is read-only at a start", _lock, either(logged("state", "journal"), ended), _unlock,
        _stop, HOLDS_S, _needs_mount,
    ),
    *(_damaged(name) for name in DATABASES),
)  # fmt: skip
