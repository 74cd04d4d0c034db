"""What a check is and what it works with: an installation with its networks opened in, a finding out. Run by
`faceedge/selftest.py`.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

from faceedge.backends.base import Engine
from faceedge.config import EngineSettings, Models
from faceedge.errors import EngineError
from faceedge.jobs.build_engines import Builder, Wish
from faceedge.jobs.engines import OnnxEngines, open_onnx
from faceedge.jobs.open_vision import open_vision
from faceedge.jobs.vision import Progress, Vision
from faceedge.manifest import Role
from faceedge.package import Package
from faceedge.types import Image

if TYPE_CHECKING:
    from faceedge.jobs.gpu_engines import GpuEngines

Share = Callable[[float], None]
Verdict = Literal["passed", "failed", "not run"]
FILM_S = 70.0
"""What the film takes with all that is started for it, and more than it took where it was tried."""


@dataclass(frozen=True, slots=True, eq=False)
class Finding:
    """What a check came to. said: one line, what was found or what is wrong. figures: the same as JSON types."""

    verdict: Verdict
    said: str
    figures: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Check:
    """One row of the table. why_not: why it does not apply to a bench, nothing where it does. run: may raise
    FaceedgeError, which is a failure; it tells the share that is done."""

    name: str
    why_not: Callable[[Bench], str]
    run: Callable[[Bench, Share], Finding]


class Wishes(Builder):
    """Builds nothing: it notes which engines are missing, and why. whys: by the label of the package."""

    def __init__(self) -> None:
        super().__init__(lambda _event: None)
        self.whys: dict[str, str] = {}

    def wish(self, wish: Wish) -> None:
        """See `Builder.wish`."""
        self.whys[wish.label] = wish.why


class Bench:
    """One installation, its networks opened as the daemon opens them. Close it, or use a `with` block.

    packages: those that serve. seconds: that all checks may take together. frame: uint8 BGR, with faces if there are
    some at hand.
    """

    def __init__(
        self, models: Models, engine: EngineSettings, state: Path, cache: Path, frame: Image, seconds: float,
        progress: Progress | None = None,
    ) -> None:  # fmt: skip
        self.models, self.engine, self.state, self.cache = models, engine, state, cache
        self.frame, self.seconds = frame, seconds
        self._wishes = Wishes()
        self._vision: Vision | None = open_vision(models, engine, state, cache, progress, self._wishes)
        self.packages = _packages(self._vision)

    @property
    def vision(self) -> Vision:
        """Raises EngineError after `close`."""
        if self._vision is None:
            raise EngineError("the networks are closed; run faceedge selftest again")
        return self._vision

    @property
    def measuring_s(self) -> float:
        """For the checks that measure as long as they are let; the film takes its own time."""
        return self.seconds - FILM_S if self.has_time_for_film else self.seconds

    @property
    def has_time_for_film(self) -> bool:
        return self.seconds >= 1.5 * FILM_S

    def no_gpu(self) -> str:
        """Why nothing runs on a GPU here, where nobody asked for it; nothing where it should."""
        if not isinstance(self.vision.opener, OnnxEngines) or self.vision.opener.notices():
            return ""
        if self.engine.backend == "onnx":
            return 'the configuration says [engine] backend = "onnx"'
        return "TensorRT or pycuda is not installed here"

    def gpu_engines(self) -> GpuEngines:
        """Raises EngineError with the reason when the GPU is there and cannot be used."""
        from faceedge.jobs.gpu_engines import GpuEngines

        opener = self.vision.opener
        if not isinstance(opener, GpuEngines):
            raise EngineError("; ".join(opener.notices()) or self.no_gpu())
        return opener

    def on_gpu(self, package: Package) -> Engine:
        """The engine of a package. Raises EngineError, with the reason, when it does not run on the GPU."""
        engine = self.vision.engines[package.manifest.role]
        if not engine.device.startswith("cuda"):
            notices = (words for words in self.vision.notices if words.startswith(package.label))
            why = self._wishes.whys.get(package.label) or next(notices, "it runs on ONNX Runtime")
            raise EngineError(f"{package.label}: {why}; run: faceedge build {package.manifest.role}")
        return engine

    def reference(self, package: Package) -> Engine:
        """The package in ONNX Runtime; who asks closes it."""
        return open_onnx(package, self.engine)

    def reference_vision(self) -> Vision:
        """All networks in ONNX Runtime; who asks closes it."""
        vision = self.vision
        opener = OnnxEngines(self.engine)
        return Vision(vision.detector_package, vision.recognizer_package, opener, vision.quality_package)

    def close(self) -> None:
        """Gives the networks' memory back, and the GPU; a second call does nothing."""
        vision, self._vision = self._vision, None
        if vision is None:
            return
        vision.close()
        if not isinstance(vision.opener, OnnxEngines):
            from faceedge.backends.cuda import process_gpu

            del vision  # what prepares frames on the device gives its memory back while there is a context
            gc.collect()
            process_gpu().close()

    def __enter__(self) -> Bench:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _packages(vision: Vision) -> dict[Role, Package]:
    """Those that serve."""
    found = (vision.detector_package, vision.recognizer_package, vision.quality_package)
    return {package.manifest.role: package for package in found if package is not None}


def passed(said: str, **figures: Any) -> Finding:
    return Finding("passed", said, figures)


def failed(said: str, **figures: Any) -> Finding:
    return Finding("failed", said, figures)


def judged(faults: Iterable[str], said: str, **figures: Any) -> Finding:
    """Failed with what is wrong, else passed with what was found."""
    wrong = "; ".join(faults)
    return failed(wrong, **figures) if wrong else passed(said, **figures)


def part_of(tell: Share, number: int, count: int) -> Share:
    """The share of one part of several, as a share of the whole."""
    return partial(_told, tell, number, count)


def _told(tell: Share, number: int, count: int, share: float) -> None:
    tell((number + share) / count)
