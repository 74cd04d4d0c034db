"""What a finding is, who is examined, and how a check is declared. Run by `examine.py`."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Literal, TypeVar

from faceedge.config import Config
from faceedge.errors import FaceedgeError, one_line
from faceedge.health.clock import ASK, SYNC_MARK

Status = Literal["ok", "warn", "fail", "skip"]
T = TypeVar("T")
ROOT = Path("/")
UNIT = "faceedge.service"
MOST_WORDS = 300


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. id: stable, for programs. what: found. remedy: what to do; empty where nothing is."""

    id: str
    status: Status
    what: str
    remedy: str = ""


class Once(Generic[T]):
    """A value that is expensive to find out, and that several checks ask for; found out by the first of them."""

    def __init__(self, find: Callable[[], T]) -> None:
        self._find = find
        self._lock = threading.Lock()
        self._found: list[T] = []

    def __call__(self) -> T:
        with self._lock:
            if not self._found:
                self._found.append(self._find())
            return self._found[0]


@dataclass(frozen=True, slots=True)
class Patient:
    """One installation. path: of its configuration, None without a file. settings: None where that is wrong, and then
    `fault` says how. root: where /proc, /etc and the like are. environ: for programs that are asked, and for variables
    of the service. pictures: a folder for one picture of each camera, None for none.
    """

    path: Path | None
    settings: Config | None
    fault: str
    state: Path
    cache: Path
    root: Path = ROOT
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    unit: str = UNIT
    sync_mark: Path = SYNC_MARK
    sync_ask: tuple[str, ...] = ASK
    pictures: Path | None = None


Findings = Iterator[Finding]


@dataclass(frozen=True, slots=True)
class Check:
    """A row of the table. within_s: it is not waited for any longer, and `late` is what that means."""

    id: str
    within_s: float
    run: Callable[[], Findings]
    remedy: str = "look at the machine's load, and run it again"
    late: Status = "fail"


def ok(id: str, what: str) -> Finding:
    return Finding(id, "ok", one_line(what, MOST_WORDS))


def warn(id: str, what: str, remedy: str) -> Finding:
    return Finding(id, "warn", one_line(what, MOST_WORDS), remedy)


def fail(id: str, what: str, remedy: str) -> Finding:
    return Finding(id, "fail", one_line(what, MOST_WORDS), remedy)


def skip(id: str, why: str) -> Finding:
    return Finding(id, "skip", one_line(why, MOST_WORDS))


def told(id: str, error: FaceedgeError, remedy: str = "") -> Finding:
    """Of an error, whose text is what is wrong and, behind the last semicolon, how to mend it."""
    what, semicolon, mend = one_line(str(error), 2 * MOST_WORDS).rpartition("; ")
    return fail(id, what if semicolon else mend, remedy or (mend if semicolon else "mend that, and run it again"))
