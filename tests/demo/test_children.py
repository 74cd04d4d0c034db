"""The demo's processes: heard line by line, and never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from faceedge.demo import children as children_module
from faceedge.demo.children import STOP_S, Child, Children, environment
from faceedge.demo.ending import stoppable
from faceedge.errors import FaceedgeError

ENDLESS = "import time\nprint('hello', flush=True)\nwhile True: time.sleep(1)"
STUBBORN = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + ENDLESS
PARENT = (
    f"import subprocess, sys\nprint(subprocess.Popen([sys.executable, '-c', {ENDLESS!r}]).pid, flush=True)\n" + ENDLESS
)


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def hear(children: Children, lines: int = 1) -> tuple[str, str]:
    """The first of so many lines; several may come at once."""
    deadline = time.monotonic() + 20
    heard: list[tuple[str, str]] = []
    while time.monotonic() < deadline:
        heard += children.hear(0.05)
        if len(heard) >= lines:
            return heard[0]
    raise AssertionError("nobody spoke")


def test_lines_come_with_the_name_of_who_said_them(tmp_path: Path) -> None:
    with Children(tmp_path) as children:
        children.start("one", python(ENDLESS))
        assert hear(children) == ("one", "hello\n")


def test_what_is_said_at_the_very_end_is_heard(tmp_path: Path) -> None:
    code = f"import signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(print('bye')))\n{ENDLESS}"
    with Children(tmp_path) as children:
        children.start("one", python(code))
        hear(children)
    assert children.rest() == [("one", "bye\n")]


@pytest.mark.parametrize("code", [ENDLESS, STUBBORN], ids=["willing", "deaf to SIGTERM"])
def test_leaving_ends_every_child_even_on_an_exception(
    code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(children_module, "STOP_S", 0.5)
    made: list[Child] = []

    def broken_off() -> None:
        with Children(tmp_path) as children:
            made.extend(children.start(f"child{number}", python(code)) for number in range(2))
            hear(children, 2)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken_off()
    assert len(made) == 2
    assert not any(child.is_running for child in made)


@pytest.mark.system
def test_a_child_that_is_just_being_started_ends_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The signal comes when the process is there and nobody knows of it yet."""
    started: list[subprocess.Popen[str]] = []

    def interrupted(*words: object, **more: object) -> subprocess.Popen[str]:
        started.append(real(*words, **more))
        signal.raise_signal(signal.SIGTERM)
        return started[-1]

    real = subprocess.Popen
    monkeypatch.setattr(children_module.subprocess, "Popen", interrupted)
    with pytest.raises(SystemExit), stoppable(), Children(tmp_path) as children:
        children.start("one", python(ENDLESS))
    assert started[0].wait(5) == -signal.SIGTERM


def test_leaving_takes_little_longer_than_two_seconds(tmp_path: Path) -> None:
    with Children(tmp_path) as children:
        for number in range(3):
            children.start(f"child{number}", python(STUBBORN))
            hear(children)
        start = time.monotonic()
    assert time.monotonic() - start < STOP_S + 1.5


def test_a_grandchild_goes_too(tmp_path: Path) -> None:
    with Children(tmp_path) as children:
        children.start("parent", python(PARENT))
        _, line = hear(children)
        os.kill(int(line), 0)
    deadline = time.monotonic() + 5
    while _is_alive(int(line)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not _is_alive(int(line))


def test_a_child_that_ends_by_itself_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    with Children(tmp_path) as children:
        children.start("daemon", python("import sys\nsys.exit('starting\\nno camera')"))
        with pytest.raises(FaceedgeError, match="the daemon ended by itself: no camera"):
            hear(children)


def test_children_know_no_settings_of_another_faceedge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEEDGE_CONFIG", "/etc/other.toml")
    monkeypatch.setenv("FACEEDGE__DECIDE__VOTES", "1")
    monkeypatch.setenv("FACEEDGE_CACHE", "/somewhere")
    kept = environment()
    assert kept["FACEEDGE_CACHE"] == "/somewhere"
    assert not {"FACEEDGE_CONFIG", "FACEEDGE__DECIDE__VOTES"} & set(kept)


def _is_alive(process: int) -> bool:
    """A zombie that nobody has collected counts as gone."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
