"""When the clock on the wall is believed."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from faceedge.rules.clock import RELEASED, NeedsSync, is_valid

NOW = RELEASED + timedelta(days=30)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("is_synchronised", "needs_sync", "valid"),
    [
        (True, "always", True), (None, "always", False), (False, "always", False),
        (True, "if_known", True), (None, "if_known", True), (False, "if_known", False),
        (True, "never", True), (None, "never", True), (False, "never", True),
    ],
)  # fmt: skip
def test_what_the_system_says_counts_as_configured(
    is_synchronised: bool | None, needs_sync: NeedsSync, valid: bool
) -> None:
    assert is_valid(NOW, RELEASED, is_synchronised, needs_sync) == valid


def test_a_clock_before_the_release_is_wrong_whoever_set_it() -> None:
    epoch = datetime(1970, 1, 1, tzinfo=timezone.utc)
    assert not is_valid(RELEASED - SECOND, epoch, True, "always")
    assert is_valid(RELEASED, epoch, True, "always")


def test_a_clock_before_the_last_known_moment_is_wrong_unless_the_network_has_set_it() -> None:
    assert not is_valid(NOW - SECOND, NOW, None, "never")
    assert not is_valid(NOW - SECOND, NOW, None, "if_known")
    assert is_valid(NOW, NOW, None, "if_known")
    assert is_valid(NOW - SECOND, NOW, True, "if_known"), "a wrong clock of the past must not lock the door for years"
