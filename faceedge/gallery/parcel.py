"""Files encrypted with a passphrase: scrypt, then AES-256-GCM in chunks, the last one marked so that a cut file shows.

faceedge-parcel-1, one line of JSON in the clear (what it is, and how the key is made), an empty chunk that tells a
wrong passphrase, then chunks of 64 KiB. The nonce of a chunk is its number and whether it is the last; every chunk
is bound to the line. The key is of this file only, since the salt is.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from faceedge.errors import BadInput
from faceedge.files import sync_folder

Kind = Literal["state", "people"]
MAGIC: Final = b"faceedge-parcel-1\n"
CHUNK: Final = 1 << 16
TAG: Final = 16
SCRYPT_N = 1 << 17
"""128 MiB and about half a second a guess."""
MOST_N: Final = 1 << 18
LINE_MOST: Final = 4096


class Head(BaseModel):
    """The line in the clear. id: uuid4 of the parcel. made: unix seconds. scrypt_n, salt: how the key is made."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Kind
    id: str = Field(pattern=r"^[0-9a-f-]{36}$")
    made: int
    scrypt_n: int = Field(ge=2, le=MOST_N)
    salt: str = Field(pattern=r"^[0-9a-f]{32}$")


class Sealer:
    """Writes a parcel. What is written is on its way once `close` has marked the last chunk."""

    def __init__(self, file: BinaryIO, head: Head, passphrase: str) -> None:
        line = MAGIC + head.model_dump_json().encode() + b"\n"
        self._file, self._cipher = file, _Cipher(head, line, passphrase)
        self._waiting = bytearray()
        file.write(line + self._cipher.seal(b"", is_last=False))

    def write(self, content: bytes) -> int:
        """Takes all of it."""
        self._waiting += content
        while len(self._waiting) > CHUNK:
            self._file.write(self._cipher.seal(bytes(self._waiting[:CHUNK]), is_last=False))
            del self._waiting[:CHUNK]
        return len(content)

    def close(self) -> None:
        """Nothing comes after this."""
        self._file.write(self._cipher.seal(bytes(self._waiting), is_last=True))


class Opener:
    """Reads a parcel. What it gives is authentic as far as it goes; only `finish` tells that it is whole."""

    def __init__(self, file: Any, path: Path, passphrase: str) -> None:
        line = _line(file, path)
        self.head = _head(line, path)
        self._file, self._path, self._cipher = file, path, _Cipher(self.head, line, passphrase)
        self._waiting, self._is_over = b"", False
        try:
            self._cipher.open(file.read(TAG), is_last=False)
        except InvalidTag as error:
            raise BadInput(f"{path}: wrong passphrase, or the file is damaged; try again or take another") from error

    def read(self, size: int) -> bytes:
        """Up to `size` bytes; nothing at the end. Raises BadInput when the file is damaged or cut short."""
        while len(self._waiting) < size and not self._is_over:
            self._waiting += self._chunk()
        taken, self._waiting = self._waiting[:size], self._waiting[size:]
        return taken

    def finish(self) -> None:
        """Reads what is left. Raises BadInput as `read` does."""
        while self.read(CHUNK):
            pass

    def _chunk(self) -> bytes:
        sealed = self._file.read(CHUNK + TAG)
        self._is_over = not self._file.peek(1)
        try:
            return self._cipher.open(sealed, is_last=self._is_over)
        except InvalidTag as error:
            place = f"near byte {self._file.tell()}"
            raise BadInput(f"{self._path}: damaged or cut short {place}; take another copy") from error


class _Cipher:
    def __init__(self, head: Head, line: bytes, passphrase: str) -> None:
        kdf = Scrypt(salt=bytes.fromhex(head.salt), length=32, n=head.scrypt_n, r=8, p=1)
        self._aead = AESGCM(kdf.derive(passphrase.encode()))
        self._line = hashlib.sha256(line).digest()
        self._number = 0

    def seal(self, plain: bytes, *, is_last: bool) -> bytes:
        return self._aead.encrypt(self._nonce(is_last), plain, self._line)

    def open(self, sealed: bytes, *, is_last: bool) -> bytes:
        return self._aead.decrypt(self._nonce(is_last), sealed, self._line)

    def _nonce(self, is_last: bool) -> bytes:
        self._number += 1
        return self._number.to_bytes(11, "big") + bytes([is_last])


@contextmanager
def sealed(path: Path, kind: Kind, passphrase: str) -> Iterator[tuple[Sealer, Head]]:
    """A new parcel, 0600, that appears whole at the end of the block or not at all.

    An older parcel of that name is replaced. Raises BadInput when another file is in the way or nothing can be written.
    """
    check_target(path)
    made = int(time.time())
    head = Head(kind=kind, id=str(uuid.uuid4()), made=made, scrypt_n=SCRYPT_N, salt=secrets.token_hex(16))
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            sealer = Sealer(file, head, passphrase)
            yield sealer, head
            sealer.close()
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        place = error.filename or path
        raise BadInput(f"{place}: cannot be written or read ({error.strerror}); look at the disk") from error
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def opened(path: Path, kind: Kind, passphrase: str) -> Iterator[Opener]:
    """A parcel of that kind. Raises BadInput when it is none, or the passphrase is wrong."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror}); name another file") from error
    with file:
        opener = Opener(file, path, passphrase)
        if opener.head.kind != kind:
            other = {"state": "a backup; see faceedge restore", "people": "an export; see faceedge gallery import"}
            raise BadInput(f"{path}: is {other[opener.head.kind]}")
        yield opener


def check_target(path: Path) -> None:
    """Raises BadInput when a file lies there that is no parcel: it may be somebody's photo."""
    if path.is_dir() or (path.exists() and peek(path) is None):
        raise BadInput(f"{path}: exists and is no backup of ours; name a new file")
    if not path.parent.is_dir():
        raise BadInput(f"{path.parent}: no such folder; make it first")


def peek(path: Path) -> Head | None:
    """What a file says about itself in the clear; None when it is no parcel."""
    try:
        if not path.is_file():  # opening a named pipe would wait for a writer
            return None
        with path.open("rb") as file:
            return _head(_line(file, path), path)
    except (OSError, BadInput):
        return None


def _line(file: BinaryIO, path: Path) -> bytes:
    line = file.read(len(MAGIC))
    if line == MAGIC:
        line += file.readline(LINE_MOST)
    if not line.startswith(MAGIC) or line == MAGIC:
        raise BadInput(f"{path}: is no backup or export of faceedge; name another file")
    return line


def _head(line: bytes, path: Path) -> Head:
    try:
        return Head.model_validate(json.loads(line[len(MAGIC) :]))
    except (ValueError, ValidationError) as error:
        raise BadInput(f"{path}: damaged at its beginning, or of a later version; take another copy") from error
