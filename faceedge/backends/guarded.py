"""Files that whoever loads them would obey: a plan is code. They are read only when they are this user's own, no larger
than they may be, and signed with a key of this device. In: paths and the device key; out: bytes, or why not.
"""

from __future__ import annotations

import errno
import hashlib
import hmac
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from faceedge.errors import EngineError

MAC_BYTES = 32
BAD_KEPT = 3
"""How many of one name stay for whoever wants to know what happened; a plan can be large."""
_LABEL = b"faceedge engines 1"


class Refused(EngineError):
    """A file that must not be used; the text says why."""


class FolderRefused(Refused):
    """The folder that a file lies in must not be used."""


def engines_key(device_key: bytes) -> bytes:
    """The key that signs plans, timing caches and compiled kernels: HKDF-SHA256 of the device key, with a label of its
    own. After a rotation of the device key they are made anew."""
    return HKDF(SHA256(), length=32, salt=None, info=_LABEL).derive(device_key)


def mac(key: bytes, kind: bytes, content: bytes) -> bytes:
    """kind: what the content is, so that nothing signed as one thing passes for another."""
    return hmac.digest(key, kind + b"\0" + content, hashlib.sha256)


def is_signed(key: bytes, kind: bytes, content: bytes, signature: bytes) -> bool:
    """Whether the signature is that of `mac`."""
    return hmac.compare_digest(mac(key, kind, content), signature)


def signed(key: bytes, kind: bytes, content: bytes) -> bytes:
    """A signature of 32 bytes, then the content: how a whole file is kept."""
    return mac(key, kind, content) + content


def read_signed(path: Path, key: bytes, kind: bytes, most: int) -> bytes:
    """The content of a file that `signed` made. Raises Refused, FileNotFoundError, other OSErrors."""
    held = read_own(path, most + MAC_BYTES)
    if not is_signed(key, kind, held[MAC_BYTES:], held[:MAC_BYTES]):
        raise Refused("was altered, or signed by another device")
    return held[MAC_BYTES:]


def read_own(path: Path, most: int) -> bytes:
    """A whole file. Raises Refused when it is no plain file of this user or too large, FileNotFoundError, OSError."""
    with open_own(path, most) as (descriptor, size), os.fdopen(os.dup(descriptor), "rb") as file:
        content = file.read(size + 1)
    if len(content) != size:
        raise Refused("changed while it was read")
    return content


@contextmanager
def open_own(path: Path, most: int) -> Iterator[tuple[int, int]]:
    """Descriptor and size of a file in a folder, neither of them a link, both this user's and writable by nobody else.

    Raises Refused, FileNotFoundError, other OSErrors.
    """
    with _own_folder(path.parent) as folder:
        descriptor = _opened(Path(path.name), os.O_NONBLOCK, folder)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise Refused("is not a file")
        if fault := _owner_fault(status):
            raise Refused(fault)
        if status.st_size > most:
            raise Refused(f"has {status.st_size} bytes, more than the {most} that it may have")
        yield descriptor, status.st_size
    finally:
        os.close(descriptor)


def make_own_folder(path: Path) -> None:
    """Makes it where it is not there. Raises FolderRefused when it is another's or a link, OSError."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _own_folder(path):
        pass


def set_aside(paths: Sequence[Path], kept: int = BAD_KEPT) -> str:
    """Renames what is there of `paths` to `….bad-<n>`, of which the newest are kept; what could not be, in words."""
    number = 1 + max((_number(old) for path in paths for old in _aside(path)), default=0)
    failed = []
    for path in paths:
        try:
            path.rename(path.with_name(f"{path.name}.bad-{number}"))
        except FileNotFoundError:
            continue
        except OSError as error:
            failed.append(f"{path.name} could not be set aside ({error.strerror})")
        for old in sorted(_aside(path), key=_number)[:-kept]:
            _remove(old)
    return "; ".join(failed)


@contextmanager
def _own_folder(path: Path) -> Iterator[int]:
    try:
        folder = _opened(path, os.O_DIRECTORY, None)
    except (Refused, NotADirectoryError) as error:
        raise FolderRefused("its folder is a link, no folder, or closed to this user") from error
    try:
        if fault := _owner_fault(os.fstat(folder)):
            raise FolderRefused(f"its folder {fault}")
        yield folder
    finally:
        os.close(folder)


def _opened(path: Path, flags: int, folder: int | None) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | flags, dir_fd=folder)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise Refused("is a link") from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.ENXIO):
            raise Refused(f"cannot be read ({error.strerror})") from error
        raise


def _owner_fault(status: os.stat_result) -> str:
    if status.st_uid != os.geteuid():
        return "belongs to another user"
    return "can be written by other users" if status.st_mode & 0o022 else ""


def _aside(path: Path) -> list[Path]:
    try:
        return [one for one in path.parent.iterdir() if one.name.startswith(f"{path.name}.bad-") and _number(one)]
    except OSError:
        return []


def _number(path: Path) -> int:
    number = path.name.rpartition("-")[2]
    return int(number) if number.isascii() and number.isdecimal() and len(number) < 10 else 0


def _remove(path: Path) -> None:
    with suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
