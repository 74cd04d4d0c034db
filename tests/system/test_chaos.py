"""`faceedge chaos` on the real daemon: what holds passes, what is weakened on purpose fails, nothing is left behind."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from faceedge.demo.children import faceedge

pytestmark = [pytest.mark.system, pytest.mark.assets, pytest.mark.timeout(300)]

WEAKENED = """
import sys
if "--inside" in sys.argv:
    from faceedge.cameras.watch import PictureWatch
    from faceedge.health.heartbeat import Heart
    PictureWatch.see = lambda self, *_: None
    Heart.is_stuck = property(lambda self: False)
"""
"""A daemon that takes a still picture for life, and a stage that hangs for one that works."""


def chaos(folder: Path, *only: str, ease: int = 1, **more: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """The exit code, and the rows by name. ease: tests that must pass share their machine with others."""
    wanted = [word for name in only for word in ("--only", name)]
    command = faceedge("chaos", "--json", "--seed", "1", "--ease", str(ease), "--keep", str(folder / "kept"), *wanted)
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **more}, timeout=240)
    assert done.stdout, done.stderr
    return done.returncode, {row["name"]: row for row in json.loads(done.stdout)["rows"]}


def left_behind(folder: Path) -> list[str]:
    """Command lines of processes that know the folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in words and str(os.getpid()) != path.parent.name:
            found.append(words)
    return found


@pytest.mark.usefixtures("default_models")
def test_a_door_that_is_hurt_comes_back(tmp_path: Path) -> None:
    code, rows = chaos(tmp_path, "recognise-raises", "camera-cut", "killed", ease=3)
    assert [row["complaints"] for row in rows.values()] == [[], [], []]
    assert code == 0
    assert sum(row["outcome"]["opens"] for row in rows.values()), "nothing is proved by a door that is always shut"
    assert not left_behind(tmp_path)


@pytest.mark.usefixtures("default_models")
def test_what_is_weakened_on_purpose_is_caught(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(WEAKENED, encoding="ascii")
    code, rows = chaos(tmp_path, "frozen-frame", "detect-hangs", PYTHONPATH=str(tmp_path))
    assert code == 1
    assert "never detected" in rows["frozen-frame"]["complaints"]
    assert "never detected" in rows["detect-hangs"]["complaints"]
    assert re.fullmatch(r"daemon-[1-9]\.log", rows["detect-hangs"]["log"])


@pytest.mark.usefixtures("default_models")
def test_a_run_that_is_stopped_leaves_nothing_behind(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    command = faceedge("chaos", "--only", "camera-cut", "--minutes", "5", "--keep", str(folder))
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        while "faults, seed" not in (line := process.stdout.readline()):
            assert line, "it ended by itself"
        time.sleep(1.0)  # in the middle of something
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)  # it takes its daemon and broker along
    assert process.returncode == 130
    assert not left_behind(folder)
    assert str(folder) not in Path("/proc/mounts").read_text(encoding="utf-8")


def test_a_fault_that_there_is_not_is_named_with_all_others() -> None:
    command = [sys.executable, "-m", "faceedge", "chaos", "--only", "boredom"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert "boredom" in done.stderr
    assert "frozen-frame" in done.stderr
