"""One entry of the journal as bytes, and the hash that ties it to the one before. Pure."""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faceedge.door.events import Letter
from faceedge.errors import BadInput

GENESIS = bytes(32)
"""What stands before the first entry."""
MOST_BODY_BYTES = 16 * 1024
MOST_LETTER_BYTES = 4 * 1024
CLOCK_IS_SET_AFTER_S = 1_750_000_000
"""Boards without a battery start in 1970, or where the image was built; a wall clock before this is no clock."""

_KIND = re.compile(r"[a-z][a-z0-9_]{0,31}")


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry that has no place in the chain yet. time_ms: unix, None while the clock is not set.

    monotonic_ms: since boot. boot: id of that boot, 32 hex digits. body: canonical JSON. letters: what the broker is to
    be told about it; no part of the entry.
    """

    kind: str
    body: bytes
    time_ms: int | None
    monotonic_ms: int
    boot: str
    letters: tuple[Letter, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry in its place. seq: from 1, without gaps. hash: over the hash before and everything in here."""

    seq: int
    draft: Draft
    hash: bytes

    @property
    def body(self) -> dict[str, Any]:
        """The body as JSON types."""
        body: dict[str, Any] = json.loads(self.draft.body)
        return body


def canonical(body: Mapping[str, Any]) -> bytes:
    """The one spelling of a JSON object: ASCII, sorted keys, no spaces. Raises BadInput for what JSON cannot say."""
    try:
        text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise BadInput(f"not to be journalled: {error}; use strings, finite numbers, lists and objects") from error
    if len(text) > MOST_BODY_BYTES:
        raise BadInput(f"not to be journalled: {len(text)} bytes; say it in {MOST_BODY_BYTES}")
    return text.encode("ascii")


def hashed(before: bytes, seq: int, time_ms: int | None, monotonic_ms: int, boot: str, kind: str, body: bytes) -> bytes:
    """SHA-256 over the hash before and the entry. No column but the last can hold a space or a line end."""
    head = f"faceedge-journal-1 {seq} {time_ms} {monotonic_ms} {boot} {kind}\n"
    return hashlib.sha256(before + head.encode() + body).digest()


def unix_ms(wall: Callable[[], float] = time.time) -> int | None:
    """What the wall clock shows, None while it is not set."""
    now = wall()
    return round(1000 * now) if now > CLOCK_IS_SET_AFTER_S else None


@dataclass(frozen=True, slots=True)
class Stamp:
    """Turns a kind and a body into a draft of this moment."""

    wall: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic

    def draft(self, kind: str, body: Mapping[str, Any], letters: Sequence[Letter] = ()) -> Draft:
        """Raises BadInput when body or letters cannot be written, ValueError for a kind that is none."""
        if not _KIND.fullmatch(kind):
            raise ValueError(f"{kind!r} is no kind of entry")
        for letter in letters:
            if len(letter.payload) > MOST_LETTER_BYTES:
                raise BadInput(f"not to be sent: {len(letter.payload)} bytes; say it in {MOST_LETTER_BYTES}")
        time_ms = unix_ms(self.wall)
        return Draft(kind, canonical(body), time_ms, round(1000 * self.monotonic()), boot_id(), tuple(letters))


_lock = threading.Lock()
_boot: list[str] = []


def boot_id() -> str:
    """Names the time between two starts of the machine, within which monotonic times compare."""
    with _lock:
        if not _boot:
            try:
                _boot.append(uuid.UUID(Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()).hex)
            except (OSError, ValueError):
                _boot.append(uuid.uuid4().hex)  # each start of the process is then a boot of its own
        return _boot[0]
