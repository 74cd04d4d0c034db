"""Networks on trial that look on and decide nothing, in a thread of their own.

A `second` of the recognise stage, which only leaves a shot in a small queue, where the newest win. Several of one face
may wait there: one shot alone lets nobody in.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from faceedge.channel import Channel, Closed
from faceedge.hearing import Hearing
from faceedge.types import Match, Shot, Template

WAITING_MOST = 4
"""Each keeps a whole picture in memory."""
WAIT_S = 0.5
STOP_WITHIN_S = 2.0
NICE = 10


@dataclass(frozen=True, slots=True, eq=False)
class _Offer:
    shot: Shot
    match: Match


class Shadow:
    """Start it, let the stage call it, stop it. may: whether there is anything to spare for it just now."""

    def __init__(self, hearing: Hearing, may: Callable[[], bool] = lambda: True) -> None:
        self._hearing = hearing
        self._may = may
        self._offers: Channel[_Offer] = Channel("shadow", WAITING_MOST, most=WAITING_MOST)
        self._thread = threading.Thread(target=self._run, name="shadow", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def heard(self, shot: Shot, _template: Template, match: Match) -> Match:
        """The match as it is; the networks on trial look at the shot when they come to it. Never waits."""
        if shot.frame is not None and self._may():
            self._offers.put((shot.camera, shot.track), _Offer(shot, match))
        return match

    def took(self, seconds: float, shots: int) -> None:
        """See `Hearing.took`."""
        self._hearing.took(seconds, shots)

    def stop(self) -> bool:
        """Ends the thread after the shot at hand; whether it has ended in time."""
        self._offers.close(discard=True)
        if self._thread.is_alive():
            self._thread.join(STOP_WITHIN_S)
        return not self._thread.is_alive()

    def report(self) -> dict[str, Any]:
        """See `Hearing.report`; skipped: shots for which there was no time."""
        return {**self._hearing.report(), "skipped": self._offers.dropped}

    def _run(self) -> None:
        with suppress(OSError):  # Linux sets it for this thread alone; elsewhere it is only slower for the door
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
        with suppress(Closed):
            while True:
                for offer in self._offers.take(1, WAIT_S):
                    self._hearing.ask(offer.shot, offer.match)
