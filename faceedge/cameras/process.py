"""The process of one live camera: started with its shared picture and its socket, ended with nothing of it left."""

from __future__ import annotations

import math
import os
import select
import signal
import socket
import subprocess
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from faceedge.cameras.shared import SharedPicture
from faceedge.cameras.uri import Source
from faceedge.environment import for_others
from faceedge.errors import CameraError

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
REAPED_WITHIN_S = 1.0

_HELD: dict[str, subprocess.Popen[bytes]] = {}
"""By source: a killed process that a driver holds in the kernel. Were another started every few seconds, they would
hang as well, until there is no memory left for anything else."""


@dataclass(frozen=True, slots=True)
class Process:
    """memory: written by the other side while it is asked for a picture. link: ours of the two ends, never blocking."""

    source: Source
    memory: SharedPicture
    link: socket.socket
    child: subprocess.Popen[bytes]

    def end(self, grace_s: float) -> None:
        """Asks it to leave, and kills it when it does not, with all that it has started; once."""
        self._await_leave(grace_s)
        # The group, for its process may have started others. It cannot be another's: nobody has reaped it yet.
        os.killpg(self.child.pid, signal.SIGKILL)
        try:
            self.child.wait(REAPED_WITHIN_S)
        except subprocess.TimeoutExpired:
            _HELD[self.source.what] = self.child
        self.link.close()
        self.memory.close()

    def _await_leave(self, grace_s: float) -> None:
        try:
            self.link.shutdown(socket.SHUT_WR)
        except OSError:
            return
        polled(self.link, 0, grace_s)  # until its end of the socket is closed


def start(source: Source, command: Sequence[str]) -> Process:
    """Raises CameraError when it cannot be, now."""
    _look_for_held(source)
    try:
        return Process(source, *_started(command))
    except OSError as error:
        raise CameraError(f"{source.shown}: its process does not start: {error.strerror}") from error


def polled(link: socket.socket, events: int, wait_s: float) -> bool:
    """Whether one of the events, or the end of the other side, came in time; never too early."""
    poll = select.poll()
    poll.register(link, events)
    return bool(poll.poll(math.ceil(wait_s * 1000)))


def _look_for_held(source: Source) -> None:
    if (held := _HELD.get(source.what)) is None:
        return
    if held.poll() is None:
        raise CameraError(
            f"{source.shown}: its last process cannot be killed, for a driver holds it; unplug the camera, or restart"
            " the machine"
        )
    del _HELD[source.what]


def _started(command: Sequence[str]) -> tuple[SharedPicture, socket.socket, subprocess.Popen[bytes]]:
    with ExitStack() as undo:
        memory = SharedPicture()
        undo.callback(memory.close)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        undo.callback(ours.close)
        ours.setblocking(False)
        with theirs:
            child = subprocess.Popen(
                command, stdin=theirs.fileno(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                pass_fds=(memory.fd,), env=for_others() | CALM, start_new_session=True,
            )  # fmt: skip
        undo.pop_all()
    return memory, ours, child
