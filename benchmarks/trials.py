"""Which networks a trial lets pass and which it gives up, and how soon: the rules of `trial.py` on real faces.

    python -m benchmarks.trials [--orders 30] [--out trials.json]

People of `dev/ident.csv` and `dev/lfw/ident.csv` of FACEEDGE_TEST_ASSETS are enrolled and pass, and so do strangers. A
photo is a track: five shots of it, the first as it is, the others turned, lit, blurred and compressed by seed. What
serves and what is on trial recognise the same crops, each with its own numbers and everybody enrolled for it. Every
pair is tried in as many orders of who comes when. `+0.1` is the same network with noise in every tensor of weights, so
large against the tensor's spread: worse on purpose. Times are left out, and so is the detector, which is one for all.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np
import onnx
from onnx import numpy_helper

from benchmarks.measure import machine
from benchmarks.networks import ASSETS, DEV, LISTS, listed, opened
from faceedge.bands import Limits, limits_of
from faceedge.config import Decide
from faceedge.gallery.search import Index
from faceedge.identify import Identifier
from faceedge.jobs.photos import read_photo
from faceedge.jobs.vision import Vision
from faceedge.models.store import make_package
from faceedge.trial import Look, Opinion, Rules, Trial
from faceedge.types import Face, Image, Match, Shot

NETWORKS: Mapping[str, tuple[str, str]] = {
    "edgeface-xxs": ("edgeface_xxs_512", "edgeface-xxs"),
    "edgeface-xs": ("edgeface_xs_512", "edgeface-xs"),
    "mobilefacenet": ("mobilefacenet_128_fast", "mobilefacenet"),
}
"""Graph and recipe, by name."""
HONEST = [(a, b) for a in NETWORKS for b in NETWORKS if a != b]
WORSE = [("edgeface-xxs", f"edgeface-xxs+{sigma}") for sigma in (0.03, 0.05, 0.1, 0.2, 0.3, 0.5)]
SHOTS, LONGEST_PX = 5, 900


@dataclass(frozen=True)
class Scene:
    """Crops of everybody enrolled, by name, and the shots of each track."""

    enrolled: list[tuple[str, Image]]
    tracks: list[list[Shot]]


@dataclass(frozen=True)
class Row:
    """One pair. stopped: of `orders`. after: tracks, median, until it was. why: the reasons there were."""

    serving: str
    on_trial: str
    agreement: float
    tracks: dict[str, int]
    stopped: int
    orders: int
    after: float | None
    why: list[str]


def spoiled(graph: Path, sigma: float, seed: int = 1) -> Any:
    """The network with noise in every tensor of weights, sigma against the tensor's spread."""
    model, dice = onnx.load(graph), np.random.default_rng(seed)
    for tensor in model.graph.initializer:
        weights = numpy_helper.to_array(tensor)
        if weights.dtype == np.float32 and weights.ndim > 1:
            noisy = weights + sigma * weights.std() * dice.normal(size=weights.shape)
            tensor.CopyFrom(numpy_helper.from_array(noisy.astype(np.float32), tensor.name))
    return model


def scene(vision: Vision) -> Scene:
    """Everybody of the lists whose face is found."""
    dice = np.random.default_rng(5)
    made = Scene([], [])
    for image, person, role in (row for name in LISTS for row in listed(name)):
        shown = _sized(read_photo(DEV / image))
        track = len(made.tracks)
        if role == "gallery":
            made.enrolled.extend((person, shot.crop) for shot in _shots(vision, [shown], track))
        else:
            views = [shown, *(_as_seen(shown, dice) for _ in range(SHOTS - 1))]
            made.tracks.append(list(_shots(vision, views, track)))
    return made


def opinions(vision: Vision, seen: Scene) -> list[list[Opinion]]:
    """What these networks make of every shot of every track."""
    templates = vision.recognizer.embed([crop for _, crop in seen.enrolled])
    table = np.array([one.embedding for one in templates]), np.array([one.norm for one in templates], np.float32)
    known = Identifier(Index([person for person, _ in seen.enrolled], *table, vision.metric, vision.space))
    limits = limits_of(Decide(), vision.door_thresholds, judging=vision.judging)
    shots = [shot for track in seen.tracks for shot in track]
    matches = [known.identify(one) for one in vision.recognizer.embed([shot.crop for shot in shots])]
    said = iter([_opinion(limits, shot, match) for shot, match in zip(shots, matches, strict=True)])
    return [[next(said) for _ in track] for track in seen.tracks]


