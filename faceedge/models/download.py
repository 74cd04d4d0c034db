"""Files of the catalogue, from the network or from a folder: nothing gets its name before size and digest are right.

Used by `faceedge model add`. What is cut off is kept beside as `.part` and goes on from there the next time.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from faceedge.errors import PackageError
from faceedge.models.catalogue import Entry
from faceedge.models.exact import MOST_BYTES, POINTER, fault_of
from faceedge.models.https import OFFLINE, Answer, Interrupted, Patience, Unreachable, get
from faceedge.models.part import Part, opened_part

Progress = Callable[[str, float], None]
_Tell = Callable[[int, int], None]
"""Bytes done, bytes in all."""

_POINTER_BYTES = 1024
"""No Git LFS pointer is longer."""
_STRONG_ETAG = re.compile(r'"[!#-~]{0,200}"')
_MOST_FILES = 10_000
_STEP = 0.005
"""Share of the file after which progress is told again."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What must come. size: bytes, None when nobody knows."""

    url: str
    hosts: Sequence[str]
    sha256: str
    size: int | None

    @property
    def most(self) -> int:
        return self.size or MOST_BYTES

    @property
    def host(self) -> str:
        return self.url.partition("://")[2].partition("/")[0]

    def has_length(self, length: int) -> bool:
        """Whether the file may be so long."""
        return (self.size or 0) <= length <= self.most


def fetch(
    url: str, target: Path, *, sha256: str, size: int | None, hosts: Sequence[str],
    progress: Progress | None = None, patience: Patience | None = None,
) -> Path:  # fmt: skip
    """Downloads `url` to `target`, unless that is the right file already, and returns `target`.

    hosts: `name` or `name:port` that may be redirected to beside the URL's own. Raises PackageError in one line:
    host, fault, remedy. A body of the wrong size or digest leaves nothing; one that was cut off leaves `.part`.
    """
    if fault_of(target, sha256, size) is not None:
        with opened_part(target) as part:
            _fill(part, _Wanted(url, hosts, sha256, size), _told(target.name, progress), patience or Patience())
            part.finish()
    return target


def from_folder(entry: Entry, folder: Path) -> Path:
    """The entry's file in `folder`: the one with its name or, under another, the one with its size and digest.

    Raises PackageError when it is not there, or is not the right one.
    """
    if not folder.is_dir():
        raise PackageError(f"{folder}: no such folder; name the one that holds {entry.file_name}")
    named = folder / entry.file_name
    fault = fault_of(named, entry.sha256, entry.size)
    if fault is None:
        return named
    for name in _names(folder):
        if fault_of(folder / name, entry.sha256, entry.size) is None:
            return folder / name
    raise PackageError(f"{named}: {fault}; put what {entry.url} gives into that folder")


def _names(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))[:_MOST_FILES]
    except OSError as error:
        raise PackageError(f"{folder}: cannot be read ({error.strerror}); mend that or name another") from error


def _fill(part: Part, wanted: _Wanted, tell: _Tell, patience: Patience) -> None:
    """Tries until the part is the whole file and right. Raises PackageError: the last Interrupted when none helped."""
    for tried, pause_s in enumerate((*patience.pauses_s, None)):
        try:
            if part.length != wanted.size:
                _receive(part, wanted, tell, patience)
            _verify(part, wanted)
        except Interrupted as fault:
            if pause_s is None or (tried == 0 and isinstance(fault, Unreachable)):
                raise
            patience.sleep(pause_s)
        else:
            return


def _receive(part: Part, wanted: _Wanted, tell: _Tell, patience: Patience) -> None:
    """One request, for all of the file or for what is missing of it."""
    if part.length >= wanted.most:
        part.clear()
    with closing(get(wanted.url, wanted.hosts, _range_of(part), patience)) as answer:
        most = _place(part, answer, wanted)
        for block in answer.blocks():
            if part.length + len(block) > most:
                part.clear()
                raise PackageError(f"{answer.host}: sends more than {most} bytes; nothing was kept; {OFFLINE}")
            part.append(block)
            tell(part.length, most)
        if not wanted.has_length(part.length):
            raise _short(part, answer, wanted)


def _range_of(part: Part) -> dict[str, str]:
    """Asks for what is missing, provided that the file is still the one that was begun."""
    if part.length == 0:
        return {}
    return {"Range": f"bytes={part.length}-"} | ({"If-Range": part.etag} if part.etag else {})


