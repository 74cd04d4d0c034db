"""`faceedge door` as a person or a script meets it."""

from __future__ import annotations

import io
import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from rich.console import Console

from faceedge.__main__ import main
from faceedge.cli.door_face import PanelFace
from faceedge.cli.door_simulate import Stop
from faceedge.config import Broker, Door
from faceedge.door.broker import LocalBroker
from faceedge.door.contract import Address
from faceedge.door.controller import DoorEvent, Sight
from faceedge.door.keys import load_keys, make_key
from faceedge.door.link import DoorLink, GrantResult
from faceedge.door.uplink import Uplink
from tests.door.running import until
from tests.fakes.relay_server import relay_server


@pytest.mark.parametrize(
    "arguments",
    [
        ["add", "main"],
        ["add", "Main Door"],
        ["add", "rear", "--qr"],
        ["add", "rear", "--qr", "--json"],
        ["remove", "rear"],
        ["remove", "main", "--controller", "none", "--yes"],
        ["remove", "main"],
        ["key", "finish", "main"],
        ["key", "cancel", "main", "--controller", "none"],
        ["key", "rotate", "rear"],
        ["test", "rear"],
        ["test", "main", "--seconds", "0"],
        ["test", "main", "--open"],
        ["simulate", "--door", "none"],
        ["simulate", "--controller", "a/b"],
        ["simulate", "--max-pulse", "30001"],
        ["simulate", "--http-off", "http://relay/off"],
        ["simulate", "--http-on", "http://relay/on"],
        ["simulate", "--gpio", "/dev/gpiochip0:1", "--http-on", "http://relay/{s}"],
        ["simulate", "--gpio", "17"],
    ],
)
def test_bad_use_ends_in_one_line_and_exit_code_2(
    tmp_path: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    make_key(tmp_path, "main", "main")
    assert main(["door", *arguments, "--state", str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@contextmanager
def simulated(
    state: Path, broker: LocalBroker, *flags: str, stdout: int = subprocess.PIPE
) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "faceedge", "door", "simulate", "--state", str(state), *flags]
    environ = {"FACEEDGE__BROKER__PORT": str(broker.port), "FACEEDGE__DEVICE": "dev"}
    process = subprocess.Popen(command, env=environ, text=True, stdout=stdout, stderr=subprocess.DEVNULL, bufsize=1)
    with process:
        try:
            yield process
        finally:
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
        assert process.wait(30) == 0
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
        assert process.wait(30) == 0
    assert line.split()[1:] == ["main/main", "connected"]


@pytest.mark.broker
def test_the_simulated_controller_opens_by_a_relay_of_the_network(tmp_path: Path, real_broker: LocalBroker) -> None:
    make_key(tmp_path, "main", "main")
    results: list[GrantResult] = []
    uplink = Uplink(Broker(port=real_broker.port), "dev")
    link = DoorLink(uplink, "dev", [Door()], load_keys(tmp_path, [Door()]), results.append)
    uplink.start()
    with relay_server() as server:
        urls = ("--http-on", server.url("/on?{ms}"), "--http-off", server.url("/off"))
        with simulated(tmp_path, real_broker, *urls, "--max-pulse", "150") as process:
            until(lambda: link.has_challenge("main") and bool(server.asked), within_s=30)
            link.send_grant("main", reason="match", sub="", pulse_ms=3000, ttl_ms=1500, token="t")
            until(lambda: bool(results) and len(server.asked) == 3)
            server.manner = "error"
            until(lambda: link.has_challenge("main"))
            link.send_grant("main", reason="match", sub="", pulse_ms=3000, ttl_ms=1500, token="t")
            until(lambda: len(results) == 2)
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
    uplink.stop()
    assert server.asked[:4] == ["/off", "/on?150", "/off", "/on?150"]
    assert server.asked[-1] == "/off"
    assert [(result.verdict, result.why) for result in results] == [("opened", ""), ("refused", "relay")]


@pytest.mark.broker
@pytest.mark.parametrize("how", ["--json", "--plain"])
def test_a_pulse_ends_although_nobody_takes_what_is_told(tmp_path: Path, real_broker: LocalBroker, how: str) -> None:
    make_key(tmp_path, "main", "main")
    results: list[GrantResult] = []
    uplink = Uplink(Broker(port=real_broker.port), "dev")
    link = DoorLink(uplink, "dev", [Door()], load_keys(tmp_path, [Door()]), results.append)
    uplink.start()
    reader, writer = os.pipe()
    with relay_server() as server:
        urls = ("--http-on", server.url("/on?{ms}"), "--http-off", server.url("/off"))
        with simulated(tmp_path, real_broker, *urls, how, stdout=writer) as process:
            assert os.read(reader, 4096), "it tells that it is connected"
            until(lambda: link.has_challenge("main") and bool(server.asked), within_s=30)
            _fill(writer)
            link.send_grant("main", reason="match", sub="", pulse_ms=100, ttl_ms=1500, token="t")
            until(lambda: server.asked[1:] == ["/on?100", "/off"])
            until(lambda: [result.verdict for result in results] == ["opened"])
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
    uplink.stop()
    os.close(reader)
    os.close(writer)


def _fill(writer: int) -> None:
    """Until not one byte more goes into the pipe."""
    os.set_blocking(writer, False)
    with suppress(BlockingIOError):
        while os.write(writer, b"x"):
            pass
    os.set_blocking(writer, True)


@pytest.mark.broker
def test_a_terminal_that_closes_lets_the_door_go(tmp_path: Path, real_broker: LocalBroker) -> None:
    make_key(tmp_path, "main", "main")
    uplink = Uplink(Broker(port=real_broker.port), "dev")
    link = DoorLink(uplink, "dev", [Door()], load_keys(tmp_path, [Door()]), lambda _: None)
    uplink.start()
    with relay_server() as server:
        urls = ("--http-on", server.url("/on?{ms}"), "--http-off", server.url("/off"))
        with simulated(tmp_path, real_broker, *urls) as process:
            until(lambda: link.has_challenge("main") and bool(server.asked), within_s=30)
            link.send_grant("main", reason="match", sub="", pulse_ms=30_000, ttl_ms=1500, token="t")
            until(lambda: len(server.asked) == 2)
            process.send_signal(signal.SIGHUP)
            assert process.wait(30) == 0
        assert server.asked == ["/off", "/on?30000", "/off"]
    uplink.stop()


def test_a_signal_never_waits_for_the_thread_that_it_interrupts() -> None:
    """A Python signal handler runs in the main thread, between any two steps of what that does there."""
    stop = Stop()
    with signal_storm(stop.set):
        for _ in range(3000):
            stop.wait(0.0)
    assert stop.wait(0.0)


@contextmanager
def signal_storm(handler: Callable[..., None]) -> Iterator[None]:
    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 1e-4, 1e-4)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _lines(face: PanelFace, sight: Sight) -> str:
    console = Console(file=io.StringIO(), width=80, force_terminal=False)
    console.print(face.picture(sight))
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_the_panel_shows_the_door_the_pulse_and_the_last_events() -> None:
    face = PanelFace(Address("dev", "main", "inner"))
    locked = _lines(face, Sight("locked", False, 0.0, 0, {}))
    assert "L O C K E D" in locked
    assert "NO BROKER" in locked
    face(DoorEvent("opened", reason="match", sub="somebody", pulse_ms=3000))
    face(DoorEvent("ignored", count=3))
    full = _lines(face, Sight("unlocked", True, 3.0, 17, {"mac": 3, "opened": 1}))
    assert "O P E N" in full
    assert "3.0 s" in full
    assert "17 challenges" in full
    assert "ignored: 3 × mac" in full
    assert "opened      for 3 s: match, somebody" in full
    half = _lines(face, Sight("unlocked", True, 1.5, 18, {}))
    assert 0 < half.count("━") < full.count("━") + half.count("╸")
    assert "F A U L T" in _lines(face, Sight("fault", True, 0.0, 18, {}))


@pytest.mark.broker
def test_on_a_terminal_the_panel_is_drawn(tmp_path: Path, real_broker: LocalBroker) -> None:
    make_key(tmp_path, "main", "main")
    screen, terminal = pty.openpty()
    with simulated(tmp_path, real_broker, stdout=terminal) as process:
        os.close(terminal)
        seen = b""
        while b"connected" not in seen or b"L O C K E D" not in seen:
            seen += os.read(screen, 65536)
        process.send_signal(signal.SIGTERM)
        while _read(screen):
            pass
        assert process.wait(30) == 0
    os.close(screen)


def _read(screen: int) -> bytes:
    """What is drawn, nothing once the other end is closed."""
    try:
        return os.read(screen, 65536)
    except OSError:
        return b""
