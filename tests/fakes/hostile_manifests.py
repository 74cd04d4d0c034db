"""Manifests that are not what they should be, from one that is. Everything follows from a seed."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

ODD = (
    "nan", "inf", "-1", "0", "1e400", "9999999999999999999999", "true", '""', '"\\u0000"', '"a\\nb\\u001b[31m"', "[]",
    "[[[[]]]]", "{}", "{a = {b = {c = 1}}}", "1979-05-27", '"' + "x" * 10_000 + '"', "[1, 2]", '["a", "b"]', "-0.0",
    '"../../etc/passwd"', "0x7fffffffffffffff", "1e-400", "[nan, nan, nan]",
)  # fmt: skip


def odd_manifests(text: str, count: int, seed: int) -> Iterator[bytes]:
    """`count` other files than `text`: values, keys, tables and bytes that do not belong there."""
    rng = random.Random(seed)
    ways = (_value, _value, _value, _key, _without, _table, _bytes, _cut, _whole)
    for number in range(count):
        changed = text.encode()
        while changed == text.encode():
            changed = ways[number % len(ways)](text, rng)
        yield changed


def _value(text: str, rng: random.Random) -> bytes:
    lines = text.splitlines()
    places = [number for number, line in enumerate(lines) if " = " in line]
    place = rng.choice(places)
    lines[place] = lines[place].split(" = ")[0] + " = " + rng.choice(ODD)
    return "\n".join(lines).encode()


def _key(text: str, rng: random.Random) -> bytes:
    keys = re.findall(r"^(\w+) = ", text, re.MULTILINE)
    new = rng.choice(["extra", "sha256x", "\u202e", '"a\\u001b"', "_", "role.name"])
    return re.sub(rf"^{rng.choice(keys)} = ", lambda _: f"{new} = ", text, count=1, flags=re.MULTILINE).encode()


def _without(text: str, rng: random.Random) -> bytes:
    lines = text.splitlines()
    del lines[rng.randrange(len(lines))]
    return "\n".join(lines).encode()


def _table(text: str, rng: random.Random) -> bytes:
    return (
        text + rng.choice(["\n[plain]\n", "\n[[source]]\n", "\n[other]\na = 1\n", "\n[" + "a." * 500 + "b]\n"])
    ).encode()


def _bytes(text: str, rng: random.Random) -> bytes:
    changed = bytearray(text.encode())
    for _ in range(rng.randrange(1, 20)):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def _cut(text: str, rng: random.Random) -> bytes:
    return text.encode()[: rng.randrange(len(text))]


def _whole(_text: str, rng: random.Random) -> bytes:
    return rng.choice(
        [b"", bytes(1000), b"\xff\xfe", b"a = " + b"[" * 5000, b"x = 1\n" * 200_000, b"{" * 5000, b"#" * 10_000_000,
         b"[a]\n[a]\n",         b'a = "' + b"\\U0010FFFF" * 100 + b'"', b"a" * 500_000, b"a.b = 1\na = 2\n",
         b"a = " + b"9" * 5000]
    )  # fmt: skip
