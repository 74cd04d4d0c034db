"""Our side of a live camera: starts its process (`worker.py`), asks for pictures, and kills it when it does not answer.

Used by one thread at a time; each call returns within the time that it is given.
"""

from __future__ import annotations

import math
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass

from faceedge.cameras import wire
from faceedge.cameras.base import Picture, Wish
from faceedge.cameras.shared import SharedPicture
from faceedge.cameras.uri import Source
from faceedge.errors import CameraError, one_line
from faceedge.types import Image

COMMAND = (sys.executable, "-m", "faceedge.cameras.worker")
STEP_S = 0.1
"""How long `read` waits at a time, and the most that a caller of `take` should."""
KEPT_OUT = ("FACEEDGE", "NOTIFY_SOCKET", "WATCHDOG_", "CREDENTIALS_DIRECTORY", "LISTEN_")
"""Of our environment: addresses with passwords, and what only the daemon may tell systemd."""
CALM = {
    "OPENBLAS_NUM_THREADS": "1", "OPENCV_LOG_LEVEL": "SILENT", "PYTHONSAFEPATH": "1",
    # Warnings, for `complaints.py` to look through. TCP, for over UDP a lost packet spoils pictures for seconds.
    # By itself FFmpeg looks at twenty pictures before it opens, 4 s at 5 a second; without a buffer it then throws them
    # away, and the next key frame may be seconds off. Measured from opening to the first picture: 2.1 and 5.2 s with
    # `fflags;nobuffer` at 25 and 5 pictures a second, 0.4 and 0.6 s so.
    # Sound is not asked for: nobody is listened to.
    "OPENCV_FFMPEG_CAPTURE_OPTIONS": "rtsp_transport;tcp|analyzeduration;300000|allowed_media_types;video",
    "OPENCV_FFMPEG_LOGLEVEL": "24", "OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT": "2",
}  # fmt: skip

_HELD: dict[str, subprocess.Popen[bytes]] = {}
"""By source: a killed process that a driver holds in the kernel. Were another started every few seconds, they would
hang as well, until there is no memory left for anything else."""


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
        _look_for_held(source)
        try:
            self._memory, self._link, self._process = _start(command)
        except OSError as error:
            raise CameraError(f"{source.shown}: its process does not start: {error.strerror}") from error
        self._say(wire.Order(uri, self._wish, self._memory.fd).packed())

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
        return Picture(self._memory.view(shown.height, shown.width).copy(), shown.received)

    def _ask(self, patience_s: float) -> None:
        self._is_asked = True
        self._due = time.monotonic() + patience_s
        self._say(wire.NEXT)

    def _message(self, until: float) -> bytes | None:
        """None when nothing came. Raises CameraError when the process has ended or was silent for too long."""
        wait_s = max(0.0, min(until, self._due) - time.monotonic())
        if not _polled(self._link, select.POLLIN, wait_s):
            if time.monotonic() >= self._due:
                raise CameraError(self._silence())
            return None
        try:
            message = self._link.recv(wire.MOST_BYTES)
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
            self._link.send(message)

    def _end(self, grace_s: float) -> None:
        self._is_closed = True
        self._await_leave(grace_s)
        # The group, for its process may have started others. It cannot be another's: nobody has reaped it yet.
        os.killpg(self._process.pid, signal.SIGKILL)
        try:
            self._process.wait(1.0)
        except subprocess.TimeoutExpired:
            _HELD[self._source.what] = self._process
        self._link.close()
        self._memory.close()

    def _await_leave(self, grace_s: float) -> None:
        try:
            self._link.shutdown(socket.SHUT_WR)
        except OSError:
            return
        _polled(self._link, 0, grace_s)  # until its end of the socket is closed


def _look_for_held(source: Source) -> None:
    """Raises CameraError while the last process of this source is still there."""
    if (held := _HELD.get(source.what)) is None:
        return
    if held.poll() is None:
        raise CameraError(
            f"{source.shown}: its last process cannot be killed, for a driver holds it; unplug the camera, or restart"
            " the machine"
        )
    del _HELD[source.what]


def _polled(link: socket.socket, events: int, wait_s: float) -> bool:
    """Whether one of the events, or the end of the other side, came in time; never too early."""
    poll = select.poll()
    poll.register(link, events)
    return bool(poll.poll(math.ceil(wait_s * 1000)))


def _start(command: Sequence[str]) -> tuple[SharedPicture, socket.socket, subprocess.Popen[bytes]]:
    with ExitStack() as undo:
        memory = SharedPicture()
        undo.callback(memory.close)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        undo.callback(ours.close)
        ours.setblocking(False)
        with theirs:
            process = subprocess.Popen(
                command, stdin=theirs.fileno(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                pass_fds=(memory.fd,), env=_environment(os.environ), start_new_session=True,
            )  # fmt: skip
        undo.pop_all()
    return memory, ours, process


def _environment(ours: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in ours.items() if not key.startswith(KEPT_OUT)} | CALM
