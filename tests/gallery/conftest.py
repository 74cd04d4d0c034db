"""A gallery in a state directory of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from faceedge.gallery.store import Gallery


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def gallery(state: Path) -> Iterator[Gallery]:
    with Gallery.open(state) as opened:
        yield opened