def tried(ours: Sequence[Sequence[Opinion]], theirs: Sequence[Sequence[Opinion]], order: Sequence[int]) -> Trial:
    """A trial to its end, or until something speaks against the second."""
    trial = Trial(Rules(), lambda: 0.0)
    for number in order:
        for one, other in zip(ours[number], theirs[number], strict=True):
            trial.note(Look("entry", number, one, other))
        if trial.verdict():
            break
    return trial


def main() -> None:
    """Prints a line for every pair."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, default=30, help="in how many orders people come")
    parser.add_argument("--out", type=Path, help="a JSON file for all of it")
    args = parser.parse_args()
    names = {name for pair in HONEST + WORSE for name in pair}
    with tempfile.TemporaryDirectory() as folder, opened("edgeface", Path(folder) / "state") as there:
        seen = scene(there.vision)
        said = {name: _said(there.vision, name, Path(folder), seen) for name in sorted(names)}
    print(f"{len(seen.tracks)} tracks of {sum(map(len, seen.tracks))} shots, {machine()}")
    rows = []
    for serving, on_trial in HONEST + WORSE:
        rows.append(_row(serving, on_trial, said, args.orders))
        print(json.dumps(asdict(rows[-1])), flush=True)
    if args.out:
        args.out.write_text(json.dumps([asdict(row) for row in rows], indent=1))


def _row(serving: str, on_trial: str, said: Mapping[str, list[list[Opinion]]], orders: int) -> Row:
    ours, theirs = said[serving], said[on_trial]
    whole = Trial(Rules(), lambda: 0.0)
    for number, track in enumerate(zip(ours, theirs, strict=True)):
        for one, other in zip(*track, strict=True):
            whole.note(Look("entry", number, one, other))
    trials = [
        tried(ours, theirs, np.random.default_rng(seed).permutation(len(ours)).tolist()) for seed in range(orders)
    ]
    given_up = [trial for trial in trials if trial.verdict()]
    after = median(trial.report()["tracks"]["all"] for trial in given_up) if given_up else None
    report, why = whole.report(), sorted({trial.verdict() for trial in given_up})
    return Row(serving, on_trial, report["agreement"], report["tracks"], len(given_up), orders, after, why)


def _said(vision: Vision, name: str, folder: Path, seen: Scene) -> list[list[Opinion]]:
    stem, _, sigma = name.partition("+")
    graph, recipe = NETWORKS[stem]
    source = folder / f"{name}.onnx"
    onnx.save(spoiled(ASSETS / "models" / f"{graph}.onnx", float(sigma or 0)), source)
    with vision.beside({"recognizer": make_package(source, recipe, folder / name)}) as other:
        return opinions(other, seen)


def _opinion(limits: Limits, shot: Shot, match: Match) -> Opinion:
    band = limits.band(shot, match) if limits.is_usable(shot) else "none"
    return Opinion(match.person, band, match.similarity - limits.match, 0.0)


def _sized(image: Image) -> Image:
    factor = min(1.0, LONGEST_PX / max(image.shape[:2]))
    return np.asarray(cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8)


def _as_seen(image: Image, dice: np.random.Generator) -> Image:
    """The same a moment later: turned, nearer or farther, in other light, in or out of focus, compressed."""
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), dice.uniform(-8, 8), dice.uniform(0.8, 1.05))
    turned = cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    loud = turned * dice.uniform(0.55, 1.3) + dice.normal(0, dice.uniform(0, 8), turned.shape)
    lit = np.asarray(np.clip(loud, 0, 255), np.uint8)
    if dice.random() < 0.5:
        lit = np.asarray(cv2.GaussianBlur(lit, (0, 0), dice.uniform(0.5, 1.6)), np.uint8)
    _, packed = cv2.imencode(".jpg", lit, [cv2.IMWRITE_JPEG_QUALITY, int(dice.integers(40, 90))])
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)


def _shots(vision: Vision, views: Sequence[Image], track: int) -> Iterator[Shot]:
    """The largest face of each, as far as it may vote."""
    for seq, image in enumerate(views):
        found: list[Face] = vision.detector.detect([image])[0]
        if not found:
            continue
        face = max(found, key=lambda one: one.width_px * one.height_px)
        crops = vision.crops(image, [face])
        (quality,) = vision.assess(image, [face], crops)
        yield Shot("entry", track, seq, float(seq), face, crops[0], quality)


if __name__ == "__main__":
    main()
