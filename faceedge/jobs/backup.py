"""The state directory into one encrypted file, while the daemon runs.

Each database is copied as it was at one moment, without what its freed pages still hold. Inside the parcel is a tar:
the databases, `data.key` (never the device key: that stays on its board), the other keys but no door and site keys, and
on demand models/.
"""

from __future__ import annotations

import fcntl
import io
import os
import shutil
import sqlite3
import tarfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from faceedge.database import one_at_a_time, told
from faceedge.errors import BadInput, StoreError
from faceedge.gallery import devicekey, ledger, parcel
from faceedge.gallery.parcel import Sealer
from faceedge.gallery.schema import wrapped_key
from faceedge.gallery.vault import Vault

Progress = Callable[[str, float], None]
DATA_KEY = "data.key"
NEVER = ("device.", "door-", "site-")
"""Key files that stay on this board: the device key, what opens doors, and whose commands it obeys."""


@dataclass(frozen=True, slots=True)
class Made:
    """What went into a backup. people: how many. files: names inside. bytes: size of the backup."""

    id: str
    path: Path
    bytes: int
    people: int
    files: tuple[str, ...]


def backup(state: Path, target: Path, passphrase: str, progress: Progress, *, models: bool = False) -> Made:
    """Writes the backup, whole or not at all. Raises BadInput (nothing to back up, target), StoreError (state)."""
    if not (state / "gallery.db").is_file():
        raise BadInput(f"{state}: holds no gallery.db, so there is nothing to back up; set FACEEDGE_STATE")
    parcel.check_target(target)
    with told(state), _scratch(state) as scratch:
        progress("copying", 0.1)
        with one_at_a_time(state):  # so that no rotation of keys comes between the copy and its key
            _copy_database(state / "gallery.db", scratch)
            _forget_captures(scratch / "gallery.db")
            vault, key, people = _opened(scratch / "gallery.db", state)
        for path in sorted(state.glob("*.db")):
            if path.name != "gallery.db":
                _copy_database(path, scratch)
        contents = [(path.name, path) for path in sorted(scratch.iterdir())] + list(_files(state, models=models))
        with parcel.sealed(target, "state", passphrase) as (sealer, head):
            names = _pack(sealer, key, contents, progress)
        with one_at_a_time(state):
            ledger.note(state, vault, head, target, people)
    return Made(head.id, target, target.stat().st_size, len(people), names)


@contextmanager
def _scratch(state: Path) -> Iterator[Path]:
    """A folder for one backup at a time, emptied of what a crash has left."""
    folder = state / ".backup"
    folder.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise StoreError(f"{folder}: another backup is being made; wait for it") from error
    try:
        for left in folder.iterdir():
            left.unlink()
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def _copy_database(path: Path, folder: Path) -> None:
    """VACUUM INTO reads in one transaction, so others may write, and leaves out everything that was deleted."""
    with told(path), closing(sqlite3.connect(path, timeout=10, isolation_level=None)) as connection:
        connection.execute("VACUUM INTO ?", (str(folder / path.name),))


def _forget_captures(copy: Path) -> None:
    """Captured crops and sightings age and backups do not, so none goes into one."""
    with told(copy), closing(sqlite3.connect(copy, isolation_level=None)) as connection:
        for table in ("captures", "sightings"):
            if connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)).fetchone():
                connection.execute(f"DELETE FROM {table}")  # noqa: S608, constants
        connection.execute("VACUUM")


def _opened(copy: Path, state: Path) -> tuple[Vault, bytes, list[str]]:
    """The vault of a copied gallery, its data key, and the ids of everybody in it."""
    with closing(sqlite3.connect(copy)) as connection:
        number, wrapped = wrapped_key(connection)
        key, _ = devicekey.unlock(state, wrapped)
        people = connection.execute("SELECT id FROM people WHERE NOT tombstone").fetchall()
    return Vault(key, number), key, [person for (person,) in people]


def _files(state: Path, *, models: bool) -> Iterator[tuple[str, Path]]:
    """Name in the backup, and path, of everything that is no database."""
    folders = ["keys", *(["models"] if models else [])]
    for folder in folders:
        for path in sorted((state / folder).rglob("*")):
            name = path.relative_to(state)
            is_half_made = any(part.startswith(".") for part in name.parts)
            is_ours = not is_half_made and (folder != "keys" or not path.name.startswith(NEVER))
            if is_ours and path.is_file() and not path.is_symlink():
                yield str(name), path


def _pack(sealer: Sealer, key: bytes, contents: list[tuple[str, Path]], progress: Progress) -> tuple[str, ...]:
    whole = sum(path.stat().st_size for _, path in contents) or 1
    done = 0
    with tarfile.open(fileobj=cast(io.BytesIO, sealer), mode="w|", format=tarfile.PAX_FORMAT) as archive:
        _add(archive, DATA_KEY, io.BytesIO(key), len(key))
        for name, path in contents:
            with path.open("rb") as file:
                _add(archive, name, file, os.fstat(file.fileno()).st_size)
            done += path.stat().st_size
            progress(name, 0.1 + 0.9 * min(1, done / whole))
    return tuple(name for name, _ in contents)


def _add(archive: tarfile.TarFile, name: str, file: io.IOBase, size: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = size, 0o600
    archive.addfile(entry, cast(io.BytesIO, file))
