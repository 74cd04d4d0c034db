"""What may stand in free text that leaves the house, and nothing else: words of faceedge's own source text, punctuation
and short numbers. Used by `bundle.py`, on the log and on everything else that somebody else may have worded.
"""

from __future__ import annotations

import builtins
import re
from functools import cache
from pathlib import Path

import faceedge

GONE = "[…]"
MOST_DIGITS = 6
BESIDES = (
    "traceback Traceback errno Errno mit MIT linux Linux systemd started Started stopped Stopped stopping Stopping"
)
"""Of Python, systemd and licences."""
SCHEME = re.compile(r"://(?:.*@)?[^\s…]\S*")
"""What follows in an address; up to the last `@` of the line, for a password may hold anything."""
TOLD = re.compile(
    r"(?i)(pass(?:word|phrase|wd)|token|secret|authorization|basic|bearer)\b([\s\"']*[=:]?[\s\"']*)(?:(?:basic|bearer)\s+)?\S+"
)
CHUNK = re.compile(r"\S+")
PIECE = re.compile(r"\[…\]|(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)|([^\W_]+)|([^\x20-\x7e…])")
"""What is gone already, a time, a word or number, or a sign that is not ASCII."""
NUMBER = re.compile(rf"\d{{1,{MOST_DIGITS}}}(?:ms|s|h|d|px|fps|MiB|GiB|T)?\Z", re.ASCII)
AGAIN = re.compile(r"\[…\](?:[^\w\n]*\[…\])+")


@cache
def vocabulary() -> frozenset[str]:
    """Words of the package's sources as they are written there. Without names, which are never written small."""
    words = {*re.findall(r"[A-Za-z]+", BESIDES), *dir(builtins)}
    for path in Path(faceedge.__file__).parent.rglob("*.py"):
        words.update(re.findall(r"[A-Za-z]+", path.read_text(encoding="utf-8")))
    return frozenset(word for word in words if not word.istitle() or len(word) == 1 or word.lower() in words)


def plain(text: str) -> str:
    """One line or more. What is not ours is replaced, a chunk between blanks as a whole where most of it is foreign."""
    text = SCHEME.sub(f"://{GONE}", text)
    return AGAIN.sub(GONE, CHUNK.sub(_chunk, text))


def without_told(line: str) -> str:
    """Without what stands behind a word such as `password`."""
    return TOLD.sub(rf"\1\2{GONE}", line)


def _chunk(found: re.Match[str]) -> str:
    if ":" in found[0].rpartition("@")[0]:  # user:password@host
        return GONE
    pieces = [piece for piece in PIECE.finditer(found[0]) if piece[0] != GONE]
    lost = sum(len(piece[0]) for piece in pieces if not _is_ours(piece))
    if 2 * lost > sum(len(piece[0]) for piece in pieces):
        return GONE
    return PIECE.sub(lambda piece: piece[0] if _is_ours(piece) else GONE, found[0])


def _is_ours(piece: re.Match[str]) -> bool:
    word = piece[2]
    return piece[3] is None and (word is None or word in vocabulary() or NUMBER.match(word) is not None)
