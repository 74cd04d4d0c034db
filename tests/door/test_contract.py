"""The wire: what is sealed opens, and nothing else does."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from hypothesis import given
from hypothesis import strategies as st

from faceedge.door.contract import (
    MAX_BODY,
    BadMessage,
    Body,
    DoorKey,
    Grant,
    Status,
    Verdict,
    fresh_token,
    seal,
    unseal,
)
from faceedge.door.schemas import SEALED, SIGNED
from faceedge.door.signed import Command, sign, unsign
from tests.door.conftest import KEY
from tests.door.make_vectors import BODIES, COMMAND, GRANT, KEYS, PATH, vectors
from tests.door.make_vectors import SIGNED as SIGNED_BODIES

VECTORS: dict[str, Any] = json.loads(PATH.read_text())
KINDS = SEALED

tokens = st.from_regex(r"[A-Za-z0-9_-]{22}", fullmatch=True)
names = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,31}", fullmatch=True)
grants = st.builds(
    Grant, id=tokens, dev=names, door=names, ctl=names, kid=st.from_regex(r"[0-9a-f]{8}", fullmatch=True), n=tokens,
    ttl_ms=st.integers(1, 10_000), reason=st.from_regex(r"[ -!#-\[\]-~]{0,48}", fullmatch=True),
    sub=st.from_regex(r"[A-Za-z0-9_.:-]{0,48}", fullmatch=True), pulse_ms=st.integers(1, 30_000),
)  # fmt: skip


@pytest.mark.parametrize("vector", VECTORS["good"], ids=lambda vector: vector["label"])
def test_the_published_vectors_hold_for_an_implementation_of_ten_lines(vector: dict[str, str]) -> None:
    secret = bytes.fromhex(VECTORS["key_hex"])
    message = vector["label"].encode() + b"\0" + vector["body"].encode()
    mac = base64.urlsafe_b64encode(hmac.new(secret, message, hashlib.sha256).digest()).decode().rstrip("=")
    assert vector["wire"] == mac + "." + vector["body"]


@pytest.mark.parametrize("vector", VECTORS["good"], ids=lambda vector: vector["label"])
def test_the_published_vectors_open(vector: dict[str, str]) -> None:
    body, key = unseal(KINDS[vector["label"]], vector["wire"].encode(), [KEY])
    assert body.model_dump() == json.loads(vector["body"])
    assert key.kid == VECTORS["kid"]


@pytest.mark.parametrize("vector", VECTORS["bad_grants"], ids=lambda vector: vector["name"])
def test_the_published_bad_vectors_are_refused_for_the_published_reason(vector: dict[str, str]) -> None:
    with pytest.raises(BadMessage, match=f"^{vector['why']}$"):
        unseal(Grant, bytes.fromhex(vector["wire_hex"]), [KEY])


def test_the_published_vectors_are_those_of_this_code() -> None:
    assert vectors() == VECTORS


def test_every_label_has_a_published_vector() -> None:
    named = {vector["label"] for vector in VECTORS["good"] + VECTORS["good_signed"]}
    assert named == {*SEALED, *SIGNED}


@pytest.mark.parametrize("vector", VECTORS["good_signed"], ids=lambda vector: vector["label"])
def test_the_published_signatures_hold_for_an_implementation_of_ten_lines(vector: dict[str, str]) -> None:
    signature, body = vector["wire"].split(".", 1)
    assert (len(signature), body) == (86, vector["body"])
    key = load_pem_public_key(VECTORS["ed25519"][vector["key"]]["public_pem"].encode())
    assert isinstance(key, Ed25519PublicKey)
    statement = vector["label"].encode() + b"\0" + body.encode()
    key.verify(base64.urlsafe_b64decode(signature + "=="), statement)


@pytest.mark.parametrize("vector", VECTORS["good_signed"], ids=lambda vector: vector["label"])
def test_the_published_signed_vectors_open(vector: dict[str, str]) -> None:
    kind, key = SIGNED[vector["label"]], KEYS[vector["key"]].public
    body, signer = unsign(kind, vector["wire"].encode(), [KEYS["site"].public, KEYS["device"].public])
    assert body.model_dump() == json.loads(vector["body"])
    assert signer is key


@pytest.mark.parametrize("vector", VECTORS["bad_commands"], ids=lambda vector: vector["name"])
def test_the_published_bad_commands_are_refused_for_the_published_reason(vector: dict[str, str]) -> None:
    with pytest.raises(BadMessage, match=f"^{vector['why']}$"):
        unsign(Command, bytes.fromhex(vector["wire_hex"]), [KEYS["site"].public])


def test_the_bad_vectors_differ_from_the_good_ones_and_from_each_other() -> None:
    """Guards the replacements that spoil them: one that finds nothing to replace leaves a good wire."""
    for name, good in (("bad_grants", seal(KEY, GRANT)), ("bad_commands", sign(KEYS["site"], COMMAND))):
        wires = [bytes.fromhex(vector["wire_hex"]) for vector in VECTORS[name]]
        assert good not in wires
        assert len(set(wires)) == len(wires)


@given(st.sampled_from(SIGNED_BODIES), st.integers(0, 10_000))
def test_one_flipped_bit_anywhere_in_a_signed_wire_is_refused(signed: tuple[str, Body], at: int) -> None:
    wire = bytearray(sign(KEYS[signed[0]], signed[1]))
    wire[at % len(wire)] ^= 1 << (at % 8)
    with pytest.raises(BadMessage):
        unsign(type(signed[1]), bytes(wire), [KEYS[signed[0]].public])


@given(st.binary(max_size=1200))
def test_random_bytes_are_refused_as_signed_ones_too(wire: bytes) -> None:
    for kind in SIGNED.values():
        with pytest.raises(BadMessage):
            unsign(kind, wire, [KEYS["site"].public])


def test_a_signed_body_that_is_too_long_is_not_signed() -> None:
    long = COMMAND.model_copy(update={"args": {f"a{'x' * 20}{chr(97 + at)}": "y" * 128 for at in range(8)}})
    with pytest.raises(ValueError, match="1024"):
        sign(KEYS["site"], long)


@given(grants)
def test_whatever_is_sealed_opens_unchanged_and_fits(grant: Grant) -> None:
    wire = seal(KEY, grant)
    assert unseal(Grant, wire, [DoorKey(bytes(32)), KEY]) == (grant, KEY)
    assert len(wire) <= MAX_BODY + 44


def test_the_longest_bodies_fit() -> None:
    token, count = "A" * 22, 2**53 - 1
    longest: list[Body] = [
        Grant(
            id=token, dev="d" * 32, door="d" * 32, ctl="c" * 32, kid="f" * 8, n=token, ttl_ms=10_000,
            reason="r" * 48, sub="s" * 48, pulse_ms=30_000,
        ),
        Verdict(id=token, opened=False, why="w" * 48, boot=token, ctr=count),
        Status(state="held_open", boot=token, ctr=count),
    ]  # fmt: skip
    assert all(unseal(type(body), seal(KEY, body), [KEY])[0] == body for body in longest)


@given(st.sampled_from(BODIES), st.integers(0, 10_000))
def test_one_flipped_bit_anywhere_is_refused(body: Body, at: int) -> None:
    wire = bytearray(seal(KEY, body))
    wire[at % len(wire)] ^= 1 << (at % 8)
    with pytest.raises(BadMessage):
        unseal(type(body), bytes(wire), [KEY])


@given(st.binary(max_size=700))
def test_random_bytes_are_refused_and_nothing_else_happens(wire: bytes) -> None:
    for kind in KINDS.values():
        with pytest.raises(BadMessage):
            unseal(kind, wire, [KEY])


@given(st.binary(max_size=MAX_BODY))
def test_a_body_that_is_no_grant_is_refused_even_under_a_good_mac(text: bytes) -> None:
    with pytest.raises(BadMessage, match=r"^body$|^size$"):
        unseal(Grant, _sealed(text), [KEY])


@pytest.mark.parametrize("kind", list(KINDS.values()), ids=lambda kind: kind.__name__)
def test_a_body_of_another_label_is_refused(kind: type[Body]) -> None:
    for body in BODIES:
        if not isinstance(body, kind):
            with pytest.raises(BadMessage, match="mac"):
                unseal(kind, seal(KEY, body), [KEY])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("pulse_ms", "true"), ("pulse_ms", '"3000"'), ("pulse_ms", "3e3"), ("pulse_ms", "NaN"), ("pulse_ms", "-1"),
        ("pulse_ms", "30001"), ("pulse_ms", "1" + "0" * 100), ("pulse_ms", "Infinity"), ("sub", "null"), ("sub", "[]"),
        ("sub", '{"a":1}'), ("sub", r'"\u0000"'), ("door", '"Main"'), ("door", '"ma/in"'), ("door", r'"main\n"'),
        ("n", '"short"'), ("reason", r'"\""'),
    ],
)  # fmt: skip
def test_a_value_of_another_kind_is_refused(name: str, value: str) -> None:
    fields = {key: json.dumps(old) for key, old in GRANT.model_dump().items()} | {name: value}
    text = "{" + ",".join(f'"{key}":{old}' for key, old in fields.items()) + "}"
    with pytest.raises(BadMessage, match="body"):
        unseal(Grant, _sealed(text.encode()), [KEY])


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(BadMessage, match="body"):
        unseal(Grant, _sealed(b"[" * 500), [KEY])


def test_a_huge_message_is_refused_before_anything_is_hashed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hmac, "digest", lambda *_: pytest.fail("hashed"))
    with pytest.raises(BadMessage, match="size"):
        unseal(Grant, seal_later(), [KEY])


def seal_later() -> bytes:
    return b"A" * 43 + b"." + b"x" * (MAX_BODY + 1)


def test_the_mac_is_checked_before_anything_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json, "loads", lambda *_, **__: pytest.fail("parsed"))
    with pytest.raises(BadMessage, match="mac"):
        unseal(Grant, b"A" * 43 + b"." + b"{}", [KEY])


def test_tokens_never_repeat() -> None:
    assert len({fresh_token() for _ in range(1000)}) == 1000


def test_a_key_never_shows_in_its_repr_and_has_32_bytes() -> None:
    assert repr(KEY.secret) not in repr(KEY)
    with pytest.raises(ValueError, match="32 bytes"):
        DoorKey(b"short")


def _sealed(text: bytes) -> bytes:
    mac = base64.urlsafe_b64encode(hmac.digest(KEY.secret, Grant.label.encode() + b"\0" + text, "sha256"))
    return mac.rstrip(b"=") + b"." + text
