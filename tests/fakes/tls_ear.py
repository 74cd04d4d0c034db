"""A TLS server that says nothing and notes every byte that a client sends after the handshake."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

from tests.fakes.listener import Listener


class TlsEar(Listener):
    """heard: what arrived. handshakes: how many began."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        self.heard = b""
        self.handshakes = 0
        self._listen("tls ear")

    def _meet(self, client: socket.socket) -> None:
        try:
            with self._context.wrap_socket(client, server_side=True, do_handshake_on_connect=False) as shaken:
                self.handshakes += 1
                shaken.do_handshake()
                while chunk := shaken.recv(4096):
                    self.heard += chunk
        except OSError:
            return
