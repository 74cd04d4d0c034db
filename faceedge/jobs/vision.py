"""The networks of one configuration, opened and ready: detector, recogniser and their preprocessor.

Used by the daemon, by enrolment, and by every command that looks at photos.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from faceedge import align
from faceedge.assess import assess
from faceedge.backends.base import CropSpec, Engine, Preprocessor
from faceedge.backends.cpu import CpuPreprocessor
from faceedge.backends.onnx import OnnxEngine
from faceedge.config import EngineSettings, Models
from faceedge.detect import Detector
from faceedge.errors import PackageError
from faceedge.families import detector_family
from faceedge.jobs.reduce import enlarged, reduced
from faceedge.models.active import chosen
from faceedge.models.landmarks import load_landmarker
from faceedge.models.licence import check_licence
from faceedge.models.store import find_package
from faceedge.package import Fit, Package, Role, Thresholds
from faceedge.recognize import Recognizer
from faceedge.types import Assessment, Face, Floats, Image, Template

Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True, eq=False)
class Portrait:
    """Everything known of one face of a photo. crop: the recogniser's input, uint8 BGR."""

    face: Face
    crop: Image
    assessment: Assessment
    template: Template


class Vision:
    """Detector and recogniser that fit each other. Close it, or use it in a `with` block."""

    def __init__(
        self, detector: Package, recognizer: Package, settings: EngineSettings, quality: Package | None = None
    ) -> None:
        self.detector_package = detector
        self.recognizer_package = recognizer
        self.scheme = detector.manifest.landmarks
        self.alignment = recognizer.manifest.alignment
        self.crop_spec: CropSpec = align.crop_spec(self.alignment)
        align.check(self.scheme, self.alignment)
        self.preprocessor: Preprocessor = CpuPreprocessor()
        self._engines: list[Engine] = []
        self.detector = self._open_detector(detector, settings)
        self.recognizer = self._open_recognizer(recognizer, settings)

    @property
    def thresholds(self) -> Thresholds:
        return self._fit.thresholds

    @property
    def door_thresholds(self) -> Thresholds:
        return self._fit.door_thresholds

    @property
    def look_alike(self) -> float:
        """Raw similarity from which two people are pointed out as looking alike."""
        return self._fit.look_alike_score

    @property
    def metric(self) -> str:
        return self.recognizer_package.manifest.metric

    @property
    def space(self) -> str:
        return self.recognizer_package.space

    @property
    def recognizer_build(self) -> str:
        return self.recognizer_package.build

    @property
    def builds(self) -> dict[Role, str]:
        return {"detector": self.detector_package.build, "recognizer": self.recognizer_package.build}

    def crops(self, image: Image, faces: Sequence[Face]) -> list[Image]:
        """Aligned crops of faces of one image, in the recogniser's size."""
        if not faces:
            return []
        return self.preprocessor.warp(self.preprocessor.upload(image), self.matrices(faces), self.crop_spec)

    def matrices(self, faces: Sequence[Face]) -> Floats:
        """Similarity transforms (n, 2, 3), crop px to frame px."""
        return align.matrices([face.landmarks for face in faces], self.scheme, self.alignment)

    def portraits(self, image: Image) -> list[Portrait]:
        """Every face of a photo (uint8 BGR) with crop, assessment and template, largest face first.

        Photos beyond 8 megapixels are searched at reduced size; crops are cut from the original.
        """
        small, factor = reduced(image)
        found = [enlarged(face, factor) for face in self.detector.detect([small])[0]]
        faces = sorted(found, key=lambda face: -face.width_px * face.height_px)
        crops = self.crops(image, faces)
        templates = self.recognizer.embed(crops)
        return [
            Portrait(face, crop, assess(face, crop, self.scheme), template)
            for face, crop, template in zip(faces, crops, templates, strict=True)
        ]

    def close(self) -> None:
        """Gives the engines' memory back."""
        for engine in self._engines:
            engine.close()

    def __enter__(self) -> Vision:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def _fit(self) -> Fit:
        assert self.recognizer_package.fit is not None, "read_package refuses a recogniser without fit.toml"
        return self.recognizer_package.fit

    def _open_detector(self, package: Package, settings: EngineSettings) -> Detector:
        family = detector_family(package.manifest)
        return Detector(
            self._engine(package, settings),
            family,
            self.preprocessor,
            package.manifest.normalisation,
            load_landmarker(package),
        )

    def _open_recognizer(self, package: Package, settings: EngineSettings) -> Recognizer:
        engine = self._engine(package, settings)
        return Recognizer(engine, self.preprocessor, package.manifest.normalisation, package.space)

    def _engine(self, package: Package, settings: EngineSettings) -> Engine:
        engine = OnnxEngine(
            package.fast_graph, max_batch=package.manifest.max_batch, threads=settings.threads,
            providers=settings.providers,
        )  # fmt: skip
        self._engines.append(engine)
        return engine


def open_vision(
    models: Models, engine: EngineSettings, state: Path, cache: Path, progress: Progress | None = None
) -> Vision:
    """Finds the packages in the state directory or among the defaults and opens them.

    Raises PackageError when one is missing, broken, of the wrong role or a licence that is not allowed, or they do
    not fit each other.
    """
    configured: dict[Role, str] = {
        "detector": models.detector, "recognizer": models.recognizer, "quality": models.quality,
    }  # fmt: skip
    found: dict[Role, Package] = {}
    for role, name in configured.items():
        if wanted := chosen(role, name, state):
            found[role] = find_package(wanted, state, cache, progress)
            _check_role(found[role], role)
            check_licence(found[role], models.accept_licences)
    return Vision(found["detector"], found["recognizer"], engine, found.get("quality"))


def _check_role(package: Package, role: Role) -> None:
    if package.manifest.role != role:
        raise PackageError(f"{package.label} is a {package.manifest.role}, not a {role}; name another in [models]")
