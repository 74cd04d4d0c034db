"""A proxy that speaks for an old broker: it refuses MQTT 5 in words and passes the rest on. TLS on both sides."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from types import TracebackType

from tests.fakes.scripted_broker import REFUSE_5

Wrap = Callable[[socket.socket], socket.socket]


class VersionGate:
    """Listens on loopback (`port`); use it in a `with` block. facing: TLS as a server. onward: as a client."""

    def __init__(self, target_port: int, facing: ssl.SSLContext, onward: ssl.SSLContext) -> None:
        self._target = ("localhost", target_port)
        self._facing = facing
        self._onward = onward
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.refused = 0
        self._threads = [threading.Thread(target=self._accept, name="version gate", daemon=True)]
        self._open: list[socket.socket] = []

    def __enter__(self) -> VersionGate:
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for each in (self._listener, *self._open):
            _shut(each)
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(client,), name="version gate client", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, plain: socket.socket) -> None:
        try:
            client = self._facing.wrap_socket(plain, server_side=True)
            self._open.append(client)
            connect = client.recv(4096)
            if connect[connect.index(b"MQTT") + 4] == 5:
                self.refused += 1
                client.sendall(REFUSE_5)
                _shut(client)
                return
            server = self._onward.wrap_socket(socket.create_connection(self._target), server_hostname=self._target[0])
            self._open.append(server)
            server.sendall(connect)
        except (OSError, ValueError):
            _shut(plain)
            return
        back = threading.Thread(target=_pump, args=(server, client), name="version gate back", daemon=True)
        self._threads.append(back)
        back.start()
        _pump(client, server)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while chunk := source.recv(65536):
            sink.sendall(chunk)
    except OSError:
        pass
    finally:
        _shut(source)
        _shut(sink)


def _shut(each: socket.socket) -> None:
    try:
        each.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    finally:
        each.close()
