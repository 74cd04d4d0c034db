"""`faceedge door` as a person or a script meets it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from faceedge.__main__ import main
from faceedge.config import Broker, Door
from faceedge.door.broker import LocalBroker
from faceedge.door.keys import key_path, load_keys, make_key
from faceedge.door.link import DoorLink, GrantResult
from faceedge.door.uplink import Uplink
from tests.door.running import until


def test_door_add_makes_a_key_and_never_prints_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["door", "add", "main", "--controller", "inner", "--state", str(tmp_path), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    path = key_path(tmp_path, "main", "inner")
    assert said["path"] == str(path)
    assert path.read_text().strip() not in str(said)
    assert said["kid"] == load_keys(tmp_path, [Door(controllers=("inner",))])["main", "inner"][0].kid


@pytest.mark.parametrize(
    "arguments",
    [["add", "main"], ["add", "Main Door"], ["simulate", "--door", "none"], ["simulate", "--controller", "a/b"]],
)
def test_bad_use_ends_in_one_line_and_exit_code_2(
    tmp_path: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    make_key(tmp_path, "main", "main")
    assert main(["door", *arguments, "--state", str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@contextmanager
def simulated(state: Path, broker: LocalBroker, *flags: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "faceedge", "door", "simulate", "--state", str(state), *flags]
    environ = {"FACEEDGE__BROKER__PORT": str(broker.port), "FACEEDGE__DEVICE": "dev"}
    process = subprocess.Popen(
        command, env=environ, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=1
    )
    with process:
        yield process
        process.kill()


@pytest.mark.broker
def test_the_simulated_controller_opens_tells_it_as_json_and_ends_on_sigterm(
    tmp_path: Path, real_broker: LocalBroker
) -> None:
    make_key(tmp_path, "main", "main")
    results: list[GrantResult] = []
    door = Door()
    uplink = Uplink(Broker(port=real_broker.port), "dev")
    link = DoorLink(uplink, "dev", [door], load_keys(tmp_path, [door]), results.append)
    uplink.start()
    with simulated(tmp_path, real_broker, "--json") as process:
        until(lambda: link.has_challenge("main"), within_s=30)
        link.send_grant("main", reason="match", sub="somebody", pulse_ms=100, ttl_ms=1500, token="t")
        until(lambda: bool(results))
        assert process.stdout is not None
        events = [json.loads(process.stdout.readline()) for _ in range(3)]
        start = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0
        assert time.monotonic() - start < 2.0
    uplink.stop()
    assert results[0].verdict == "opened"
    assert [event["event"] for event in events] == ["connected", "opened", "closed"]
    assert (events[1]["reason"], events[1]["sub"], events[1]["pulse_ms"]) == ("match", "somebody", 100)
    assert events[1]["door"] == events[1]["controller"] == "main"


@pytest.mark.broker
def test_the_simulated_controller_speaks_plain_lines_to_a_person(tmp_path: Path, real_broker: LocalBroker) -> None:
    make_key(tmp_path, "main", "main")
    with simulated(tmp_path, real_broker) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(5) == 0
    assert line.split()[1:] == ["main/main", "connected"]
