"""Frames in, the shots worth recognising out: one batch, without threads and queues."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from faceedge.bundle import Turn
from faceedge.jobs.vision import Vision
from faceedge.manifest import Role
from faceedge.track import Region, ShotPicker, Tracker, within
from faceedge.types import Assessment, Face, Frame, Image, Shot

NO_CROP = np.empty((0, 0, 3), np.uint8)


def never(_captured: float) -> bool:
    """No picture is too late."""
    return False


class DetectStage:
    """Frames become tracked faces; the shots worth recognising are cut while the frame is at hand."""

    def __init__(
        self,
        vision: Vision,
        tell: Callable[[dict[str, Any]], None],
        is_late: Callable[[float], bool] = never,
        scale: Callable[[], float] = lambda: 1.0,
        regions: Mapping[str, Region] | None = None,
    ) -> None:
        """is_late: whether a picture of this moment can no longer be decided in time, now that its faces are known.
        scale: side of the detector's input against the usual, 0..1, now. regions: by camera, where faces count."""
        self._vision = vision
        self._tell = tell
        self._is_late = is_late
        self._scale = scale
        self._regions = regions or {}
        self._trackers: dict[str, Tracker] = {}
        self._pickers: dict[str, ShotPicker] = {}
        self._born: dict[str, int] = {}
        self._generation = 0
        self._turn: Turn | None = None
        self._taken: Turn | None = None
        """Not told yet: what was cut before it is on its way to the next stage only with the next batch."""
        self._parting: list[Shot] = []
        """What was held back for networks that have left, until a batch does not fail."""
        self.shows = False
        """Whether shots are to carry the frame that they were cut from, for other networks."""

    def __call__(self, frames: Sequence[Frame]) -> list[Shot]:
        self._take_turn()
        shots: list[Shot] = []
        if frames:
            faces = self._vision.detector.detect([frame.image for frame in frames], self._scale())
            shots = [shot for frame, found in zip(frames, faces, strict=True) for shot in self._shots(frame, found)]
        else:
            self._vision.tidy_detection()
        parting, self._parting = self._parting, []
        return parting + shots

    @property
    def most(self) -> int:
        """So many frames run at once."""
        return self._vision.detector.most

    def renew(self, role: Role) -> None:
        """Opens an engine anew; by the stage's thread. Raises EngineError."""
        self._vision.renew(role)

    def change(self, turn: Turn | None) -> None:
        """From the next batch on other networks look, or (None) do not after all; any thread. Tracks go on, and so do
        their numbers."""
        self._turn = turn

    def _take_turn(self) -> None:
        if self._taken is not None:
            self._taken.taken.set()
            self._taken = None
        turn = self._turn
        if turn is None or not turn.claim():
            return
        self._vision, self._generation = turn.bundle.vision, turn.bundle.number
        self._turn, self._taken = None, turn
        self._parting += [shot for picker in self._pickers.values() for shot in picker.held()]

    def reopen(self) -> None:
        """After a fault: no face is followed on, and no track's number is used again. A shot that was held back for a
        better one still comes, for its track is to have an outcome."""
        self._trackers = {camera: Tracker(tracker.next_id) for camera, tracker in self._trackers.items()}

    def _shots(self, frame: Frame, found: Sequence[Face]) -> Iterator[Shot]:
        tracker = self._trackers.setdefault(frame.camera, Tracker())
        picker = self._pickers.setdefault(frame.camera, ShotPicker())
        region = self._regions.get(frame.camera)
        tracked = tracker.update(found if region is None else within(found, frame.image, region), frame.captured)
        self._announce(frame, [track for track, _ in tracked])
        due = [(track, face) for track, face in tracked if picker.is_due(track, frame.captured)]
        if due and self._is_late(frame.captured):
            for track, face in due:
                yield self._shot(frame, track, face, NO_CROP, Assessment(0.0))
            return
        faces = [face for _, face in due]
        crops = self._vision.crops(frame.image, faces)
        assessments = self._vision.assess(frame.image, faces, crops)
        for (track, face), crop, assessment in zip(due, crops, assessments, strict=True):
            picked = picker.offer(self._shot(frame, track, face, crop, assessment))
            if picked is not None:
                yield picked
        yield from picker.overdue(frame.captured)

    def _shot(self, frame: Frame, track: int, face: Face, crop: Image, assessment: Assessment) -> Shot:
        shown = frame.image if self.shows else None
        at = frame.camera, track, frame.seq, frame.captured
        return Shot(*at, face, crop, assessment, self._generation, shown)

    def _announce(self, frame: Frame, tracks: Sequence[int]) -> None:
        newest = max(tracks, default=0)
        for track in range(self._born.get(frame.camera, 0) + 1, newest + 1):
            self._tell({"event": "track", "camera": frame.camera, "track": track, "seq": frame.seq})
        self._born[frame.camera] = max(self._born.get(frame.camera, 0), newest)
