"""Writes vectors.json beside itself: messages against which another implementation can check itself.

Run it by hand only when the contract gets a new version: python -m tests.door.make_vectors
"""

from __future__ import annotations

import json
from pathlib import Path

from faceedge.door.contract import Body, Challenge, DoorKey, Grant, Status, Verdict, seal

PATH = Path(__file__).with_name("vectors.json")
KEY = DoorKey(bytes(range(32)))
BOOT, NONCE, GRANT_ID = "Ym9vdC1vZi1hLWRvb3ItMQ", "bm9uY2Utb2YtYS1kb29yMQ", "aWQtb2YtYS1ncmFudC0wMQ"
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


def spoiled() -> dict[str, tuple[str, bytes]]:
    """Wires that every implementation must refuse as a grant: name, the word it is counted under, bytes."""
    wire = seal(KEY, GRANT)
    text = wire[44:]
    return {
        "empty": ("size", b""),
        "too long": ("size", wire + b" " * 512),
        "no dot": ("shape", wire.replace(b".", b"!", 1)),
        "other key": ("mac", seal(DoorKey(bytes(32)), GRANT)),
        "other label": ("mac", seal(KEY, BODIES[0])),
        "body changed": ("mac", wire.replace(b'"main"', b'"rear"')),
        "padded mac": ("shape", wire[:43] + b"=." + text),
        "key twice": ("body", _resealed(text.replace(b'{"id"', b'{"door":"rear","id"'))),
        "unknown key": ("body", _resealed(text.replace(b"}", b',"more":1}'))),
        "missing key": ("body", _resealed(text.replace(b',"pulse_ms":3000', b""))),
        "float": ("body", _resealed(text.replace(b"3000", b"3000.0"))),
        "not ascii": ("body", _resealed(text.replace(b"match", "m\u00e4tch".encode()))),
    }


def _resealed(text: bytes) -> bytes:
    """A MAC that holds, over a body that does not."""
    from faceedge.door import contract

    return contract._mac(KEY, Grant.label, text) + b"." + text


def vectors() -> dict[str, object]:
    return {
        "key_hex": KEY.secret.hex(),
        "kid": KEY.kid,
        "good": [
            {"label": body.label, "body": body.model_dump_json(), "wire": seal(KEY, body).decode("ascii")}
            for body in BODIES
        ],
        "bad_grants": [{"name": name, "why": why, "wire_hex": wire.hex()} for name, (why, wire) in spoiled().items()],
    }


if __name__ == "__main__":
    PATH.write_text(json.dumps(vectors(), indent=1) + "\n")
