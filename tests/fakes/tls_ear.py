"""A TLS server that says nothing and notes every byte that a client sends after the handshake."""

from __future__ import annotations

import socket
import ssl
import threading
from pathlib import Path
from types import TracebackType


class TlsEar:
    """Use it in a `with` block. heard: what arrived. handshakes: how many began."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.host = "127.0.0.1"
        self.port: int = self._listener.getsockname()[1]
        self.heard = b""
        self.handshakes = 0
        self._thread = threading.Thread(target=self._listen, name="tls ear", daemon=True)
        self._thread.start()

    def __enter__(self) -> TlsEar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _listen(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client:
                client.settimeout(1.0)
                self._hear(client)

    def _hear(self, client: socket.socket) -> None:
        try:
            with self._context.wrap_socket(client, server_side=True, do_handshake_on_connect=False) as shaken:
                self.handshakes += 1
                shaken.do_handshake()
                while chunk := shaken.recv(4096):
                    self.heard += chunk
        except OSError:
            return
