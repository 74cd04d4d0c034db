"""Decides the labelled pairs with the default models and sets the answers beside dlib's own.

    python -m benchmarks.accuracy [ASSETS] [OUT.json]

dlib's distances come from tests/golden/dlib_pairs.csv. A pair without a face in one photo counts as different people.
"""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from faceedge.config import EngineSettings, Models, cache_dir
from faceedge.jobs.open_vision import open_vision
from faceedge.jobs.vision import Vision
from faceedge.types import Floats

ROOT = Path(__file__).parents[1]
GOLDEN = ROOT / "tests" / "golden" / "dlib_pairs.csv"
LISTS = ("pairs.csv", "lfw/pairs.csv")
DLIB_THRESHOLD = 0.6
HELD_WITHIN = 0.01
"""A pair that dlib itself holds within this of its threshold may fall either way."""


@dataclass(frozen=True, slots=True)
class Pair:
    """theirs: dlib's distance, None without a face. suspect: the label itself is doubted."""

    source: str
    one: str
    two: str
    same: bool
    suspect: bool
    theirs: float | None


@dataclass(frozen=True, slots=True)
class Answer:
    """ours: our distance, None without a face."""

    pair: Pair
    ours: float | None

    @property
    def flips(self) -> bool:
        """Decided otherwise than by dlib."""
        return matches(self.ours) != matches(self.pair.theirs)

    @property
    def held(self) -> bool:
        """dlib's distance is too near its threshold for a flip to mean anything."""
        return self.pair.theirs is not None and abs(self.pair.theirs - DLIB_THRESHOLD) <= HELD_WITHIN


def read_pairs(assets: Path) -> list[Pair]:
    """All labelled pairs in the order of the lists."""
    with GOLDEN.open(newline="", encoding="utf-8") as lines:
        theirs = {(row["list"], int(row["row"])): row["distance"] for row in csv.DictReader(lines)}
    pairs: list[Pair] = []
    for source in LISTS:
        with (assets / "data" / "dev" / source).open(newline="", encoding="utf-8") as lines:
            for index, row in enumerate(csv.DictReader(lines)):
                known = theirs[source, index]
                doubted = row.get("suspect") == "1"
                distance = float(known) if known else None
                pairs.append(Pair(source, row["imgA"], row["imgB"], row["same"] == "1", doubted, distance))
    return pairs


def answer(vision: Vision, folder: Path, pairs: Sequence[Pair]) -> list[Answer]:
    """Our distance of every pair: largest face of each photo, raw embeddings."""
    names = sorted({name for pair in pairs for name in (pair.one, pair.two)})
    embeddings = {name: embedding(vision, folder / name) for name in names}
    return [Answer(pair, _distance(embeddings[pair.one], embeddings[pair.two])) for pair in pairs]


def embedding(vision: Vision, photo: Path) -> Floats | None:
    """Raw embedding of the largest face, None without one."""
    image = cv2.imread(str(photo))
    found = vision.portraits(np.asarray(image, np.uint8)) if image is not None else []
    return found[0].template.embedding * found[0].template.norm if found else None


def matches(distance: float | None, threshold: float = DLIB_THRESHOLD) -> bool:
    """Whether a distance says same person; no face says no."""
    return distance is not None and distance < threshold


def accuracy(answers: Iterable[tuple[float | None, bool]], threshold: float = DLIB_THRESHOLD) -> float:
    """Share of (distance, same) decided right."""
    right = [matches(distance, threshold) == same for distance, same in answers]
    return sum(right) / len(right)


def errors(answers: Sequence[Answer], threshold: float) -> dict[str, float | int]:
    """False match and false non-match rates at a distance; a missing face is a false non-match or no match."""
    impostors = [matches(one.ours, threshold) for one in answers if not one.pair.same]
    genuine = [not matches(one.ours, threshold) for one in answers if one.pair.same]
    return {
        "distance": threshold,
        "false_match_rate": sum(impostors) / len(impostors),
        "false_non_match_rate": sum(genuine) / len(genuine),
        "impostor_pairs": len(impostors),
        "genuine_pairs": len(genuine),
    }


def report(answers: Sequence[Answer], thresholds: Sequence[float]) -> dict[str, object]:
    """Figures of one list, suspect labels left out of everything but the comparison with dlib."""
    sure = [one for one in answers if not one.pair.suspect]
    flips = [one for one in answers if one.flips]
    faces = [(one.ours is None) != (one.pair.theirs is None) for one in answers]
    apart = [abs(one.ours - one.pair.theirs) for one in answers if one.ours is not None and one.pair.theirs is not None]
    return {
        "pairs": len(sure),
        "accuracy_ours": accuracy((one.ours, one.pair.same) for one in sure),
        "accuracy_dlib": accuracy((one.pair.theirs, one.pair.same) for one in sure),
        "without_face": sum(one.ours is None for one in sure),
        "face_in_one_only": sum(faces),
        "flips": len(flips),
        "flips_not_held": sum(not one.held for one in flips),
        "distance_apart_max": max(apart),
        "distance_apart_p99": float(np.percentile(apart, 99)),
        "errors": [errors(sure, threshold) for threshold in thresholds],
    }


def _distance(one: Floats | None, two: Floats | None) -> float | None:
    return None if one is None or two is None else float(np.linalg.norm(one - two))


def main() -> int:
    place = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("FACEEDGE_TEST_ASSETS")
    if not place:
        sys.exit("name the folder with the test assets, or set FACEEDGE_TEST_ASSETS")
    assets = Path(place)
    out = Path(sys.argv[2] if len(sys.argv) > 2 else "accuracy.json")
    pairs = read_pairs(assets)
    with open_vision(Models(), EngineSettings(threads=2), Path("unused"), cache_dir()) as vision:
        wanted = vision.thresholds
        distances = [round(float(np.sqrt(2 * (1 - bound))), 6) for bound in (wanted.grey, wanted.match, wanted.strict)]
        answers = answer(vision, assets / "data" / "dev", pairs)
    figures = {name: report([one for one in answers if one.pair.source == name], distances) for name in LISTS}
    figures["all"] = report(answers, distances)
    out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(figures, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
