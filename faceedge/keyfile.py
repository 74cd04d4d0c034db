"""Secret keys of 32 bytes in files of their own, 0600: the device key, the key that signs the journal."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from faceedge.errors import StoreError
from faceedge.files import write_whole

KEY_BYTES = 32


def read_key(path: Path) -> bytes:
    """The 32 bytes of a key file. Raises StoreError when it is missing, of the wrong size or open to others."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise StoreError(f"{path}: cannot be read ({error.strerror}); put back the key of this device") from error
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise StoreError(f"{path}: is not a file; put back the key of this device")
        if status.st_mode & 0o077:
            mode = stat.S_IMODE(status.st_mode)
            raise StoreError(f"{path}: mode {mode:04o} opens it to other users; chmod 600 it")
        key = file.read(KEY_BYTES + 1)
    if len(key) != KEY_BYTES:
        raise StoreError(f"{path}: is not a key of {KEY_BYTES} bytes; put back the key of this device")
    return key


def make_key(path: Path) -> bytes:
    """Writes a fresh random key, 0600, whole or not at all, and returns it; an existing one is kept and read."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.exists():
        return read_key(path)
    write_whole(path, os.urandom(KEY_BYTES), 0o600)
    return read_key(path)
