"""A network camera on loopback: a real RTSP server that can be cut, frozen half-open, and told what to show."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from functools import cache
from pathlib import Path
from types import TracebackType

import pytest

from faceedge.types import Image

BITS = 16
PYTHON = "/usr/bin/python3"
SCRIPT = Path(__file__).with_name("rtsp_source.py")
PACKAGES = (
    "python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-base gstreamer1.0-plugins-good "
    "gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly gstreamer1.0-libav"
)
NEEDS = """
import gi
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gst, GstRtspServer
Gst.init(None)
assert all(map(Gst.ElementFactory.find, ("appsrc", "x264enc", "h264parse", "rtph264pay", "rtspsrc", "avdec_h264")))
"""


@cache
def is_installed() -> bool:
    """Whether Debian's GStreamer is here with all that the server and the tests need."""
    try:
        return subprocess.run([PYTHON, "-c", NEEDS], check=False, capture_output=True, timeout=60).returncode == 0
    except OSError:
        return False


def require_gstreamer() -> None:
    """Skips where it is not installed."""
    if not is_installed():
        pytest.skip(f"no GStreamer: apt install {PACKAGES}")


def number_of(picture: Image) -> int:
    """Which of the server's test pictures it is: 16 blocks along the upper edge, the first is 1, the next is 2."""
    height, width = picture.shape[:2]
    block = width // BITS
    return sum(1 << bit for bit in range(BITS) if picture[height // 16, bit * block + block // 2].mean() > 128)


class RtspServer:
    """Use it in a `with` block. clip: a video file played without end, in place of the test picture, which is red,
    green and blue from left to right. user, password: asked for when given. codec: h264 or h265."""

    def __init__(
        self, *, size: tuple[int, int] = (320, 240), fps: int = 25, user: str = "", password: str = "",
        clip: Path | None = None, codec: str = "h264",
    ) -> None:  # fmt: skip
        self._options = {
            "port": 0, "size": size, "fps": fps, "user": user, "password": password,
            "clip": str(clip or ""), "codec": codec,
        }  # fmt: skip
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> RtspServer:
        require_gstreamer()
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cut()

    @property
    def port(self) -> int:
        """The same after every start."""
        port = self._options["port"]
        assert isinstance(port, int)
        return port

    @property
    def uri(self) -> str:
        """With user and password, where they are asked for."""
        user = f"{self._options['user']}:{self._options['password']}@" if self._options["user"] else ""
        return f"rtsp://{user}127.0.0.1:{self.port}/door"

    def start(self) -> None:
        """Serves when it returns, on the port that it had before."""
        # No secret stands on its command line: tests look through those of all processes.
        self._process = subprocess.Popen(
            [PYTHON, str(SCRIPT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")},
        )  # fmt: skip
        self._say(json.dumps(self._options))
        assert self._process.stdout is not None
        answer = self._process.stdout.readline()
        assert answer, "the RTSP server did not start"
        self._options["port"] = int(answer)

    def cut(self) -> None:
        """Ends at once, as when its power is pulled; the kernel closes its connections."""
        process = self._process
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        self._process = None

    def freeze(self) -> None:
        """Half-open: connections stand, and new ones are taken by the kernel, but nobody answers."""
        self._running().send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Goes on where it was frozen."""
        self._running().send_signal(signal.SIGCONT)

    def show(self, words: str) -> None:
        """`move`, `freeze` (one picture for ever), `dark`, `stall` (no more pictures), `size WIDTH HEIGHT`."""
        self._say(words)

    def asked_for(self) -> set[str]:
        """What clients have asked for since the last question: "0" are the pictures, "1" is the sound."""
        pipe = self._running().stdout
        assert pipe is not None
        return set(os.read(pipe.fileno(), 65536).decode().split())

    def _running(self) -> subprocess.Popen[str]:
        assert self._process is not None, "start it first"
        return self._process

    def _say(self, line: str) -> None:
        pipe = self._running().stdin
        assert pipe is not None
        pipe.write(f"{line}\n")
        pipe.flush()
