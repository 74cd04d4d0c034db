"""What must never leave the house: every secret and every name of an installation, and how they are found again in a
text, also in hex and base64; and what looks like a picture or a template, whoever's it is.

Used by `bundle.py`, first to redact and then, on what is to be written, to refuse.
"""

from __future__ import annotations

import base64
import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from urllib.parse import quote, unquote

from faceedge.checks.doctor.base import Patient
from faceedge.config import Broker
from faceedge.database import reading
from faceedge.door.keys import MAX_SECRET_BYTES
from faceedge.door.transport import password_of
from faceedge.errors import FaceedgeError
from faceedge.gallery import devicekey, rows
from faceedge.gallery.schema import wrapped_key
from faceedge.gallery.vault import Vault
from faceedge.safe_mode import recall

LEAST_SECRET, LEAST_PART, LEAST_ENCODED = 3, 3, 6
"""Of what is shorter every text is full; of what is shorter than the last, encoded, every digest."""
GONE = "[…]"
LONG_WORD = 20
"""Of a key file: what is shorter there says which kind of key it is."""
MOST_RUN = 48
"""Signs of base64 in a row; very long paths go with them. A digest has 64 and stays: keys are known, and sought."""
URI = re.compile(r"\b([a-zA-Z][a-zA-Z0-9+.-]*)://[^\s/@\"']*@")
ID = re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b")
RUN = re.compile(rf"[A-Za-z0-9+/_=-]{{{MOST_RUN},}}")
DIGEST = re.compile(r"(?:[0-9a-f]{64}|[0-9A-F]{64})\Z")
NUMBERS = re.compile(r"(?:[-+]?\d+\.\d+(?:[eE][-+]?\d+)?[\s,;]+){8,}|(?:\d+[\s,;]+){24,}")
"""A template as decimals, or bytes as numbers."""
STREAM = re.compile(r"\b(rtsps?|https?)://([^\s/\"']+)/[^\s\"'…][^\s\"']*")
"""An address with a path, which may be as secret as a password."""
HOME = re.compile(r"/(home|Users)/[^/\s\"']+")


@dataclass(frozen=True)
class Contraband:
    """names: of people, whole, and of accounts. is_whole: whether all names could be read."""

    names: tuple[str, ...] = field(repr=False)
    secrets: tuple[bytes, ...] = field(repr=False)
    is_whole: bool = True

    def cleaned(self, text: str) -> str:
        """Without anything that `found_in` would find."""
        text = STREAM.sub(r"\1://\2/…", URI.sub(r"\1://", ID.sub(GONE, text)))
        text = HOME.sub(rf"/\1/{GONE}", text)
        for secret in self._secret_forms:
            text = text.replace(secret, GONE)
        for pattern in self._name_patterns:
            text = pattern.sub(GONE, text)
        return NUMBERS.sub(f"{GONE} ", RUN.sub(_kept_digest, text))

    def found_in(self, content: bytes) -> list[str]:
        """What kinds of things are in a file of the archive; empty when it may leave."""
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError:
            return ["bytes that are no text"]
        checks: dict[str, Callable[[], bool]] = {
            "bytes that are no text": lambda: any(not (sign.isprintable() or sign in "\n\t") for sign in text),
            "a secret": lambda: any(secret in text for secret in self._secret_forms),
            "the name of a person": lambda: any(pattern.search(text) for pattern in self._name_patterns),
            "the name of a person, encoded": lambda: any(form in text for form in self._name_forms),
            "an address with credentials": lambda: URI.search(text) is not None or STREAM.search(text) is not None,
            "encoded data": lambda: any(not DIGEST.match(run) for run in RUN.findall(text)),
            "a row of numbers": lambda: NUMBERS.search(text) is not None,
        }
        return [kind for kind, is_there in checks.items() if is_there()]

    @cached_property
    def _secret_forms(self) -> list[str]:
        """The longest first, so that no rest of one is left behind."""
        return sorted({form for secret in self.secrets for form in _forms(secret)}, key=len, reverse=True)

    @cached_property
    def _name_forms(self) -> list[str]:
        """Of names that are long enough to be told from a digest."""
        long = [name for name in self.names if len(name.encode()) > LEAST_ENCODED]
        return sorted({form for name in long for form in _forms(name.encode())})

    @cached_property
    def _name_patterns(self) -> tuple[re.Pattern[str], ...]:
        """Whole names however they are spelt, then each word of them as it is spelt."""
        wholes = {form for name in self.names for form in _spellings(name)}
        parts = {part for name in self.names for part in re.split(r"[\s,.-]+", name) if len(part) >= LEAST_PART}
        return tuple(_any_word(words, how) for words, how in ((wholes, re.IGNORECASE), (parts, 0)) if words)


