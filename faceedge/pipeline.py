"""THE page: who runs, in which thread, fed by which queue.

    thread          takes            does                                       gives          may be silent
    capture-<cam>   the camera       one Frame a picture                        frames (1)     3 s
    detect          frames           faces, tracks, the shots worth it          shots (1)      3 s
    recognise       shots            templates, matches, votes, decisions       publisher      3 s

Queues hold (n) items a camera, or a track of a camera; they take turns, the newest win and drops are counted. With
`lossless` the giver waits instead, and the clock is that of the clip: a file gives the same decisions at any speed.
Frames that can no longer be decided in time are dropped before anything is done with them; of shots the stages decide,
because a face that came too late is still refused and not forgotten. A stage that raises is opened anew (`reopen`) and
loses its batch; one that is silent for longer than it may (`vitals`) hangs, and nothing but a new process mends that.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from faceedge.batching import GREEDY, Batching
from faceedge.channel import Channel, Closed
from faceedge.deadlines import Deadlines
from faceedge.effort import FULL, Effort
from faceedge.errors import FaceedgeError
from faceedge.gauge import Gauge, NoGauge
from faceedge.health.heartbeat import Heart
from faceedge.health.watchdog import Vital
from faceedge.types import Decision, Frame, Shot

log = logging.getLogger(__name__)
T = TypeVar("T", Frame, Shot)
WAIT_S = 0.25
MANY = 1024
SILENCE_S = 3.0
"""Of a stage or a camera. A hang is to be seen within 5 s, and the slowest batch on the slowest board takes 1 s."""
PLAYED_SILENCE_S = 60.0
"""With `lossless` whoever gives waits for whoever takes, and nobody stands at the door."""
CAMERA_PAUSE_S = 1.0
STOP_WITHIN_S = 1.2
"""Of the 2 s that a stop may take; the door link leaves in the rest."""


@dataclass(slots=True)
class Pipeline:
    """Threads and queues of one daemon. Start it, watch `is_finished` and `vitals`, stop it.

    effort: how much may be done now. most: by stage, how much its engine runs at once: were more taken, the first of
    them would wait for the last, and no newer one could take their place. deadlines: None where pictures have no age,
    as those of a file that is worked through. reopen: makes a stage anew, by its name, after it has raised. missed:
    told of every shot that comes to nothing, because the queue is full of other tracks or its batch failed: its track
    is there all the same, and gets an outcome.
    """

    sources: Mapping[str, Callable[[threading.Event], Iterator[Frame | None]]]
    detect: Callable[[Sequence[Frame]], list[Shot]]
    recognise: Callable[[Sequence[Shot]], list[Decision]]
    finish: Callable[[], None]
    lossless: bool = False
    on_ended: Callable[[str], None] = lambda _: None
    effort: Callable[[], Effort] = lambda: FULL
    most: Mapping[str, Callable[[], int]] = field(default_factory=dict)
    batching: Batching = GREEDY
    deadlines: Deadlines | None = None
    gauge: Gauge = field(default_factory=NoGauge)
    reopen: Callable[[str], None] = lambda _: None
    missed: Callable[[Shot], None] = lambda _: None
    hearts: dict[str, Heart] = field(default_factory=dict)
    failures: list[Exception] = field(default_factory=list)
    """What ended a camera before its time."""
    _threads: list[threading.Thread] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _playing: set[str] = field(default_factory=set)
    _ended: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _is_too_slow: bool = False
    frames: Channel[Frame] = field(init=False)
    shots: Channel[Shot] = field(init=False)

    def __post_init__(self) -> None:
        how: dict[str, Any] = {"lossless": self.lossless, "batching": self.batching, "waited": self.gauge.waited}
        self.frames = Channel("frames", 1 if not self.lossless else 4, **how)
        self.shots = Channel("shots", 1 if not self.lossless else 8, lost=self.missed, **how)

    def start(self) -> None:
        """Starts every thread of the table above."""
        self._playing.update(self.sources)
        silence_s = PLAYED_SILENCE_S if self.lossless else SILENCE_S
        for camera in self.sources:
            self._spawn(f"capture-{camera}", silence_s, self._capture, camera)
        self._spawn("detect", silence_s, self._detect)
        self._spawn("recognise", silence_s, self._recognise)
        for thread in self._threads:
            thread.start()

    @property
    def is_finished(self) -> bool:
        """Every camera has ended and everything it showed has been decided."""
        return not any(thread.is_alive() for thread in self._threads)

    @property
    def is_ending(self) -> bool:
        """No stage begins another batch, or soon none will; one that hangs may still be at its last."""
        return self._stop.is_set() or self.is_finished

    def vitals(self) -> list[Vital]:
        """Every thread of the table above, for the watchdog."""
        return [
            Vital(self.hearts[thread.name], thread.is_alive, partial(self._has_ended, thread.name))
            for thread in self._threads
        ]

    def abandon(self) -> None:
        """Asks all threads to end, and waits for none: one of them hangs."""
        self._stop.set()
        self.frames.close(discard=True)
        self.shots.close(discard=True)

    def stop(self) -> list[str]:
        """Ends all threads within `STOP_WITHIN_S`; returns the names of those that did not end."""
        self.abandon()
        deadline = time.monotonic() + STOP_WITHIN_S
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return [thread.name for thread in self._threads if thread.is_alive()]

    def counters(self) -> dict[str, int]:
        """Items passed and dropped by queue, those that were too late by queue, place and reason, faults by stage."""
        late = self.deadlines.counters() if self.deadlines is not None else {}
        return {
            **{f"{c.name}_{kind}": n for c in (self.frames, self.shots)
               for kind, n in (("passed", c.passed), ("dropped", c.dropped))},
            "frames_late": sum(n for name, n in late.items() if name.startswith("late_detect_")),
            "shots_late": sum(n for name, n in late.items() if not name.startswith("late_detect_")),
            **late,
            **{f"{heart.name}_faults": heart.faults.total() for heart in self.hearts.values()},
        }  # fmt: skip

    @property
    def notices(self) -> list[str]:
        """What somebody should know of it."""
        slow_s = self.deadlines.too_slow_s if self.deadlines is not None else None
        return [] if slow_s is None or self.deadlines is None else [_too_slow(slow_s, self.deadlines.deadline_s)]

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

    def _has_ended(self, thread: str) -> bool:
        """In order: any other end of a thread is its death."""
        return self._stop.is_set() or thread in self._ended

    def _capture(self, heart: Heart, camera: str) -> None:
        while not self._is_through(heart, camera):
            heart.beat()
            self._stop.wait(CAMERA_PAUSE_S)  # ours to mend, but the other cameras go on, and perhaps this one
        self._ended.add(heart.name)
        with self._lock:
            self._playing.discard(camera)
            if not self._playing:
                self.frames.close()
        self.on_ended(camera)

    def _is_through(self, heart: Heart, camera: str) -> bool:
        """Whether the camera has come to its end; False when its source has failed and is to be tried again."""
        passed = -math.inf
        try:
            for frame in self.sources[camera](self._stop):
                heart.beat()
                if frame is not None:
                    heart.worked()
                    if frame.captured - passed >= self.effort().frame_gap_s:
                        passed = frame.captured
                        self.frames.put(camera, frame)
                if self._stop.is_set():
                    break
        except Exception as error:
            self._fault(heart, error)
            if self.lossless:
                self.failures.append(error)
            return self.lossless or self._stop.is_set()
        return True

    def _detect(self, heart: Heart) -> None:
        for frames in self._taken(self.frames, heart):
            for shot in self._guarded(heart, self.detect, self._timely(frames)):
                self.shots.put((shot.camera, shot.track), shot)
        self._ended.add(heart.name)
        self.shots.close()

    def _recognise(self, heart: Heart) -> None:
        for shots in self._taken(self.shots, heart):
            self._guarded(heart, self.recognise, shots, self.missed)
        self._ended.add(heart.name)
        self.finish()

    def _taken(self, channel: Channel[T], heart: Heart) -> Iterator[list[T]]:
        """Batches until the channel ends; an empty batch is time passing."""
        while True:
            heart.beat()
            most = min(self.effort().batch, self.most[heart.name]() if heart.name in self.most else MANY)
            try:
                yield channel.take(self.deadlines.most(heart.name, most) if self.deadlines else most, WAIT_S)
            except Closed:
                return

    def _timely(self, frames: list[Frame]) -> list[Frame]:
        """Those that can still be decided in time."""
        if self.deadlines is None:
            return frames
        now = time.monotonic()
        return [frame for frame in frames if not self.deadlines.is_late("detect", frame.captured, now)]

    def _guarded(
        self, heart: Heart, work: Callable[[Sequence[Any]], list[Any]], items: Sequence[Any],
        missed: Callable[[Any], None] = lambda _: None,
    ) -> list[Any]:  # fmt: skip
        """A stage that raises loses this batch, is counted, is made anew, and goes on with the next."""
        start = time.monotonic()
        try:
            made = work(items)
        except Exception as error:
            self._fault(heart, error)
            if self.deadlines is not None:
                self.deadlines.failed(heart.name)
            self._anew(heart)
            for item in items:
                missed(item)
            return []
        if items:
            heart.worked()
            self._took(heart.name, time.monotonic() - start, len(items))
        return made

    def _anew(self, heart: Heart) -> None:
        heart.beat()  # it has come to its end, if a bad one
        try:
            self.reopen(heart.name)
        except Exception as error:
            self._fault(heart, error)

    def _took(self, stage: str, seconds: float, items: int) -> None:
        self.gauge.worked(stage, seconds, items)
        if self.deadlines is None:
            return
        self.deadlines.took(stage, seconds, time.monotonic())
        if (notices := self.notices) and not self._is_too_slow:
            log.error("%s", notices[0])
        self._is_too_slow = bool(notices)

    @staticmethod
    def _fault(heart: Heart, error: Exception) -> None:
        kind = type(error).__name__
        heart.fault(kind)
        if heart.faults[kind] == 1:
            log.error(
                "%s: %s: %s (said once, counted from now on)",
                heart.name,
                kind,
                error,
                exc_info=None if isinstance(error, FaceedgeError) else error,
            )


def _too_slow(takes_s: float, deadline_s: float) -> str:
    return (
        f"this machine takes {round(1000 * takes_s)} ms, decisions need {round(1000 * deadline_s)}: nearly all come too"
        " late and the doors stay shut; use a smaller detector, smaller pictures or fewer cameras"
    )
