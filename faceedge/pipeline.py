"""THE page: who runs, in which thread, fed by which queue.

    thread          takes            does                                       gives          may be silent
    capture-<cam>   the camera       one Frame a picture                        frames (1)     10 s
    detect          frames           faces, tracks, the shots worth it          shots (8)      5 s
    recognise       shots            templates, matches, votes, decisions       publisher      5 s

Queues hold (n) items a camera, the newest win and drops are counted; with `lossless` the giver waits instead,
and the clock is that of the clip: a file gives the same decisions at any speed.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from faceedge.channel import Channel, Closed
from faceedge.errors import FaceedgeError
from faceedge.health.heartbeat import Heart
from faceedge.types import Decision, Frame, Shot

log = logging.getLogger(__name__)
T = TypeVar("T")
WAIT_S = 0.25
STOP_WITHIN_S = 1.2
"""Of the 2 s that a stop may take; the door link leaves in the rest."""


@dataclass(slots=True)
class Pipeline:
    """Threads and queues of one daemon. Start it, watch `is_finished` and `stuck`, stop it."""

    sources: Mapping[str, Callable[[threading.Event], Iterator[Frame | None]]]
    detect: Callable[[Sequence[Frame]], list[Shot]]
    recognise: Callable[[Sequence[Shot]], list[Decision]]
    finish: Callable[[], None]
    lossless: bool = False
    on_ended: Callable[[str], None] = lambda _: None
    hearts: dict[str, Heart] = field(default_factory=dict)
    failures: list[Exception] = field(default_factory=list)
    """What ended a camera before its time."""
    _threads: list[threading.Thread] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _playing: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    frames: Channel[Frame] = field(init=False)
    shots: Channel[Shot] = field(init=False)

    def __post_init__(self) -> None:
        self.frames = Channel("frames", 1 if not self.lossless else 4, lossless=self.lossless)
        self.shots = Channel("shots", 8, lossless=self.lossless)

    def start(self) -> None:
        """Starts every thread of the table above."""
        self._playing.update(self.sources)
        for camera in self.sources:
            self._spawn(f"capture-{camera}", 10.0, self._capture, camera)
        self._spawn("detect", 5.0, self._detect)
        self._spawn("recognise", 5.0, self._recognise)
        for thread in self._threads:
            thread.start()

    @property
    def is_finished(self) -> bool:
        """Every camera has ended and everything it showed has been decided."""
        return not any(thread.is_alive() for thread in self._threads)

    @property
    def stuck(self) -> list[str]:
        """Names of living threads that made no progress for longer than they may."""
        return [thread.name for thread in self._threads if thread.is_alive() and self.hearts[thread.name].is_stuck]

    def stop(self) -> list[str]:
        """Ends all threads within `STOP_WITHIN_S`; returns the names of those that did not end."""
        self._stop.set()
        self.frames.close(discard=True)
        self.shots.close(discard=True)
        deadline = time.monotonic() + STOP_WITHIN_S
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return [thread.name for thread in self._threads if thread.is_alive()]

    def counters(self) -> dict[str, int]:
        """Items passed and dropped by queue, faults by stage."""
        queues = {f"{c.name}_{kind}": n for c in (self.frames, self.shots) for kind, n in
                  (("passed", c.passed), ("dropped", c.dropped))}  # fmt: skip
        return queues | {f"{heart.name}_faults": heart.faults.total() for heart in self.hearts.values()}

    def stages(self) -> list[dict[str, Any]]:
        """Every thread of the table above: alive, stuck, how often it has raised."""
        return [
            {"name": thread.name, "alive": thread.is_alive(), "stuck": self.hearts[thread.name].is_stuck,
             "faults": self.hearts[thread.name].faults.total()}
            for thread in self._threads
        ]  # fmt: skip

    def queues(self) -> dict[str, int]:
        """How many items wait in each queue."""
        return {channel.name: len(channel) for channel in (self.frames, self.shots)}

    def _spawn(self, name: str, silence_s: float, loop: Callable[..., None], *args: str) -> None:
        self.hearts[name] = Heart(name, silence_s)
        self._threads.append(threading.Thread(target=loop, args=(self.hearts[name], *args), name=name, daemon=True))

    def _capture(self, heart: Heart, camera: str) -> None:
        try:
            for frame in self.sources[camera](self._stop):
                heart.beat()
                if frame is not None:
                    self.frames.put(camera, frame)
                if self._stop.is_set():
                    break
        except Exception as error:
            self._fault(heart, error)
            self.failures.append(error)
        with self._lock:
            self._playing.discard(camera)
            if not self._playing:
                self.frames.close()
        self.on_ended(camera)

    def _detect(self, heart: Heart) -> None:
        for frames in self._taken(self.frames, len(self.sources), heart):
            for shot in self._guarded(heart, self.detect, frames):
                self.shots.put(shot.camera, shot)
        self.shots.close()

    def _recognise(self, heart: Heart) -> None:
        for shots in self._taken(self.shots, 8, heart):
            self._guarded(heart, self.recognise, shots)
        self.finish()

    def _taken(self, channel: Channel[T], most: int, heart: Heart) -> Iterator[list[T]]:
        """Batches until the channel ends; an empty batch is time passing."""
        while True:
            heart.beat()
            try:
                yield channel.take(most, WAIT_S)
            except Closed:
                return

    def _guarded(self, heart: Heart, work: Callable[[Sequence[Any]], list[Any]], items: Sequence[Any]) -> list[Any]:
        """A stage that raises loses this batch, is counted, and goes on with the next."""
        try:
            return work(items)
        except Exception as error:
            self._fault(heart, error)
            return []

    @staticmethod
    def _fault(heart: Heart, error: Exception) -> None:
        kind = type(error).__name__
        heart.faults[kind] += 1
        if heart.faults[kind] == 1:
            log.error(
                "%s: %s: %s (said once, counted from now on)",
                heart.name,
                kind,
                error,
                exc_info=None if isinstance(error, FaceedgeError) else error,
            )
