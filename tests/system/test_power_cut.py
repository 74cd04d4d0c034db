"""Power cuts: the state directory on an ext4 image of its own, cut off in the middle of writing, again and again.

A file system that is being written cannot be copied as of one moment, so the file system is cut off first: with the
ioctl that file system tests use (shutdown without flushing log or data), whatever was not on the disk by then never
gets there. The raw image is then copied, and the copy mounted, recovered and read. What is not tested: a drive that
lies about its cache.
"""

from __future__ import annotations

import fcntl
import json
import os
import queue
import random
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from faceedge.errors import FaceedgeError
from faceedge.gallery.store import Gallery
from faceedge.journal.chain import Chain
from faceedge.journal.signing import public_path, read_public
from faceedge.journal.verify import verify
from tests.system.power_writer import SHOTS

pytestmark = pytest.mark.system

CUTS = int(os.environ.get("FACEEDGE_POWER_CUTS", "20"))
SHUTDOWN, NO_FLUSH = 0x8004587D, 2
IMAGE_BYTES = 32 << 20
JOURNAL_LAG_S = 0.2
ROOT = Path(__file__).parents[2]


@contextmanager
def mounted(image: Path, at: Path) -> Iterator[Path]:
    at.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "ext4", "-o", "loop", str(image), str(at)], check=True, capture_output=True)
    try:
        yield at
    finally:
        for _ in range(50):
            if subprocess.run(["umount", str(at)], check=False, capture_output=True).returncode == 0:
                break
            time.sleep(0.1)
        else:
            subprocess.run(["umount", "--lazy", str(at)], check=True)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """An ext4 image with an empty state directory on it."""
    if os.geteuid() != 0:
        pytest.skip("mounting an image needs root")
    if shutil.which("mkfs.ext4") is None:
        pytest.skip("no mkfs.ext4 on this machine")
    path = tmp_path / "disk.img"
    with path.open("wb") as file:
        file.truncate(IMAGE_BYTES)
    subprocess.run(["mkfs.ext4", "-q", "-F", str(path)], check=True)
    try:
        with mounted(path, tmp_path / "mnt") as folder:
            Gallery.open(folder / "state").close()
            Chain.open(folder / "state").close()
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no loop devices here: {error.stderr.decode().strip()}")
    return path


