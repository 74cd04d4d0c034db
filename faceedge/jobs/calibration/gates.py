"""The gates of a calibration: an INT8 graph in, what it answers beside its float source and the verdict out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from faceedge.config import EngineSettings
from faceedge.errors import BadInput, EngineError
from faceedge.fit import Fit
from faceedge.gallery.rows import crop_to_png
from faceedge.jobs.calibration.eyes import open_detector, open_engine
from faceedge.jobs.calibration.gather import Embedder
from faceedge.jobs.calibration.source import Source
from faceedge.package import Package
from faceedge.quantize.boxes import Agreement, agreement
from faceedge.quantize.findings import Recognised, detector_findings, recogniser_findings
from faceedge.quantize.gates import Gates, Verdict, verdict
from faceedge.quantize.pairs import Numbers, Pairs
from faceedge.quantize.report import WorstPair
from faceedge.quantize.scores import agreement as similar
from faceedge.quantize.scores import moved_most, scored
from faceedge.quantize.thresholds import Refit, refit
from faceedge.types import Face, Floats, Image

Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What was measured of one graph. seen: for the report; None where only the verdict was remembered. refit: the
    re-fitted thresholds of a recogniser, as far as the pairs carry them; unfitted: why they do not, in words."""

    verdict: Verdict
    seen: Recognised | Agreement | None
    refit: Refit | None = None
    unfitted: str = ""

    @property
    def likeness(self) -> float:
        """One figure by which failed builds are ordered: mean cosine, or F1."""
        names = ("detector_f1", "cosine_mean")
        return next((one.value or 0.0 for one in self.verdict.findings if one.name in names), 0.0)


class Judge(Protocol):
    """Knows the pictures of the gates and what the float build says of them."""

    def judge(self, graph: Path, oddities: Sequence[str] = ()) -> Judged:
        """Runs the graph on all of them. Raises EngineError or PackageError when it does not run at all."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """What a recogniser's gates see: crops, the number of the person on each, and the labelled pairs, if any.

    dropped: people left out because the calibration set shows them."""

    crops: Sequence[Image]
    people: Numbers
    pairs: Pairs | None
    words: str
    dropped: int = 0


class RecogniserJudge:
    """See `Judge`. The float outputs are made once."""

    def __init__(
        self, package: Package, shown: Shown, gates: Gates, settings: EngineSettings, *, seed: int,
        fmr: dict[str, float],
    ) -> None:  # fmt: skip
        self._package = package
        self._shown = shown
        self._gates = gates
        self._settings = settings
        self._seed = seed
        self._fmr = fmr
        self._source: Floats | None = None

    def judge(self, graph: Path, oddities: Sequence[str] = ()) -> Judged:
        """See `Judge.judge`."""
        fit, metric = self._fit, self._package.manifest.metric
        if self._source is None:
            self._source = self._outputs(self._package.fast_graph)
        build = self._outputs(graph)
        if build.shape != self._source.shape:
            build = np.zeros_like(self._source)
        cosines = similar(self._source, build, metric)
        if self._shown.pairs is None:
            seen = Recognised(cosines)
            return Judged(self._verdict(seen, oddities), seen, unfitted="nobody is labelled")
        pairs = scored(self._source, build, self._shown.people, self._shown.pairs, metric)
        fitted, why = None, ""
        try:
            fitted = refit(fit, pairs, self._fmr)
        except BadInput as error:
            why = str(error)
        at_build = fitted.fit.thresholds.match if fitted else fit.thresholds.match
        seen = Recognised(cosines, pairs, fit.thresholds.match, at_build)
        return Judged(self._verdict(seen, oddities), seen, fitted, why)

    def worst(self, judged: Judged, count: int = 12) -> tuple[WorstPair, ...]:
        """The pairs that INT8 moved most, as pictures; none without labelled people."""
        pairs, scores = self._shown.pairs, judged.seen.pairs if isinstance(judged.seen, Recognised) else None
        if pairs is None or scores is None:
            return ()
        crops = self._shown.crops
        return tuple(
            WorstPair(
                crop_to_png(crops[int(pairs.first[at])]), crop_to_png(crops[int(pairs.second[at])]),
                (int(scores.one[at]), int(scores.other[at])), float(scores.source[at]), float(scores.build[at]),
            )
            for at in moved_most(scores, count)
        )  # fmt: skip

    @property
    def _fit(self) -> Fit:
        assert self._package.fit is not None, "read_package refuses a recogniser without fit.toml"
        return self._package.fit

    def _verdict(self, seen: Recognised, oddities: Sequence[str]) -> Verdict:
        return verdict(recogniser_findings(seen, self._gates, self._seed), oddities)

    def _outputs(self, graph: Path) -> Floats:
        engine = open_engine(graph, self._package.manifest, self._settings)
        try:
            return Embedder(engine, self._package.manifest).raw(self._shown.crops)
        finally:
            engine.close()


class DetectorJudge:
    """See `Judge`. source: photos, of which those of `digests` are the gates'; the float faces are remembered there."""

    def __init__(
        self, package: Package, source: Source, digests: Collection[str], gates: Gates, settings: EngineSettings,
        *, seed: int,
    ) -> None:  # fmt: skip
        self._package = package
        self._source = source
        self._digests = digests
        self._gates = gates
        self._settings = settings
        self._seed = seed

    def judge(self, graph: Path, oddities: Sequence[str] = ()) -> Judged:
        """See `Judge.judge`."""
        engine = open_engine(graph, self._package.manifest, self._settings)
        theirs: list[Sequence[Face]] = []
        ours: list[Sequence[Face]] = []
        try:
            detector = open_detector(self._package, engine)
            for sample in self._source.samples():
                if sample.digest in self._digests:
                    theirs.append(sample.faces)
                    ours.append(_found(detector.detect, sample.picture))
        finally:
            engine.close()
        draw = self._gates.drawing(self._seed)
        seen = agreement(theirs, ours, self._package.manifest.landmarks, self._gates.iou, draw)
        return Judged(verdict(detector_findings(seen, self._gates), oddities), seen)


def _found(detect: Callable[[Sequence[Image]], list[list[Face]]], photo: Image) -> list[Face]:
    """Faces of one photo; none where the network answers with numbers that are none."""
    try:
        return [
            face for face in detect([photo])[0] if np.isfinite(face.box).all() and np.isfinite(face.landmarks).all()
        ]
    except EngineError:
        return []
