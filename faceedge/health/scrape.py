"""Serves the metrics as text over HTTP on loopback or a Unix socket. One thread, one connection at a time.

Whoever reads slowly, sends half a request or asks without a pause keeps others from the metrics for a moment and the
pipeline from nothing: every connection ends after a second, and there are at most twenty a second.
"""

from __future__ import annotations

import contextlib
import io
import os
import socket
import socketserver
import stat
import threading
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from faceedge.errors import ConfigError

READ_WITHIN_S = WRITE_WITHIN_S = 0.5
"""For a whole request, and a whole answer."""
MOST_BYTES = 8192
"""Of a request. Prometheus sends some 400."""
PAUSE_S = 0.05
LOOK_S = 0.1
"""How long an end may go unnoticed."""
MODE = 0o660


class MetricsServer:
    """where: `127.0.0.1:PORT`, `localhost:PORT`, `[::1]:PORT` or `unix:/path`. Raises ConfigError when it cannot be
    had."""

    def __init__(self, where: str, registry: CollectorRegistry) -> None:
        self._stop = threading.Event()
        self._path = Path(where.removeprefix("unix:")) if where.startswith("unix:") else None
        try:
            self._server = _unix(self._path) if self._path is not None else _tcp(where)
        except (OSError, OverflowError) as error:
            raise ConfigError(f"[health] metrics = {where!r}: {error}; name another place, or mend this one") from error
        self._inode = os.stat(self._path).st_ino if self._path is not None else 0
        self._server.registry, self._server.pause = registry, self._stop
        self._thread = threading.Thread(target=self._serve, name="metrics", daemon=True)

    @property
    def port(self) -> int:
        """Where it listens, when that is a port."""
        return int(self._server.socket.getsockname()[1])

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> bool:
        """Ends within a second; also the answer that is being read. Whether it did."""
        self._stop.set()
        self._server.hang_up()
        if self._thread.is_alive():
            self._thread.join(1.0)
        self._server.server_close()
        if self._path is not None and self._path.exists() and os.stat(self._path).st_ino == self._inode:
            self._path.unlink()
        return not self._thread.is_alive()

    def _serve(self) -> None:
        while not self._stop.is_set():
            self._server.handle_request()


class _Server(socketserver.TCPServer):
    """One request after the other, by whoever calls `handle_request`, which returns after LOOK_S without one."""

    allow_reuse_address = True
    request_queue_size = 8
    timeout = LOOK_S
    registry: CollectorRegistry
    pause: threading.Event
    _live: socket.socket | None = None

    def get_request(self) -> Any:
        """Rests after a failure, too: who waits for a descriptor to be free would have us ask without a pause."""
        try:
            return super().get_request()
        except OSError:
            self.pause.wait(PAUSE_S)
            raise

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serves it here and now, then rests."""
        self._live = request
        if self.pause.is_set():  # asked to end since it was accepted
            self.hang_up()
        try:
            super().process_request(request, client_address)
        finally:
            self._live = None
        self.pause.wait(PAUSE_S)

    def handle_error(self, *_: Any, **__: Any) -> None:
        """Nothing: whoever asks badly is not worth a line in the log. The connection is closed all the same."""

    def hang_up(self) -> None:
        """Ends the connection there is; any thread."""
        if (live := self._live) is not None:
            with contextlib.suppress(OSError):  # it has just ended by itself
                live.shutdown(socket.SHUT_RDWR)


class _Server6(_Server):
    address_family = socket.AF_INET6


class _UnixServer(_Server):
    address_family = socket.AF_UNIX


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version, sys_version = "faceedge", ""

    def setup(self) -> None:
        """Reads the whole request first: the limits of the library are for one read each, and there may be many."""
        head = _head(self.request)
        self.request.settimeout(WRITE_WITHIN_S)
        super().setup()
        self.rfile.close()
        self.rfile = io.BytesIO(head)

    def do_GET(self) -> None:
        """Every path is the metrics."""
        encode, kind = choose_encoder(self.headers.get("Accept", ""))
        text = encode(self.server.registry)
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: it would be a line every scrape."""


def _head(connection: socket.socket) -> bytes:
    """A request up to its empty line. Raises OSError when it does not come in time or is too long."""
    ends, head = time.monotonic() + READ_WITHIN_S, b""
    while b"\r\n\r\n" not in head:
        left_s = ends - time.monotonic()
        if left_s <= 0 or len(head) > MOST_BYTES:
            raise TimeoutError("no whole request")
        connection.settimeout(left_s)
        some = connection.recv(1024)
        if not some:
            raise ConnectionError("half a request")
        head += some
    return head


def _tcp(where: str) -> _Server:
    host, _, port = where.rpartition(":")
    made = _Server6 if host == "[::1]" else _Server
    return made((host.strip("[]"), int(port)), _Handler)


def _unix(path: Path) -> _Server:
    """Group and owner may read it from the moment it listens, nobody else. Raises OSError."""
    _clear(path)
    server = _UnixServer(str(path), _Handler, bind_and_activate=False)  # type: ignore[arg-type]
    try:
        server.server_bind()
        os.chmod(path, MODE)
        server.server_activate()
    except OSError:
        server.server_close()
        raise
    return server


def _clear(path: Path) -> None:
    """Takes away a socket that nobody listens on. Raises OSError for anything else that is there."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise FileExistsError("there is a file that is no socket")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(READ_WITHIN_S)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
    raise FileExistsError("somebody serves there already")
