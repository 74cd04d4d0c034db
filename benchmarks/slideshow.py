"""Photos shown to a door one after another, and living people: who is let in, and after how long?

    python -m benchmarks.slideshow [DEV] [--people 6] [--out slideshow.json]

Every shot is taken for the same person, surely: what is measured is only what movement counts for. Real detector and
crops; three votes of five, as by default. Photos of one person are shown as a phone shows them: cut, faded, through
black, wiped and pushed into each other, and drifting all the while (Ken Burns), faces all in one place, which is the
hardest to tell from one face. Living people: the films of `dev/video/clips`.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from benchmarks.measure import machine
from benchmarks.networks import DEV, opened
from benchmarks.scenes import SIZE, Sitter, as_frames, background, noisy, put, sitters
from faceedge.cameras.stream import ClipCamera
from faceedge.config import Decide
from faceedge.continuity import Continuity
from faceedge.decide import Judge
from faceedge.jobs.vision import Vision
from faceedge.stages.detect import DetectStage
from faceedge.types import Frame, Image, Match, Shot, Template

STILL_S, FPS = (0.3, 2.0), 9
PHOTOS = 3
DRIFT_PX, SWELL = 16.0, (0.05, 0.25)
"""Of a photo that drifts, from its first picture to its last."""
KNOWN = Match("somebody", 0.99, 0.3)
SURE = Template(np.ones(1, np.float32), 1.0, "any")
Over = Callable[[Image, Image, float], Image]


def faded(one: Image, other: Image, share: float) -> Image:
    """Each a share of the other's light."""
    return np.asarray(cv2.addWeighted(one, 1 - share, other, share, 0), np.uint8)


def through_black(one: Image, other: Image, share: float) -> Image:
    """The first goes dark before the second comes."""
    return np.asarray(one * (1 - 2 * share) if share < 0.5 else other * (2 * share - 1), np.uint8)


def wiped(one: Image, other: Image, share: float) -> Image:
    """From the left, over the place of the face."""
    edge = round(SIZE[0] * (0.3 + 0.4 * share))
    return np.hstack([other[:, :edge], one[:, edge:]])


def pushed(one: Image, other: Image, share: float) -> Image:
    """The second pushes the first out."""
    edge = round(SIZE[0] * share)
    return np.hstack([one[:, edge:], other[:, :edge]])


@dataclass(frozen=True)
class Way:
    """How one photo follows another. over_s: seconds it takes. drifts: while each is shown."""

    over: Over = faded
    over_s: float = 0.0
    drifts: bool = False


WAYS = {
    "cuts": Way(),
    **{f"fades of {seconds} s": Way(faded, seconds) for seconds in (0.1, 0.3, 0.5, 1.0, 2.0)},
    "through black, 0.6 s": Way(through_black, 0.6),
    "wipes of 0.5 s": Way(wiped, 0.5),
    "wipes of 2 s": Way(wiped, 2.0),
    "pushed, 0.5 s": Way(pushed, 0.5),
    "drifting, cuts": Way(drifts=True),
    "drifting, fades of 0.5 s": Way(faded, 0.5, drifts=True),
    "drifting, fades of 1.5 s": Way(faded, 1.5, drifts=True),
}


def still(photo: Sitter, rng: np.random.Generator, *, shakes: bool) -> list[Image]:
    """Two seconds of one photo; shakes: in a hand."""
    scene, image = background(rng), _read(photo)
    sway = rng.normal(0, 4 if shakes else 0, (2 * FPS, 2))
    side = 120 * (1 + rng.normal(0, 0.02 if shakes else 0, 2 * FPS))
    return [noisy(put(scene, image, photo.box, _middle() + by, px), rng) for by, px in zip(sway, side, strict=True)]


def slideshow(photos: Sequence[Sitter], rng: np.random.Generator, way: Way) -> list[Image]:
    """Each photo for 0.3 to 2 s, and the way from each to the next."""
    scene, steps = background(rng), round(way.over_s * FPS)
    lengths = [round(rng.uniform(*STILL_S) * FPS) for _ in photos]
    slides = [
        list(_slide(scene, photo, rng, length + 2 * steps, drifts=way.drifts))
        for photo, length in zip(photos, lengths, strict=True)
    ]
    shown: list[Image] = []
    for number, length in enumerate(lengths):
        shown += slides[number][steps : steps + length]
        for step in range(steps if number + 1 < len(slides) else 0):
            shown.append(
                way.over(slides[number][steps + length + step], slides[number + 1][step], (step + 1) / (steps + 1))
            )
    return [noisy(image, rng) for image in shown]


