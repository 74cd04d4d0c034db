"""A relay of the network on loopback: real HTTP, with the bad manners that a test asks for."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal

Manner = Literal["obeys", "error", "moved", "silent", "trickles", "endless"]


class RelayServer(ThreadingHTTPServer):
    """`asked`: path and query of every request, in order. `manner`: how it answers from now on."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[str] = []
        self.passwords: list[str | None] = []
        self.manner: Manner = "obeys"
        self.done = threading.Event()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}{path}"


class _Handler(BaseHTTPRequestHandler):
    server: RelayServer

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.server.passwords.append(self.headers["Authorization"])
        with suppress(OSError):  # the client leaves when it has had enough
            getattr(self, f"_{self.server.manner}")()

    def _obeys(self) -> None:
        self._answer(200, b'{"ison":true}')

    def _error(self) -> None:
        self._answer(500, b"")

    def _moved(self) -> None:
        self.send_response(302)
        self.send_header("Location", self.server.url("/elsewhere"))
        self.end_headers()

    def _silent(self) -> None:
        self.server.done.wait(10)

    def _trickles(self) -> None:
        """A head that never ends, a byte at a time."""
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
        while not self.server.done.wait(0.02):
            self.connection.sendall(b"x")

    def _endless(self) -> None:
        """A body that never ends, as fast as it goes."""
        self.connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while not self.server.done.is_set():
            self.connection.sendall(b"x" * 65536)

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


@contextmanager
def relay_server() -> Iterator[RelayServer]:
    server = RelayServer()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.done.set()
        server.shutdown()
        thread.join()
        server.server_close()
