"""Messages that are signed with Ed25519: commands by the site, answers and requests by the device. Pure.

wire = base64url(signature over label || 0x00 || body) + "." + body, with the body in ASCII JSON. The labels differ from
those of the journal, whose key the device uses here too, so one statement never passes for another.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Annotated, Protocol, TypeVar

from pydantic import Field

from faceedge.config import Name
from faceedge.door.contract import BadMessage, Body, Count, Pseudonym, Token, Words, base64url, parse

MAX_SIGNED_BODY = 1024
SIGNATURE_CHARS = 86
"""Base64url of 64 bytes without padding."""

CommandName = Annotated[str, Field(pattern=r"^[a-z][a-z_]{0,31}$")]
Argument = Annotated[str, Field(pattern=r"^[ -!#-\[\]-~]{0,128}$")]
DecisionId = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
"""Names a decision, as the journal does."""
Sentence = Annotated[str, Field(pattern=r"^[ -!#-\[\]-~]{0,200}$")]
"""For a person to read; the alphabet of `Words`."""


class Command(Body):
    """From the site: do this."""

    label = "faceedge-command-1"
    id: Token
    """Names this command."""
    dev: Name
    """The device that shall do it."""
    cmd: CommandName
    """What to do; the `<name>` of the topic."""
    n: Token
    """One of the last two nonces of the device's `state`, each good for one command."""
    args: dict[CommandName, Argument | Count] = Field(max_length=8)
    """What the command needs: texts and whole numbers by name."""


class Result(Body):
    """From the device: what became of a command."""

    label = "faceedge-result-1"
    id: Token
    """Of the command."""
    dev: Name
    """Who answers."""
    cmd: CommandName
    """What it was asked to do."""
    ok: bool
    """Whether it did."""
    why: Sentence
    """Why not; empty when it did and has nothing to say."""
    n: Token
    """The nonce for the next command."""


class SecondFactor(Body):
    """From the device: somebody is in doubt and may pass only if a `confirm` comes in time."""

    label = "faceedge-second-factor-1"
    id: Token
    """Names this request."""
    dev: Name
    """Who asks."""
    decision: DecisionId
    """What the `confirm` must name."""
    camera: Name
    """Where the person stands."""
    doors: list[Name] = Field(min_length=1, max_length=8)
    """What would open."""
    sub: Pseudonym
    """Who it probably is."""
    reason: Words
    """What the doubt is: `grey_zone`, `ambiguous`, `low_quality`, `locked_out`, `look_alike`, `on_trial`."""
    valid_ms: int = Field(ge=1, le=60_000)
    """How long a `confirm` is waited for, from when this was made."""


B = TypeVar("B", bound=Body)
K = TypeVar("K", bound="Verifies")


class Signs(Protocol):
    """A private key."""

    def sign(self, statement: bytes) -> bytes:
        """Ed25519 signature, 64 bytes."""
        ...


class Verifies(Protocol):
    """A public key."""

    def verify(self, statement: bytes, signature: bytes) -> bool:
        """Whether it signed exactly this."""
        ...


def sign(key: Signs, body: Body) -> bytes:
    """The wire of a body. Raises ValueError when the body is too long."""
    text = body.model_dump_json().encode("ascii")
    if len(text) > MAX_SIGNED_BODY:
        raise ValueError(f"{len(text)} bytes; a signed body has at most {MAX_SIGNED_BODY}")
    return base64url(key.sign(_statement(body.label, text))).encode("ascii") + b"." + text


def unsign(kind: type[B], wire: bytes, keys: Sequence[K]) -> tuple[B, K]:
    """The body, and the key that signed it. Raises BadMessage: size, shape, signature or body.

    The order matters: sizes before arithmetic, the signature over the bytes as received before any parsing.
    """
    if not SIGNATURE_CHARS + 1 < len(wire) <= SIGNATURE_CHARS + 1 + MAX_SIGNED_BODY:
        raise BadMessage("size")
    text = wire[SIGNATURE_CHARS + 1 :]
    if wire[SIGNATURE_CHARS : SIGNATURE_CHARS + 1] != b".":
        raise BadMessage("shape")
    signature = _decoded(wire[:SIGNATURE_CHARS])
    key = next((key for key in keys if key.verify(_statement(kind.label, text), signature)), None)
    if key is None:
        raise BadMessage("signature")
    return parse(kind, text), key


def _statement(label: str, text: bytes) -> bytes:
    return label.encode("ascii") + b"\0" + text


def _decoded(text: bytes) -> bytes:
    """64 bytes; many texts decode to the same ones, only the one that we would write is right."""
    try:
        signature = base64.b64decode(text + b"==", b"-_", validate=True)
    except ValueError as error:
        raise BadMessage("shape") from error
    if base64url(signature).encode("ascii") != text:
        raise BadMessage("shape")
    return signature