def _slide(scene: Image, photo: Sitter, rng: np.random.Generator, length: int, *, drifts: bool) -> Iterator[Image]:
    """One photo, in so many pictures."""
    image, by = _read(photo), rng.normal(0, DRIFT_PX, 2)
    swell = rng.uniform(*SWELL) * rng.choice([-1, 1])
    slide = put(scene, image, photo.box, _middle(), 120)
    for number in range(length):
        at = number / length - 0.5
        yield put(scene, image, photo.box, _middle() + at * by, 120 * (1 + at * swell)) if drifts else slide


def clip(path: Path) -> list[Frame]:
    """A film as it is."""
    camera, frames = ClipCamera(path), list[Frame]()
    while (image := camera.read()) is not None:
        frames.append(Frame("entry", len(frames), image, len(frames) / camera.fps))
    camera.close()
    return frames


def seen(vision: Vision, frames: Sequence[Frame]) -> list[Shot]:
    """What the judge gets of it."""
    detect = DetectStage(vision, lambda _event: None)
    return [shot for frame in frames for shot in detect([frame]) if shot.assessment.quality >= 0.4]


def granted_s(vision: Vision, shots: Sequence[Shot], continuity: Continuity | None) -> float | None:
    """Seconds until the first grant."""
    judge = Judge(Decide(min_face_px=50), vision.door_thresholds, lambda *_: 1.0, continuity=continuity)
    for shot in shots:
        said = judge.vote(shot, SURE, KNOWN, shot.captured)
        if any(one.outcome == "grant" for one in said):
            return shot.captured - shots[0].captured
    return None


def films(dev: Path, people: int) -> Iterator[tuple[str, str, Sequence[Frame]]]:
    """(kind, whom, frames), living people first; the same at every run."""
    for path in sorted((dev / "video/clips").iterdir()):
        yield "a living person", path.stem, clip(path)
    rng = np.random.default_rng(3)
    for who, photos in sorted(sitters(dev).items())[:people]:
        for shakes in (False, True):
            name = "a photo in a hand" if shakes else "a photo, held still"
            yield name, who, as_frames(still(photos[0], rng, shakes=shakes))
        for name, way in WAYS.items():
            yield name, who, as_frames(slideshow(photos[:PHOTOS], rng, way))


def main() -> None:
    """Prints grants by kind, without and with movement asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.slideshow", description=__doc__.splitlines()[0])
    parser.add_argument("dev", type=Path, nargs="?", default=DEV, help="folder dev of the development data")
    parser.add_argument("--people", type=int, default=6)
    parser.add_argument("--pair", default="default", help="networks, see benchmarks/networks.py")
    parser.add_argument("--out", type=Path, default=Path("slideshow.json"))
    args = parser.parse_args()
    told: dict[str, list[tuple[str, float | None, float | None]]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder, opened(args.pair, Path(folder) / "state") as site:
        for kind, who, frames in films(args.dev, args.people):
            if shots := seen(site.vision, frames):
                times = (granted_s(site.vision, shots, None), granted_s(site.vision, shots, Continuity()))
                told[kind].append((who, *times))
                print(kind, who, *times, file=sys.stderr, flush=True)
    for kind, results in told.items():
        print(_row(kind, results))
    args.out.write_text(json.dumps({"machine": machine(), "pair": args.pair, "films": told}, indent=1) + "\n")


def _row(kind: str, results: Sequence[tuple[str, float | None, float | None]]) -> str:
    without, with_it = ([times[side] for _, *times in results if times[side] is not None] for side in (0, 1))
    told = f"{kind:26s} {len(results):3d} films; let in {len(without)} -> {len(with_it)}"
    later = [
        with_it_s - without_s for _, without_s, with_it_s in results if without_s is not None and with_it_s is not None
    ]
    return f"{told}; later by {np.median(later):.2f} s, at worst {max(later):.2f} s" if later else told


def _read(photo: Sitter) -> Image:
    return np.asarray(cv2.imread(str(photo.path)), np.uint8)


def _middle() -> np.ndarray:
    return np.array(SIZE) / 2


if __name__ == "__main__":
    main()
