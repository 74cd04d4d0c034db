"""Whether a file is exactly the one that a catalogue describes: path, size and sha256 in, the fault in words out."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

MOST_BYTES = 512_000_000
"""Of a file whose size nobody said."""
POINTER = b"version https://git-lfs.github.com/spec/"
"""How a Git LFS pointer begins: what Git keeps in place of a large file."""
_BLOCK_BYTES = 1 << 20


def fault_of(path: Path, sha256: str, size: int | None) -> str | None:
    """Why the file at `path` is not the one with this digest and size (bytes, None: any up to 512 MB); None when it is.

    Follows links, and waits for no pipe or device.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            return _fault(descriptor, sha256, size)
        finally:
            os.close(descriptor)
    except OSError as error:
        return f"cannot be read ({error.strerror})"


def sha256_of(descriptor: int, size: int) -> str:
    """Digest of the first `size` bytes of an open file, whatever is written behind them meanwhile."""
    digest = hashlib.sha256()
    at = 0
    while at < size and (block := os.pread(descriptor, min(_BLOCK_BYTES, size - at), at)):
        digest.update(block)
        at += len(block)
    return digest.hexdigest()


def _fault(descriptor: int, sha256: str, size: int | None) -> str | None:
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        return "is not a file"
    if found.st_size > (size or MOST_BYTES) or found.st_size < (size or 0):
        if os.pread(descriptor, len(POINTER), 0) == POINTER:
            return "is a Git LFS pointer, not the file itself (git lfs pull fetches that)"
        return f"has {found.st_size} bytes, not {size or f'at most {MOST_BYTES}'}"
    return None if sha256_of(descriptor, found.st_size) == sha256 else "is another file (its sha256 differs)"
