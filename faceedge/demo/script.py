"""The story of the clip: which scene when, what the door must do in it, and where its subject stands. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

FPS = 25
WIDTH_PX, HEIGHT_PX = 480, 270
STRIDE_HZ = 1.9

Subject = Literal["nobody", "astronaut", "cat", "admiral"]
Expect = Literal["open", "shut", "nothing"]
"""`open`: the door must open. `shut`: it must not. `nothing`: no track may begin either."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Frames `start` up to, not including, `end`."""

    name: str
    subject: Subject
    start: int
    end: int
    expect: Expect


@dataclass(frozen=True, slots=True)
class Timeline:
    """The scenes of a clip in order; together they cover each of its frames once."""

    fps: int
    scenes: tuple[Scene, ...]

    @property
    def frames(self) -> int:
        return self.scenes[-1].end

    @property
    def seconds(self) -> float:
        return self.frames / self.fps

    def scene_at(self, seq: int) -> Scene | None:
        """The scene of frame number `seq`, None beyond the clip."""
        return next((scene for scene in self.scenes if scene.start <= seq < scene.end), None)


@dataclass(frozen=True, slots=True)
class Pose:
    """Where a subject is: x, y px of the point between the eyes, width of the face px, tilt in degrees."""

    x: float
    y: float
    face_px: float
    tilt_deg: float


@dataclass(frozen=True, slots=True)
class Look:
    """How the camera sees it. exposure: 1 is right. blur_px: sigma of the subject's blur."""

    exposure: float = 1.0
    blur_px: float = 0.0


@dataclass(frozen=True, slots=True)
class Key:
    """A moment of a scene, in seconds after its start; between keys everything eases."""

    at_s: float
    x: float
    face_px: float
    blur_px: float = 0.0


@dataclass(frozen=True, slots=True)
class Act:
    """A scene as it is played. light: (second, exposure) pairs, straight lines between them."""

    name: str
    subject: Subject
    expect: Expect
    seconds: float
    keys: tuple[Key, ...] = ()
    light: tuple[tuple[float, float], ...] = ()
    eyes_px: float = 118.0
    walks: bool = True


EMPTY_S = 0.8
LAMP_FAILS = (
    (0.0, 1.0), (0.5, 1.0), (0.6, 0.3), (0.7, 0.6), (0.8, 0.15), (3.6, 0.15), (3.66, 0.5), (3.72, 0.25), (3.9, 1.0),
)  # fmt: skip
ACTS = (
    Act("Astronaut walks up", "astronaut", "open", 5.2,
        (Key(0, -90, 50), Key(1.0, 196, 62), Key(2.7, 236, 118), Key(4.4, 246, 122), Key(5.2, 700, 170))),
    Act("Cat looks in", "cat", "nothing", 3.2,
        (Key(0, -260, 150), Key(1.0, 118, 172), Key(2.4, 150, 205), Key(3.2, -300, 190)),
        eyes_px=112.0, walks=False),
    Act("Admiral, a stranger", "admiral", "shut", 4.8,
        (Key(0, 580, 42), Key(1.0, 272, 47), Key(2.7, 244, 124), Key(4.52, 236, 128), Key(4.8, -340, 170)),
        eyes_px=124.0),
    Act("Astronaut, lamp out", "astronaut", "open", 6.0,
        (Key(0, 570, 52), Key(1.0, 286, 64), Key(2.5, 244, 120), Key(5.2, 236, 124), Key(6.0, -240, 170)),
        light=LAMP_FAILS),
    Act("Astronaut, a blur", "astronaut", "shut", 3.0,
        (Key(0, -90, 60, 4.0), Key(0.8, 160, 98, 4.8), Key(1.6, 232, 122, 5.8), Key(2.3, 262, 128, 6.2),
         Key(3.0, 700, 160, 7.0))),
)  # fmt: skip


def timeline() -> Timeline:
    """The scenes of the clip, an empty hallway before, between and after the acts."""
    scenes: list[Scene] = []
    start = 0
    for act in (*ACTS, None):
        empty_end = start + round(EMPTY_S * FPS)
        scenes.append(Scene("Empty hallway", "nobody", start, empty_end, "nothing"))
        if act is None:
            break
        start = empty_end + round(act.seconds * FPS)
        scenes.append(Scene(act.name, act.subject, empty_end, start, act.expect))
    return Timeline(FPS, tuple(scenes))


def pose(act: Act, at_s: float) -> Pose:
    """Where the act's subject is at a second of its scene, swaying while it walks."""
    before, after, share = _between(act.keys, at_s)
    eased = share * share * (3 - 2 * share)
    face_px = before.face_px + eased * (after.face_px - before.face_px)
    pace = abs(after.face_px - before.face_px) / max(after.at_s - before.at_s, 1e-6) * 4 * share * (1 - share)
    stride = min(1.0, pace / 25) if act.walks else 0.3
    phase = 2 * math.pi * STRIDE_HZ * at_s
    sway = 0.035 * stride * math.sin(phase / 2) + 0.006 * math.sin(at_s * 2)
    return Pose(
        x=before.x + eased * (after.x - before.x) + face_px * sway,
        y=act.eyes_px + face_px * (0.03 * stride * math.sin(phase) + 0.006 * math.sin(at_s * 2.7)),
        face_px=face_px,
        tilt_deg=1.6 * stride * math.sin(phase / 2 + 0.6) + 0.5 * math.sin(at_s * 1.7),
    )


def look(act: Act, at_s: float) -> Look:
    """Light and blur at a second of the act's scene."""
    before, after, share = _between(act.keys, at_s)
    return Look(_exposure(act, at_s), before.blur_px + share * (after.blur_px - before.blur_px))


def _between(keys: tuple[Key, ...], at_s: float) -> tuple[Key, Key, float]:
    for before, after in pairwise(keys):
        if at_s <= after.at_s:
            return before, after, max(0.0, at_s - before.at_s) / (after.at_s - before.at_s)
    return keys[-1], keys[-1], 0.0


def _exposure(act: Act, at_s: float) -> float:
    for (start, low), (end, high) in pairwise(act.light):
        if start <= at_s <= end:
            return low + (high - low) * (at_s - start) / (end - start)
    return act.light[-1][1] if act.light else 1.0
