"""Proof that bytes are gone: fingerprints of what is about to be erased, and a scan of every file for them.

A value is cut into windows of 32 bytes, one every 32 bytes (512 in long values, 2048 in captured crops). Of each window
two bytes and a salted hash are kept; the two bytes of a template's window are the low ends of one mantissa, which say
nothing about a face. So no part of a template can be had from a receipt, though somebody who has the very bytes can
tell that they were these.

What a clean scan proves: no file of the state directory, as the file system shows it, holds 63 bytes in a row (543 of a
picture, 2079 of a captured crop) of a sealed value or of a plain template or picture of that person. What it cannot
see: blocks that the file system or a flash drive has given up but not yet overwritten, memory and swap, encrypted
backups, and other places.
"""

from __future__ import annotations

import base64
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faceedge.errors import BadInput

WINDOW = 32
LONG = 8192
STRIDE_LONG = 512
STRIDE_CAPTURED = 2048
"""A hundred crops of one person would otherwise make a scan stop at every other byte; a page of SQLite has 4096."""
DIGEST = 16
FEW = 8
"""A window of fewer different bytes, such as a black part of a picture, would be found everywhere."""
BLOCK = 1 << 22


@dataclass(frozen=True, slots=True)
class Prints:
    """Fingerprints of erased values. windows: by length of the window, its first two bytes and its salted hash."""

    salt: bytes
    windows: dict[int, frozenset[bytes]]

    def as_json(self) -> dict[str, object]:
        """As a receipt holds them."""
        packed = {str(size): base64.b64encode(b"".join(sorted(group))).decode() for size, group in self.windows.items()}
        return {"salt": self.salt.hex(), "windows": packed}

    @classmethod
    def from_json(cls, body: dict[str, object]) -> Prints:
        """Raises BadInput when it is none."""
        try:
            salt, packed = body["salt"], body["windows"]
            assert isinstance(salt, str)
            assert isinstance(packed, dict)
            windows = {int(size): _split(base64.b64decode(text, validate=True)) for size, text in packed.items()}
            return cls(bytes.fromhex(salt), windows)
        except (AssertionError, KeyError, TypeError, ValueError) as error:
            raise BadInput("the receipt is damaged; take the one in the folder receipts of the state") from error


@dataclass(frozen=True, slots=True)
class Found:
    """Where something was found. offset: bytes from the beginning of the file."""

    path: str
    offset: int


@dataclass(frozen=True, slots=True)
class Scan:
    """What was read. digest: sha256 over hash, size and name of every file. unread: files that could not be opened."""

    files: int
    bytes: int
    digest: str
    found: tuple[Found, ...]
    unread: tuple[str, ...]

    @property
    def is_clean(self) -> bool:
        """Everything was read and nothing was found."""
        return not self.found and not self.unread


def fingerprint(values: Iterable[bytes], captured: Iterable[bytes] = ()) -> Prints:
    """Prints of everything that is about to be erased, under a fresh salt. captured: crops, of which there are many."""
    salt = os.urandom(16)
    windows: dict[int, set[bytes]] = {}
    short = ((value, STRIDE_LONG if len(value) > LONG else WINDOW) for value in values)
    for value, stride in chain(short, ((value, STRIDE_CAPTURED) for value in captured)):
        for window in _windows(value, stride):
            windows.setdefault(len(window), set()).add(window[:2] + _digest(salt, window))
    return Prints(salt, {size: frozenset(group) for size, group in windows.items()})


def scan(state: Path, prints: Prints) -> Scan:
    """Reads every file of a folder, whatever it is called."""
    whole, size, count = hashlib.sha256(), 0, 0
    found: list[Found] = []
    unread: list[str] = []
    for path in _files(state):
        name = str(path.relative_to(state))
        try:
            reader = _Reader(prints)
            found += [Found(name, offset) for offset in reader.offsets(path)]
        except FileNotFoundError:
            continue  # -wal and the like come and go
        except OSError:
            unread.append(name)
            continue
        count, size = count + 1, size + reader.size
        whole.update(f"{reader.digest} {reader.size} {name}\n".encode())
    return Scan(count, size, whole.hexdigest(), tuple(found), tuple(unread))


class _Reader:
    """One file, block by block; blocks overlap so that no window is cut."""

    def __init__(self, prints: Prints) -> None:
        self._prints = prints
        self._pairs = {size: _table(group) for size, group in prints.windows.items()}
        self._hash = hashlib.sha256()
        self.size = 0

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()

    def offsets(self, path: Path) -> list[int]:
        found: set[int] = set()
        tail = b""
        with path.open("rb") as file:
            while block := file.read(BLOCK):
                self._hash.update(block)
                content, start = tail + block, self.size - len(tail)
                found.update(start + at for at in self._hits(content))
                self.size += len(block)
                tail = content[-(WINDOW - 1) :]
        return sorted(found)

    def _hits(self, content: bytes) -> Iterator[int]:
        row = np.frombuffer(content, np.uint8).astype(np.uint16)
        pairs = row[:-1] | (row[1:] << 8)
        for size, table in self._pairs.items():
            for at in np.flatnonzero(table[pairs]).tolist():
                window = content[at : at + size]
                if (
                    len(window) == size
                    and window[:2] + _digest(self._prints.salt, window) in self._prints.windows[size]
                ):
                    yield at


def _windows(value: bytes, stride: int) -> Iterator[bytes]:
    last = max(0, len(value) - WINDOW)
    for at in {*range(0, last + 1, stride), last} if len(value) <= LONG else range(0, last + 1, stride):
        window = value[at : at + WINDOW]
        if len(set(window)) >= FEW:
            yield window


def _table(group: frozenset[bytes]) -> NDArray[np.bool_]:
    table = np.zeros(1 << 16, np.bool_)
    table[[int.from_bytes(one[:2], "little") for one in group]] = True
    return table


def _digest(salt: bytes, window: bytes) -> bytes:
    return hashlib.sha256(salt + window).digest()[:DIGEST]


def _split(packed: bytes) -> frozenset[bytes]:
    size = 2 + DIGEST
    if len(packed) % size:
        raise ValueError
    return frozenset(packed[at : at + size] for at in range(0, len(packed), size))


def _files(state: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(state):
        folders.sort()
        for name in sorted(names):
            path = Path(folder) / name
            try:
                if stat.S_ISREG(path.lstat().st_mode):
                    yield path
            except FileNotFoundError:
                continue
