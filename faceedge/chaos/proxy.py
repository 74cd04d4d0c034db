"""A TCP proxy that can turn a link half-open: both sides believe in it, and no byte arrives.

`swallow` throws bytes away, `hold` keeps them and delivers them late at `release`.
"""

from __future__ import annotations

import socket
import threading
from types import TracebackType
from typing import Literal

Mode = Literal["pass", "swallow", "hold"]


class SwallowingProxy:
    """Listens on loopback (`port`) and connects to the target for each client; use it in a `with` block."""

    def __init__(self, target_host: str, target_port: int) -> None:
        self._target = (target_host, target_port)
        self._mode: Mode = "pass"
        self._change = threading.Condition()
        self._sockets: list[socket.socket] = []
        self._closing = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.host = "127.0.0.1"
        self.port: int = self._listener.getsockname()[1]
        self.swallowed = 0
        """Bytes thrown away or kept so far."""
        threading.Thread(target=self._accept, name="proxy accept", daemon=True).start()

    def swallow(self) -> None:
        """From now on bytes of both directions vanish."""
        self._set("swallow")

    def hold(self) -> None:
        """From now on bytes of both directions are kept."""
        self._set("hold")

    def release(self) -> None:
        """Delivers what was kept and passes everything on again."""
        self._set("pass")

    def close(self) -> None:
        """Ends every connection."""
        with self._change:
            self._closing = True
            self._mode = "pass"
            self._change.notify_all()
        for each in (self._listener, *self._sockets):
            _shut(each)

    def __enter__(self) -> SwallowingProxy:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _set(self, mode: Mode) -> None:
        with self._change:
            self._mode = mode
            self._change.notify_all()

    def _accept(self) -> None:
        while not self._closing:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self._target, timeout=2)
                server.settimeout(None)
            except OSError:
                client.close()
                continue
            self._sockets += [client, server]
            for source, sink in ((client, server), (server, client)):
                sink.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._pump, args=(source, sink), name="proxy pump", daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        """Copies until either side closes; a close is passed on even while bytes are not."""
        try:
            while chunk := source.recv(65536):
                if self._may_pass(len(chunk)):
                    sink.sendall(chunk)
        except OSError:
            pass
        finally:
            _shut(source)
            _shut(sink)

    def _may_pass(self, size: int) -> bool:
        with self._change:
            if self._mode == "pass":
                return True
            self.swallowed += size
            if self._mode == "swallow":
                return False
            self._change.wait_for(lambda: self._mode != "hold")
            return True


def _shut(each: socket.socket) -> None:
    try:
        each.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    finally:
        each.close()
