"""The demo as a whole: real processes, a real broker, real networks; short films where one scene is enough."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import pytest

from faceedge.cli import demo as command
from faceedge.demo import clip, photos, script
from faceedge.demo import run as demo
from faceedge.demo.children import environment
from faceedge.demo.script import ACTS, Act
from faceedge.door.broker import local_broker, mosquitto
from faceedge.errors import BadInput, FaceedgeError
from tests.door.running import until

FIRST, _, ADMIRAL, *_ = ACTS
needs_broker = pytest.mark.skipif(mosquitto() is None, reason="mosquitto is not installed")


def play(acts: tuple[Act, ...], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes these acts the film, rendered anew."""
    monkeypatch.setattr(script, "ACTS", acts)
    monkeypatch.setattr(clip, "cached", lambda cache, progress: (folder / "film.avi", clip.render(folder / "film.avi")))


def document(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(capsys.readouterr().out)
    return read


@pytest.mark.broker
@pytest.mark.system
@needs_broker
@pytest.mark.usefixtures("default_models")
def test_it_fails_when_the_wrong_person_is_let_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    play((ADMIRAL,), tmp_path, monkeypatch)
    monkeypatch.setattr(photos, "astronaut_path", photos.admiral_path)
    assert demo.run(demo.Wishes(headless=True, as_json=True)) == 1
    assert document(capsys)["complaints"] == ["Admiral, a stranger: the door opened and must stay shut"]


@pytest.mark.system
@pytest.mark.usefixtures("default_models")
def test_without_mosquitto_the_embedded_broker_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("amqtt")
    play((FIRST,), tmp_path, monkeypatch)
    monkeypatch.setattr(demo, "local_broker", partial(local_broker, kind="amqtt"))
    assert demo.run(demo.Wishes(headless=True)) == 0


@pytest.mark.broker
@pytest.mark.system
@needs_broker
@pytest.mark.usefixtures("default_models")
def test_the_whole_demo_passes_and_the_astronaut_alone_opens_the_door(tmp_path: Path) -> None:
    out = tmp_path / "sheet.png"
    done = subprocess.run(
        [sys.executable, "-m", "faceedge", "demo", "--headless", "--json", "--out", str(out)],
        capture_output=True, text=True, timeout=110, check=False, env=environment(), cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["passed"] is True
    assert told["complaints"] == []
    assert {d["name"] for d in told["decisions"] if d["verdict"] == "opened"} == {"Eileen Collins"}
    assert 0 < told["latency_ms"] < 1500
    assert [scene["happened"] for scene in told["scenes"] if scene["subject"] == "cat"] == ["no track"]
    picture = cv2.imread(str(out))
    assert picture is not None
    assert picture.shape[1] > 1000


@pytest.mark.broker
@pytest.mark.system
@needs_broker
@pytest.mark.usefixtures("default_models")
@pytest.mark.parametrize(
    ("number", "code", "is_open"), [(signal.SIGTERM, 143, False), (signal.SIGINT, 130, True)], ids=["early", "open"]
)
def test_a_demo_that_is_stopped_leaves_no_process_behind(
    number: signal.Signals, code: int, is_open: bool, tmp_path: Path
) -> None:
    mark = f"{os.getpid()}-{time.monotonic_ns()}"
    process = subprocess.Popen(
        [sys.executable, "-m", "faceedge", "demo", "--headless"], stdout=subprocess.PIPE, text=True,
        env=environment() | {"DEMO_MARK": mark}, cwd=tmp_path,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        with process.stdout as lines:
            assert any("watching the door" in line for line in lines)
            until(lambda: len(_marked(mark)) >= 4, within_s=60)  # demo, broker, controller, daemon
            if is_open:
                assert any("opened" in line for line in lines)
            process.send_signal(number)
            assert process.wait(40) == code
    finally:
        process.kill()
        process.wait()
    assert _marked(mark) == []


@pytest.mark.parametrize(
    "arguments",
    [["--seconds", "5"], ["--camera", "0", "--seconds", "0"], ["--camera", "0", "--out", "x.png"]],
)
def test_flags_that_do_not_go_together_are_refused(arguments: list[str]) -> None:
    import argparse

    parser = argparse.ArgumentParser()
    command.add(parser.add_subparsers())
    args = parser.parse_args(["demo", *arguments])
    with pytest.raises(BadInput, match="--camera"):
        args.run(args)


@pytest.mark.parametrize(
    ("wishes", "words"),
    [
        (demo.Wishes(out=Path("/proc/absent/demo.png")), "cannot be written"),
        (demo.Wishes(out=Path("/proc")), "cannot be written"),
        (demo.Wishes(camera="absent.mp4"), "absent.mp4: no such file"),
    ],
)
def test_what_cannot_end_well_is_refused_at_once(wishes: demo.Wishes, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        demo.run(wishes)


@pytest.mark.broker
@needs_broker
@pytest.mark.usefixtures("default_models")
@pytest.mark.system
def test_a_camera_that_gives_no_picture_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_bytes(b"no film")
    with pytest.raises(FaceedgeError, match="not a video"):
        demo.run(demo.Wishes(camera=str(tmp_path / "film.mp4"), headless=True, seconds=2))


def test_the_sheet_is_left_out_where_nobody_looks() -> None:
    assert demo.Wishes().sheet == Path("demo.png")
    assert demo.Wishes(headless=True).sheet is None
    assert demo.Wishes(headless=True, out=Path("a.png")).sheet == Path("a.png")
    assert demo.Wishes(camera="0").sheet is None


def _marked(mark: str) -> list[str]:
    """Processes that inherited the mark."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and f"DEMO_MARK={mark}".encode() in (entry / "environ").read_bytes():
                found.append(entry.name)
        except OSError:
            continue
    return found
