"""The metrics over HTTP: on loopback or a Unix socket, whoever reads, and however badly."""

from __future__ import annotations

import contextlib
import errno
import http.client
import os
import socket
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Gauge

from faceedge.errors import ConfigError
from faceedge.health.scrape import MOST_BYTES, READ_WITHIN_S, MetricsServer


@pytest.fixture
def registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    Gauge("answer", "To everything.", registry=registry).set(42)
    return registry


@pytest.fixture
def server(registry: CollectorRegistry) -> Iterator[MetricsServer]:
    server = MetricsServer("127.0.0.1:0", registry)
    server.start()
    yield server
    assert server.stop()


def scrape(port: int, method: str = "GET", **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request(method, "/metrics", headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def scrape_unix(path: Path) -> bytes:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        client.connect(str(path))
        client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        return b"".join(iter(lambda: client.recv(4096), b""))


def test_prometheus_gets_the_text_on_loopback(server: MetricsServer) -> None:
    status, text = scrape(server.port)
    assert status == 200
    assert "answer 42.0" in text.splitlines()


def test_a_scraper_that_asks_for_the_newer_format_gets_that(server: MetricsServer) -> None:
    _, text = scrape(server.port, Accept="application/openmetrics-text; version=1.0.0")
    assert text.endswith("# EOF\n")


def test_nothing_but_reading_is_understood(server: MetricsServer) -> None:
    assert scrape(server.port, "POST")[0] == 501
    assert scrape(server.port)[0] == 200


def test_a_unix_socket_is_for_owner_and_group_and_gone_afterwards(tmp_path: Path, registry: CollectorRegistry) -> None:
    path = tmp_path / "metrics.sock"
    server = MetricsServer(f"unix:{path}", registry)
    server.start()
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    assert b"answer 42.0" in scrape_unix(path)
    assert server.stop()
    assert not path.exists()


def test_a_socket_that_a_killed_daemon_left_is_replaced(tmp_path: Path, registry: CollectorRegistry) -> None:
    path = tmp_path / "metrics.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    server = MetricsServer(f"unix:{path}", registry)
    server.start()
    assert b"answer 42.0" in scrape_unix(path)
    server.stop()


def test_a_socket_that_somebody_serves_is_left_alone(tmp_path: Path, registry: CollectorRegistry) -> None:
    path = tmp_path / "metrics.sock"
    first = MetricsServer(f"unix:{path}", registry)
    first.start()
    with pytest.raises(ConfigError, match="somebody serves there already"):
        MetricsServer(f"unix:{path}", registry)
    assert b"answer 42.0" in scrape_unix(path)
    first.stop()


def test_a_file_or_a_link_in_the_place_of_the_socket_is_never_deleted(
    tmp_path: Path, registry: CollectorRegistry
) -> None:
    (tmp_path / "precious").write_text("keep me")
    (tmp_path / "link").symlink_to(tmp_path / "precious")
    for name in ("precious", "link"):
        with pytest.raises(ConfigError, match="no socket"):
            MetricsServer(f"unix:{tmp_path / name}", registry)
    assert (tmp_path / "link").read_text() == "keep me"


def test_who_stops_leaves_a_socket_alone_that_another_has_put_there(
    tmp_path: Path, registry: CollectorRegistry
) -> None:
    path = tmp_path / "metrics.sock"
    old = MetricsServer(f"unix:{path}", registry)
    os.unlink(path)
    new = MetricsServer(f"unix:{path}", registry)
    old.stop()
    assert path.exists()
    new.stop()


@pytest.mark.parametrize("where", ["unix:/nowhere/metrics.sock", "127.0.0.1:99999"])
def test_a_place_that_cannot_be_had_is_named(where: str, registry: CollectorRegistry) -> None:
    with pytest.raises(ConfigError, match=r"\[health\] metrics = "):
        MetricsServer(where, registry)


def test_a_port_that_is_taken_is_named(server: MetricsServer, registry: CollectorRegistry) -> None:
    with pytest.raises(ConfigError, match=str(server.port)):
        MetricsServer(f"127.0.0.1:{server.port}", registry)


def trickle(port: int, enough: threading.Event) -> None:
    """Begins a request and never ends it, a byte at a time."""
    with socket.create_connection(("127.0.0.1", port), 5) as client:
        try:
            client.sendall(b"GET / HTTP/1.0\r\nX: ")
            while not enough.wait(0.02):
                client.sendall(b"x")
        except OSError:
            pass


def test_who_sends_a_byte_now_and_then_holds_the_others_up_for_a_moment_only(server: MetricsServer) -> None:
    enough = threading.Event()
    slow = threading.Thread(target=trickle, args=(server.port, enough))
    slow.start()
    time.sleep(0.05)
    start = time.monotonic()
    assert scrape(server.port)[0] == 200
    assert time.monotonic() - start < READ_WITHIN_S + 1
    enough.set()
    slow.join(5)


def test_who_asks_and_never_reads_a_large_answer_is_given_up(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    many = Gauge("many", "Much.", ["label"], registry=registry)
    for number in range(5_000):
        many.labels("x" * 500 + str(number)).set(1)
    path = tmp_path / "metrics.sock"
    server = MetricsServer(f"unix:{path}", registry)
    server.start()
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.connect(str(path))
        deaf.sendall(b"GET / HTTP/1.0\r\n\r\n")
        time.sleep(0.05)
        assert scrape_unix(path).count(b"many{") == 5_000
    assert server.stop()


@pytest.mark.parametrize("rubbish", [b"", b"\r\n\r\n", b"\x16\x03\x01\x02\x00", b"GET\r\n\r\n", b"X" * 100_000])
def test_rubbish_is_survived_without_a_word(
    server: MetricsServer, rubbish: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    with socket.create_connection(("127.0.0.1", server.port), 5) as client, contextlib.suppress(OSError):
        client.sendall(rubbish)
    assert scrape(server.port)[0] == 200
    assert capfd.readouterr().err == ""


def test_a_crowd_of_silent_connections_costs_no_thread_and_no_end(server: MetricsServer) -> None:
    before = threading.active_count()
    crowd = [socket.create_connection(("127.0.0.1", server.port), 5) for _ in range(6)]
    assert threading.active_count() == before
    start = time.monotonic()
    assert server.stop()
    assert time.monotonic() - start < 0.4
    for client in crowd:
        client.close()


def test_who_asks_without_a_pause_is_answered_twenty_times_a_second_at_most(server: MetricsServer) -> None:
    start = time.monotonic()
    for _ in range(6):
        scrape(server.port)
    assert time.monotonic() - start >= 5 * 0.05


def test_a_collector_that_fails_costs_one_answer(server: MetricsServer, registry: CollectorRegistry) -> None:
    class Failing:
        def __init__(self) -> None:
            self.is_broken = False

        def collect(self) -> list[object]:
            if self.is_broken:
                raise RuntimeError("changed size during iteration")
            return []

    failing = Failing()
    registry.register(failing)  # type: ignore[arg-type]
    failing.is_broken = True
    with pytest.raises(http.client.HTTPException):
        scrape(server.port)
    failing.is_broken = False
    assert scrape(server.port)[0] == 200


def test_without_a_descriptor_for_a_guest_it_does_not_spin(
    server: MetricsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = []

    def short(_: object) -> None:
        times.append(1)
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as full:
        full.setattr("socketserver.TCPServer.get_request", short)
        with socket.create_connection(("127.0.0.1", server.port)):
            time.sleep(0.3)
    assert 1 <= len(times) <= 10
    assert scrape(server.port)[0] == 200


def test_a_request_without_an_end_is_cut_by_its_length_too(
    server: MetricsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("faceedge.health.scrape.READ_WITHIN_S", 20.0)
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
        client.sendall(b"GET / HTTP/1.0\r\n" + b"x" * 2 * MOST_BYTES)
        start = time.monotonic()
        with contextlib.suppress(ConnectionError):
            assert client.recv(1) == b""
    assert time.monotonic() - start < 5
