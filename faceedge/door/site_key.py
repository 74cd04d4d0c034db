"""Site keys: the integrator signs commands with the private part, devices know the public part only.

Private, in a file of the integrator (0600): `faceedge-site-secret-1 ` and 32 bytes in base64url, 43 characters. Public,
in `<state>/keys/site-<kid>.pub` of each device: `faceedge-site-1 ` and 32 bytes likewise. Not in backups: a device that
is restored trusts whom it trusted before, not who was removed since.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import os
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from faceedge.door.contract import base64url
from faceedge.door.keys import read_secret
from faceedge.errors import BadInput, StoreError
from faceedge.files import sync_folder, write_whole

log = logging.getLogger(__name__)

KEY_BYTES = 32
MOST_KEYS = 8
"""Each one trusted costs 0.1 ms a message, good or bad."""
FOLLOW_S = 1.0
SECRET, PUBLIC = "faceedge-site-secret-1", "faceedge-site-1"
_KID = re.compile(r"[0-9a-f]{8}")


@dataclass(frozen=True, slots=True)
class SiteKey:
    """The public part. kid: 8 hex digits that name it."""

    octets: bytes

    @property
    def kid(self) -> str:
        return hashlib.sha256(b"faceedge-site-kid-1\0" + self.octets).hexdigest()[:8]

    @property
    def text(self) -> str:
        """The line that is carried to the devices; it is no secret."""
        return f"{PUBLIC} {base64url(self.octets)}"

    def verify(self, statement: bytes, signature: bytes) -> bool:
        """Whether the private part signed exactly this."""
        try:
            Ed25519PublicKey.from_public_bytes(self.octets).verify(signature, statement)
        except InvalidSignature:
            return False
        return True


class SiteSecret:
    """The private part."""

    def __init__(self, octets: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(octets)
        self.public = SiteKey(self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))

    def sign(self, statement: bytes) -> bytes:
        """Ed25519 signature, 64 bytes."""
        return self._key.sign(statement)


def make_secret(path: Path) -> SiteKey:
    """Writes a new private key, 0600, and beside it its public part, in `.pub`.

    Raises BadInput when one of these files exists, StoreError when they cannot be written.
    """
    octets = secrets.token_bytes(KEY_BYTES)
    public = SiteSecret(octets).public
    if path.with_suffix(".pub") == path:
        raise BadInput(f"{path}: is the place of the public part; name another file, such as site.key")
    _create(path.with_suffix(".pub"), public.text, 0o644)
    try:
        _create(path, f"{SECRET} {base64url(octets)}", 0o600)
    except BaseException:
        path.with_suffix(".pub").unlink()
        raise
    return public


def read_site_secret(path: Path) -> SiteSecret:
    """The private key in a file. Raises BadInput or StoreError: missing, none, or others may read it."""
    if not path.exists():
        raise BadInput(f"{path}: missing; name the private site key; a new one is made with: faceedge site-key new")
    octets = _octets(SECRET, read_secret(path).decode("ascii", "replace"))
    if octets is None:
        raise BadInput(f"{path}: no private site key; name the file that faceedge site-key new has made")
    return SiteSecret(octets)


def parse_public(text: str) -> SiteKey:
    """The public key in a line. Raises BadInput, without repeating what may be a secret."""
    if text.lstrip().startswith(SECRET):
        raise BadInput("this is the private part of a site key, it must not lie on a device; give the public part")
    octets = _octets(PUBLIC, text.strip())
    if octets is None:
        raise BadInput(f"no public site key; it is one line: {PUBLIC} and 43 characters, as site-key new prints it")
    return SiteKey(octets)


def trust(state: Path, key: SiteKey) -> Path:
    """The device obeys this key from now on; returns its file. Raises StoreError, BadInput when there are too many."""
    path = public_path(state, key.kid)
    others = [known for known in trusted(state) if known != key]
    if len(others) >= MOST_KEYS:
        raise BadInput(f"{MOST_KEYS} site keys are trusted already; remove one: faceedge site-key list")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(path, key.text.encode("ascii") + b"\n")
    except OSError as error:
        raise StoreError(f"{path}: cannot be written ({error.strerror}); check the state directory") from error
    return path


def remove(state: Path, kid: str) -> None:
    """The device obeys this key no longer. Raises BadInput when it did not, StoreError."""
    if not _KID.fullmatch(kid):
        raise BadInput(f"{kid!r} is no site key; name one by 8 hex digits: faceedge site-key list")
    path = public_path(state, kid)
    try:
        path.unlink()
        sync_folder(path.parent)
    except FileNotFoundError as error:
        raise BadInput(f"site key {kid} is not trusted here; see faceedge site-key list") from error
    except OSError as error:
        raise StoreError(f"{path}: cannot be removed ({error.strerror}); check the state directory") from error


def trusted(state: Path, on_bad: Callable[[str], None] = lambda _: None) -> tuple[SiteKey, ...]:
    """The keys that a device obeys, by file name. A file that is none is told and trusted for nothing."""
    keys = []
    for path in sorted((state / "keys").glob("site-*.pub"))[: 2 * MOST_KEYS]:
        try:
            with path.open("rb") as file:
                key = parse_public(file.read(200).decode("ascii", "replace"))
            if path.name != public_path(state, key.kid).name:
                raise BadInput("is not called after the key in it")
            keys.append(key)
        except (OSError, BadInput) as error:
            on_bad(f"{path}: {error}; it is not trusted, remove it")
    return tuple(keys[:MOST_KEYS])


def public_path(state: Path, kid: str) -> Path:
    """`<state>/keys/site-<kid>.pub`."""
    return state / "keys" / f"site-{kid}.pub"


class TrustedKeys:
    """The keys as a running device knows them, read again every second. One thread."""

    def __init__(self, state: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._state = state
        self._clock = clock
        self._keys: tuple[SiteKey, ...] = ()
        self._read_at = float("-inf")
        self._told: set[str] = set()

    def __call__(self) -> tuple[SiteKey, ...]:
        if self._clock() - self._read_at >= FOLLOW_S:
            self._keys = trusted(self._state, self._tell)
            self._read_at = self._clock()
        return self._keys

    def _tell(self, why: str) -> None:
        """Once, not every second."""
        if why not in self._told:
            self._told.add(why)
            log.error("%s", why)


def _create(path: Path, line: str, mode: int) -> None:
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode), "wb") as file:
            file.write(line.encode("ascii") + b"\n")
            file.flush()
            os.fsync(file.fileno())
        sync_folder(path.parent)
    except FileExistsError as error:
        raise BadInput(f"{path}: exists already; name another file") from error
    except OSError as error:
        raise StoreError(f"{path}: cannot be written ({error.strerror}); name another file") from error


def _octets(mark: str, line: str) -> bytes | None:
    """The 32 bytes behind the mark; many texts decode to them, only the one that we would write is right."""
    match = re.fullmatch(rf"{mark} +([A-Za-z0-9_-]{{43}})", line)
    if match is None:
        return None
    octets = base64.urlsafe_b64decode(match[1] + "=")
    return octets if base64url(octets) == match[1] else None
