"""A file half fetched: `<target>.part`, private, written by one process at a time, kept so that it can be resumed."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from faceedge.errors import PackageError
from faceedge.files import sync_folder
from faceedge.models.exact import sha256_of

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Part:
    """The open `.part` of `target`. etag: what the server called the file that it began; empty is unknown.

    It is kept when it is let go with something in it, unless it was cleared or finished.
    """

    def __init__(self, target: Path, descriptor: int) -> None:
        self.path = part_of(target)
        self.length = os.fstat(descriptor).st_size
        self.is_patchwork = self.length > 0
        """Whether it was written in more than one go, so that its pieces may not fit."""
        self._target = target
        self._descriptor = descriptor
        self._tag = self.path.with_name(f"{self.path.name}.etag")
        self.etag = self._read_tag() if self.length else ""

    def begin(self, etag: str) -> None:
        """Empties it for a new body. etag: ASCII."""
        os.ftruncate(self._descriptor, 0)
        self.length, self.is_patchwork, self.etag = 0, False, etag
        if etag:
            self._tag.write_text(etag, encoding="ascii")
        else:
            self._tag.unlink(missing_ok=True)

    def append(self, block: bytes) -> None:
        view = memoryview(block)
        while view:
            done = os.pwrite(self._descriptor, view, self.length)
            self.length += done
            view = view[done:]

    def head(self, size: int) -> bytes:
        """Its first bytes."""
        return os.pread(self._descriptor, size, 0)

    def sha256(self) -> str:
        return sha256_of(self._descriptor, self.length)

    def clear(self) -> None:
        """Keeps nothing of it."""
        self.begin("")

    def finish(self) -> None:
        """Gives it the name of the target, so that it lasts through a power cut."""
        os.fsync(self._descriptor)
        self.path.replace(self._target)
        sync_folder(self._target.parent)
        self._tag.unlink(missing_ok=True)

    def let_go(self) -> None:
        """Closes it. What is empty is removed first, while nobody else can have it."""
        try:
            if self.length == 0:
                self._tag.unlink(missing_ok=True)
                self.path.unlink(missing_ok=True)
        finally:
            os.close(self._descriptor)

    def _read_tag(self) -> str:
        with suppress(OSError, UnicodeDecodeError):
            return self._tag.read_text(encoding="ascii")[:512]
        return ""


def part_of(target: Path) -> Path:
    return target.with_name(f"{target.name}.part")


@contextmanager
def opened_part(target: Path) -> Iterator[Part]:
    """The `.part` of `target`, locked. Raises PackageError when another process has it, or it cannot be written.

    Faults of the block that come from the disk leave it as such too; on a full one nothing is kept, as the rest of
    the appliance needs the room.
    """
    path = part_of(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part = Part(target, _locked(path))
        try:
            yield part
        except OSError as error:
            if error.errno in _FULL:
                part.clear()
            raise
        finally:
            part.let_go()
    except OSError as error:
        if error.errno in _FULL:
            raise PackageError(f"{target.parent}: no space left for {target.name}; free some and try again") from error
        raise PackageError(f"{path}: cannot be written ({error.strerror}); mend that and try again") from error


def _locked(path: Path) -> int:
    """An open file nobody else has, and that still bears its name: the one before may have finished meanwhile."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    while True:
        descriptor = os.open(path, flags, 0o600)
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
                raise PackageError(f"{path}: is not a plain file; remove it")
            os.fchmod(descriptor, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_still(path, found):
                return descriptor
        except BlockingIOError as error:
            os.close(descriptor)
            raise PackageError(f"{path}: another download is writing it; wait for it to end") from error
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _is_still(path: Path, found: os.stat_result) -> bool:
    try:
        return os.path.samestat(path.stat(follow_symlinks=False), found)
    except FileNotFoundError:
        return False
