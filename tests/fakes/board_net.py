"""The network modules of MicroPython over CPython's sockets: same names, and `None` where nothing is there yet."""

from __future__ import annotations

import select as cpython_select
import socket as cpython_socket
import ssl as cpython_ssl
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any


class Socket:
    """A MicroPython socket that does not block: a stream with read and write, no recv and send."""

    def __init__(self, inner: cpython_socket.socket | None = None) -> None:
        self.inner = inner or cpython_socket.socket()
        self.followed_by: Socket | None = None

    def setblocking(self, flag: bool) -> None:
        self.inner.setblocking(flag)

    def connect(self, address: Any) -> None:
        self.inner.connect(address)

    def read(self, size: int) -> bytes | None:
        try:
            return self.inner.recv(size)
        except (BlockingIOError, cpython_ssl.SSLWantReadError, cpython_ssl.SSLWantWriteError):
            return None

    def write(self, octets: bytes) -> int | None:
        try:
            return self.inner.send(octets)
        except (BlockingIOError, cpython_ssl.SSLWantReadError, cpython_ssl.SSLWantWriteError):
            return None

    def close(self) -> None:
        self.inner.close()
        if self.followed_by is not None:
            self.followed_by.close()

    def fileno(self) -> int:
        return self.inner.fileno()


class SSLContext:
    """MicroPython's: one authority in DER, and the name is checked when it is given."""

    def __init__(self, protocol: int) -> None:
        self._inner = cpython_ssl.SSLContext(protocol)

    @property
    def verify_mode(self) -> int:
        return self._inner.verify_mode

    @verify_mode.setter
    def verify_mode(self, mode: int) -> None:
        self._inner.verify_mode = cpython_ssl.VerifyMode(mode)

    def load_verify_locations(self, *, cadata: bytes) -> None:
        self._inner.load_verify_locations(cadata=cadata)

    def wrap_socket(self, sock: Socket, *, server_hostname: str, do_handshake_on_connect: bool) -> Socket:
        assert not do_handshake_on_connect, "a handshake would stall the loop"
        sock.followed_by = Socket(
            self._inner.wrap_socket(sock.inner, server_hostname=server_hostname, do_handshake_on_connect=False)
        )
        return sock.followed_by


class WLAN:
    """Connected whenever the radio says so."""

    PM_NONE = 0

    def __init__(self, has_wifi: Callable[[], bool]) -> None:
        self.isconnected = has_wifi

    def active(self, flag: bool) -> None:
        assert flag

    def config(self, *, pm: int) -> None:
        assert pm == WLAN.PM_NONE

    def connect(self, name: str, password: str) -> None:
        assert name
        assert password


def network_modules(has_wifi: Callable[[], bool], opened: list[Socket]) -> dict[str, Any]:
    """By the name they are imported under. opened: gets every socket, since nobody closes them when the power goes."""

    def socket() -> Socket:
        opened.append(Socket())
        return opened[-1]

    def wlan(interface: int) -> WLAN:
        return WLAN(has_wifi)

    wlan.PM_NONE = WLAN.PM_NONE  # type: ignore[attr-defined]
    return {
        "network": SimpleNamespace(WLAN=wlan, STA_IF=0),
        "socket": SimpleNamespace(
            socket=socket,
            getaddrinfo=lambda host, port: cpython_socket.getaddrinfo(
                host, port, cpython_socket.AF_INET, cpython_socket.SOCK_STREAM
            ),
        ),
        "ssl": SimpleNamespace(
            SSLContext=SSLContext,
            PROTOCOL_TLS_CLIENT=cpython_ssl.PROTOCOL_TLS_CLIENT,
            CERT_REQUIRED=int(cpython_ssl.CERT_REQUIRED),
        ),
        "ntptime": SimpleNamespace(settime=lambda: None),
    }


def make_poll(before: Callable[[], object]) -> SimpleNamespace:
    """The module `select`; before: called at each poll, where the program gives its time away."""

    class Poll:
        def __init__(self) -> None:
            self._inner = cpython_select.poll()
            self._known: dict[int, int] = {}

        def register(self, sock: Socket, events: int) -> None:
            self._known[id(sock)] = sock.fileno()
            self._inner.register(sock.fileno(), events)

        def unregister(self, sock: Socket) -> None:
            self._inner.unregister(self._known.pop(id(sock)))

        def modify(self, sock: Socket, events: int) -> None:
            self._inner.modify(sock.fileno(), events)

        def poll(self, timeout_ms: int) -> list[tuple[int, int]]:
            before()
            return self._inner.poll(timeout_ms)

    names = {name: getattr(cpython_select, name) for name in ("POLLIN", "POLLOUT", "POLLERR", "POLLHUP")}
    return SimpleNamespace(poll=Poll, **names)
