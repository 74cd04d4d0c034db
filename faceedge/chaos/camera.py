"""A network camera on loopback: Motion JPEG over HTTP, which can be cut, half-open, or frozen."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Literal

from faceedge.chaos.reel import Appearance, Reel

HOST = "127.0.0.1"
Mode = Literal["plays", "cut", "half-open", "frozen"]
_HEAD = (
    b"HTTP/1.0 200 OK\r\nCache-Control: no-store\r\nContent-Type: multipart/x-mixed-replace; boundary=picture\r\n\r\n"
)
REQUEST_S = 2.0
MOST_REQUEST = 8192


class FilmCamera:
    """Plays a reel at its own rate to whoever asks, all at the same place. Use it in a `with` block.

    cut: connections end and new ones are refused. half-open: they stay, and nothing is sent. frozen: one picture of
    the person who may pass, again and again.
    """

    def __init__(self, reel: Reel, clock: Callable[[], float] = time.monotonic) -> None:
        self._reel = reel
        self._clock = clock
        self._began = clock()
        self._mode: Mode = "plays"
        self._change = threading.Condition()
        self._clients: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener: socket.socket | None = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]

    @property
    def uri(self) -> str:
        return f"http://{HOST}:{self.port}/entry.mjpeg"

    def turn(self, mode: Mode) -> None:
        """From now on it behaves so."""
        with self._change:
            if self._mode == "cut" and mode != "cut":
                self._listen()
            self._mode = mode
            self._change.notify_all()
        if mode == "cut":
            self._hang_up()

    def appearances(self, start: float, end: float) -> list[Appearance]:
        """Who was to be seen between two monotonic seconds, had it played all the time."""
        return self._reel.appearances(self._began, start, end)

    def __enter__(self) -> FilmCamera:
        self._serve()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.turn("cut")
        for thread in self._threads:
            thread.join(REQUEST_S)

    def _listen(self) -> None:
        self._listener = socket.create_server((HOST, self.port))
        self._serve()

    def _serve(self) -> None:
        assert self._listener is not None
        self._spawn(self._accept, self._listener)

    def _spawn(self, work: Callable[[socket.socket], None], what: socket.socket) -> None:
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        self._threads.append(threading.Thread(target=work, args=(what,), name="film camera", daemon=True))
        self._threads[-1].start()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):  # it was closed
            while True:
                client = listener.accept()[0]
                with self._change:
                    self._clients.add(client)
                self._spawn(self._play, client)

    def _play(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            client.settimeout(REQUEST_S)
            _read_request(client)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.sendall(_HEAD)
            shown = -1
            while (number := self._next(shown)) is not None:
                shown = number
                picture = self._reel.pictures[self._still() or number % len(self._reel.pictures)]
                head = f"--picture\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
                client.sendall(head.encode("ascii") + picture + b"\r\n")
        with self._change:
            self._clients.discard(client)

    def _next(self, shown: int) -> int | None:
        """Waits until another picture is due, and longer while nothing is sent; None when the camera is cut."""
        with self._change:
            while self._mode != "cut":
                number = self._reel.number_at(self._clock() - self._began)
                if number > shown and self._mode != "half-open":
                    return number
                self._change.wait(1 / (4 * self._reel.fps))
        return None

    def _still(self) -> int | None:
        return self._reel.portrait if self._mode == "frozen" else None

    def _hang_up(self) -> None:
        with self._change:
            listener, self._listener = self._listener, None
            clients = list(self._clients)
        for each in [listener] if listener is not None else []:
            _shut(each)
        for client in clients:
            _shut(client, close=False)


def _read_request(client: socket.socket) -> None:
    request = b""
    while b"\r\n\r\n" not in request and len(request) < MOST_REQUEST:
        if not (more := client.recv(1024)):
            raise ConnectionError("no request came")
        request += more


def _shut(each: socket.socket, *, close: bool = True) -> None:
    with suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
    if close:
        each.close()
