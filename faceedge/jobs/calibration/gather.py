"""A source of pictures in, what a calibration needs of it out: the facts by which the set is judged, and batches.

A recogniser's crops stay in memory (67 kB each at most); photos for a detector are read anew for every pass.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from faceedge.backends.base import Engine
from faceedge.backends.cpu import CpuPreprocessor
from faceedge.errors import EngineError
from faceedge.families import detector_family
from faceedge.jobs.calibration.source import Sample, Source
from faceedge.manifest import Manifest
from faceedge.quantize.imagefacts import Cut, ImageFacts, facts_of
from faceedge.recognize import Recognizer
from faceedge.types import Floats, Image

BATCH = 8
Progress = Callable[[str, float], None]


@dataclass(slots=True, eq=False)
class Gathered:
    """facts: of every picture. crops: of a recogniser, by place; None where there is no face. people: by place.
    powers: squared lengths of the recogniser's outputs."""

    facts: list[ImageFacts] = field(default_factory=list)
    crops: list[Image | None] = field(default_factory=list)
    people: list[str] = field(default_factory=list)
    powers: list[float] = field(default_factory=list)

    def as_cosine(self, similarity: float, metric: str) -> float:
        """What a similarity of this metric is between outputs brought to length 1."""
        if metric != "euclidean" or not self.powers:
            return similarity
        return 1 - (1 - similarity) / max(float(np.mean(self.powers)), 1e-9)


class Embedder:
    """Crops in, the recogniser's outputs before normalisation out. A crop that it cannot answer gets zeros."""

    def __init__(self, engine: Engine, manifest: Manifest) -> None:
        self._recognizer = Recognizer(engine, CpuPreprocessor(), manifest, "")
        self._step = engine.max_batch

    def raw(self, crops: Sequence[Image]) -> Floats:
        """float32 (n, d)."""
        rows = [row for at in range(0, len(crops), self._step) for row in self._batch(crops[at : at + self._step])]
        width = max((len(row) for row in rows if row is not None), default=1)
        return np.array([np.zeros(width) if row is None else row for row in rows], np.float32).reshape(-1, width)

    def _batch(self, crops: Sequence[Image]) -> list[Floats | None]:
        try:
            return [one.embedding * np.float32(one.norm) for one in self._recognizer.embed(crops)]
        except EngineError:
            return [row for crop in crops for row in self._batch([crop])] if len(crops) > 1 else [None]


def gather(source: Source, embedder: Embedder | None, progress: Progress) -> Gathered:
    """Looks at every picture once. embedder: of the float recogniser, when it is a recogniser's set."""
    found, waiting = Gathered(), list[Sample]()
    for number, sample in enumerate(source.samples()):
        progress("looking at the images", number / max(1, len(source)))
        if embedder is None:
            found.facts.append(facts_of(sample.name, sample.digest, sample.photo, sample.faces))
            found.crops.append(None)
            found.people.append(sample.person)
            continue
        waiting.append(sample)
        if len(waiting) == 2 * BATCH:
            _take(found, waiting, embedder)
    if embedder is not None:
        _take(found, waiting, embedder)
    return found


def _take(found: Gathered, waiting: list[Sample], embedder: Embedder) -> None:
    """Empties `waiting` into `found`, in order."""
    raw = embedder.raw([sample.picture for sample in waiting if sample.picture.size])
    found.powers += (raw * raw).sum(axis=1).tolist()
    units = iter(raw / np.maximum(np.linalg.norm(raw, axis=1, keepdims=True), 1e-12))
    for sample in waiting:
        cut = Cut(sample.picture, np.asarray(next(units), np.float32)) if sample.picture.size else None
        found.facts.append(facts_of(sample.name, sample.digest, sample.photo, sample.faces, cut))
        found.crops.append(sample.picture if cut else None)
        found.people.append(sample.person)
    waiting.clear()


def crop_batches(crops: Sequence[Image], manifest: Manifest) -> Callable[[], Iterator[Floats]]:
    """float32 (n, 3, h, w) as the flow makes them, the same each time."""
    preprocessor = CpuPreprocessor()

    def batches() -> Iterator[Floats]:
        for at in range(0, len(crops), BATCH):
            yield preprocessor.tensor(crops[at : at + BATCH], manifest.normalisation)

    return batches


def photo_batches(source: Source, digests: Collection[str], manifest: Manifest) -> Callable[[], Iterator[Floats]]:
    """Photos of these digests laid on canvases as the flow does, one at a time: they differ in size."""
    preprocessor, family = CpuPreprocessor(), detector_family(manifest)

    def batches() -> Iterator[Floats]:
        for sample in source.samples():
            if sample.digest in digests:
                canvas = family.canvas(*sample.picture.shape[:2])
                yield preprocessor.letterbox([preprocessor.upload(sample.picture)], canvas, manifest.normalisation)

    return batches


def held_out(people: Sequence[str], share: float, seed: int) -> list[bool]:
    """Which pictures the gates see and the calibration does not, drawn by `seed`; a person is on one side only."""
    names = [person or f"\0{at}" for at, person in enumerate(people)]
    groups = sorted(set(names))
    drawn = np.random.default_rng(seed).permutation(len(groups))
    wanted, chosen, count = share * len(names), set[str](), 0
    sizes = {name: names.count(name) for name in groups} if len(groups) < len(names) else dict.fromkeys(groups, 1)
    for place in drawn:
        if count >= wanted:
            break
        chosen.add(groups[place])
        count += sizes[groups[place]]
    return [name in chosen for name in names]
