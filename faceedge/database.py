"""SQLite files of the state directory: private from the first moment, migrated in steps, troubles told in one line."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from faceedge.errors import StoreError
from faceedge.files import sync_folder

BUSY_MS = 10_000


def open_database(path: Path, migrations: Sequence[str], busy_ms: int = BUSY_MS) -> sqlite3.Connection:
    """Opens the file, makes it if need be, and runs the steps it has not seen. Call it inside `one_at_a_time`.

    A step only adds: the previous version of faceedge must still read what it makes. busy_ms: how long to wait for
    another writer. Raises StoreError for a file of a later version, sqlite3.Error and OSError for the rest.
    """
    _make_private(path)
    connection = sqlite3.connect(path, timeout=busy_ms / 1000, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("PRAGMA temp_store = MEMORY")
        _migrate(connection, path, migrations)
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def told(path: Path, mend: str = "restore a backup") -> Iterator[None]:
    """Turns what SQLite and the system say into one line. mend: what to do about a damaged file."""
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(f"{path}: {error}; {_advice(error, mend)}") from error
    except OSError as error:
        raise StoreError(
            f"{error.filename or path}: {error.strerror}; set state_dir or FACEEDGE_STATE to a folder of your own"
        ) from error


@contextmanager
def reading(path: Path, mend: str = "restore a backup", *, is_still: bool = False) -> Iterator[sqlite3.Connection]:
    """One moment of a file that others may write: nothing of it is changed, and their locks stay. is_still: nobody can
    write it, as on a disk that is read-only. Raises StoreError."""
    with told(path, mend):
        how = "immutable=1" if is_still else "mode=ro"
        connection = sqlite3.connect(f"file:{quote(str(path))}?{how}", uri=True, isolation_level=None)
        try:
            connection.execute("BEGIN")
            yield connection
        finally:
            connection.close()


@contextmanager
def one_at_a_time(state: Path) -> Iterator[None]:
    """Two processes that find an empty state directory must not both make a key."""
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(state, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _advice(error: sqlite3.Error, mend: str) -> str:
    text = str(error)
    if "locked" in text or "busy" in text:
        return "another process is writing, try again"
    if any(word in text for word in ("full", "disk I/O", "readonly", "unable to open")):
        return "look at the disk"
    return mend


def _make_private(path: Path) -> None:
    """The file is 0600 from its first moment; SQLite gives -wal and -shm the same mode.

    One that is there is not even opened: closing it again would drop every lock that this process has on it, and the
    next process that comes and goes would take the log away from under the connections that are open here.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        sync_folder(path.parent)


def _migrate(connection: sqlite3.Connection, path: Path, migrations: Sequence[str]) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(migrations) + 1:
        raise StoreError(f"{path}: was written by a later version of faceedge; update this one")
    for number, steps in enumerate(migrations[version:], start=version + 1):
        connection.executescript(f"BEGIN IMMEDIATE; {steps} PRAGMA user_version = {number}; COMMIT;")
