"""Everything of an installation that must never leave the house: its secrets and its names. Used by `bundle.py`."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from urllib.parse import parse_qsl, unquote

from faceedge.checks.doctor.base import Patient
from faceedge.checks.doctor.contraband import LEAST_SECRET, Contraband
from faceedge.config import Broker
from faceedge.database import reading
from faceedge.door.keys import MAX_SECRET_BYTES
from faceedge.door.transport import password_of
from faceedge.errors import FaceedgeError, StoreError
from faceedge.gallery import devicekey, rows
from faceedge.gallery.schema import wrapped_key
from faceedge.gallery.vault import Vault
from faceedge.safe_mode import recall

LONG_WORD = 20
"""Of a key file: what is shorter there says which kind of key it is."""
LEAST_PATH = 8
"""Of a camera's address: what is shorter, as /stream, is in half of all cameras."""
MOST_BESIDE = 64
"""Files beside the configuration that are looked into."""
MOST_TEXT = 1 << 16
TOLD = re.compile(r"(?im)^[\w. \"'-]{0,80}(?:pass|token|secret|key|pin)[\w\"'-]{0,80}[ \t]*[=:](.+)$")
"""A line of a configuration or of an environment file that gives something away."""


def gather(patient: Patient) -> Contraband:
    """Everything of an installation. It is whole where all names are known: where the gallery was read, and the
    configuration that says which gallery it is."""
    secrets = {secret for secret in _secrets(patient) if len(secret) >= LEAST_SECRET}
    users = {user for uri in _uris(patient) if (user := _of_uri(uri)[0].decode())} | _account(patient)
    try:
        names = (*_names(patient.state), *users)
    except (FaceedgeError, OSError, UnicodeDecodeError):
        return Contraband(tuple(users), tuple(secrets), is_whole=False)
    return Contraband(names, tuple(secrets), is_whole=patient.settings is not None)


def _account(patient: Patient) -> set[str]:
    """At the broker, where it is another name than the device's."""
    settings = patient.settings
    return {settings.broker.username} - {"", settings.device} if settings is not None else set()


def _names(state: Path) -> Iterator[str]:
    """Read without changing anything. Raises StoreError."""
    path = state / "gallery.db"
    if not path.is_file():
        raise StoreError(f"{path}: not there; enrol somebody, or mend state_dir")
    with reading(path) as connection:
        number, wrapped = wrapped_key(connection)
        vault = Vault(devicekey.unlock(state, wrapped)[0], number)
        for key, name in connection.execute("SELECT id, name FROM people WHERE NOT tombstone"):
            yield vault.open(name, rows.name_context(key)).decode("utf-8")


def _secrets(patient: Patient) -> Iterator[bytes]:
    for path in _files(patient):
        with suppress(OSError), path.open("rb") as file:
            yield from _of_file(file.read(MAX_SECRET_BYTES))
    for text in _texts(patient):
        yield from (told.strip(" \t\r\"'").encode() for told in TOLD.findall(text))
    broker = patient.settings.broker if patient.settings is not None else Broker()
    with suppress(FaceedgeError):
        yield password_of(broker) or b""
    for uri in _uris(patient):
        yield from _of_uri(uri)[1:]


def _files(patient: Patient) -> Iterator[Path]:
    """Key files, credentials, and what the configuration names as secret."""
    folders = [patient.state / "keys"]
    if credentials := patient.environ.get("CREDENTIALS_DIRECTORY"):
        folders.append(Path(credentials))
    for folder in folders:
        with suppress(OSError):
            yield from (path for path in folder.iterdir() if path.suffix != ".pub" and path.is_file())
    if patient.settings is not None:
        broker = patient.settings.broker
        yield from (path for path in (broker.password_file, broker.key_file) if path is not None)
    yield from _beside(patient)


def _beside(patient: Patient) -> Iterator[Path]:
    """What lies closed beside the configuration, as the passphrase of backups and files of variables do."""
    if patient.path is None:
        return
    with suppress(OSError):
        near = (path for path in patient.path.parent.iterdir() if path != patient.path and path.is_file())
        yield from islice((path for path in near if not path.stat().st_mode & 0o077), MOST_BESIDE)


def _texts(patient: Patient) -> Iterator[str]:
    """Files in which a secret may stand behind its name; a configuration only where it is wrong."""
    wrong = [patient.path] if patient.path is not None and patient.settings is None else []
    for path in (*wrong, *_beside(patient)):
        with suppress(OSError), path.open(encoding="utf-8", errors="replace") as file:
            yield file.read(MOST_TEXT)


def _of_file(content: bytes) -> Iterator[bytes]:
    """As it is, without its line end; of a text each long word, too, and what base64 in it means."""
    yield content.rstrip(b"\r\n")
    for word in content.split() if content.isascii() else ():
        if len(word) >= LONG_WORD:
            yield word
            with suppress(ValueError):
                yield base64.b64decode(word, altchars=b"-_", validate=True)


def _uris(patient: Patient) -> Iterator[str]:
    """Of cameras now and of the last configuration that worked; of a wrong file whatever looks like one."""
    if patient.settings is not None:
        yield from (camera.uri for camera in patient.settings.camera)
    kept = recall(patient.state) or {}
    yield from (str(camera.get("uri", "")) for camera in kept.get("camera", ()) if isinstance(camera, dict))
    if patient.path is not None:
        with suppress(OSError):
            yield from re.findall(r"[a-zA-Z]+://[^\s\"']+", patient.path.read_text(encoding="utf-8", errors="replace"))


def _of_uri(uri: str) -> list[bytes]:
    """User, then password, both as one, path and query, as written and as meant; what stands before the last `@` may
    hold a slash."""
    login, _, place = uri.partition("://")[2].rpartition("@")
    user, colon, password = login.partition(":")
    both = (login, unquote(login)) if colon else ()
    place, _, query = place.partition("?")
    path = f"/{place.partition('/')[2]}"
    values = [query, *(value for _, value in parse_qsl(query))] if "=" in query else []
    parts = (unquote(user), password, unquote(password), *both, path if len(path) >= LEAST_PATH else "", *values)
    return [part.encode() for part in parts]
