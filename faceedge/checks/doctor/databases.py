"""Both databases and the journal's chain, read beside whoever writes them. Only SQLite opens their files here: to
close one again would cost SQLite its locks.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path

from faceedge.checks.doctor.base import Finding, Findings, Patient, fail, ok, skip, told, warn
from faceedge.database import reading
from faceedge.errors import FaceedgeError, StoreError
from faceedge.gallery import devicekey, schema
from faceedge.gallery.schema import wrapped_key
from faceedge.jobs.site import Site
from faceedge.journal import schema as journal
from faceedge.journal.signing import key_path, public_path, read_public
from faceedge.journal.verify import verify

QUICK_S = 6.0
"""For SQLite's quick check of one file."""
STEPS = 10_000
"""Of SQLite's machine between two looks at the clock."""
RESTORE = "restore a backup: faceedge restore FILE, docs/operate.md says how"
PEOPLE = "SELECT count(*) FROM people WHERE NOT tombstone"
TEMPLATES = "SELECT count(DISTINCT person_id) FROM templates WHERE NOT tombstone AND space = ?"


class _Long(Exception):
    """It takes longer than it may."""


def check_gallery(patient: Patient) -> Findings:
    """Sound, of this version, opened by the device key, with people in it whom the network knows."""
    path = patient.state / "gallery.db"
    if not path.is_file():
        yield warn("gallery.file", f"{path}: nobody has been enrolled yet", "faceedge enroll NAME PHOTO…")
        return
    sound = _sound("gallery.file", path, len(schema.MIGRATIONS), RESTORE)
    yield sound
    if sound.status == "fail":
        return
    yield _key(patient, path)
    yield from _people(patient, path)


def check_journal(patient: Patient) -> Findings:
    """Sound, and of this version; the chain is a check of its own."""
    path = patient.state / "journal.db"
    if path.is_file():
        yield _sound("journal.file", path, len(journal.MIGRATIONS), journal.MEND)
    else:
        yield skip("journal.file", f"{path}: no journal yet, the daemon begins one")
    if public_path(patient.state).exists() and not key_path(patient.state).exists():
        yield fail(
            "journal.key", f"{key_path(patient.state)}: missing, so nothing can be journalled and nothing is granted",
            "put it back, or begin a new journal by moving journal.db and journal.pub away",
        )  # fmt: skip


def check_chain(patient: Patient) -> Findings:
    """Every entry, its hash, order and signatures. A long journal takes longer than this check may."""
    path = patient.state / "journal.db"
    if not path.is_file():
        yield skip("journal.chain", "no journal yet")
        return
    report = verify(path, read_public(public_path(patient.state)))
    if report.problem is not None:
        yield fail("journal.chain", f"broken: {report.problem}", journal.MEND)
    else:
        yield ok("journal.chain", f"whole, entries {report.first} to {report.last}, {report.unsigned} not signed yet")


def versions(state: Path) -> dict[str, dict[str, int | str]]:
    """Schema and number of rows of each database, for a report; what is wrong in place of them."""
    found: dict[str, dict[str, int | str]] = {}
    tables = {"gallery.db": ("people", "templates", "rules", "groups", "captures"), "journal.db": ("entries", "outbox")}
    for name, of_it in tables.items():
        if not (state / name).is_file():
            continue
        try:
            found[name] = _counted(state / name, of_it)
        except StoreError as error:
            found[name] = {"error": str(error).rpartition("; ")[0]}
    return found


def _counted(path: Path, tables: Sequence[str]) -> dict[str, int | str]:
    with reading(path, is_still=_is_still(path)) as connection:
        counts = {name: _one(connection, f"SELECT count(*) FROM {name}") for name in tables}  # noqa: S608, ours
        return {"schema": _one(connection, "PRAGMA user_version"), **counts}


def _sound(id: str, path: Path, version: int, remedy: str) -> Finding:
    try:
        with reading(path, remedy, is_still=_is_still(path)) as connection:
            found = _one(connection, "PRAGMA user_version")
            if found > version + 1:
                return fail(
                    id, f"{path.name} is of schema {found}, this version of faceedge has {version}",
                    "install the later version that wrote it, or restore a backup from before",
                )  # fmt: skip
            verdict = _quick_check(connection)
    except _Long:
        return warn(
            id, f"{path.name} is too large to be looked through in {QUICK_S:g} s", "look at it at night, by hand"
        )
    except StoreError as error:
        return told(id, error)
    if verdict != "ok":
        return fail(id, f"{path.name} is damaged: {verdict}", remedy)
    return ok(id, f"{path.name} is sound, schema {found}")


def _quick_check(connection: sqlite3.Connection) -> str:
    """Raises _Long."""
    ends = time.monotonic() + QUICK_S
    connection.set_progress_handler(lambda: time.monotonic() > ends, STEPS)
    try:
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError as error:
        if "interrupted" in str(error):
            raise _Long from error
        raise
    finally:
        connection.set_progress_handler(None, 0)
    return " ".join(str(verdict).split())


def _key(patient: Patient, path: Path) -> Finding:
    with reading(path, is_still=_is_still(path)) as connection:
        _, wrapped = wrapped_key(connection)
    try:
        devicekey.unlock(patient.state, wrapped)
    except FaceedgeError as error:
        return told("gallery.key", error)
    return ok("gallery.key", "the device key opens the gallery")


def _people(patient: Patient, path: Path) -> Findings:
    with reading(path, is_still=_is_still(path)) as connection:
        people = _one(connection, PEOPLE)
        space = _space(patient)
        known = _one(connection, TEMPLATES, space) if space else people
    if not people:
        yield warn("gallery.people", "nobody is enrolled: the door opens for nobody", "faceedge enroll NAME PHOTO…")
    elif known < people:
        yield warn(
            "gallery.people", f"the recogniser that serves knows {known} of {people} people",
            "enrol the others again, or go back: faceedge model rollback recognizer",
        )  # fmt: skip
    else:
        yield ok("gallery.people", f"{people} enrolled")


def _space(patient: Patient) -> str:
    """In which the recogniser that serves compares; empty where it is not at hand."""
    if patient.settings is None:
        return ""
    package = Site(patient.state, patient.cache, patient.settings.models).at_hand("recognizer")
    return package.space if package is not None else ""


def _one(connection: sqlite3.Connection, query: str, *values: object) -> int:
    return int(connection.execute(query, values).fetchone()[0])


def _is_still(path: Path) -> bool:
    """On a disk that is read-only SQLite could not even take a lock."""
    return bool(os.statvfs(path).f_flag & os.ST_RDONLY)
