"""Signed statements about the chain: `at entry N the hash was H`. Whoever has the public key can check them.

The key lies in `<state>/keys/journal.key`, made on first use, its public part beside it in `journal.pub` (PEM).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from faceedge.errors import BadInput, StoreError
from faceedge.files import write_whole
from faceedge.keyfile import make_key

HEAD = "faceedge-journal-head-1"
CUT = "faceedge-journal-cut-1"
"""Labels: what is signed says what kind of statement it is, so that one never passes for the other."""


@dataclass(frozen=True, slots=True)
class Head:
    """Where the chain stood. seq 0: nothing written yet. key: name of the key. signature: base64url."""

    seq: int
    hash: bytes
    key: str
    signature: str

    def as_json(self) -> dict[str, Any]:
        """As it is published, and as a checkpoint holds it."""
        return {"seq": self.seq, "hash": self.hash.hex(), "key": self.key, "signature": self.signature}

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Head:
        """Raises BadInput when it is no head."""
        try:
            seq, digest, key, signature = (body[name] for name in ("seq", "hash", "key", "signature"))
            if not (type(seq) is int and seq >= 0 and isinstance(key, str) and isinstance(signature, str)):
                raise ValueError
            return cls(seq, bytes.fromhex(digest), key, signature)
        except (KeyError, TypeError, ValueError) as error:
            raise BadInput(
                "not the head of a journal: give seq, hash, key and signature as …/state has them"
            ) from error


class PublicKey:
    """Checks signatures."""

    def __init__(self, key: Ed25519PublicKey) -> None:
        self._key = key
        raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.name = hashlib.sha256(raw).hexdigest()[:16]

    def holds(self, label: str, head: Head) -> bool:
        """Whether this key signed exactly this."""
        try:
            signature = base64.urlsafe_b64decode(head.signature)
        except ValueError:
            return False
        return head.key == self.name and self.verify(_statement(label, head.seq, head.hash), signature)

    def verify(self, statement: bytes, signature: bytes) -> bool:
        """Whether this key made the signature over the statement."""
        try:
            self._key.verify(signature, statement)
        except InvalidSignature:
            return False
        return True

    def pem(self) -> bytes:
        """As openssl reads it."""
        return self._key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


class Signer:
    """Signs with the key of this device; any thread."""

    def __init__(self, secret: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(secret)
        self.public = PublicKey(self._key.public_key())

    def head(self, seq: int, digest: bytes, label: str = HEAD) -> Head:
        """The signed statement."""
        signature = base64.urlsafe_b64encode(self.sign(_statement(label, seq, digest))).decode("ascii")
        return Head(seq, digest, self.public.name, signature)

    def sign(self, statement: bytes) -> bytes:
        """Ed25519 signature, 64 bytes, over a statement that begins with a label of its own."""
        return self._key.sign(statement)


def open_signer(state: Path) -> Signer:
    """The key of a state directory, or a new one where there is none; the caller keeps other processes out.

    Raises StoreError: unusable, or gone although its public part is still there.
    """
    path, public = key_path(state), public_path(state)
    if public.exists() and not path.exists():
        raise StoreError(
            f"{path}: missing; put it back, or begin a new journal by moving journal.db and {public.name} away"
        )
    signer = Signer(make_key(path))
    if not public.exists() or public.read_bytes() != signer.public.pem():
        write_whole(public, signer.public.pem())
    return signer


def read_public(path: Path) -> PublicKey:
    """Raises StoreError when the file is not there or holds no Ed25519 key."""
    try:
        key = load_pem_public_key(path.read_bytes())
    except OSError as error:
        raise StoreError(f"{path}: cannot be read ({error.strerror}); name the journal's public key") from error
    except ValueError as error:
        raise StoreError(f"{path}: no public key in PEM; name the journal's public key") from error
    if not isinstance(key, Ed25519PublicKey):
        raise StoreError(f"{path}: not an Ed25519 key; name the journal's public key")
    return PublicKey(key)


def key_path(state: Path) -> Path:
    """`<state>/keys/journal.key`."""
    return state / "keys" / "journal.key"


def public_path(state: Path) -> Path:
    """`<state>/keys/journal.pub`."""
    return state / "keys" / "journal.pub"


def _statement(label: str, seq: int, digest: bytes) -> bytes:
    return f"{label} {seq} {digest.hex()}".encode()