def gather(patient: Patient) -> Contraband:
    """Everything of an installation. What cannot be read cannot be told either; only for names that is a loss."""
    secrets = {secret for secret in _secrets(patient) if len(secret) >= LEAST_SECRET}
    users = {user for uri in _uris(patient) if (user := _of_uri(uri)[0].decode())} | _account(patient)
    try:
        names = (*_names(patient.state), *users)
    except (FaceedgeError, OSError, UnicodeDecodeError):
        return Contraband((), tuple(secrets), is_whole=False)
    return Contraband(names, tuple(secrets))


def _account(patient: Patient) -> set[str]:
    """At the broker, where it is another name than the device's."""
    settings = patient.settings
    return {settings.broker.username} - {"", settings.device} if settings is not None else set()


def _names(state: Path) -> Iterator[str]:
    """Read without changing anything. Raises StoreError."""
    path = state / "gallery.db"
    if not path.is_file():
        return
    with reading(path) as connection:
        number, wrapped = wrapped_key(connection)
        vault = Vault(devicekey.unlock(state, wrapped)[0], number)
        for key, name in connection.execute("SELECT id, name FROM people WHERE NOT tombstone"):
            yield vault.open(name, rows.name_context(key)).decode("utf-8")


def _secrets(patient: Patient) -> Iterator[bytes]:
    for path in _files(patient):
        with suppress(OSError), path.open("rb") as file:
            yield from _of_file(file.read(MAX_SECRET_BYTES))
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
    """User, then password and query, as written and as meant; what stands before the last `@` may hold a slash."""
    user, _, password = uri.partition("://")[2].rpartition("@")[0].partition(":")
    query = uri.partition("?")[2]
    parts = (unquote(user), password, unquote(password), query if "=" in query else "")
    return [part.encode() for part in parts]


def _forms(value: bytes) -> Iterator[str]:
    """How bytes may stand in a text."""
    with suppress(UnicodeDecodeError):
        text = value.decode("utf-8")
        if text.isprintable():
            yield from (text, json.dumps(text)[1:-1], quote(text, safe=""))
    if len(value) < LEAST_ENCODED:
        return
    yield from (value.hex(), value.hex().upper())
    for shift in range(3):
        code = base64.b64encode(b"\0" * shift + value).decode("ascii").rstrip("=")
        # Signs that neighbours have a part in are left out.
        inner = code[(0, 2, 3)[shift] : len(code) - (1 if (shift + len(value)) % 3 else 0)]
        if len(inner) >= LEAST_ENCODED:
            yield from (inner, inner.replace("+", "-").replace("/", "_"))


def _spellings(name: str) -> set[str]:
    forms = {unicodedata.normalize(form, name) for form in ("NFC", "NFD")}
    return forms | {json.dumps(form)[1:-1] for form in forms}


def _any_word(words: Iterable[str], flags: int) -> re.Pattern[str]:
    """Any of them, the longest first, where no letter or digit goes on."""
    either = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
    return re.compile(rf"(?<![^\W_])(?:{either})(?![^\W_])", flags)


def _kept_digest(run: re.Match[str]) -> str:
    return run[0] if DIGEST.match(run[0]) else GONE
