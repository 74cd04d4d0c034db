"""Where the device key comes from: a systemd credential (which a TPM may seal), else the 0600 file.

A key that is being replaced lies beside the old one until the database has taken it; either may be the right one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from faceedge.errors import StoreError
from faceedge.files import sync_folder, write_whole
from faceedge.gallery import vault
from faceedge.keyfile import KEY_BYTES, make_key, read_key

CREDENTIAL = "faceedge-device-key"


@dataclass(frozen=True, slots=True)
class DeviceKey:
    """A key and where it was read."""

    path: Path
    secret: bytes = field(repr=False)


def candidates(state: Path, environ: Mapping[str, str] = os.environ) -> Iterator[DeviceKey]:
    """Every device key there is, in the order in which they are tried. Raises StoreError for one that is unusable."""
    credential = credential_path(environ)
    if credential is not None:
        yield DeviceKey(credential, _read_credential(credential))
    for path in (vault.device_key_path(state), fresh_path(state)):
        if path.exists() or path.is_symlink():
            yield DeviceKey(path, read_key(path))


def unlock(state: Path, wrapped: bytes) -> tuple[bytes, DeviceKey]:
    """The data key, and the device key that opened it. Raises StoreError when there is none that does."""
    tried = []
    for key in candidates(state):
        try:
            return vault.unwrap(wrapped, key.secret), key
        except StoreError:
            tried.append(key.path)
    if not tried:
        read_key(vault.device_key_path(state))  # says that it is missing, and what to do
    told = " nor ".join(str(path) for path in tried)
    raise StoreError(f"gallery.db: does not open with {told}; put back the key it was made with")


def first_key(state: Path) -> DeviceKey:
    """The key for a new gallery: the first there is, or a fresh file."""
    path = vault.device_key_path(state)
    return next(candidates(state), None) or DeviceKey(path, make_key(path))


def credential_path(environ: Mapping[str, str] = os.environ) -> Path | None:
    """The credential of the service, if systemd has handed one over."""
    folder = environ.get("CREDENTIALS_DIRECTORY")
    path = Path(folder) / CREDENTIAL if folder else None
    return path if path is not None and path.exists() else None


def fresh_path(state: Path) -> Path:
    """Where a new device key waits until the database has taken it."""
    return state / "keys" / "device.key.new"


def settle(state: Path, used: DeviceKey) -> None:
    """Finishes, or forgets, an exchange of keys that was cut short. Call it inside `one_at_a_time`."""
    fresh = fresh_path(state)
    if used.path == fresh:
        install(state)
    elif fresh.exists():
        destroy(fresh)


def prepare(state: Path) -> DeviceKey:
    """A fresh key beside the present one, on disk."""
    key = DeviceKey(fresh_path(state), os.urandom(KEY_BYTES))
    key.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(key.path, key.secret, 0o600)
    return key


def install(state: Path) -> None:
    """The fresh key takes the place of the old one, whose bytes are then overwritten."""
    path = vault.device_key_path(state)
    old = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC) if path.exists() else None
    try:
        fresh_path(state).replace(path)
        sync_folder(path.parent)
        if old is not None:
            _overwrite(old)
    finally:
        if old is not None:
            os.close(old)


def destroy(path: Path) -> None:
    """Overwrites a key file, then unlinks it. What the flash keeps of the old blocks is beyond a file system."""
    descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        _overwrite(descriptor)
    finally:
        os.close(descriptor)
    path.unlink()
    sync_folder(path.parent)


def _overwrite(descriptor: int) -> None:
    os.pwrite(descriptor, os.urandom(KEY_BYTES), 0)
    os.fsync(descriptor)


def _read_credential(path: Path) -> bytes:
    """systemd guards the folder, and gives its files a mode of its own."""
    try:
        with path.open("rb") as file:
            key = file.read(KEY_BYTES + 1)
    except OSError as error:
        raise StoreError(f"{path}: cannot be read ({error.strerror}); see LoadCredential in the unit") from error
    if len(key) != KEY_BYTES:
        raise StoreError(f"{path}: is not a key of {KEY_BYTES} bytes; make it from {KEY_BYTES} random bytes")
    return key
