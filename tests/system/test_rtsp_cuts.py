"""A network camera is cut, or goes silent with its connection standing: it is seen again soon, and nothing leaks."""

from __future__ import annotations

import logging
import os
import random
import statistics
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from faceedge.cameras import Wish, parse
from faceedge.cameras.backoff import Backoff
from faceedge.cameras.child import COMMAND, ChildCamera
from faceedge.capture import live, reopened
from tests.fakes.rtsp_server import RtspServer

log = logging.getLogger(__name__)
HARDWARE = (sys.executable, str(Path(__file__).parents[1] / "fakes" / "gst_worker.py"))
DECODERS = pytest.mark.parametrize("command", [COMMAND, HARDWARE], ids=["software", "gstreamer"])
BOUND_S = 5.0
"""From the moment the stream is back until a picture of it is here."""
LENGTHS_S = (0.3, 1.0, 2.5, 4.0, 7.0)
"""Shorter and longer than the time after which a silent camera is opened anew, and than the longest pause."""
OUTAGES = [(is_half_open, length_s) for length_s in (0.3, 4.0, 1.0, 2.5) for is_half_open in (False, True)]


class Viewer:
    """Looks at a camera in a thread of its own, as a capture thread does. Use it in a `with` block."""

    def __init__(self, uri: str, command: Sequence[str]) -> None:
        self.faults: list[str] = []
        self._stop = threading.Event()
        self._news = threading.Condition()
        self._newest = -1.0
        opened = partial(ChildCamera, parse(uri), uri, Wish(), command)
        frames = partial(live, "entry", opened, self._stop, count())
        self._frames = reopened(frames, self._stop, self.faults.append, Backoff())
        self._thread = threading.Thread(target=self._look, name="viewer")

    def __enter__(self) -> Viewer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def seen_after(self, moment: float, patience_s: float = 20.0) -> float:
        """Seconds from then until the first picture that came later; infinite when none did."""
        with self._news:
            self._news.wait_for(lambda: self._newest > moment, patience_s)
            return time.monotonic() - moment if self._newest > moment else float("inf")

    def _look(self) -> None:
        for frame in self._frames:
            if frame is not None:
                with self._news:
                    self._newest = frame.captured
                    self._news.notify_all()


def held() -> Counter[str]:
    """Threads, children, and descriptors by kind, of this process; memory that is shared without a name is `/memfd`."""
    found: Counter[str] = Counter()
    for task in Path("/proc/self/task").iterdir():
        with suppress(FileNotFoundError):  # it ended meanwhile
            found["child"] += len((task / "children").read_text().split())
            found["thread"] += 1
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # that of this listing
            found[os.readlink(descriptor).partition(":")[0]] += 1
    return +found


def is_held_again(before: Counter[str], patience_s: float = 2.0) -> bool:
    """A thread that was joined may be seen for a moment after."""
    until = time.monotonic() + patience_s
    while held() != before and time.monotonic() < until:
        time.sleep(0.05)
    log.info("held %s, before %s", held(), before)
    return held() == before


def cut(server: RtspServer, is_half_open: bool, outage_s: float) -> float:
    """Takes the stream away for a while. The moment from which it is there again."""
    (server.freeze if is_half_open else server.cut)()
    time.sleep(outage_s)
    (server.thaw if is_half_open else server.start)()
    return time.monotonic()


def recoveries(server: RtspServer, command: Sequence[str], outages: Sequence[tuple[bool, float]]) -> list[float]:
    """Seconds until the camera was seen again, after each outage."""
    with Viewer(server.uri, command) as viewer:
        assert viewer.seen_after(0.0) < float("inf"), viewer.faults
        took = [viewer.seen_after(cut(server, is_half_open, outage_s)) for is_half_open, outage_s in outages]
    assert not any("hunter2" in fault for fault in viewer.faults)
    log.info("%s", [round(s, 2) for s in took])
    return took


@pytest.fixture
def server() -> Iterator[RtspServer]:
    with RtspServer(user="admin", password="hunter2") as server:
        yield server


@pytest.mark.system
@DECODERS
def test_a_camera_that_was_cut_or_fell_silent_is_seen_again_and_nothing_leaks(
    server: RtspServer, command: Sequence[str]
) -> None:
    before = held()
    took = recoveries(server, command, OUTAGES if command is COMMAND else OUTAGES[:4])
    assert is_held_again(before)
    assert max(took) < BOUND_S


@pytest.mark.soak
@pytest.mark.timeout(3600)
@DECODERS
def test_after_two_hundred_cuts_a_camera_is_as_after_the_first(server: RtspServer, command: Sequence[str]) -> None:
    random_ = random.Random(8)
    outages = [(random_.random() < 0.5, random_.choice(LENGTHS_S)) for _ in range(200)]
    before = held()
    took = recoveries(server, command, outages)
    centiles = statistics.quantiles(took, n=20)
    log.warning("200 cuts: median %.2f s, p95 %.2f s, max %.2f s", statistics.median(took), centiles[-1], max(took))
    assert is_held_again(before)
    assert max(took) < BOUND_S
