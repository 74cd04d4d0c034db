"""What must never leave the house, and how it is found again in a text, also in hex and base64; and what looks like a
picture or a template, whoever's it is. What there is in a house, `gather.py` finds out.

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
from urllib.parse import quote

from faceedge.checks.doctor.words import GONE

LEAST_SECRET, LEAST_PART, LEAST_ENCODED = 3, 3, 6
"""Of what is shorter every text is full; of what is shorter than the last, encoded, every digest."""
MOST_RUN = 48
"""Signs of base64 in a row; very long paths go with them. A digest has 64 and stays: keys are known, and sought."""
URI = re.compile(r"\b([a-zA-Z][\w+.-]{0,30})://[^\s\"']{0,1000}@")
"""Up to the last `@`: before it a password may hold any sign. Bounded, so that a hostile line costs no minutes."""
ID = re.compile(r"\b[0-9a-f]{8}(-?)(?:[0-9a-f]{4}\1){3}[0-9a-f]{12}\b", re.IGNORECASE)
PAIRS = re.compile(r"\b[0-9a-f]{2}(?:([ :-])[0-9a-f]{2}(?:\1[0-9a-f]{2}){4,})\b", re.IGNORECASE)
"""Bytes in hex, each by itself."""
RUN = re.compile(rf"[A-Za-z0-9+/_=-]{{{MOST_RUN},}}")
DIGEST = re.compile(r"(?:[0-9a-f]{64}|[0-9A-F]{64})\Z")
NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
ROW = re.compile(rf"(?<![\w.]){NUMBER}(?:(?:[\s,;|\[\]()]|\\n)+{NUMBER}){{2,}}(?![\w.])")
FINE = re.compile(r"\.\d{4}|[eE]")
MOST_FINE, MOST_DECIMALS, MOST_NUMBERS = 2, 7, 11
"""Of numbers in a row, before they are a template or a picture: with four decimals, with any, and all."""
STREAM = re.compile(r"\b([a-z][\w+.-]{0,30})://([^\s/?#\"']+)[/?#][^\s\"'…][^\s\"']*", re.IGNORECASE)
"""An address with a path, which may be as secret as a password."""
HOME = re.compile(r"/(home|Users)/[^/\s\"']+")


@dataclass(frozen=True)
class Contraband:
    """names: of people, whole, and of accounts. is_whole: whether all names could be read."""

    names: tuple[str, ...] = field(repr=False)
    secrets: tuple[bytes, ...] = field(repr=False)
    is_whole: bool = True

    def cleaned(self, text: str) -> str:
        """Without anything that `found_in` would find. What is known goes first, while it is in one piece."""
        for secret in self._secret_forms:
            text = text.replace(secret, GONE)
        for pattern in self._name_patterns:
            text = pattern.sub(GONE, text)
        text = STREAM.sub(r"\1://\2/…", URI.sub(r"\1://", PAIRS.sub(GONE, ID.sub(GONE, text))))
        text = HOME.sub(rf"/\1/{GONE}", text)
        return ROW.sub(_kept_row, RUN.sub(_kept_digest, text))

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
            "an id": lambda: ID.search(text) is not None or PAIRS.search(text) is not None,
            "a row of numbers": lambda: any(is_row(row[0]) for row in ROW.finditer(text)),
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
        """Whole names and each word of them however they are spelt; very short words only as they are spelt."""
        parts = {part for name in self.names for part in re.split(r"[\s,.-]+", name)}
        run = {re.sub(r"\s+", "", name) for name in self.names}
        long = {*self.names, *run, *(part for part in parts if len(part) >= LEAST_PART)}
        short = {part for part in parts if len(part) == LEAST_PART - 1}
        spelt = ((long, re.IGNORECASE), (short, 0))
        return tuple(
            _any_word({form for word in words for form in _spellings(word)}, how) for words, how in spelt if words
        )


def _forms(value: bytes) -> Iterator[str]:
    """How bytes may stand in a text."""
    with suppress(UnicodeDecodeError):
        text = value.decode("utf-8")
        if text.isprintable():
            yield from (text, json.dumps(text)[1:-1], quote(text, safe=""))
    if len(value) < LEAST_ENCODED:
        return
    said = repr(value)[2:-1]
    yield from (value.hex(), value.hex().upper(), value.hex(":"), value.hex(":").upper(), said, json.dumps(said)[1:-1])
    for shift in range(3):
        code = base64.b64encode(b"\0" * shift + value).decode("ascii").rstrip("=")
        # Signs that neighbours have a part in are left out.
        inner = code[(0, 2, 3)[shift] : len(code) - (1 if (shift + len(value)) % 3 else 0)]
        if len(inner) >= LEAST_ENCODED:
            yield from (inner, inner.replace("+", "-").replace("/", "_"))


def _spellings(name: str) -> set[str]:
    forms = {unicodedata.normalize(form, name) for form in ("NFC", "NFD")}
    return forms | {json.dumps(form)[1:-1] for form in forms} | {quote(form, safe="") for form in forms}


def _any_word(words: Iterable[str], flags: int) -> re.Pattern[str]:
    """Any of them, the longest first, where no letter or digit goes on."""
    either = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
    return re.compile(rf"(?<![^\W_])(?:{either})(?![^\W_])", flags)


def _kept_digest(run: re.Match[str]) -> str:
    return run[0] if DIGEST.match(run[0]) else GONE


def is_row(text: str) -> bool:
    """Whether numbers in a row are so many, or so fine, that they may be a template or a picture."""
    numbers = re.findall(NUMBER, text)
    fine, decimals = (sum(how(one) for one in numbers) for how in (_is_fine, _is_decimal))
    return fine > MOST_FINE or decimals > MOST_DECIMALS or len(numbers) > MOST_NUMBERS


def _is_fine(number: str) -> bool:
    return FINE.search(number) is not None


def _is_decimal(number: str) -> bool:
    return "." in number


def _kept_row(row: re.Match[str]) -> str:
    """Lines stay as many as they were."""
    return GONE + "\n" * row[0].count("\n") if is_row(row[0]) else row[0]
