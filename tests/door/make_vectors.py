"""Writes docs/schemas/vectors.json: messages against which another implementation can check itself.

Run it by hand only when the contract grows: python -m tests.door.make_vectors
"""

from __future__ import annotations

import json
from pathlib import Path

from faceedge.door import contract, signed
from faceedge.door.contract import Body, Challenge, DoorKey, Grant, Status, Verdict, seal
from faceedge.door.signed import Command, Result, SecondFactor, sign
from faceedge.journal.signing import Signer

PATH = Path(__file__).parents[2] / "docs" / "schemas" / "vectors.json"
KEY = DoorKey(bytes(range(32)))
SITE, DEVICE = bytes(range(32, 64)), bytes(range(64, 96))
"""Private Ed25519 keys: the site's, with which commands are signed, and the device's."""
BOOT, NONCE, GRANT_ID = "Ym9vdC1vZi1hLWRvb3ItMQ", "bm9uY2Utb2YtYS1kb29yMQ", "aWQtb2YtYS1ncmFudC0wMQ"
COMMAND_ID, REQUEST_ID, NEXT = "aWQtb2YtYS1jb21tYW5kMQ", "aWQtb2YtYS1yZXF1ZXN0MQ", "dGhlLW5leHQtbm9uY2UtMQ"
GRANT = Grant(
    id=GRANT_ID, dev="dev", door="main", ctl="inner", kid=KEY.kid, n=NONCE, ttl_ms=1500, reason="match",
    sub="0b7c6c1e-58c5-4d0f-9a0e-6f6f1f5a7a11", pulse_ms=3000,
)  # fmt: skip
BODIES: tuple[Body, ...] = (
    Challenge(n=NONCE, boot=BOOT, ctr=1),
    GRANT,
    Verdict(id=GRANT_ID, opened=True, why="", boot=BOOT, ctr=2),
    Verdict(id=GRANT_ID, opened=False, why="too late", boot=BOOT, ctr=3),
    Status(state="locked", boot=BOOT, ctr=4),
)
COMMAND = Command(id=COMMAND_ID, dev="dev", cmd="lockdown", n=NONCE, args={"on": 1})
SIGNED: tuple[tuple[str, Body], ...] = (
    ("site", COMMAND),
    ("site", Command(id=COMMAND_ID, dev="dev", cmd="confirm", n=NONCE, args={"decision": "00112233445566ff"})),
    ("site", Command(id=COMMAND_ID, dev="dev", cmd="ping", n=NONCE, args={})),
    ("device", Result(id=COMMAND_ID, dev="dev", cmd="lockdown", ok=True, why="", n=NEXT)),
    ("device", Result(id=COMMAND_ID, dev="dev", cmd="lockdown", ok=False, why="used nonce", n=NEXT)),
    ("device", SecondFactor(
        id=REQUEST_ID, dev="dev", decision="00112233445566ff", camera="entry", doors=["main"],
        sub="0b7c6c1e-58c5-4d0f-9a0e-6f6f1f5a7a11", reason="grey", valid_ms=30_000,
    )),
)  # fmt: skip
KEYS = {"site": Signer(SITE), "device": Signer(DEVICE)}

Bad = dict[str, tuple[str, bytes]]
"""By name: the word that a refusal is counted under, and the bytes."""


def spoiled() -> Bad:
    """Wires that every implementation must refuse as a grant, though the MAC of the last ones holds."""
    wire = seal(KEY, GRANT)
    bodies = {name: ("body", _resealed(text)) for name, text in bad_bodies(wire[44:]).items()}
    return {
        "empty": ("size", b""),
        "mac alone": ("size", wire[:44]),
        "too long": ("size", wire + b" " * 512),
        "no dot": ("shape", wire.replace(b".", b"!", 1)),
        "padded mac": ("shape", wire[:43] + b"=." + wire[44:]),
        "other key": ("mac", seal(DoorKey(bytes(32)), GRANT)),
        "other label": ("mac", seal(KEY, BODIES[0])),
        "body changed": ("mac", wire.replace(b'"main"', b'"rear"')),
        "space added": ("mac", wire + b" "),
        "same mac in other letters": ("mac", wire[:42] + _twin(wire[42:43]) + wire[43:]),
        **bodies,
    }


