"""A made-up Jetson for each test, and a machine that is none."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from tests.setup_script.box import FLAGS, Box

if sys.platform != "linux" or shutil.which("flock") is None:
    pytest.skip("the installer is for Linux with flock", allow_module_level=True)


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


@pytest.fixture(scope="session")
def _once(tmp_path_factory: pytest.TempPathFactory) -> Box:
    machine = Box(tmp_path_factory.mktemp("once"))
    done = machine.setup(*FLAGS)
    assert done.returncode == 0, done.stderr
    return machine


@pytest.fixture
def door(_once: Box, tmp_path: Path) -> Box:
    """A Jetson on which the script has run."""
    return _once.twin(tmp_path)


@pytest.fixture
def plain(tmp_path: Path) -> Box:
    """No Jetson: a Debian machine with Python 3.11."""
    machine = Box(tmp_path, module="", release="")
    machine.environ["FAKE_PYTHON"] = "3.11"
    return machine
