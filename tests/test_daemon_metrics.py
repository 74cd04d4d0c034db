"""A daemon with made-up networks and somebody to read its metrics, also the one after a reload."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from faceedge import house as houses
from faceedge.cli.run import log_event
from faceedge.config import Config
from faceedge.daemon import Daemon
from faceedge.door.keys import make_key
from faceedge.gallery.base import Origin
from faceedge.gallery.store import Gallery
from faceedge.health.metrics import ASKED
from faceedge.logs import Lines
from faceedge.types import Image, Template
from tests.fakes.vision import Sitter, template
from tests.test_daemon_capture import FakeNetworks

PICTURES = 60


@pytest.fixture(autouse=True)
def _networks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(houses, "open_vision", lambda *_, **__: FakeNetworks())


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """A stranger, and nobody is enrolled."""
    folder = tmp_path / "entry"
    folder.mkdir()
    for number in range(PICTURES):
        picture = np.random.default_rng(number).integers(0, 255, (112, 112, 3), np.uint8)
        picture[0, 0] = (230, number, 1)
        cv2.imwrite(str(folder / f"{number:03}.png"), picture)
    return folder


@contextmanager
def running(daemon: Daemon) -> Iterator[None]:
    thread = threading.Thread(target=daemon.run)
    thread.start()
    try:
        yield
    finally:
        daemon.stop()
        thread.join(10)
        assert not thread.is_alive()


def config(film: Path, metrics: str, *, loop: bool = True, **more: Any) -> Config:
    return Config.model_validate({
        "camera": [{"uri": f"images:{film}", "loop": loop}], "health": {"metrics": metrics, "telemetry": "off"},
        "decide": {"motion": False},  # pictures without a texture never move
        **more,
    })  # fmt: skip


def page(path: Path) -> str:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        client.connect(str(path))
        client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        return b"".join(iter(lambda: client.recv(4096), b"")).decode().partition("\r\n\r\n")[2]


def scraped(path: Path) -> dict[str, float]:
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(page(path)):
        for sample in family.samples:
            labels = ",".join(value for name, value in sorted(sample.labels.items()) if name != "le")
            found[f"{sample.name} {labels}".strip()] = sample.value
    return found


def until(is_so: Callable[[], bool], seconds: float = 10) -> None:
    limit = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < limit
        time.sleep(0.05)


def test_who_scrapes_a_running_daemon_sees_frames_decisions_and_latencies(tmp_path: Path, film: Path) -> None:
    path = tmp_path / "metrics.sock"
    for _ in range(2):  # the second is what a reload makes: another daemon in the same process
        daemon = Daemon(config(film, f"unix:{path}"), tmp_path / "state", tmp_path, lambda _: None)
        with running(daemon):
            until(path.exists)
            until(lambda: scraped(path).get("faceedge_decisions_total deny", 0) >= 1)
            seen = scraped(path)
            assert 0 < seen["faceedge_decisions_total deny"] < 5
            assert seen["faceedge_items_total passed,frames"] > 0
            assert seen["faceedge_stage_seconds_count detect"] > 0
            assert seen["faceedge_queue_wait_seconds_count shots"] > 0
            assert seen["faceedge_decision_seconds_count deny"] >= 1
            assert seen["faceedge_late_total detect,old"] == 0
            assert seen["faceedge_camera_ok entry"] == 1
            assert "metrics" in [thread.name for thread in threading.enumerate()]
        assert not path.exists()
    assert "metrics" not in [thread.name for thread in threading.enumerate()]


def test_what_a_daemon_with_a_door_serves_keeps_to_the_conventions_and_names_no_person_nor_does_its_log(
    tmp_path: Path, film: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    path, state = tmp_path / "metrics.sock", tmp_path / "state"
    with Gallery.open(state) as gallery:
        ada = gallery.add_person("Ada")
        gallery.add_template(ada.id, template(Sitter(1, 2)), Origin(0.9, "photo", "fake0build00"))
    make_key(state, "main", "relay")
    door = {"door": [{"controllers": ["relay"]}], "broker": {"port": 1}}
    daemon = Daemon(config(film, f"unix:{path}", **door), state, tmp_path, log_event)
    with running(daemon):
        until(path.exists)
        until(lambda: scraped(path).get("faceedge_grants_total lost", 0) >= 1)
        text = page(path)
    families = {family.name: family for family in text_string_to_metric_families(text)}
    told = {name.removeprefix("faceedge_"): {tuple(each.labels.values()): each.value for each in family.samples}
            for name, family in families.items()}  # fmt: skip
    assert [name for name in ASKED if not told[name]] == [
        name for name in ("clock_synchronized", "temperature_celsius", "power_watts") if not told[name]
    ]
    assert told["controller_answering"] == {("relay", "main"): 0}
    assert {at[2]: is_so for at, is_so in told["controller_state"].items()} == {
        "locked": 0, "unlocked": 0, "held_open": 0, "fault": 0, "offline": 0, "unknown": 1,
    }  # fmt: skip
    assert (told["broker_connected"][()], told["journal_ok"][()], told["safe_mode"][()]) == (0, 1, 0)
    assert told["state_free_bytes"][()] == pytest.approx(shutil.disk_usage(state).free, rel=0.5)
    for family in families.values():
        assert family.documentation.endswith("."), family.name
        for sample in family.samples:
            for label, value in sample.labels.items():
                assert label == "le" or re.fullmatch("[a-z0-9_.-]{1,32}", value), (family.name, label, value)
    assert "Ada" not in text
    assert ada.id not in text
    log = "".join(Lines(form).format(record) for form in ("text", "logfmt", "json") for record in caplog.records)
    assert ada.id in log
    assert "Ada" not in log
    assert "similarity" not in log
    if promtool := shutil.which("promtool"):
        checked = subprocess.run(
            [promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False
        )
        assert (checked.returncode, checked.stderr) == (0, "")


def test_a_daemon_whose_metrics_have_no_place_works_and_says_so(
    tmp_path: Path, film: Path, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[dict[str, Any]] = []
    daemon = Daemon(config(film, "unix:/nowhere/metrics.sock"), tmp_path / "state", tmp_path, told.append)
    with running(daemon):
        until(lambda: any(event["event"] == "decision" for event in told))
    assert "no metrics: [health] metrics = 'unix:/nowhere/metrics.sock'" in caplog.text


def test_when_a_film_is_worked_through_nothing_is_late_however_slow(
    tmp_path: Path, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow(FakeNetworks):
        def embed(self, crops: Sequence[Image]) -> list[Template]:
            embedded.append(len(crops))
            time.sleep(0.6 if len(embedded) == 1 else 0)
            return super().embed(crops)

    embedded: list[int] = []
    told: list[dict[str, Any]] = []
    monkeypatch.setattr(houses, "open_vision", lambda *_, **__: Slow())
    assert Daemon(config(film, "", loop=False), tmp_path / "state", tmp_path, told.append, once=True).run() == 0
    assert {event["reason"] for event in told if event["event"] == "decision"} == {"unknown"}
    (counters,) = [event["counters"] for event in told if event["event"] == "stopped"]
    assert counters["frames_passed"] == PICTURES
    assert counters["frames_late"] == counters["shots_late"] == counters["frames_dropped"] == 0
