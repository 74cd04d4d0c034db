"""An HTTP server on loopback that shows pictures as MJPEG, and can break off, fall silent or want a password."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np

BOUNDARY = "picture"


@dataclass
class Stream:
    """What is sent from now on. shown: pictures sent so far, over all connections."""

    width: int = 64
    height: int = 48
    gap_s: float = 0.02
    credentials: str = ""
    is_mute: bool = False
    is_cut: bool = False
    shown: int = 0
    port: int = 0
    stopped: threading.Event = field(default_factory=threading.Event)

    def uri(self, who: str = "") -> str:
        return f"http://{who}127.0.0.1:{self.port}/live.mjpg?token=secrettoken"

    def part(self) -> bytes:
        """The next picture: the same wall every time, with the noise of a sensor."""
        wall = np.random.default_rng(7).integers(20, 220, (4, 4, 1), np.uint8)
        noise = np.random.default_rng(self.shown).integers(0, 30, (self.height, self.width, 3), np.uint8)
        _, jpeg = cv2.imencode(".jpg", cv2.resize(wall, (self.width, self.height))[..., None] + noise)
        self.shown += 1
        head = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
        return head.encode() + jpeg.tobytes() + b"\r\n"


@contextmanager
def mjpeg_server() -> Iterator[Stream]:
    """Serves until the end of the `with`."""
    stream = Stream()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(stream))
    server.daemon_threads = True
    stream.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield stream
    finally:
        stream.stopped.set()
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(stream: Stream) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if stream.credentials and self.headers.get("Authorization") != _basic(stream.credentials):
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="camera"')
                self.end_headers()
                return
            self.send_response(200)
            self.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={BOUNDARY}")
            self.end_headers()
            try:
                while not (stream.is_cut or stream.stopped.is_set()):
                    if not stream.is_mute:
                        self.wfile.write(stream.part())
                    time.sleep(stream.gap_s)
            except OSError:
                pass

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    return Handler


def _basic(credentials: str) -> str:
    return f"Basic {base64.b64encode(credentials.encode()).decode()}"
