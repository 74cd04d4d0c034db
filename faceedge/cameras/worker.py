"""The process of one live camera: opens it, and hands over a picture whenever it is asked for one.

Started by `child.py`; standard input is the socket of `wire.py`. It may hang or die: only this camera is lost then.
Between two questions pictures are grabbed and let go, so that the next answer is a new one.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import threading

import numpy as np

from faceedge.cameras import wire
from faceedge.cameras.complaints import silence
from faceedge.cameras.opened import Opened, load, open_source
from faceedge.cameras.shared import SharedPicture
from faceedge.cameras.uri import parse
from faceedge.errors import CameraError, one_line


def main() -> None:
    """Until the other side leaves or the camera fails. What happened is told there, and nowhere else."""
    # A service manager asks all processes of a service to leave at once; ours leaves when the daemon says so.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    silence()
    link = _take_link()
    threading.Thread(target=_die_with, args=(link,), name="parent", daemon=True).start()
    order = wire.Order.unpacked(link.recv(wire.MOST_BYTES))
    source = parse(order.uri)
    try:
        load(source, order.wish)
        link.send(wire.LOADED)
        camera = open_source(source, order.wish)
        link.send(wire.OPENED)
        try:
            serve(camera, SharedPicture(order.memory), link)
        finally:
            camera.close()
    except OSError:
        return  # the other side has left
    except CameraError as error:
        _tell(link, source.cleaned(one_line(str(error))))
    except Exception as error:
        _tell(link, f"{source.shown}: {type(error).__name__} in the process of this camera")


def serve(camera: Opened, memory: SharedPicture, link: socket.socket) -> None:
    """Answers every question with the next picture. Returns when the other side wants no more; raises CameraError."""
    is_asked = False
    while True:
        received = camera.grab()
        while select.select([link], [], [], 0)[0]:
            if not link.recv(wire.MOST_BYTES):
                return
            is_asked = True
        if is_asked:
            link.send(_fetch(camera, memory, received).packed())
            is_asked = False


def _fetch(camera: Opened, memory: SharedPicture, received: float) -> wire.Shown:
    room = memory.view(*camera.size())
    image = camera.fetch(room)
    height, width = image.shape[:2]
    if not np.may_share_memory(image, room):
        np.copyto(memory.view(height, width), image)
    return wire.Shown(height, width, received)


def _take_link() -> socket.socket:
    """Standard input, moved to where programs that we start do not inherit it."""
    link = socket.socket(fileno=os.dup(0))
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return link


def _die_with(link: socket.socket) -> None:
    """The kernel closes the other end when our parent dies, of whatever cause; this thread even sees it in a hang."""
    end = select.poll()
    end.register(link, 0)  # only POLLHUP: the other side is gone for good
    end.poll()
    os.killpg(0, signal.SIGKILL)


def _tell(link: socket.socket, text: str) -> None:
    with contextlib.suppress(OSError):
        link.send(wire.fault(text))


if __name__ == "__main__":
    main()
