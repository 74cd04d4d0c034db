"""A server on loopback that takes one client at a time; what it does with them is for its kinds to say."""

from __future__ import annotations

import socket
import threading
from types import TracebackType
from typing import TypeVar

Kind = TypeVar("Kind", bound="Listener")


class Listener:
    """Use it in a `with` block. A kind calls `_listen` when it is ready, and says what happens in `_meet`."""

    host = "127.0.0.1"
    port: int

    def __enter__(self: Kind) -> Kind:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()

    def _listen(self, name: str) -> None:
        self._socket = socket.create_server((self.host, 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)
        self._thread.start()

    def _meet(self, client: socket.socket) -> None:
        raise NotImplementedError

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            with client:
                client.settimeout(1.0)
                self._meet(client)
