"""What lies on a disk after a cut, and on a machine after an uninstall, beside what should."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from faceedge.gallery.store import Gallery
from faceedge.journal.signing import public_path, read_public
from faceedge.journal.verify import verify

OTHERS = ("var/log/", "var/lib/systemd/", "var/cache/ldconfig/", "srv/", "run/", "tmp/", "root/", "etc/.pwd.lock")
"""Where a system that runs writes by itself, and what the test has brought."""
ACCOUNTS = ("etc/passwd", "etc/group", "etc/shadow", "etc/gshadow", "etc/subuid", "etc/subgid")
"""Written anew when an account comes and goes, with a copy of what was there; what they hold is looked at."""


def grants(state: Path) -> int:
    """How many the journal knows of."""
    with closing(sqlite3.connect(state / "journal.db")) as connection:
        (count,) = connection.execute("SELECT count(*) FROM entries WHERE kind = 'grant'").fetchone()
        return int(count)


def newest(state: Path) -> int:
    """Number of the last entry of the journal."""
    with closing(sqlite3.connect(state / "journal.db")) as connection:
        (number,) = connection.execute("SELECT max(seq) FROM entries").fetchone()
        return int(number)


def times_after(state: Path, number: int) -> set[int | None]:
    """When the entries after that one say that they were made."""
    with closing(sqlite3.connect(state / "journal.db")) as connection:
        return {time for (time,) in connection.execute("SELECT time_ms FROM entries WHERE seq > ?", (number,))}


def losses(state: Path, granted: int) -> list[str]:
    """Everything that is not as it was promised. granted: grants that had opened the door before."""
    found = []
    for name in ("gallery.db", "journal.db"):
        with closing(sqlite3.connect(state / name)) as connection:
            verdict = connection.execute("PRAGMA integrity_check").fetchall()
            if verdict != [("ok",)]:
                found.append(f"{name} is corrupt: {verdict}")
    with Gallery.open(state) as gallery:
        people = gallery.people()
        if [person.name for person in people] != ["Astronaut"] or not gallery.portfolio(people[0].id):
            found.append("a person is lost")
    report = verify(state / "journal.db", read_public(public_path(state)))
    if not report.is_whole:
        found.append(f"journal: {report.problem}")
    if (kept := grants(state)) < granted:
        found.append(f"journal: {granted} grants had opened, {kept} are there")
    for name in ("starts.json", "worked.json"):
        if (state / name).exists():
            json.loads((state / name).read_bytes())
    return found


def written(disk: Path) -> set[str]:
    """Files that a machine has written, without those that any running system writes."""
    names = (path.relative_to(disk).as_posix() for path in disk.rglob("*") if path.is_symlink() or path.is_file())
    return {name for name in names if not name.startswith(OTHERS) and name.rstrip("-") not in ACCOUNTS}


def accounts(tree: Path) -> str:
    """All users and groups there are."""
    return "".join((tree / name).read_text(encoding="utf-8") for name in ACCOUNTS if (tree / name).exists())
