"""What lies on a disk after a cut, and on a machine after an uninstall, beside what should."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sqlite3
from contextlib import closing
from pathlib import Path

from faceedge.gallery.store import Gallery
from faceedge.journal.signing import public_path, read_public
from faceedge.journal.verify import verify
from tests.system.container.machine import Machine

OTHERS = (
    "var/log/journal/", "var/log/wtmp", "var/log/mosquitto/", "var/lib/systemd/", "var/cache/ldconfig/", "var/backups/",
    "var/tmp/systemd-private-", "srv/", "run/", "tmp/", "etc/.pwd.lock",
)  # fmt: skip
"""Where a system that runs writes by itself, and what the test has brought."""
DAEMON = re.compile(r"var/lib/faceedge/(journal\.db|gallery\.db)(-wal|-shm)?$")
"""What the daemon writes while it runs."""
OWN_EACH_TIME = re.compile(r"var/lib/faceedge/|opt/faceedge/\.people$|.*\.pyc$")
"""Keys and databases of each installation, a salt, and files that hold the moment at which they were made."""
CUT_SHORT = "etc/.#"
"""What systemd-sysusers leaves when it is killed at its work; it is not ours to remove."""
ACCOUNTS = ("etc/passwd", "etc/group", "etc/shadow", "etc/gshadow", "etc/subuid", "etc/subgid")
"""Written anew when an account comes and goes, with a copy of what was there; what they hold is looked at."""


Facts = dict[str, tuple[object, ...]]
"""By the name of a file."""


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


def written(machine: Machine) -> set[str]:
    """How its disk differs from what it began as, but for what any running system writes: `+` files and folders that
    are new, `-` those that are gone, `~` files that are others."""
    now, before = _names(machine.tree), _names(machine.root)
    changed = {name for name in before & _names(machine.disk) if (machine.disk / name).is_file()}
    found = {f"+{name}" for name in now - before} | {f"-{name}" for name in before - now} | {f"~{n}" for n in changed}
    return {line for line in found if line[1:].rstrip("-") not in ACCOUNTS}


def facts(machine: Machine) -> Facts:
    """Of every file that it has written, but for the daemon's: mode, owner, when, and what."""
    names = (name for name in _names(machine.disk) if not DAEMON.match(name))
    return {name: fact for name in names if (fact := _fact(machine.disk / name))}


def end(machine: Machine) -> Facts:
    """What an installation comes to: mode, owner and digest of each file, and names of what each has of its own."""
    return {
        name: fact[:2] if OWN_EACH_TIME.match(name) else (*fact[:2], fact[3])
        for name, fact in facts(machine).items()
        if not name.startswith(CUT_SHORT) and name.rstrip("-") not in ACCOUNTS
    }


def _fact(path: Path) -> tuple[object, ...]:
    """Empty for folders, and for the marks of what is gone."""
    has = path.lstat()
    if path.is_symlink():
        return has.st_mode, has.st_uid, 0, os.readlink(path)
    if not path.is_file():
        return ()
    return has.st_mode, has.st_uid, has.st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest()


def _names(folder: Path) -> set[str]:
    """Of files, folders and links below it."""
    found = set[str]()
    for place, folders, files in os.walk(folder):
        inside = Path(place).relative_to(folder)
        found |= {(inside / name).as_posix() for name in (*folders, *files)}
    return {name for name in found if not f"{name}/".startswith(OTHERS) and not name.startswith(OTHERS)}


def accounts(tree: Path) -> str:
    """All users and groups there are."""
    return "".join((tree / name).read_text(encoding="utf-8") for name in ACCOUNTS if (tree / name).exists())
