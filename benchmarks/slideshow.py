"""Photos shown to a door one after another, and living people: who is let in, and after how long?

`python -m benchmarks.slideshow DEV`. Every shot is taken for the same person, surely: what is measured is only what
movement counts for. Real detector, crops and templates; three votes of five, as by default.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from benchmarks.scenes import SIZE, Sitter, as_frames, background, noisy, put, sitters
from faceedge.cameras.stream import ClipCamera
from faceedge.config import Decide, EngineSettings, Models, cache_dir
from faceedge.continuity import Continuity
from faceedge.decide import Judge
from faceedge.gallery.search import similarity
from faceedge.jobs.vision import Vision, open_vision
from faceedge.stages import DetectStage
from faceedge.types import Frame, Image, Match, Shot, Template

STILL_S, FPS = (0.3, 2.0), 9
FADES_S = {"cuts": 0.0, "fades of 0.3 s": 0.3, "fades of 1 s": 1.0}
SEEN = list[tuple[Shot, Template]]
KNOWN = Match("somebody", 0.99, 0.3)


def still(photo: Sitter, rng: np.random.Generator, *, shakes: bool) -> list[Image]:
    """Two seconds of one photo; shakes: in a hand."""
    scene, image = background(rng), _read(photo)
    sway = rng.normal(0, 4 if shakes else 0, (2 * FPS, 2))
    side = 120 * (1 + rng.normal(0, 0.02 if shakes else 0, 2 * FPS))
    return [noisy(put(scene, image, photo.box, _middle() + by, px), rng) for by, px in zip(sway, side, strict=True)]


def slideshow(photos: Sequence[Sitter], rng: np.random.Generator, fade_s: float) -> list[Image]:
    """Each photo for 0.3 to 2 s, faces all in one place: the hardest to tell from one face that moves."""
    scene = background(rng)
    slides = [put(scene, _read(photo), photo.box, _middle(), 120) for photo in photos]
    shown: list[Image] = []
    for number, slide in enumerate(slides):
        shown += [slide] * round(rng.uniform(*STILL_S) * FPS)
        steps = round(fade_s * FPS)
        for step in range(steps if number + 1 < len(slides) else 0):
            share = (step + 1) / (steps + 1)
            shown.append(np.asarray(cv2.addWeighted(slide, 1 - share, slides[number + 1], share, 0), np.uint8))
    return [noisy(image, rng) for image in shown]


def clip(path: Path) -> list[Frame]:
    """A film as it is."""
    camera, frames = ClipCamera(path), list[Frame]()
    while (image := camera.read()) is not None:
        frames.append(Frame("entry", len(frames), image, len(frames) / camera.fps))
    camera.close()
    return frames


def seen(vision: Vision, frames: Sequence[Frame]) -> SEEN:
    """What the judge gets of it."""
    detect = DetectStage(vision, lambda _event: None)
    shots = [shot for frame in frames for shot in detect([frame]) if shot.assessment.quality >= 0.4]
    return [(shot, vision.recognizer.embed([shot.crop])[0]) for shot in shots]


def granted_s(vision: Vision, shots: SEEN, continuity: Continuity | None) -> float | None:
    """Seconds until the first grant."""
    rules = Decide(min_face_px=50)
    alike = partial(similarity, metric=vision.metric)
    judge = Judge(rules, vision.door_thresholds, alike, continuity=continuity)
    for shot, template in shots:
        said = judge.vote(shot, template, KNOWN, shot.captured)
        if any(one.outcome == "grant" for one in said):
            return shot.captured - shots[0][0].captured
    return None


def main() -> None:
    """Prints grants by kind, without and with movement asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.slideshow", description=__doc__)
    parser.add_argument("dev", type=Path, help="folder dev of the development data")
    parser.add_argument("--people", type=int, default=12)
    args = parser.parse_args()
    rng = np.random.default_rng(3)
    told: dict[str, list[tuple[float | None, float | None]]] = defaultdict(list)
    with open_vision(Models(), EngineSettings(), Path("/nonexistent"), cache_dir()) as vision:
        films: list[tuple[str, Sequence[Frame]]] = []
        for _, photos in sorted(sitters(args.dev).items())[: args.people]:
            films += [("a photo, held still", as_frames(still(photos[0], rng, shakes=False)))]
            films += [("a photo in a hand", as_frames(still(photos[0], rng, shakes=True)))]
            films += [(name, as_frames(slideshow(photos, rng, fade_s))) for name, fade_s in FADES_S.items()]
        films += [("a living person", clip(path)) for path in sorted((args.dev / "video/clips").iterdir())]
        for name, frames in films:
            if shots := seen(vision, frames):
                told[name].append((granted_s(vision, shots, None), granted_s(vision, shots, Continuity())))
                print(name, *told[name][-1], file=sys.stderr, flush=True)
    for name, results in told.items():
        without, with_it = ([one[side] for one in results if one[side] is not None] for side in (0, 1))
        waits = f"median {np.median(without):.2f} s" if without else ""
        waits += f" -> {np.median(with_it):.2f} s, worst {max(with_it):.2f} s" if with_it else ""  # type: ignore[type-var]
        print(f"{name:20s} {len(results):3d} films; let in {len(without)} -> {len(with_it)}; {waits}", flush=True)


def _read(photo: Sitter) -> Image:
    return np.asarray(cv2.imread(str(photo.path)), np.uint8)


def _middle() -> np.ndarray:
    return np.array(SIZE) / 2


if __name__ == "__main__":
    main()
