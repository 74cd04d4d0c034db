"""One door, its key, and clocks and brokers for both sides."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from faceedge.door.broker import LocalBroker, local_broker, mosquitto
from faceedge.door.contract import Address, DoorKey
from faceedge.door.verifier import Verifier
from tests.fakes.clock import FakeClock

ADDRESS = Address("dev", "main", "inner")
KEY = DoorKey(bytes(range(32)))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def verifier(clock: FakeClock) -> Verifier:
    return Verifier(ADDRESS, [KEY], clock)


@pytest.fixture
def real_broker() -> Iterator[LocalBroker]:
    """A mosquitto of the test's own."""
    if mosquitto() is None:
        pytest.skip("mosquitto is not installed")
    with local_broker(kind="mosquitto") as broker:
        yield broker
