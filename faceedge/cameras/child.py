"""Our side of a live camera: has its process (`worker.py`) started, asks for pictures, and ends it when none come.

Used by one thread at a time; each call returns within the time that it is given.
"""

from __future__ import annotations

import select
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from faceedge.cameras import wire
from faceedge.cameras.base import Picture, Wish
from faceedge.cameras.process import polled, start
from faceedge.cameras.uri import Source
from faceedge.errors import CameraError, one_line
from faceedge.types import Image

COMMAND = (sys.executable, "-m", "faceedge.cameras.worker")
STEP_S = 0.1
"""How long `read` waits at a time, and the most that a caller of `take` should."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds a process may be silent. load_s: until its libraries are there; a slow disk takes a while, and at its
    first start GStreamer looks through all its plugins. open_s: from then until the camera is open. first_s: until its
    first picture, for a stream can be shown only from its next key frame on. read_s: between two pictures. grace_s: to
    leave when asked to."""

    load_s: float = 30.0
    open_s: float = 5.0
    first_s: float = 5.0
    read_s: float = 2.0
    grace_s: float = 0.4


class ChildCamera:
    """A LiveCamera. The process starts at once and nothing is waited for here: what fails is raised by `take`."""

    fps = 0.0

    def __init__(
        self, source: Source, uri: str, wish: Wish | None = None,
        command: Sequence[str] = COMMAND, limits: Limits | None = None,
    ) -> None:  # fmt: skip
        self._source = source
        self._wish = wish or Wish()
        self._limits = limits or Limits()
        self._is_loaded = self._is_open = self._is_asked = self._is_closed = False
        self._started = time.monotonic()
        self._due = self._started + self._limits.load_s
        self._process = start(source, command)
        self._say(wire.Order(uri, self._wish, self._process.memory.fd).packed())

    def take(self, wait_s: float) -> Picture | None:
        """See LiveCamera. After a CameraError there is nothing left of the process, and no use in a further call."""
        if self._is_closed:
            raise CameraError(f"{self._source.shown} is closed")
        try:
            return self._take(time.monotonic() + wait_s)
        except CameraError:
            self._end(grace_s=0.0)
            raise

    def read(self) -> Image:
        """See Camera; waits as long as the limits allow."""
        while True:
            if (picture := self.take(STEP_S)) is not None:
                return picture.image

    def close(self) -> None:
        """See Camera."""
        if not self._is_closed:
            self._end(self._limits.grace_s)

    def _take(self, until: float) -> Picture | None:
        if self._is_open and not self._is_asked:
            self._ask(self._limits.read_s)
        while (message := self._message(until)) is not None:
            try:
                told = wire.unpacked(message)
            except ValueError as error:
                raise CameraError(f"{self._source.shown}: its process speaks nonsense") from error
            if isinstance(told, str):
                raise CameraError(self._source.cleaned(one_line(told)))
            if isinstance(told, wire.Shown):
                return self._picture(told)
            self._progress(told)
        return None

    def _progress(self, told: bytes) -> None:
        """LOADED, then OPENED, each once: were they said again and again, we would listen for ever."""
        if told != (wire.OPENED if self._is_loaded else wire.LOADED) or self._is_open:
            raise CameraError(f"{self._source.shown}: its process speaks nonsense")
        if told == wire.LOADED:
            self._is_loaded, self._due = True, time.monotonic() + self._limits.open_s
        else:
            self._is_open = True
            self._ask(self._limits.first_s)

    def _picture(self, shown: wire.Shown) -> Picture:
        if not self._is_asked or not self._started <= shown.received <= time.monotonic():
            raise CameraError(f"{self._source.shown}: its process speaks nonsense")
        wish, size = self._wish, (shown.width, shown.height)
        if wish.width is not None and size != (wish.width, wish.height):
            raise CameraError(
                f"{self._source.shown} delivers {size[0]} x {size[1]} px, not the {wish.width} x {wish.height} it was"
                " asked for; set width and height to what it can, or leave both out"
            )
        self._is_asked = False
        # Our own copy: from the next question on, the memory belongs to the other side.
        return Picture(self._process.memory.view(shown.height, shown.width).copy(), shown.received)

    def _ask(self, patience_s: float) -> None:
        self._is_asked = True
        self._due = time.monotonic() + patience_s
        self._say(wire.NEXT)

    def _message(self, until: float) -> bytes | None:
        """None when nothing came. Raises CameraError when the process has ended or was silent for too long."""
        wait_s = max(0.0, min(until, self._due) - time.monotonic())
        if not polled(self._process.link, select.POLLIN, wait_s):
            if time.monotonic() >= self._due:
                raise CameraError(self._silence())
            return None
        try:
            message = self._process.link.recv(wire.MOST_BYTES)
        except OSError:
            message = b""
        if not message:
            raise CameraError(f"{self._source.shown}: its process has ended")
        return message

    def _silence(self) -> str:
        if not self._is_loaded:
            return f"{self._source.shown}: its process is not ready in time; the disk is slow, or much else is going on"
        if not self._is_open:
            return f"{self._source.shown} does not open in time; check its power, cable and address"
        return f"{self._source.shown} stopped delivering"

    def _say(self, message: bytes) -> None:
        with suppress(OSError):  # it has ended, or does not listen: the next answer, or its absence, says so
            self._process.link.send(message)

    def _end(self, grace_s: float) -> None:
        self._is_closed = True
        self._process.end(grace_s)
