"""Four detectors and five recognisers decide the labelled pairs, beside a plain reference loop (`reference.py`).

    python -m benchmarks.families_accuracy ASSETS [OUT.json]

Every detector with edgeface_xxs_512 and every recogniser with retinaface_mnet025, through the package's own stages.
The largest face of a photo counts; doubted labels are left out; a pair without a face counts as different people.
"""

from __future__ import annotations

import csv
import json
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks import reference
from faceedge.config import EngineSettings
from faceedge.jobs.engines import OnnxEngines
from faceedge.jobs.vision import Vision
from faceedge.models.store import make_package
from faceedge.types import Floats, Image

LISTS = ("pairs.csv", "lfw/pairs.csv")
RECIPES = {
    "yunet_n": "yunet",
    "retinaface_mnet025": "retinaface",
    "scrfd_500m": "scrfd-500m",
    "scrfd_2.5g": "scrfd-2.5g",
    "mobilefacenet_128": "mobilefacenet",
    "mobilefacenet_casia_128": "mobilefacenet-casia",
    "mobileface_v2_256": "mobileface-v2",
    "edgeface_xxs_512": "edgeface-xxs",
    "edgeface_xs_512": "edgeface-xs",
}
DETECTOR, RECOGNIZER = "retinaface_mnet025", "edgeface_xxs_512"
COMBINATIONS = tuple(
    dict.fromkeys(
        [(detector, RECOGNIZER) for detector in reference.DETECTORS]
        + [(DETECTOR, recognizer) for recognizer in reference.RECOGNIZERS]
    )
)
"""Networks that are measured together: detector, recogniser."""
Combination = tuple[str, str]
FOLDS = 10
FAR = 1e-2
"""The lists hold some 1400 pairs of strangers: one in a thousand would be a single pair."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two photos, by path below the data folder."""

    one: str
    two: str
    same: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """Similarity of a pair by our stages and by the reference; None without a face in one of the photos."""

    pair: Pair
    ours: float | None
    theirs: float | None


def read_pairs(assets: Path) -> list[Pair]:
    """The labelled pairs that nobody doubts, in the order of the lists."""
    pairs: list[Pair] = []
    for name in LISTS:
        with (assets / "data" / "dev" / name).open(newline="", encoding="utf-8") as lines:
            rows = [row for row in csv.DictReader(lines) if row.get("suspect") != "1"]
        pairs += [Pair(row["imgA"], row["imgB"], row["same"] == "1") for row in rows]
    return pairs


class Both:
    """A combination of networks opened twice: as the package runs them, and as the reference does."""

    def __init__(self, assets: Path, packages: Path, combination: Combination) -> None:
        graphs = [assets / "models" / f"{name}.onnx" for name in combination]
        detector, recognizer = (
            make_package(graph, RECIPES[name], packages) for graph, name in zip(graphs, combination, strict=True)
        )
        self.vision = Vision(detector, recognizer, OnnxEngines(EngineSettings(threads=1)))
        self._sessions = [reference.opened(graph) for graph in graphs]
        self._rule = reference.DETECTORS[combination[0]]

    def face(self, photo: Image) -> tuple[Any, Any]:
        """Our largest face and the reference's, each None where there is none."""
        ours = self.vision.detector.detect([photo])[0]
        theirs = reference.detect(self._sessions[0], self._rule, photo)
        return (
            max(ours, key=lambda face: face.width_px * face.height_px, default=None),
            max(theirs, key=lambda face: face.area, default=None),
        )

    def vectors(self, photos: Sequence[Image], faces: Sequence[tuple[Any, Any]]) -> Iterator[tuple[Any, Any]]:
        """Unit vectors of both for each photo, ours in one batch."""
        crops = [self.vision.crops(photo, [ours])[0] for photo, (ours, _) in zip(photos, faces, strict=True) if ours]
        templates = iter(self.vision.recognizer.embed(crops))
        for photo, (ours, theirs) in zip(photos, faces, strict=True):
            yield (
                next(templates).embedding if ours else None,
                reference.embed(self._sessions[1], photo, theirs.points) if theirs else None,
            )


def answers(
    assets: Path, pairs: Sequence[Pair], combinations: Sequence[Combination] = COMBINATIONS
) -> dict[Combination, list[Answer]]:
    """What every combination says of every pair. Each photo is read once, and its faces are found once a detector."""
    names = sorted({name for pair in pairs for name in (pair.one, pair.two)})
    seen: dict[Combination, dict[str, tuple[Any, Any]]] = {combination: {} for combination in combinations}
    with tempfile.TemporaryDirectory() as packages, ExitStack() as stack:
        opened = {one: Both(assets, Path(packages), one) for one in combinations}
        for both in opened.values():
            stack.enter_context(both.vision)
        for at in range(0, len(names), 16):
            _look(assets / "data" / "dev", names[at : at + 16], opened, seen)
    return {
        combination: [Answer(pair, *_similarities(found[pair.one], found[pair.two])) for pair in pairs]
        for combination, found in seen.items()
    }


def _look(
    folder: Path,
    names: Sequence[str],
    opened: dict[Combination, Both],
    seen: dict[Combination, dict[str, tuple[Any, Any]]],
) -> None:
    photos = [np.asarray(cv2.imread(str(folder / name)), np.uint8) for name in names]
    faces: dict[str, list[tuple[Any, Any]]] = {}
    for combination, both in opened.items():
        detector = combination[0]
        if detector not in faces:
            faces[detector] = [both.face(photo) for photo in photos]
        seen[combination].update(zip(names, both.vectors(photos, faces[detector]), strict=True))


