"""What another bundle of networks makes of a face that the serving one has found: its crop, quality, template, match.

It decides nothing. Asked by `hearing.py`, off the hot path or for some tracks on it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from faceedge.bands import ANYWHERE, lesser
from faceedge.bundle import Bundle
from faceedge.families.nms import overlap
from faceedge.types import Band, Face, Image, Match, Shot

SAME_FACE = 0.5
"""Intersection over union from which two detectors mean the same face."""


@dataclass(frozen=True, slots=True, eq=False)
class Testimony:
    """One shot as another bundle would have had it. match: None where the picture is too poor for it to vote.

    detecting_s: that its own detector took, 0 where the face was known. embedding_s: that its recogniser took, as a
    stage measures it. whole_s: all of it.
    """

    shot: Shot
    match: Match | None
    detecting_s: float
    embedding_s: float
    whole_s: float


class Witness:
    """Looks for `bundle` at shots of `serving`. One thread; where both share a network, its engine must bear two."""

    def __init__(self, bundle: Bundle, serving: Bundle, clock: Callable[[], float] = time.perf_counter) -> None:
        self.bundle = bundle
        self._clock = clock
        ours, theirs = bundle.vision, serving.vision
        self.has_own_eyes = ours.builds["detector"] != theirs.builds["detector"]
        self._cuts_alike = not self.has_own_eyes and ours.alignment == theirs.alignment
        self._seen: tuple[str, int] = "", -1
        self._faces: list[Face] = []
        """What its own detector found in the last picture, for the next face there."""

    def look(self, shot: Shot) -> Testimony | None:
        """None where its own detector does not find the face. The shot must carry its frame.

        Raises EngineError, and whatever broken networks make their families raise.
        """
        if shot.frame is None:
            raise ValueError("a shot without its frame shows nothing to other networks")
        began = self._clock()
        faces = self._faces_of(shot, shot.frame) if self.has_own_eyes else [shot.face]
        detecting_s = self._clock() - began if self.has_own_eyes else 0.0
        face = _same(shot.face, faces)
        if face is None:
            return None
        mine, match, embedding_s = self._recognised(self._cut(shot, shot.frame, face))
        return Testimony(mine, match, detecting_s, embedding_s, self._clock() - began)

    def _faces_of(self, shot: Shot, frame: Image) -> list[Face]:
        if self._seen != (shot.camera, shot.seq):
            self._faces = self.bundle.vision.detector.detect([frame])[0]
            self._seen = shot.camera, shot.seq
        return self._faces

    def _cut(self, shot: Shot, frame: Image, face: Face) -> Shot:
        vision = self.bundle.vision
        crop = shot.crop if self._cuts_alike else vision.crops(frame, [face])[0]
        return replace(shot, face=face, crop=crop, assessment=vision.assess(frame, [face], [crop])[0])

    def _recognised(self, shot: Shot) -> tuple[Shot, Match | None, float]:
        bundle = self.bundle
        if not bundle.judge.is_usable(shot):
            return shot, None, 0.0
        began = self._clock()
        (template,) = bundle.vision.recognizer.embed([shot.crop])
        embedding_s = self._clock() - began
        shot = replace(shot, assessment=bundle.vision.settled([shot.assessment], [template])[0])
        match = bundle.roster.identifier.identify(template) if bundle.judge.is_usable(shot) else None
        return shot, match, embedding_s


def _same(face: Face, faces: list[Face]) -> Face | None:
    if not faces:
        return None
    shares = overlap(face.box, np.array([other.box for other in faces], np.float32))
    best = int(shares.argmax())
    return faces[best] if shares[best] >= SAME_FACE else None


def worth(bundle: Bundle, shot: Shot, match: Match | None) -> Band:
    """What a match counts for by the numbers of a bundle, at the strictest door that the camera watches."""
    return lesser(*bands_of(bundle, shot, match))


def bands_of(bundle: Bundle, shot: Shot, match: Match | None) -> list[Band]:
    """What it counts for at each of them."""
    doors = bundle.judge.doors.get(shot.camera) or {ANYWHERE: bundle.numbers.usual}
    if match is None:
        return ["none"] * len(doors)
    return [limits.band(shot, match) if limits.is_usable(shot) else "none" for limits in doors.values()]
