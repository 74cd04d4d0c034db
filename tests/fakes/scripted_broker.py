"""A broker that knows one sentence: it answers each CONNECT as scripted, and notes the version it was asked for."""

from __future__ import annotations

import socket
from collections.abc import Sequence

from tests.fakes.listener import Listener

ACCEPT_5 = b"\x20\x03\x00\x00\x00"
REFUSE_5 = b"\x20\x03\x00\x84\x00"
REFUSE_OLD_STYLE = b"\x20\x02\x00\x01"
NOT_AUTHORISED_5 = b"\x20\x03\x00\x87\x00"
ACCEPT_4 = b"\x20\x02\x00\x00"
SILENCE = b""


class ScriptedBroker(Listener):
    """levels: protocol level of each CONNECT seen (5, or 4 for 3.1.1). connects: their bytes.

    The last line of the script repeats.
    """

    def __init__(self, script: Sequence[bytes]) -> None:
        self._script = list(script)
        self.levels: list[int] = []
        self.connects: list[bytes] = []
        self._listen("scripted broker")

    def _meet(self, client: socket.socket) -> None:
        try:
            connect = client.recv(4096)
            self.connects.append(connect)
            self.levels.append(connect[connect.index(b"MQTT") + 4])
            answer = self._script.pop(0) if len(self._script) > 1 else self._script[0]
            client.sendall(answer)
            if answer == SILENCE:
                client.recv(4096)  # until the client gives up
        except (OSError, ValueError):  # ValueError: that was no CONNECT
            return
