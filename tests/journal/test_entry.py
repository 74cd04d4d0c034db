"""Bytes of an entry: one spelling, and no two entries with the same hash."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceedge.errors import BadInput
from faceedge.journal.entry import CLOCK_IS_SET_AFTER_S, GENESIS, MOST_BODY_BYTES, Stamp, boot_id, canonical, hashed

LEAVES = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    LEAVES | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
BODIES = st.dictionaries(st.text(max_size=8), VALUES, max_size=6)
ROWS = st.tuples(
    st.integers(1, 10**9), st.none() | st.integers(0, 10**13), st.integers(0, 10**12),
    st.text("0123456789abcdef", min_size=32, max_size=32), st.sampled_from(["decision", "grant"]),
    BODIES.map(canonical),
)  # fmt: skip


@given(BODIES)
def test_what_was_written_is_read_and_written_the_same_again(body: dict[str, Any]) -> None:
    written = canonical(body)
    assert json.loads(written) == body
    assert canonical(json.loads(written)) == written


@given(BODIES)
def test_the_order_of_keys_makes_no_difference(body: dict[str, Any]) -> None:
    assert canonical(dict(reversed(body.items()))) == canonical(body)


@given(BODIES)
def test_a_body_is_one_line_of_ascii(body: dict[str, Any]) -> None:
    assert all(32 <= byte < 127 for byte in canonical(body))


@given(ROWS, ROWS)
def test_different_entries_have_different_hashes(a: Any, b: Any) -> None:
    assert (hashed(GENESIS, *a) == hashed(GENESIS, *b)) == (a == b)


@given(ROWS, st.binary(min_size=32, max_size=32))
def test_the_hash_depends_on_the_one_before(row: Any, before: bytes) -> None:
    assert (hashed(before, *row) == hashed(GENESIS, *row)) == (before == GENESIS)


@pytest.mark.parametrize(
    "body", [{"a": math.nan}, {"a": math.inf}, {"a": {1, 2}}, {"a": b"x"}, {"a": "x" * MOST_BODY_BYTES}]
)
def test_what_json_cannot_say_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="not to be journalled"):
        canonical(body)


@pytest.mark.parametrize("kind", ["", "Grant", "two words", "line\nend", "x" * 33])
def test_a_kind_that_could_blur_the_hash_is_refused(kind: str) -> None:
    with pytest.raises(ValueError, match="no kind"):
        Stamp().draft(kind, {})


def test_a_clock_that_was_never_set_is_no_time() -> None:
    assert Stamp(lambda: 5.0, lambda: 7.25).draft("start", {}).time_ms is None
    assert Stamp(lambda: CLOCK_IS_SET_AFTER_S + 1.5, lambda: 7.25).draft("start", {}).monotonic_ms == 7250


def test_the_boot_has_one_name() -> None:
    assert boot_id() == boot_id()
    assert len(boot_id()) == 32
