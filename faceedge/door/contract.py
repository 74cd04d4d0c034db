"""The door contract: addresses, keys, bodies, and the wire they travel on. Pure; used by both sides of the door.

wire = base64url(HMAC-SHA256(key, label || 0x00 || body)) + "." + body, with the body in ASCII JSON.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal, NoReturn, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from faceedge.config import Name

MAX_BODY = 512
KEY_BYTES = 32
MAC_CHARS = 43
"""Base64url of 32 bytes without padding."""

Token = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{22}$")]
"""128 random bits, base64url."""
Kid = Annotated[str, Field(pattern=r"^[0-9a-f]{8}$")]
Pseudonym = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]{0,48}$")]
"""An id without a name."""
Words = Annotated[str, Field(pattern=r"^[ -!#-\[\]-~]{0,48}$")]
"""Printable ASCII without quote and backslash: in JSON it is what it looks like."""
Count = Annotated[int, Field(ge=0, lt=2**53)]

Topic = Literal["challenge", "grant", "verdict", "status"]
DoorState = Literal["locked", "unlocked", "held_open", "fault", "offline"]


class BadMessage(Exception):
    """A received message that changes nothing; the text is a short word for the counters."""


class Body(BaseModel):
    """Base of the four bodies: exact keys, exact types, no floats."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)
    label: ClassVar[str]


class Challenge(Body):
    """From the controller: a fresh nonce, for one grant to repeat."""

    label = "faceedge-challenge-1"
    n: Token
    """The nonce."""
    boot: Token
    """Made when the controller starts."""
    ctr: Count
    """Rises with every message that this boot signs."""


class Grant(Body):
    """From the device: open now."""

    label = "faceedge-grant-1"
    id: Token
    """Names this grant."""
    dev: Name
    """The device; must be the controller's own."""
    door: Name
    """The door; must be the controller's own."""
    ctl: Name
    """The controller; must be itself."""
    kid: Kid
    """Names the key: first 4 bytes of sha256(`faceedge-kid-1` || 0x00 || key), in hex."""
    n: Token
    """The challenge that it answers."""
    ttl_ms: int = Field(ge=1, le=10_000)
    """Time to live, counted from when the controller **made** that challenge."""
    reason: Words
    """Why it opens."""
    sub: Pseudonym
    """For whom; may be empty."""
    pulse_ms: int = Field(ge=1, le=30_000)
    """How long to open."""


class Verdict(Body):
    """From the controller: what became of a grant."""

    label = "faceedge-verdict-1"
    id: Token
    """Of the grant."""
    opened: bool
    """Whether it opened."""
    why: Words
    """Why not; empty when it opened."""
    boot: Token
    """Made when the controller starts."""
    ctr: Count
    """Rises with every message that this boot signs."""


class Status(Body):
    """From the controller: how its door is."""

    label = "faceedge-status-1"
    state: DoorState
    """`offline` is also its last will."""
    boot: Token
    """Made when the controller starts."""
    ctr: Count
    """Rises with every message that this boot signs; the last will was signed at the connect, so its is old."""


B = TypeVar("B", bound=Body)


@dataclass(frozen=True, slots=True)
class DoorKey:
    """The secret that one device and one controller share. kid: names it without giving it away."""

    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) != KEY_BYTES:
            raise ValueError(f"a door key has {KEY_BYTES} bytes, not {len(self.secret)}")

    @property
    def kid(self) -> str:
        return hashlib.sha256(b"faceedge-kid-1\0" + self.secret).hexdigest()[:8]


@dataclass(frozen=True, slots=True)
class Address:
    """One controller of one door of one device, and its topics."""

    device: str
    door: str
    controller: str

    def topic(self, name: Topic) -> str:
        return f"{prefix(self.device)}/door/{self.door}/{self.controller}/{name}"


def prefix(device: str) -> str:
    """All topics of a device begin with this."""
    return f"faceedge/{device}"


def fresh_token() -> str:
    """128 random bits, 22 characters."""
    return base64url(secrets.token_bytes(16))


def seal(key: DoorKey, body: Body) -> bytes:
    """The wire of a body."""
    text = body.model_dump_json().encode("ascii")
    assert len(text) <= MAX_BODY, "the limits of the fields keep every body below the maximum"
    return _mac(key, body.label, text) + b"." + text


def unseal(kind: type[B], wire: bytes, keys: Sequence[DoorKey]) -> tuple[B, DoorKey]:
    """The body, and the key it was sealed with. Raises BadMessage: size, shape, mac or body.

    The order matters: sizes before hashing, the MAC over the bytes as received before any parsing.
    """
    if not MAC_CHARS + 1 < len(wire) <= MAC_CHARS + 1 + MAX_BODY:
        raise BadMessage("size")
    mac, dot, text = wire[:MAC_CHARS], wire[MAC_CHARS : MAC_CHARS + 1], wire[MAC_CHARS + 1 :]
    if dot != b".":
        raise BadMessage("shape")
    # The MAC is compared as text: many texts decode to the same 32 bytes, only one is right.
    matching = [key for key in keys if hmac.compare_digest(_mac(key, kind.label, text), mac)]
    if not matching:
        raise BadMessage("mac")
    return parse(kind, text), matching[0]


def parse(kind: type[B], text: bytes) -> B:
    """A body from its bytes. Raises BadMessage: body."""
    try:
        values = json.loads(
            text.decode("ascii"), object_pairs_hook=_unique, parse_float=_refuse, parse_constant=_refuse
        )
        return kind.model_validate(values)
    except (ValueError, RecursionError) as error:  # ValidationError and UnicodeDecodeError are ValueErrors
        raise BadMessage("body") from error


def _mac(key: DoorKey, label: str, text: bytes) -> bytes:
    return base64url(hmac.digest(key.secret, label.encode("ascii") + b"\0" + text, "sha256")).encode("ascii")


def base64url(octets: bytes) -> str:
    """Without padding."""
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("a key occurs twice")
    return values


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a whole number")
