"""One machine for all tests of a file, installed once: what Debian and the wheels cost is paid for once."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.container import image
from tests.system.container.appliance import FIGURES, Appliance, note
from tests.system.container.machine import Machine


@pytest.fixture(scope="session", autouse=True)
def figures(request: pytest.FixtureRequest) -> Iterator[None]:
    """Told at the end, whether or not a test has failed: a bound that was stretched is to be seen."""
    yield
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        sys.stderr.write("\n".join(("", *FIGURES, "")))


@pytest.fixture(scope="session", autouse=True)
def bootable() -> None:
    """Where somebody counts on these tests, as in CI with FACEEDGE_CONTAINER=required, a skip would be a lie."""
    reason = image.why_not()
    if reason and os.environ.get("FACEEDGE_CONTAINER") == "required":
        pytest.fail(f"FACEEDGE_CONTAINER=required, and no container can be booted: {reason}")


@pytest.fixture(scope="session")
def offline(tmp_path_factory: pytest.TempPathFactory, default_models: Path) -> dict[str, Path]:
    """Three versions as the script takes them: this one, the next, and one whose daemon leaves at once."""
    if reason := image.why_not():
        pytest.skip(reason)
    made: dict[str, Path] = {}
    for name, version, broken in (("first", "", False), ("next", "97.0", False), ("broken", "98.0", True)):
        began = time.monotonic()
        folder = tmp_path_factory.mktemp(name)
        copy = image.source(folder / "source", version, broken)
        made[name] = image.offline(folder / "offline", copy)
        shutil.copytree(default_models, made[name] / "cache" / "models")
        note(f"wheels of {name}", seconds=round(time.monotonic() - began, 1))
    return made


@pytest.fixture(scope="module")
def appliance(
    tmp_path_factory: pytest.TempPathFactory, standing: Path, offline: dict[str, Path]
) -> Iterator[Appliance]:
    """Booted, with a broker, and nothing of ours on it yet."""
    began = time.monotonic()
    root = image.root()
    note("Debian root", seconds=round(time.monotonic() - began, 1))
    with Machine(tmp_path_factory.mktemp("machine"), root) as machine:
        one = Appliance(machine, standing, offline)
        try:
            note("first boot", seconds=round(one.boot(), 2))
            yield one
        finally:
            one.cut()
