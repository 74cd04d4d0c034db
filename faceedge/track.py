"""Faces of one camera become tracks, and the shots worth recognising are picked. Clock comes in with the frames.

Greedy matching by overlap with a constant-velocity guess is enough at a door: few faces, 10 to 30 frames a second.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from faceedge.families.nms import overlap
from faceedge.types import Face, Floats, Image, Shot

MIN_OVERLAP = 0.25
LOST_AFTER_S = 0.8
LOST_AFTER_FRAMES = 2.5
"""Whichever is longer: on a slow machine the next frame comes late, and its face is the same."""
CONFIRM_HITS = 2
"""One detection alone is noise; the second in a row makes a track."""
REMEMBERED = 64
"""Tracks a picker knows before it forgets the old ones; a held shot weighs 70 kB."""


Region: TypeAlias = tuple[float, float, float, float]
"""x0, y0, x1, y1 as shares of the picture."""


def within(faces: Sequence[Face], image: Image, region: Region) -> list[Face]:
    """Those whose middle lies in the region."""
    height, width = image.shape[:2]
    x0, y0, x1, y1 = np.array(region) * (width, height, width, height)
    middles = [((face.box[0] + face.box[2]) / 2, (face.box[1] + face.box[3]) / 2) for face in faces]
    return [face for face, (x, y) in zip(faces, middles, strict=True) if x0 <= x <= x1 and y0 <= y <= y1]


@dataclass(slots=True)
class _Trail:
    track: int
    box: Floats
    velocity: Floats
    """Corner speeds, px a second."""
    seen: float
    hits: int = 1


class Tracker:
    """Follows the faces of one camera; ids rise and are never used twice."""

    def __init__(self, first: int = 1) -> None:
        """first: id of the first track."""
        self.next_id = first
        """No track has had it yet."""
        self._trails: list[_Trail] = []
        self._updated = math.inf
        self._gap_s = 0.0
        """Between the two frames before this one: what is usual, so that an outage does not count as slow."""

    def update(self, faces: Sequence[Face], captured: float) -> list[tuple[int, Face]]:
        """(track id, face) of every face that belongs to a confirmed track in this frame."""
        limit_s = max(LOST_AFTER_S, LOST_AFTER_FRAMES * self._gap_s)
        self._gap_s, self._updated = max(0.0, captured - self._updated), captured
        self._trails = [trail for trail in self._trails if captured - trail.seen <= limit_s]
        confirmed = []
        for index, trail in self._pair(faces, captured):
            if trail.hits >= CONFIRM_HITS:
                trail.track = trail.track or self._new_id()
                confirmed.append((trail.track, faces[index]))
        return confirmed

    def _pair(self, faces: Sequence[Face], captured: float) -> list[tuple[int, _Trail]]:
        """Best overlap first; faces without a trail begin one."""
        old = list(self._trails)
        guesses = [trail.box + trail.velocity * (captured - trail.seen) for trail in old]
        boxes = np.array([face.box for face in faces], np.float32).reshape(-1, 4)
        scores = sorted(
            ((score, t, f) for t, guess in enumerate(guesses) for f, score in enumerate(overlap(guess, boxes))),
            reverse=True,
        )
        trail_of: dict[int, _Trail] = {}
        taken: set[int] = set()
        for score, t, f in scores:
            if score < MIN_OVERLAP or t in taken or f in trail_of:
                continue
            taken.add(t)
            trail_of[f] = _follow(old[t], faces[f].box, captured)
        for f, face in enumerate(faces):
            if f not in trail_of:
                trail_of[f] = _Trail(0, face.box, np.zeros(4, np.float32), captured)
                self._trails.append(trail_of[f])
        return sorted(trail_of.items())

    def _new_id(self) -> int:
        self.next_id += 1
        return self.next_id - 1


def _follow(trail: _Trail, box: Floats, captured: float) -> _Trail:
    gap = captured - trail.seen
    if gap > 0:
        trail.velocity = 0.5 * trail.velocity + 0.5 * (box - trail.box) / np.float32(gap)
    trail.box, trail.seen, trail.hits = box, captured, trail.hits + 1
    return trail


class ShotPicker:
    """Which shots of a track are worth a recognition: a good one at once, else the best of a short while."""

    def __init__(self, *, spacing_s: float = 0.1, patience_s: float = 0.24, good: float = 0.6) -> None:
        self._spacing_s = spacing_s
        self._patience_s = patience_s
        self._good = good
        self._sent: dict[int, float] = {}
        self._held: dict[int, tuple[float, Shot]] = {}

    def is_due(self, track: int, now: float) -> bool:
        """Whether a shot of this track is wanted at all, before a crop is cut."""
        return now - self._sent.get(track, -np.inf) >= self._spacing_s

    def offer(self, shot: Shot) -> Shot | None:
        """The shot to recognise now, if any. Remembers the better of two poor ones."""
        self._forget_old(shot.captured)
        since, best = self._held.get(shot.track, (shot.captured, shot))
        if shot.assessment.quality >= best.assessment.quality:
            best = shot
        if best.assessment.quality < self._good and shot.captured - since < self._patience_s:
            self._held[shot.track] = (since, best)
            return None
        self._held.pop(shot.track, None)
        self._sent[shot.track] = shot.captured
        return best

    def overdue(self, now: float) -> list[Shot]:
        """Held shots of whoever has not come again: without them nobody would know that somebody was there."""
        gone = [track for track, (since, _) in self._held.items() if now - since >= self._patience_s]
        return [self._held.pop(track)[1] for track in gone]

    def held(self) -> list[Shot]:
        """All that are held, which are so no longer."""
        return self.overdue(np.inf)

    def _forget_old(self, now: float) -> None:
        if len(self._sent) + len(self._held) > REMEMBERED:
            self._sent = {track: sent for track, sent in self._sent.items() if now - sent < 10}
            self._held = {track: held for track, held in self._held.items() if now - held[0] < 10}
