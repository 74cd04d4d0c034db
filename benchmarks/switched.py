"""A stands at the door, B steps in front: is anybody let in on the votes of the other? `python -m benchmarks.switched`.

Real photos in rendered scenes, through detector, tracker, recogniser and judge. Movement does not count here
(`motion = false`), which is the harder case: every picture of a still photo votes.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from benchmarks.scenes import SIZE, Sitter, as_frames, background, noisy, put, sitters
from faceedge.config import Decide, EngineSettings, Models, cache_dir
from faceedge.decide import Judge
from faceedge.gallery.search import Index, similarity
from faceedge.identify import Identifier
from faceedge.jobs.open_vision import open_vision
from faceedge.jobs.vision import Vision
from faceedge.stages.detect import DetectStage
from faceedge.types import Decision, Frame, Image, Template
from faceedge.votes import Similarity as Alike

WAYS = ("cut", "in front", "nearer", "fade")
AFTER = 10
"""Frames of B."""
CHANGING = 4
"""Frames of a change that is not sudden."""


@dataclass(frozen=True)
class Scene:
    """One rendered sequence: who is seen at first, and who comes."""

    way: str
    first: str
    second: str
    frames: Sequence[Frame]


@dataclass(frozen=True)
class Result:
    """What was decided of a scene: who was there first, and who came; of each decision whether it was made by pictures
    of the person it names.

    shown: who the shots showed, in order: each is nearer to the photo of A or of B that was rendered.
    """

    way: str
    first: str
    second: str
    shown: Sequence[str]
    decisions: Sequence[tuple[Decision, bool]]

    def granted(self, person: str) -> bool:
        """Whether that person was let in."""
        return any(one.outcome == "grant" and one.person == person for one, _ in self.decisions)

    @property
    def wrong(self) -> list[Decision]:
        """Grants that rest on a picture of the other."""
        return [one for one, is_own in self.decisions if one.outcome == "grant" and not is_own]


def render(rng: np.random.Generator, first: Sitter, second: Sitter, way: str) -> Scene:
    """A for 3 to 9 frames, then B."""
    stays = int(rng.integers(3, 10))
    middle, side = np.array([SIZE[0] / 2, SIZE[1] / 2]), float(rng.uniform(105, 135))
    photos = [np.asarray(cv2.imread(str(one.path)), np.uint8) for one in (first, second)]
    scenery = background(rng)
    changing = 0 if way == "cut" else CHANGING
    images: list[Image] = []
    for number in range(stays + changing + AFTER):
        share = float(np.clip((number - stays + 1) / (changing + 1), 0, 1))
        at = middle + rng.normal(0, 1.5, 2)
        images.append(noisy(_frame(scenery, photos, (first, second), way, share, at, side), rng))
    return Scene(way, first.person, second.person, as_frames(images))


def _frame(
    scenery: Image, photos: Sequence[Image], who: Sequence[Sitter], way: str, share: float,
    at: np.ndarray, side: float,
) -> Image:  # fmt: skip
    """share: how far B has come, 0 not there, 1 in the place of A."""
    image = put(scenery, photos[0], who[0].box, at, side) if share < 1 else scenery
    if share == 0:
        return image
    if way == "fade":
        return put(image, photos[1], who[1].box, at, side, share)
    aside = np.array([(1 - share) * 1.6 * side, 0]) if way == "in front" else np.zeros(2)
    nearer = 1.0 + 0.3 * share if way == "nearer" else 1.0
    return put(image, photos[1], who[1].box, at + aside, side * nearer)


def judged(scene: Scene, vision: Vision, identifier: Identifier, alike: Alike, photos: Sequence[Template]) -> Result:
    """The scene through the flow, frame by frame. photos: templates of A and B as rendered."""
    detect = DetectStage(vision, lambda _event: None)
    judge = Judge(Decide(motion=False), vision.door_thresholds, alike)
    shown: dict[int, list[str]] = defaultdict(list)
    decisions: list[tuple[Decision, bool]] = []
    for shot in (shot for frame in scene.frames for shot in detect([frame])):
        if not judge.is_usable(shot):
            judge.poor(shot, shot.captured)
            continue
        template = vision.recognizer.embed([shot.crop])[0]
        is_first = alike(photos[0], template) > alike(photos[1], template)
        shown[shot.track].append(scene.first if is_first else scene.second)
        for one in judge.vote(shot, template, identifier.identify(template), shot.captured):
            resting_on = shown[one.track][-one.evidence.votes :]
            decisions.append((one, set(resting_on) == {one.person}))
    return Result(
        scene.way, scene.first, scene.second, [person for track in shown.values() for person in track], decisions
    )


def template_of(vision: Vision, photo: Sitter) -> Template:
    """Of the largest face. Raises IndexError without one."""
    return vision.portraits(np.asarray(cv2.imread(str(photo.path)), np.uint8))[0].template


def gallery(vision: Vision, people: Mapping[str, Sequence[Sitter]]) -> Identifier:
    """Everybody enrolled from all photos but the first, which is rendered."""
    names, templates = [], []
    for person, photos in people.items():
        names += [person] * len(photos[1:4])
        templates += [template_of(vision, photo) for photo in photos[1:4]]
    embeddings = np.stack([one.embedding for one in templates])
    norms = np.array([one.norm for one in templates], np.float32)
    return Identifier(Index(names, embeddings, norms, vision.metric, vision.space))


def run(dev: Path, count: int, seed: int = 9) -> Iterator[Result]:
    """So many scenes; of those who step in front every other one is drawn from everybody, enrolled or not."""
    rng = np.random.default_rng(seed)
    people = sitters(dev)
    names = sorted(people)
    known = names[: 2 * len(names) // 3]
    with open_vision(Models(), EngineSettings(), Path("/nonexistent"), cache_dir()) as vision:
        alike = partial(similarity, metric=vision.metric)
        identifier = gallery(vision, {name: people[name] for name in known})
        rendered = {name: template_of(vision, photos[0]) for name, photos in people.items()}
        for number in range(count):
            first = known[int(rng.integers(len(known)))]
            second = str(rng.choice([name for name in (known if number % 2 else names) if name != first]))
            scene = render(rng, people[first][0], people[second][0], WAYS[number // 2 % len(WAYS)])
            yield judged(scene, vision, identifier, alike, (rendered[first], rendered[second]))


def main() -> None:
    """Prints what was decided by way of switching."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.switched", description=__doc__)
    parser.add_argument("dev", type=Path, help="folder dev of the development data")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=9)
    args = parser.parse_args()
    results = []
    for one in run(args.dev, args.count, args.seed):
        results.append(one)
        if len(results) % 10 == 0:
            print(
                f"{len(results)} scenes, {sum(bool(one.wrong) for one in results)} wrong", file=sys.stderr, flush=True
            )
    for way in WAYS:
        mine = [one for one in results if one.way == way]
        told = {
            "show both": sum(len(set(one.shown)) == 2 for one in mine),
            "A let in": sum(one.granted(one.first) for one in mine),
            "B let in": sum(one.granted(one.second) for one in mine),
            "wrong": sum(bool(one.wrong) for one in mine),
        }
        print(f"{way:9s} {len(mine):4d} scenes; {told}")
    print(f"wrong grants: {sum(len(one.wrong) for one in results)} in {len(results)} scenes")


if __name__ == "__main__":
    main()
