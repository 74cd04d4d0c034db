"""A state directory, and a chain in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from faceedge.journal.chain import Chain


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def chain(state: Path) -> Iterator[Chain]:
    with Chain.open(state) as opened:
        yield opened
