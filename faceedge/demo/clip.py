"""The demo's clip: hallway, figures, light and sensor noise, frame by frame, the same for the same seed."""

from __future__ import annotations

import hashlib
import math
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

from faceedge.demo import photos, script
from faceedge.demo.figures import Figure, figures, place
from faceedge.demo.hallway import hallway
from faceedge.demo.script import Act, Look, Scene, Timeline
from faceedge.errors import CameraError
from faceedge.types import Floats, Image

REVISION = 3
"""Raise it whenever a frame may look different: cached clips are then rendered anew."""
SIZE = (script.WIDTH_PX, script.HEIGHT_PX)
SHUTTER_S = 0.008
NOISE_LEVELS = 2.2
QUALITY = 92

Progress = Callable[[str, float], None]


def cached(cache: Path, *, seed: int = 0, progress: Progress | None = None) -> tuple[Path, Timeline]:
    """The clip's file below `cache`, rendered if it is not there yet, and its timeline. Clips of older code go."""
    path = cache / "demo" / f"clip-{_fingerprint(seed)}.avi"
    if path.is_file():
        return path, script.timeline()
    story = render(path, seed=seed, progress=progress)
    for stale in path.parent.glob("clip-*.avi"):
        if stale != path:
            stale.unlink(missing_ok=True)
    return path, story


def render(path: Path, *, seed: int = 0, progress: Progress | None = None) -> Timeline:
    """Writes the clip as Motion JPEG in AVI; the file appears whole or not at all.

    progress: called with what is being done and the share done, 0..1. Raises MissingExtra without the photos,
    CameraError when this OpenCV cannot write.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    story = script.timeline()
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".clip-") as scratch:
        fresh = Path(scratch) / "clip.avi"
        _write(fresh, story, seed, progress)
        os.replace(fresh, path)
    return story


def frames(seed: int = 0) -> Iterator[Image]:
    """All frames of the clip in order, uint8 (270, 480, 3) BGR; no two of them have equal pixels."""
    random = np.random.default_rng(seed)
    cast, empty, grain = figures(), hallway(*SIZE), _grain(random)
    for scene, act in _played(script.timeline()):
        for seq in range(scene.start, scene.end):
            at_s = (seq - scene.start) / script.FPS
            seen = Look() if act is None else script.look(act, at_s)
            picture = empty if act is None else _with_figure(empty, cast[act.subject], act, at_s, seen)
            yield _sensed(picture, seen.exposure, grain, random)


def _played(story: Timeline) -> Iterator[tuple[Scene, Act | None]]:
    acts = iter(script.ACTS)
    for scene in story.scenes:
        yield scene, None if scene.subject == "nobody" else next(acts)


def _with_figure(empty: Floats, figure: Figure, act: Act, at_s: float, seen: Look) -> Floats:
    layer = _layer(figure, act, at_s)
    if seen.blur_px > 0:
        smear = cv2.blur(layer, (2 * round(seen.blur_px) + 1, 1))
        layer = np.asarray(cv2.GaussianBlur(smear, (0, 0), seen.blur_px), np.float32)
    # The far end of the hallway is dimmer than the place below the door's lamp.
    near = min(1.0, 0.72 + script.pose(act, at_s).face_px / 400)
    return empty * (1 - layer[..., 3:] / 255) + layer[..., :3] * near


def _layer(figure: Figure, act: Act, at_s: float) -> Floats:
    """The figure as an open shutter sees it: the mean over its way during the exposure. float32 BGRA."""
    first, last = script.pose(act, at_s), script.pose(act, at_s + SHUTTER_S)
    way_px = math.hypot(last.x - first.x, last.y - first.y) + 1.2 * abs(last.face_px - first.face_px)
    steps = min(9, 1 + math.ceil(way_px / 1.5))
    total = np.zeros((SIZE[1], SIZE[0], 4), np.float32)
    for step in range(steps):
        spot = script.pose(act, at_s + SHUTTER_S * step / steps)
        cv2.accumulate(place(figure, SIZE, (spot.x, spot.y), spot.face_px, spot.tilt_deg), total)
    return np.asarray(total / steps, np.float32)


def _sensed(picture: Floats, exposure: float, grain: Floats, random: np.random.Generator) -> Image:
    """What the sensor makes of it: less light, and noise that weighs more the less light there is."""
    down, right = (int(random.integers(0, 2 * side)) for side in (SIZE[1], SIZE[0]))
    noise = grain[down : down + SIZE[1], right : right + SIZE[0]]
    level = picture * exposure if exposure != 1 else picture
    return np.asarray(cv2.add(level, noise, dtype=cv2.CV_8U), np.uint8)


def _grain(random: np.random.Generator) -> Floats:
    """A field of noise far larger than a frame; each frame takes its own window of it."""
    field = random.standard_normal((3 * SIZE[1], 3 * SIZE[0], 3), np.float32)
    return np.asarray(cv2.GaussianBlur(field, (0, 0), 0.5) * 1.6 * NOISE_LEVELS, np.float32)


def _write(path: Path, story: Timeline, seed: int, progress: Progress | None) -> None:
    # Every frame stands alone in Motion JPEG: the noise survives, seeking is exact, and each OpenCV can decode it.
    fourcc = cv2.VideoWriter.fourcc(*"MJPG")
    writer = cv2.VideoWriter(str(path), cv2.CAP_OPENCV_MJPEG, fourcc, story.fps, SIZE)
    if not writer.isOpened():
        raise CameraError(f"{path}: this OpenCV cannot write Motion JPEG; install opencv-python-headless from PyPI")
    writer.set(cv2.VIDEOWRITER_PROP_QUALITY, QUALITY)
    for seq, frame in enumerate(frames(seed)):
        writer.write(frame)
        if progress and seq % 10 == 0:
            progress("rendering the clip", seq / story.frames)
    writer.release()
    if progress:
        progress("rendering the clip", 1.0)


def _fingerprint(seed: int) -> str:
    digest = hashlib.sha256(f"{REVISION} {seed} {SIZE}".encode())
    for path in (photos.astronaut_path(), photos.cat_path(), photos.admiral_path()):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
