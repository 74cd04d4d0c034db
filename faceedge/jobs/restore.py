"""A backup onto a new board: built beside, checked, its data key wrapped by this board's device key, then renamed.

Door keys are not in a backup: whoever restores makes new ones. A lockdown is not either, and none is lifted.
"""

from __future__ import annotations

import io
import os
import re
import secrets
import shutil
import sqlite3
import tarfile
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import cast

from faceedge import lockdown
from faceedge.database import told
from faceedge.errors import BadInput, StoreError
from faceedge.files import sync, sync_folder
from faceedge.gallery import devicekey, parcel, vault
from faceedge.gallery.parcel import Opener
from faceedge.gallery.schema import MIGRATIONS, wrapped_key
from faceedge.gallery.store import Gallery
from faceedge.jobs.backup import DATA_KEY, NEVER
from faceedge.jobs.removal import receipt_path
from faceedge.keyfile import KEY_BYTES

Progress = Callable[[str, float], None]
NAME = re.compile(r"[a-z]+\.db|keys/[\w-][\w.-]*|models(/[\w-][\w.@+-]*)+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Restored:
    """What a state directory holds afterwards. made: unix seconds, when the backup was. doors: keys already there.

    back: ids of people whose receipt of removal lies here. new_key: the device key, where none was here.
    """

    state: Path
    made: int
    people: int
    templates: int
    files: tuple[str, ...]
    doors: tuple[str, ...]
    back: tuple[str, ...] = ()
    new_key: Path | None = None


def restore(source: Path, state: Path, passphrase: str, progress: Progress, *, force: bool = False) -> Restored:
    """Puts a backup in place of a state directory without databases, or with `force` of any.

    Other files of the directory (device key, door keys, models, engines) stay. Raises BadInput when the file or the
    passphrase is wrong or there are databases, StoreError when what is in it does not hold; then nothing has changed.
    """
    state = Path(os.path.abspath(state))
    databases = sorted(path.name for path in state.glob("*.db"))
    if databases and not force:
        raise BadInput(f"{state}: holds {', '.join(databases)} already; --force replaces it, --to names another folder")
    with told(state), parcel.opened(source, "state", passphrase) as opener:
        state.parent.mkdir(parents=True, exist_ok=True)
        build = Path(tempfile.mkdtemp(dir=state.parent, prefix=f".{state.name}.restore-"))
        try:
            progress("unpacking", 0.1)
            names, data_key = _unpack(opener, source, build)
            progress("checking", 0.6)
            _check_databases(build)
            _keep(state, build)
            is_new = next(devicekey.candidates(build), None) is None
            _wrap(build, data_key)
            people, templates = _check_gallery(build)
            back = tuple(person for person in people if receipt_path(build, person).is_file())
            progress("moving", 0.9)
            _own(state, build)
            _swap(build, state)
        finally:
            shutil.rmtree(build, ignore_errors=True)
    doors = tuple(sorted(path.name for path in (state / "keys").glob("door-*.key")))
    new_key = vault.device_key_path(state) if is_new else None
    return Restored(state, opener.head.made, len(people), templates, names, doors, back, new_key)


def _unpack(opener: Opener, source: Path, build: Path) -> tuple[tuple[str, ...], bytes]:
    """The names of what was written, and the data key, which is not."""
    names, data_key = [], b""
    try:
        with tarfile.open(fileobj=cast(io.BytesIO, opener), mode="r|") as archive:
            for entry in archive:
                content = archive.extractfile(entry)
                if content is None or not entry.isreg() or (entry.name != DATA_KEY and not _is_ours(entry.name)):
                    raise BadInput(f"{source}: holds {entry.name!r}, which is of a later version; update faceedge")
                if entry.name == DATA_KEY:
                    data_key = content.read(KEY_BYTES + 1)
                else:
                    _write(build / entry.name, content)
                    names.append(entry.name)
        opener.finish()
    except tarfile.TarError as error:
        raise BadInput(f"{source}: holds no archive ({error}); take another copy") from error
    if len(data_key) != KEY_BYTES or "gallery.db" not in names:
        raise BadInput(f"{source}: holds no gallery with its key; take another copy")
    return tuple(names), data_key


def _is_ours(name: str) -> bool:
    last = PurePosixPath(name).name
    return bool(NAME.fullmatch(name)) and not (name.startswith("keys/") and last.startswith(NEVER))


def _write(path: Path, content: io.BufferedIOBase | object) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
        shutil.copyfileobj(cast(io.BytesIO, content), file)


def _check_databases(build: Path) -> None:
    for path in sorted(build.glob("*.db")):
        with told(path), closing(sqlite3.connect(path)) as connection:
            (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
            if verdict != "ok" or connection.execute("PRAGMA foreign_key_check").fetchone():
                raise StoreError(f"{path.name}: damaged in the backup ({verdict}); take another backup")


def _keep(state: Path, build: Path) -> None:
    """What the new board has of its own: its device key and door keys, models, engines; the backup's files win."""
    for folder, _, files in os.walk(state):
        for name in files:
            path = Path(folder) / name
            place = build / path.relative_to(state)
            is_database = Path(folder) == state and re.search(r"\.db(-wal|-shm|-journal)?$", name)
            if is_database or place.exists() or path.is_symlink() or not path.is_file():
                continue
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if path.parent.name == "keys":
                shutil.copy2(path, place)
            else:
                os.link(path, place)


def _wrap(build: Path, data_key: bytes) -> None:
    with told(build / "gallery.db"), closing(sqlite3.connect(build / "gallery.db", isolation_level=None)) as connection:
        if connection.execute("PRAGMA user_version").fetchone()[0] > len(MIGRATIONS) + 1:
            raise StoreError("gallery.db: the backup is of a later version of faceedge; update this one")
        number, _ = wrapped_key(connection)
        wrapped = vault.wrap(data_key, devicekey.first_key(build).secret)
        connection.execute("DELETE FROM data_keys")
        connection.execute("INSERT INTO data_keys VALUES (?, ?, ?)", (number, int(time.time()), wrapped))


def _check_gallery(build: Path) -> tuple[tuple[str, ...], int]:
    """Everything opens with the key. Ids of all people, and how many templates."""
    with Gallery.open(build) as gallery:
        people = tuple(person.id for person in gallery.people())
        templates = sum(len(gallery.portfolio(person)) for person in people)
        gallery.book()
    return people, templates


def _own(state: Path, build: Path) -> None:
    """What root restores belongs to the service, as the directory did; and it is all on disk before it is renamed."""
    owner = state.stat() if state.exists() else None
    for folder, _, files in os.walk(build, topdown=False):
        for path in (*(Path(folder) / name for name in files), Path(folder)):
            if owner is not None and os.geteuid() == 0:
                os.chown(path, owner.st_uid, owner.st_gid)
            sync(path)


def _swap(build: Path, state: Path) -> None:
    """The new directory under the name of the old one; where that fails, the old one is back."""
    aside = state.with_name(f".{state.name}.replaced-{secrets.token_hex(4)}")
    if state.exists():
        build.chmod(state.stat().st_mode & 0o7777)
        state.rename(aside)
    try:
        if aside.exists() and lockdown.is_on(aside):  # also one that was switched on while this ran
            lockdown.switch(build, True)
        build.rename(state)
    except BaseException:
        if aside.exists():
            aside.rename(state)
        raise
    sync_folder(state.parent)
    shutil.rmtree(aside, ignore_errors=True)
