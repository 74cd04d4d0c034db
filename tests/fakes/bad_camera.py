"""A camera's process that misbehaves. Run as a program, its manner as the argument; knows the wire, not the package.

Imports as little as can be, for some tests start it hundreds of times.
"""

import json
import os
import signal
import socket
import struct
import sys
import time


def shown(height: int, width: int, received: float) -> bytes:
    return struct.pack("<cIId", b"p", height, width, received)


def main(manner: str) -> None:
    link = socket.socket(fileno=0)
    order = json.loads(link.recv(16_384))
    if manner == "exits":
        return
    if manner == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if manner in ("deaf", "never loads"):
        time.sleep(60)
    if manner == "refuses":
        link.send(b"f" + f"cannot open {order['uri']}, see rtsp://x:y@z".encode())
        time.sleep(60)
    if manner == "noise":
        link.send(b"\x00\xff" * 50)
        time.sleep(60)
    if manner == "has children":
        if (child := os.fork()) == 0:
            time.sleep(60)
        with open(order["uri"].partition("#")[2], "w") as note:
            note.write(str(child))
    if manner == "loads slowly":
        time.sleep(0.6)
    link.send(b"l")
    if manner == "hangs at opening":
        time.sleep(60)
    while manner == "loads for ever":
        link.send(b"l")
    link.send(b"o")
    if manner == "never shows":
        time.sleep(60)
    while manner == "babbles":
        link.send(b"o")
    answer(link, manner, order["memory"])


def answer(link: socket.socket, manner: str, memory: int) -> None:
    number = 0
    while link.recv(16_384):
        number += 1
        if manner == "stops" and number == 3:
            time.sleep(60)
        if manner == "dies" and number == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        if manner == "shrinks":
            os.ftruncate(memory, 0)
        if manner == "floods":
            for _ in range(200):
                os.write(1, b"x" * 4096)
                os.write(2, b"x" * 4096)
        now = time.monotonic()
        size = {"too big": (8192, 8192), "too wide": (1, 9000), "empty": (0, 4), "huge": (2**32 - 1, 2**32 - 1)}
        when = {"from the future": now + 60, "from the past": now - 600, "no time": float("nan")}
        link.send(shown(*size.get(manner, (4, 6)), when.get(manner, now)))


main(sys.argv[1])
