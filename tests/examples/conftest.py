"""MicroPython itself: its WebAssembly build under node, when both are on this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from faceedge.config import cache_dir
from tests.door.conftest import real_broker
from tests.fakes.board import PROGRAM

__all__ = ["micropython", "real_broker"]

FAKES = Path(__file__).parents[1] / "fakes"
PACKAGE = Path("node_modules", "@micropython", "micropython-webassembly-pyscript")

RunsMicroPython = Callable[..., list[str]]


@pytest.fixture(scope="session")
def micropython() -> RunsMicroPython:
    """Runs a script of tests/fakes with door.py and other files beside it; gives the lines it has printed."""
    node, package = shutil.which("node"), Path(os.environ.get("FACEEDGE_MICROPYTHON", cache_dir() / "node" / PACKAGE))
    if node is None or not (package / "micropython.mjs").exists():
        pytest.skip(f"no node, or no MicroPython in {package}: examples/micropython_door/README.md says how to get it")

    def run(script: str, *files: Path) -> list[str]:
        command = [node, FAKES / "micropython_run.mjs", package, FAKES / script, PROGRAM, *files]
        done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    return run