def bad_bodies(text: bytes) -> dict[str, bytes]:
    """What may be wrong in a grant's body even under a MAC that holds."""
    return {
        "key twice": text.replace(b'{"id"', b'{"door":"rear","id"'),
        "key twice, once escaped": text.replace(b'{"id"', b'{"d\\u006for":"rear","id"'),
        "unknown key": text.replace(b"}", b',"more":1}'),
        "missing key": text.replace(b',"pulse_ms":3000', b""),
        "float": text.replace(b"3000", b"3000.0"),
        "exponent": text.replace(b"3000", b"3e3"),
        "number as text": text.replace(b"3000", b'"3000"'),
        "true as number": text.replace(b"3000", b"true"),
        "null": text.replace(b"3000", b"null"),
        "negative": text.replace(b"3000", b"-3000"),
        "too large": text.replace(b"3000", b"30001"),
        "far too large": text.replace(b"3000", b"9" * 60),
        "token too short": text.replace(NONCE.encode(), NONCE[:21].encode()),
        "name in capitals": text.replace(b'"main"', b'"Main"'),
        "name with a line end": text.replace(b'"main"', b'"main\\n"'),
        "quote in words": text.replace(b"match", b'ma\\"ch'),
        "not ascii": text.replace(b"match", "m\u00e4tch".encode()),
        "list": b"[" + text + b"]",
        "two objects": text + b"{}",
        "cut off": text[:-1],
        "deep": b"[" * 512,
    }


def spoiled_commands() -> Bad:
    """Wires that every implementation must refuse as a command."""
    wire = sign(KEYS["site"], COMMAND)
    text = wire[87:]
    return {
        "empty": ("size", b""),
        "signature alone": ("size", wire[:87]),
        "too long": ("size", wire + b" " * 1024),
        "no dot": ("shape", wire.replace(b".", b"!", 1)),
        "same signature in other letters": ("shape", wire[:85] + _twin(wire[85:86]) + wire[86:]),
        "not base64url": ("shape", b"+" + wire[1:]),
        "other key": ("signature", sign(KEYS["device"], COMMAND)),
        "other label": ("signature", sign(KEYS["site"], SIGNED[3][1])),
        "body changed": ("signature", wire.replace(b'"on":1', b'"on":0')),
        "space added": ("signature", wire + b" "),
        "key twice": ("body", _resigned(text.replace(b'{"id"', b'{"dev":"ved","id"'))),
        "unknown key": ("body", _resigned(text[:-1] + b',"more":1}')),
        "missing key": ("body", _resigned(text.replace(b',"args":{"on":1}', b""))),
        "float": ("body", _resigned(text.replace(b'"on":1', b'"on":1.0'))),
        "list as argument": ("body", _resigned(text.replace(b'"on":1', b'"on":[1]'))),
        "not ascii": ("body", _resigned(text.replace(b'"on":1', '"on":"\u00e4"'.encode()))),
    }


def vectors() -> dict[str, object]:
    return {
        "key_hex": KEY.secret.hex(),
        "kid": KEY.kid,
        "good": [
            {"label": body.label, "body": body.model_dump_json(), "wire": seal(KEY, body).decode("ascii")}
            for body in BODIES
        ],
        "bad_grants": _as_json(spoiled()),
        "ed25519": {
            name: {"private_hex": secret.hex(), "public_pem": KEYS[name].public.pem().decode("ascii")}
            for name, secret in (("site", SITE), ("device", DEVICE))
        },
        "good_signed": [
            {"label": body.label, "key": name, "body": body.model_dump_json(),
             "wire": sign(KEYS[name], body).decode("ascii")}
            for name, body in SIGNED
        ],
        "bad_commands": _as_json(spoiled_commands()),
    }  # fmt: skip


def _as_json(bad: Bad) -> list[dict[str, str]]:
    return [{"name": name, "why": why, "wire_hex": wire.hex()} for name, (why, wire) in bad.items()]


def _resealed(text: bytes) -> bytes:
    """A MAC that holds, over a body that does not."""
    return contract._mac(KEY, Grant.label, text) + b"." + text


def _resigned(text: bytes) -> bytes:
    """A signature that holds, over a body that does not."""
    signature = KEYS["site"].sign(signed._statement(Command.label, text))
    return contract.base64url(signature).encode("ascii") + b"." + text


def _twin(letter: bytes) -> bytes:
    """Another last letter that lazy decoders read as the same bytes: its lowest bit is not used."""
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return alphabet[(at := alphabet.index(letter) ^ 1) : at + 1]


if __name__ == "__main__":
    PATH.write_text(json.dumps(vectors(), indent=1) + "\n")
