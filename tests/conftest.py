"""Fixtures that every folder shares: where the assets are, and the default models, imported once."""

from __future__ import annotations

import gc
import os
import signal
import types
from pathlib import Path

import pytest
from hypothesis import settings

from faceedge.config import cache_dir

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell has its jobs in the background ignore it, and then so would every process that a test starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)

gc.disable()  # until all tests are collected: six thousand of them are no garbage
pytest_plugins = ("tests.fakes.gpu.fixture",)
settings.register_profile("quick", max_examples=25, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))
ASSETS = Path(os.environ.get("FACEEDGE_TEST_ASSETS", Path(__file__).parents[2] / "shared"))
LONGEST = (
    "tests/system/container/test_appliance.py", "tests/soak/", "tests/system/test_calibrations.py", "tests/replay/",
    "tests/system/test_chaos.py", "tests/test_calibration_guide.py", "tests/demo/", "tests/system/container/",
)  # fmt: skip
"""Begun first and in this order, so that nobody waits for them at the end, and no two machines run at once."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def rank(item: pytest.Item) -> int:
        return next((at for at, path in enumerate(LONGEST) if item.nodeid.startswith(path)), len(LONGEST))

    items.sort(key=rank)


def pytest_collection_finish() -> None:
    """What was collected stays until the end: the collector of garbage need not look through it again and again."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def assets() -> Path:
    """The folder with real photos and networks; tests that need it are marked `assets`."""
    if not (ASSETS / "models" / "MODELS.md").exists():
        pytest.skip(f"no test assets in {ASSETS}; set FACEEDGE_TEST_ASSETS")
    return ASSETS


@pytest.fixture(scope="session")
def default_models() -> Path:
    """The folder with the two default packages, imported into the cache at most once a machine."""
    from faceedge.models.defaults import default_models

    return default_models(cache_dir())


@pytest.fixture(autouse=True)
def nobody_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    """A daemon that hangs in a test ends its run, and not the process of all tests."""
    monkeypatch.setattr("faceedge.seams.os", types.SimpleNamespace(_exit=lambda _code: None))
