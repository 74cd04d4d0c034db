"""Door keys on disk: one file a controller, 0600, in `<state>/keys`, and a second one while a rotation runs.

Made by the command line, read by the daemon and by `door` commands. Never sent over MQTT.
"""

from __future__ import annotations

import base64
import os
import re
import secrets
import stat
from collections.abc import Iterable
from pathlib import Path

from faceedge.config import NAME, Door
from faceedge.door.contract import KEY_BYTES, DoorKey
from faceedge.errors import BadInput, StoreError

MAX_SECRET_BYTES = 4096


def key_path(state: Path, door: str, controller: str) -> Path:
    """Where the key of a controller lies. The dot cannot occur in a name, so no two controllers share a file."""
    return state / "keys" / f"door-{door}.{controller}.key"


def next_path(state: Path, door: str, controller: str) -> Path:
    """Where the new key of a controller lies while both are good."""
    return key_path(state, door, controller).with_suffix(".next.key")


def make_key(state: Path, door: str, controller: str) -> Path:
    """Makes a new key file and returns its path. Raises BadInput on a bad name, StoreError when one exists."""
    path = key_path(state, checked_name(door), checked_name(controller))
    write_key(path, f"the controller has a key already; a new one is made with: faceedge door key rotate {door}")
    return path


def write_key(path: Path, if_there: str) -> None:
    """Writes a fresh random key. Raises StoreError when it cannot be written, or with `if_there` when one is there."""
    text = base64.urlsafe_b64encode(secrets.token_bytes(KEY_BYTES)) + b"\n"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _create(path, text)
    except FileExistsError as error:
        raise StoreError(f"{path}: {if_there}") from error
    except OSError as error:
        raise StoreError(f"{path}: cannot be written ({error.strerror}); check the state directory") from error


def checked_name(name: str) -> str:
    """The name of a device, door or controller, if it is one. Raises BadInput."""
    if not re.fullmatch(NAME, name):
        raise BadInput(f"{name!r} is no name: use up to 32 of a-z, 0-9, _ and -, beginning with a letter or digit")
    return name


def read_key(path: Path) -> DoorKey:
    """The key in a file. Raises StoreError when it is missing, damaged, or others may read it."""
    text = read_secret(path, "a door's key is made with: faceedge door add NAME")
    if not re.fullmatch(rb"[A-Za-z0-9_-]{43}=", text):  # the decoder alone would skip what it does not know
        raise StoreError(f"{path}: not a door key; delete it and make a new one with: faceedge door add")
    return DoorKey(base64.urlsafe_b64decode(text))


def keys_of(state: Path, door: str, controller: str) -> tuple[DoorKey, ...]:
    """The key of a controller, and behind it the new one while a rotation runs. Raises StoreError as `read_key`."""
    path = next_path(state, door, controller)
    # The new one first: should it become the current one meanwhile, it is read twice, and not missed.
    fresh = (read_key(path),) if os.path.lexists(path) else ()
    return (read_key(key_path(state, door, controller)), *fresh)


def load_keys(state: Path, doors: Iterable[Door]) -> dict[tuple[str, str], tuple[DoorKey, ...]]:
    """Keys of all controllers of all doors, by (door, controller). Raises StoreError as `read_key`."""
    return {
        (door.name, controller): keys_of(state, door.name, controller)
        for door in doors
        for controller in door.controllers
    }


def read_secret(path: Path, remedy: str = "name the file that holds it") -> bytes:
    """A short secret from a regular file that only its owner can read, without the line end.

    remedy: what mends it when it is missing. Raises StoreError when it is that, too long, no file, or open to others.
    """
    try:
        # Non-blocking: opening a named pipe must not wait for a writer.
        with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if not stat.S_ISREG(mode):
                raise StoreError(f"{path}: not a file; name the file that holds the secret")
            if mode & 0o077:
                raise StoreError(f"{path}: others can read it; chmod 600 it, and replace it if others have read it")
            secret = file.read(MAX_SECRET_BYTES + 1)
    except FileNotFoundError as error:
        raise StoreError(f"{path}: missing; {remedy}") from error
    except OSError as error:
        raise StoreError(f"{path}: cannot be read ({error.strerror})") from error
    if len(secret) > MAX_SECRET_BYTES:
        raise StoreError(f"{path}: too long for a secret; name the right file")
    return secret.rstrip(b"\r\n")


def _create(path: Path, text: bytes) -> None:
    """Writes beside, then links: the file appears whole, with its mode, and never over another one."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.link(beside, path)
    finally:
        beside.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
