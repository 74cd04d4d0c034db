"""Encryption of what must not leak: a device key file wraps the data key, the data key seals every column.

AES-256-GCM with random 96-bit nonces. Losing the device key is a clean erase: nothing opens without it.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from faceedge.errors import StoreError

NONCE_BYTES = 12
_FORMAT = b"\x01"  # first byte of everything sealed, so that another cipher or key can be told apart later
_WRAPPING = b"faceedge data key 1"


class Vault:
    """Seals bytes and opens them again; what was sealed for one context (place) opens for no other."""

    def __init__(self, data_key: bytes, number: int = 1) -> None:
        self.become(data_key, number)

    def become(self, data_key: bytes, number: int) -> None:
        """Another data key from now on, because the keys were rotated. number: of the key in the gallery."""
        self.number = number
        self._cipher = AESGCM(data_key)
        self._tag_key = hmac.digest(data_key, b"faceedge tags 1", hashlib.sha256)

    def seal(self, plain: bytes, context: str) -> bytes:
        """Encrypted and authenticated together with `context` (table, row id, column and what the row belongs to)."""
        return _encrypt(self._cipher, plain, context.encode())

    def open(self, sealed: bytes, context: str) -> bytes:
        """What was sealed under the same key and context. Raises StoreError for anything else."""
        try:
            return _decrypt(self._cipher, sealed, context.encode())
        except InvalidTag as error:
            place = "/".join(context.split("/")[:2])
            raise StoreError(
                f"gallery.db: {place} was altered or moved; restore a backup or remove the person"
            ) from error

    def tag(self, text: str) -> bytes:
        """A keyed hash of 16 bytes: finds an equal text again, tells nothing without the key."""
        return hmac.digest(self._tag_key, text.encode(), hashlib.sha256)[:16]


def device_key_path(state: Path) -> Path:
    """`<state>/keys/device.key`."""
    return state / "keys" / "device.key"


def wrap(data_key: bytes, device_key: bytes) -> bytes:
    """The data key as it may lie in the database."""
    return _encrypt(AESGCM(device_key), data_key, _WRAPPING)


def unwrap(wrapped: bytes, device_key: bytes) -> bytes:
    """The data key. Raises StoreError when the device key is not the one it was wrapped with."""
    try:
        return _decrypt(AESGCM(device_key), wrapped, _WRAPPING)
    except InvalidTag as error:
        raise StoreError("gallery.db: does not open with this device key; put back the key it was made with") from error


def _encrypt(cipher: AESGCM, plain: bytes, context: bytes) -> bytes:
    nonce = os.urandom(NONCE_BYTES)
    return _FORMAT + nonce + cipher.encrypt(nonce, plain, _FORMAT + context)


def _decrypt(cipher: AESGCM, sealed: bytes, context: bytes) -> bytes:
    if sealed[:1] != _FORMAT or len(sealed) < 1 + NONCE_BYTES + 16:
        raise InvalidTag
    return cipher.decrypt(sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :], _FORMAT + context)
