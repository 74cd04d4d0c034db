"""`pytest tests/replay --update-golden` writes the golden pages anew instead of holding the films against them."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Known where the command names this folder; elsewhere nothing is ever written."""
    parser.addoption("--update-golden", action="store_true", help="write the golden pages of tests/replay anew")


@pytest.fixture
def is_update(request: pytest.FixtureRequest) -> bool:
    """Whether golden pages are written."""
    return bool(request.config.getoption("--update-golden", default=False))