class Writer:
    """The process of `power_writer`, and what it says."""

    def __init__(self, *flags: str) -> None:
        command = [sys.executable, "-m", "tests.system.power_writer", *flags]
        self.process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._words: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, name="reader")
        self._reader.start()

    def begin(self, state: Path) -> int:
        """Starts a child; its process id."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{state}\n".encode())
        self.process.stdin.flush()
        return int(self._words.get(timeout=30)["child"])

    def until(self, key: str) -> list[dict[str, Any]]:
        """What comes up to and with that word."""
        heard = [self._words.get(timeout=30)]
        while key not in heard[-1]:
            assert "ended" not in heard[-1], heard[-1]
            heard.append(self._words.get(timeout=30))
        return heard

    def said(self) -> list[dict[str, Any]]:
        """What has come so far."""
        words = []
        while not self._words.empty():
            words.append(self._words.get())
        return words

    def rest(self) -> list[dict[str, Any]]:
        """What comes until the child has ended."""
        words = []
        while "over" not in (one := self._words.get(timeout=30)):
            words.append(one)
        return words

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._words.put(json.loads(line))


@dataclass
class Promised:
    """What has been acknowledged so far, over all cuts.

    open: removals begun and not known to have ended. noted: the last entry that must be in the journal, of those after
    entry `base`; granted: the number of one that must be. delivered: events that the broker has said it took.
    """

    people: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    open: set[str] = field(default_factory=set)
    granted: int = 0
    noted: int = -1
    delivered: set[str] = field(default_factory=set)
    rotations: int = 0
    base: int = 0

    def hear(self, words: list[dict[str, Any]], cut_s: float) -> None:
        for one in words:
            if one.get("done") == "enrol":
                self.people.add(one["id"])
            elif one.get("done") == "remove":
                self.gone.add(one["id"])
                self.people.discard(one["id"])
            elif one.get("begin") == "remove":
                self.open.add(one["id"])
            if "delivered" in one:
                self.delivered.add(one["delivered"])
            self.rotations += one.get("done") == "rotate"
            self.granted = max(self.granted, one.get("granted", 0))
            if "noted" in one and one["at_s"] < cut_s - JOURNAL_LAG_S:
                self.noted = one["noted"]


def cut(image: Path, mount: Path, writer: Writer, promised: Promised) -> None:
    """Lets it write for a moment, then cuts it off; `promised` learns what was acknowledged before."""
    promised.open.clear()
    promised.noted = -1
    with mounted(image, mount) as folder:
        descriptor = os.open(folder, os.O_RDONLY)
        child = writer.begin(folder / "state")
        heard = writer.until("done")
        time.sleep(random.uniform(0.0, 0.5))
        heard += writer.said()
        cut_s = time.monotonic()
        fcntl.ioctl(descriptor, SHUTDOWN, struct.pack("I", NO_FLUSH))
        os.close(descriptor)
        with suppress(ProcessLookupError):  # it may have stumbled over the dead disk by itself
            os.kill(child, signal.SIGKILL)
        later = writer.rest()
    promised.hear(heard, cut_s)
    promised.open |= {one["id"] for one in later if one.get("begin") == "remove"}
    promised.delivered |= {one["delivered"] for one in later if "delivered" in one}


def losses(state: Path, promised: Promised) -> list[str]:
    """Everything that is not as it was promised."""
    found = []
    for name in ("gallery.db", "journal.db"):
        with closing(sqlite3.connect(state / name)) as connection:
            verdict = connection.execute("PRAGMA integrity_check").fetchall()
            if verdict != [("ok",)] or connection.execute("PRAGMA foreign_key_check").fetchall():
                found.append(f"{name} is corrupt: {verdict}")
    with Gallery.open(state) as gallery:
        people = {person.id: person for person in gallery.people()}
        for person in people.values():
            portfolio = gallery.portfolio(person.id)
            if len(portfolio) != SHOTS or any(gallery.crop(person.id, entry) is None for entry, _ in portfolio):
                found.append(f"half a person: {len(portfolio)} templates")
    found += [f"{key} was enrolled and is lost" for key in promised.people - people.keys() - promised.open]
    found += [f"{key} was removed and is back" for key in promised.gone & people.keys()]
    promised.people = set(people)
    return found + journal_losses(state, promised)


def journal_losses(state: Path, promised: Promised) -> list[str]:
    report = verify(state / "journal.db", read_public(public_path(state)))
    found = [] if report.is_whole else [f"journal: {report.problem}"]
    with closing(sqlite3.connect(state / "journal.db")) as connection:
        notes = connection.execute("SELECT seq, body FROM entries WHERE kind = 'note'").fetchall()
        waiting = {name for (name,) in connection.execute("SELECT id FROM outbox")}
    bodies = [(seq, json.loads(body)) for seq, body in notes]
    numbers = {body["number"] for seq, body in bodies if seq > promised.base}
    letters = {body["letter"] for _, body in bodies}
    if report.last < promised.granted:
        found.append(f"journal: entry {promised.granted} was granted upon, {report.last} is the last")
    if not set(range(promised.noted + 1)) <= numbers:
        found.append(f"journal: {promised.noted - max(numbers, default=-1)} entries older than {JOURNAL_LAG_S} s lost")
    if lost := letters - waiting - promised.delivered:
        found.append(f"outbox: {len(lost)} events of entries on disk are neither there nor delivered")
    if unwritten := promised.delivered - letters:
        found.append(f"outbox: {len(unwritten)} events were delivered of entries that are not on disk")
    promised.base = report.last
    return found


def cut_and_look(image: Path, tmp_path: Path, writer: Writer, promised: Promised) -> list[str]:
    """One cut; the copy is mounted, recovered and read, and is the disk from then on."""
    cut(image, tmp_path / "mnt", writer, promised)
    copy = tmp_path / "copy.img"
    shutil.copyfile(image, copy)
    with mounted(copy, tmp_path / "copy") as folder:
        try:
            found = losses(folder / "state", promised)
        except FaceedgeError as error:
            found = [str(error)]
    copy.replace(image)
    return found


@contextmanager
def writing(*flags: str) -> Iterator[Writer]:
    writer = Writer(*flags)
    try:
        yield writer
    finally:
        writer.close()


@pytest.mark.timeout(600)
def test_what_was_acknowledged_outlasts_a_power_cut(image: Path, tmp_path: Path) -> None:
    promised = Promised()
    with writing() as writer:
        for number in range(CUTS):
            assert cut_and_look(image, tmp_path, writer, promised) == [], f"cut {number}"
    assert promised.people
    assert promised.gone
    assert promised.granted
    assert promised.delivered
    assert promised.rotations


def test_without_fsync_a_power_cut_loses_what_was_acknowledged(image: Path, tmp_path: Path) -> None:
    """Shows that the test above can fail."""
    promised = Promised()
    with writing("--careless") as writer:
        found = [loss for _ in range(3) for loss in cut_and_look(image, tmp_path, writer, promised)]
    assert any("is lost" in loss or "corrupt" in loss or "gallery.db" in loss for loss in found)
    assert any("journal" in loss for loss in found)
    assert any("outbox" in loss for loss in found), found[-6:]