def _similarities(one: tuple[Any, Any], two: tuple[Any, Any]) -> tuple[float | None, float | None]:
    ours, theirs = (None if a is None or b is None else float(a @ b) for a, b in zip(one, two, strict=True))
    return ours, theirs


def agreement(found: Sequence[Answer], threshold: float) -> dict[str, Any]:
    """How far the two sides are apart, and how often they decide differently at a threshold."""
    ours, theirs = scores_of(found)
    apart = [abs(one.ours - one.theirs) for one in found if one.ours is not None and one.theirs is not None]
    return {
        "pairs": len(found),
        "threshold": threshold,
        "decided_differently": int(((ours >= threshold) != (theirs >= threshold)).sum()),
        "apart_max": max(apart),
        "apart_above_1e-4": sum(difference > 1e-4 for difference in apart),
        "without_face_ours": sum(one.ours is None for one in found),
        "without_face_theirs": sum(one.theirs is None for one in found),
    }


def report(found: Sequence[Answer], threshold: float) -> dict[str, Any]:
    """Everything about one combination."""
    same = np.array([one.pair.same for one in found])
    ours, theirs = (figures(scores, same, threshold) for scores in scores_of(found))
    return {**agreement(found, threshold), "ours": ours, "theirs": theirs}


def scores_of(found: Sequence[Answer]) -> tuple[Floats, Floats]:
    """Similarities by us and by the reference; -1 without a face."""
    ours, theirs = (
        np.array([-1.0 if value is None else value for value in side], np.float32)
        for side in ([one.ours for one in found], [one.theirs for one in found])
    )
    return ours, theirs


def figures(scores: Floats, same: Any, threshold: float) -> dict[str, float]:
    """Accuracy at the fixed threshold and by ten folds, equal error rate, genuine pairs kept at FAR.

    Needs at least ten pairs of either kind.
    """
    genuine, strangers = scores[same], scores[~same]
    levels = np.unique(scores)
    far = np.array([(strangers >= level).mean() for level in levels])
    frr = np.array([(genuine < level).mean() for level in levels])
    even = int(np.argmin(np.abs(far - frr)))
    return {
        "accuracy_fixed": float(((scores >= threshold) == same).mean()),
        "accuracy_folds": folds(scores, same),
        "eer": float((far[even] + frr[even]) / 2),
        "tar_at_1e-2": float(1 - frr[far <= FAR].min(initial=1)),
    }


def folds(scores: Floats, same: Any) -> float:
    """Mean accuracy over ten folds (pair i in fold i % 10), each at the threshold that is best on the other nine."""
    fold = np.arange(len(scores)) % FOLDS
    right = [
        ((scores[fold == one] >= _best_threshold(scores[fold != one], same[fold != one])) == same[fold == one]).mean()
        for one in range(FOLDS)
    ]
    return float(np.mean(right))


def _best_threshold(scores: Floats, same: Any) -> float:
    """The middle of the gap between two scores that decides most pairs right."""
    order = np.argsort(scores)
    ranked, labels = scores[order], same[order]
    # Cut k: the k lowest pairs are called different.
    right = np.concatenate([[0], np.cumsum(~labels)]) + np.concatenate([np.cumsum(labels[::-1])[::-1], [0]])
    cut = int(np.argmax(right))
    edges = np.concatenate([[ranked[0] - 1], ranked, [ranked[-1] + 1]])
    return float((edges[cut] + edges[cut + 1]) / 2)


def table(reports: dict[str, dict[str, Any]]) -> Table:
    """For people, one line a combination; percentages are ours / the reference's where they differ."""
    view = Table(title="labelled pairs, our stages beside a plain loop")
    titles = (
        "networks",
        "pairs",
        "acc 10 folds",
        "acc fixed",
        "EER",
        "TAR at FAR 1e-2",
        "largest apart",
        "> 1e-4",
        "differ",
        "no face",
    )
    for column in titles:
        view.add_column(column, justify="left" if column == "networks" else "right")
    for name, one in reports.items():
        keys = ("accuracy_folds", "accuracy_fixed", "eer", "tar_at_1e-2")
        shares = [_both_sides(one["ours"][key], one["theirs"][key]) for key in keys]
        counts = [one["apart_above_1e-4"], one["decided_differently"]]
        missed = f"{one['without_face_ours']} / {one['without_face_theirs']}"
        view.add_row(name, str(one["pairs"]), *shares, f"{one['apart_max']:.1e}", *map(str, counts), missed)
    return view


def _both_sides(ours: float, theirs: float) -> str:
    return f"{ours:.2%}" if ours == theirs else f"{ours:.2%} / {theirs:.2%}"


def reports(found: dict[Combination, list[Answer]]) -> dict[str, dict[str, Any]]:
    """Figures by `detector + recogniser`."""
    return {
        f"{detector} + {recognizer}": report(one, reference.RECOGNIZERS[recognizer])
        for (detector, recognizer), one in found.items()
    }


def main(arguments: Iterable[str]) -> None:
    """Measures, prints the table, writes the figures."""
    place, *rest = [*arguments] or sys.exit("name the folder with the test assets")
    cv2.setNumThreads(1)
    figures_of = reports(answers(Path(place), read_pairs(Path(place))))
    Console(width=170).print(table(figures_of))
    if rest:
        Path(rest[0]).write_text(json.dumps(figures_of, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
