"""A new key on its way to its controller: one line of text, drawn as a QR code or spoken over a serial line.

Never over MQTT, never into a log. Run by `faceedge door add` and `faceedge door key rotate`.
"""

from __future__ import annotations

import base64
import os
import re
import select
import termios
import time
from typing import TextIO

from faceedge.config import NAME
from faceedge.door.contract import Address, DoorKey
from faceedge.errors import BadInput, MissingExtra, StoreError

SPEED = termios.B115200
PATIENCE_S = 5.0
_LINE = re.compile(r"faceedge-door-1 (\S+) (\S+) (\S+) ([A-Za-z0-9_-]{43}=)")


def line(address: Address, key: DoorKey) -> str:
    """`faceedge-door-1 DEVICE DOOR CONTROLLER KEY`: all that a controller must know, but for the broker."""
    secret = base64.urlsafe_b64encode(key.secret).decode("ascii")
    return f"faceedge-door-1 {address.device} {address.door} {address.controller} {secret}"


def parse(text: str) -> tuple[Address, DoorKey]:
    """What a line says. Raises BadInput, without repeating what may be a key."""
    match = _LINE.fullmatch(text.strip())
    if match is None or not all(re.fullmatch(NAME, name) for name in match.groups()[:3]):
        raise BadInput("not the line of a controller; it is: faceedge-door-1 DEVICE DOOR CONTROLLER KEY")
    return Address(match[1], match[2], match[3]), DoorKey(base64.urlsafe_b64decode(match[4]))


def draw(text: str, terminal: TextIO) -> None:
    """A QR code on a terminal, two rows of dots in each row of letters. Raises MissingExtra."""
    try:
        import segno
    except ImportError as error:
        raise MissingExtra("a QR code needs the package segno: pip install segno") from error
    segno.make(text, error="l", micro=False).terminal(terminal, compact=True)


def speak(text: str, device: str) -> None:
    """Writes the line and its end to a serial line, 115200 8N1. Raises BadInput for what is none, StoreError."""
    try:
        descriptor = os.open(device, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise StoreError(f"{device}: cannot be opened ({error.strerror}); is it plugged in, may you use it?") from error
    try:
        if not os.isatty(descriptor):
            raise BadInput(f"{device} is no serial line; name one, such as /dev/ttyUSB0")
        _settle(descriptor)
        _write(descriptor, text.encode("ascii") + b"\r\n")
    except (OSError, termios.error) as error:
        raise StoreError(f"{device}: the line does not take the key ({error.args[-1]}); check the cable") from error
    finally:
        os.close(descriptor)


def _settle(descriptor: int) -> None:
    """8 bits, no parity, one stop bit, no handshake, no changes to what is sent; what waits to be read is dropped."""
    cc = termios.tcgetattr(descriptor)[6]
    cflag = termios.CS8 | termios.CLOCAL | termios.CREAD
    termios.tcsetattr(descriptor, termios.TCSAFLUSH, [0, 0, cflag, 0, SPEED, SPEED, cc])


def _write(descriptor: int, octets: bytes) -> None:
    """Raises TimeoutError when nobody takes the bytes. Returns when the last one is on the wire."""
    deadline = time.monotonic() + PATIENCE_S
    while octets:
        _, writable, _ = select.select([], [descriptor], [], max(0.0, deadline - time.monotonic()))
        if not writable:
            raise TimeoutError("nobody takes the bytes")
        octets = octets[os.write(descriptor, octets) :]
    termios.tcdrain(descriptor)