def _place(part: Part, answer: Answer, wanted: _Wanted) -> int:
    """Makes the part ready for this body; returns how long it may get. Raises PackageError when the body cannot be
    the right one: an earlier part is kept where the answer says nothing about it."""
    if answer.status == 416 and part.length:
        part.clear()
        raise Interrupted(f"{answer.host}: has no more of the file; run it again to begin anew, or {OFFLINE}")
    if refusal := answer.refusal():
        raise refusal
    whole = _resumed(part, answer) if answer.status == 206 else answer.length
    if whole is not None and not wanted.has_length(whole):
        _look_for_pointer(answer)
        raise PackageError(f"{answer.host}: {_odd_length(whole, wanted)}; {OFFLINE}")
    if answer.status == 200:
        part.begin(answer.etag if _STRONG_ETAG.fullmatch(answer.etag) else "")
    part.is_patchwork = answer.status == 206
    return wanted.most if whole is None else whole


def _resumed(part: Part, answer: Answer) -> int:
    """Length of the whole file, when the answer is the rest of what the part has; clears the part otherwise."""
    given = re.fullmatch(r"bytes ([0-9]{1,15})-([0-9]{1,15})/([0-9]{1,15})", answer.content_range)
    first, last, whole = (int(number) for number in given.groups()) if given else (-1, -1, -1)
    is_the_rest = part.length > 0 and first == part.length and last == whole - 1
    if not is_the_rest or answer.length not in (None, whole - first):
        part.clear()
        raise PackageError(f"{answer.host}: sends another range than was asked for; nothing was kept; {OFFLINE}")
    if part.etag and answer.etag and answer.etag != part.etag:
        part.clear()
        raise Interrupted(f"{answer.host}: changed the file meanwhile; run it again to begin anew, or {OFFLINE}")
    return whole


def _short(part: Part, answer: Answer, wanted: _Wanted) -> PackageError:
    """What to say of a body that ended early without a fault on the wire: it is cut unless it had an end of its own."""
    length, is_pointer = part.length, part.head(len(POINTER)) == POINTER
    if not (answer.is_chunked or is_pointer):
        return Interrupted(f"{answer.host}: cut off at {length} of {wanted.size} bytes; run it again, or {OFFLINE}")
    part.clear()
    return _pointer(answer.host) if is_pointer else PackageError(
        f"{answer.host}: {_odd_length(length, wanted)}; nothing was kept; {OFFLINE}"
    )  # fmt: skip


def _verify(part: Part, wanted: _Wanted) -> None:
    """Keeps nothing of a part whose digest is wrong; one of several pieces is worth another try."""
    if part.sha256() == wanted.sha256:
        return
    is_pointer, is_patchwork = part.head(len(POINTER)) == POINTER, part.is_patchwork
    part.clear()
    if is_pointer:
        raise _pointer(wanted.host)
    if is_patchwork:
        raise Interrupted(f"{wanted.host}: the pieces of the file do not fit; run it again, or {OFFLINE}")
    raise PackageError(f"{wanted.host}: sends another file (its sha256 differs); nothing was kept; {OFFLINE}")


def _look_for_pointer(answer: Answer) -> None:
    """Raises the fault that names it when this short body is a Git LFS pointer."""
    if (answer.length or _POINTER_BYTES) < _POINTER_BYTES:
        with suppress(Interrupted):
            if b"".join(answer.blocks()).startswith(POINTER):
                raise _pointer(answer.host)


def _pointer(host: str) -> PackageError:
    return PackageError(f"{host}: sends a Git LFS pointer, not the file itself; use the LFS address, or {OFFLINE}")


def _odd_length(length: int, wanted: _Wanted) -> str:
    return f"has {length} bytes, not {wanted.size or f'at most {wanted.most}'}"


def _told(name: str, progress: Progress | None) -> _Tell:
    """Tells text and share, at steps that one can see."""
    told = -1.0

    def tell(done: int, whole: int) -> None:
        nonlocal told
        share = done / whole
        if progress is not None and (share - told >= _STEP or done == whole):
            told = share
            progress(f"{name}: {done / 1e6:.1f} of {whole / 1e6:.1f} MB", share)

    return tell
