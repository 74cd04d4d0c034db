"""What a camera's process and ours say to each other, one message a packet of a local socket.

ours      Order as JSON       once: what to open, how, and which descriptor holds the shared picture
          NEXT                the next picture, please
          end of file         leave
theirs    LOADED              its libraries are there; from now on the camera is opened
          OPENED              it delivers
          SHOWN h w received  the picture that was asked for lies in the shared memory
          FAULT text          it does not open, or has ceased to deliver
"""

from __future__ import annotations

import json
import math
import struct
from dataclasses import asdict, dataclass

from faceedge.cameras.base import Wish

NEXT = b"n"
LOADED = b"l"
OPENED = b"o"
FAULT = b"f"
_SHOWN = struct.Struct("<cIId")
MOST_BYTES = 16_384


@dataclass(frozen=True, slots=True, repr=False)
class Order:
    """uri: with its credentials, which is why it travels here and not among the arguments. memory: a descriptor."""

    uri: str
    wish: Wish
    memory: int

    def packed(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @staticmethod
    def unpacked(message: bytes) -> Order:
        fields = json.loads(message)
        return Order(fields["uri"], Wish(**fields["wish"]), fields["memory"])


@dataclass(frozen=True, slots=True)
class Shown:
    """Size in px and monotonic second of a picture that lies in the shared memory."""

    height: int
    width: int
    received: float

    def packed(self) -> bytes:
        return _SHOWN.pack(b"p", self.height, self.width, self.received)


def fault(text: str) -> bytes:
    """One sentence, cut where it is far too long."""
    return FAULT + text.encode(errors="replace")[:400]


def unpacked(message: bytes) -> Shown | str | bytes:
    """A picture, the text of a fault, or LOADED or OPENED as they are. Raises ValueError for anything else."""
    if message in (LOADED, OPENED):
        return message
    if message[:1] == FAULT:
        return message[1:].decode(errors="replace")
    if len(message) != _SHOWN.size or message[:1] != b"p":
        raise ValueError("no message of a camera")
    _, height, width, received = _SHOWN.unpack(message)
    if not math.isfinite(received):
        raise ValueError("no time")
    return Shown(height, width, received)
