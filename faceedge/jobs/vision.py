"""The networks of one configuration, opened and ready: detector, recogniser, quality network where there is one.

Used by the daemon, by enrolment, and by every command that looks at photos.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, TypeVar

import numpy as np

from faceedge import align
from faceedge.assess import lowered, quality, shot
from faceedge.backends.base import CropSpec, Engine, Preprocessor
from faceedge.detect import Detector
from faceedge.errors import PackageError
from faceedge.families import detector_family
from faceedge.fit import Fit, Judging, Thresholds
from faceedge.grade import Grader
from faceedge.jobs.engines import Engines
from faceedge.jobs.part import Make, Part
from faceedge.jobs.reduce import enlarged, reduced
from faceedge.manifest import Role
from faceedge.models.landmarks import load_landmarker
from faceedge.package import Package
from faceedge.portions import WHOLE, Portions
from faceedge.quality_head import Source
from faceedge.recognize import Recognizer
from faceedge.types import Assessment, Face, Floats, Image, Template

FRAMES_ON_CPU, CROPS_ON_CPU = 1, 8
"""More at once are slower there, by up to 1.6 a frame and 1.3 a crop: what lies between the layers leaves the cache."""
W = TypeVar("W")
Progress = Callable[[str, float], None]
Around = Callable[[str, Engine], Engine]
"""Receives every engine, by role, and gives what is used in its place."""


def as_it_is(_role: str, engine: Engine) -> Engine:
    """Nothing else in its place."""
    return engine


@dataclass(frozen=True, slots=True, eq=False)
class Portrait:
    """Everything known of one face of a photo. crop: the recogniser's input, uint8 BGR."""

    face: Face
    crop: Image
    assessment: Assessment
    template: Template


class Vision:
    """Detector and recogniser that fit each other, and a quality network. Close it, or use it in a `with` block.

    opener: where engines come from. notices: of packages that run on sufferance. shared: parts of another vision, used
    here, too, where they are of the packages that are meant.

    Raises PackageError, EngineError, MissingExtra, and then leaves nothing open.
    """

    def __init__(
        self, detector: Package, recognizer: Package, opener: Engines, quality: Package | None = None,
        notices: Sequence[str] = (), around: Around = as_it_is, portions: Portions = WHOLE,
        *, shared: Sequence[Part[Any]] = (),
    ) -> None:  # fmt: skip
        self.detector_package = detector
        self.recognizer_package = recognizer
        self.quality_package = quality
        self.opener = opener
        self._notices = tuple(notices)
        self._around = around
        self._portions = replace(portions, short=self._short)
        self._told_short = portions.short
        self._serves = True
        self._shared = shared
        self.scheme = detector.manifest.landmarks
        self.alignment = recognizer.manifest.alignment
        self.crop_spec: CropSpec = align.crop_spec(self.alignment)
        align.check(self.scheme, self.alignment)
        if quality is not None:
            align.check(self.scheme, quality.manifest.alignment)
        self.source = self._source()
        self._parts: dict[Role, Part[Any]] = {}
        self._is_closed = False
        try:
            self._detector = self._part(detector, self._detector_of(detector))
            self._recognizer = self._part(recognizer, self._recognizer_of(recognizer))
            self._grader = self._part(quality, self._grader_of(quality)) if quality is not None else None
        except BaseException:
            self.close()
            raise
        self._shared = ()  # what is not used here is another one's to close

    def beside(
        self, changed: Mapping[Role, Package | None], notices: Sequence[str] = (), spare: Vision | None = None
    ) -> Vision:
        """Another vision with other packages for some roles, opened beside this one; None is no network at all. What
        stays the same is shared, and what is open in `spare`. Raises PackageError, EngineError, and then this one is as
        it was."""
        packages: dict[Role, Package | None] = {
            "detector": self.detector_package, "recognizer": self.recognizer_package,
            "quality": self.quality_package, **changed,
        }  # fmt: skip
        detector, recognizer = packages["detector"], packages["recognizer"]
        if detector is None or recognizer is None:
            raise PackageError("without a detector and a recogniser nobody is recognised; name a package")
        shared = [*self._parts.values(), *(spare._parts.values() if spare is not None else ())]
        portions = replace(self._portions, short=self._told_short)
        beside = Vision(
            detector, recognizer, self.opener, packages["quality"], notices, self._around, portions, shared=shared
        )
        beside._serves = False
        return beside

    def begin(self) -> None:
        """It serves from now on: when it gets no memory, the door does."""
        self._serves = True

    @property
    def detector(self) -> Detector:
        return self._detector.worker

    @property
    def recognizer(self) -> Recognizer:
        return self._recognizer.worker

    @property
    def grader(self) -> Grader | None:
        return self._grader.worker if self._grader is not None else None

    @property
    def preprocessor(self) -> Preprocessor:
        """The detector's: it also cuts the crops, from the frame that it has."""
        return self._detector.preprocessor

    @property
    def engines(self) -> dict[Role, Engine]:
        """By role, for those who measure."""
        return {role: part.engine for role, part in self._parts.items()}

    @property
    def packages(self) -> dict[Role, Package]:
        """By role."""
        return {role: part.package for role, part in self._parts.items()}

    @property
    def notices(self) -> tuple[str, ...]:
        """Sentences to say at a start and in the state: packages that run on sufferance, engines that are missing."""
        return (*self._notices, *self._unused_head(), *self.opener.notices())

    @property
    def thresholds(self) -> Thresholds:
        return self._fit.thresholds

    @property
    def door_thresholds(self) -> Thresholds:
        return self._fit.door_thresholds

    @property
    def judging(self) -> Judging:
        return self._fit.judging

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
        opened = (self.detector_package, self.recognizer_package, self.quality_package)
        return {package.manifest.role: package.build for package in opened if package is not None}

    def has_open(self, package: Package) -> bool:
        """Whether this very package is open here."""
        return any(part.is_of(package) for part in self._parts.values())

    def crops(self, image: Image, faces: Sequence[Face]) -> list[Image]:
        """Aligned crops of faces of one image, in the recogniser's size."""
        return self._cut(image, faces, self.alignment)

    def matrices(self, faces: Sequence[Face]) -> Floats:
        """Similarity transforms (n, 2, 3), crop px to frame px."""
        return align.matrices([face.landmarks for face in faces], self.scheme, self.alignment)

    def assess(self, image: Image, faces: Sequence[Face], crops: Sequence[Image]) -> list[Assessment]:
        """Whether each face of one image is worth recognising; crops: those of `crops(image, faces)`.

        With a quality network the lower of plain features and network counts, unless the recogniser's own answer is
        asked later, in `settled`. Raises EngineError when it fails.
        """
        is_asked = self.source is not None
        plain = [shot(face, crop, self.scheme, is_asked=is_asked) for face, crop in zip(faces, crops, strict=True)]
        if self.grader is None or is_asked:
            return plain
        raws = self.grades(image, faces, crops)
        return [lowered(one, raw, self.grader.head.quality(raw)) for one, raw in zip(plain, raws, strict=True)]

    def settled(self, before: Sequence[Assessment], templates: Sequence[Template]) -> list[Assessment]:
        """How far each face can be trusted, now that the recogniser has answered. before: what `assess` said."""
        if self.source is None:
            return list(before)
        return [
            quality(one, self.source.forecast(one.features, template))
            for one, template in zip(before, templates, strict=True)
        ]

    def grades(self, image: Image, faces: Sequence[Face], crops: Sequence[Image]) -> list[float]:
        """What the quality network says of each face, on its own scale; nothing without one.

        Where it is aligned as the recogniser is, the recogniser's crops serve, else others are cut.
        """
        if self.grader is None:
            return []
        if self.grader.alignment != self.alignment:
            crops = self._cut(image, faces, self.grader.alignment)
        return self.grader.grades(crops)

    def portraits(self, image: Image) -> list[Portrait]:
        """Every face of a photo (uint8 BGR) with crop, assessment and template, largest face first.

        Photos beyond 8 megapixels are searched at reduced size; crops are cut from the original.
        """
        small, factor = reduced(image)
        found = [enlarged(face, factor) for face in self.detector.detect([small])[0]]
        faces = sorted(found, key=lambda face: -face.width_px * face.height_px)
        crops = self.crops(image, faces)
        templates = self.recognizer.embed(crops)
        assessments = self.settled(self.assess(image, faces, crops), templates)
        return [Portrait(*parts) for parts in zip(faces, crops, assessments, templates, strict=True)]

    def prove(self, width: int, height: int) -> None:
        """Asks every network once, about a picture of a camera's size. Raises EngineError when one gives no answer."""
        image = np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8)
        self.detector.detect([image])
        marks = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.75], [0.65, 0.75]], np.float32)
        side = float(min(width, height))
        face = Face(np.array([0, 0, side, side], np.float32), 1.0, marks * np.float32(side))
        crops = self.crops(image, [face])
        self.settled(self.assess(image, [face], crops), self.recognizer.embed(crops))

    def renew(self, role: Role) -> None:
        """Opens the engine of a role anew, by the thread that uses it. Raises EngineError, and then it is closed."""
        if role in self._parts:
            self._parts[role].renew()

    def trim(self) -> None:
        """Asks that what only larger batches need be given back; from any thread, it waits for nothing. The stages'
        threads do it after the batch at hand, or with their next `tidy_…`."""
        for part in self._parts.values():
            part.engine.trim()
            part.preprocessor.trim()

    def tidy_detection(self) -> None:
        """For the thread of the detect stage when it has no frame."""
        self.detector.tidy()
        if self.grader is not None:
            self.grader.tidy()

    def close(self) -> None:
        """Gives the memory of those engines back that nobody else uses."""
        is_closed, self._is_closed = self._is_closed, True
        for part in self._parts.values() if not is_closed else ():
            part.leave()

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

    def _short(self) -> None:
        if self._serves:
            self._told_short()

    def _source(self) -> Source | None:
        """What the recogniser's own answer says of a picture; None where a quality network or nothing does. Raises
        PackageError for a head that is broken."""
        own = self._fit.quality
        if own is None or (own.head is not None and (self.quality_package is not None or self._unused_head())):
            return None
        try:
            return Source(own)
        except ValueError as error:
            raise PackageError(f"{self.recognizer_package.label}: {error}: faceedge calibrate quality") from error

    def _unused_head(self) -> list[str]:
        """A sentence where the recogniser's quality head knows another detector's faces."""
        head = self._fit.quality.head if self._fit.quality else None
        if head is None or (head.detector, head.scheme) == (self.detector_package.build, self.scheme):
            return []
        label, other = self.recognizer_package.label, self.detector_package.label
        return [f"the quality head of {label} was fitted behind another detector than {other} and is not used;"
                " fit it anew: faceedge calibrate quality"]  # fmt: skip

    def _cut(self, image: Image, faces: Sequence[Face], alignment: str) -> list[Image]:
        if not faces:
            return []
        matrices = align.matrices([face.landmarks for face in faces], self.scheme, alignment)
        return self.preprocessor.warp(self.preprocessor.upload(image), matrices, align.crop_spec(alignment))

    def _detector_of(self, package: Package) -> Make[Detector]:
        family, norm = detector_family(package.manifest), package.manifest.normalisation
        portions = replace(self._portions, on_cpu=FRAMES_ON_CPU)
        return lambda engine, preprocessor: Detector(
            engine, family, preprocessor, norm, load_landmarker(package), portions
        )

    def _recognizer_of(self, package: Package) -> Make[Recognizer]:
        portions = replace(self._portions, on_cpu=CROPS_ON_CPU)
        return lambda engine, preprocessor: Recognizer(engine, preprocessor, package.manifest, package.space, portions)

    def _grader_of(self, package: Package) -> Make[Grader]:
        assert package.head is not None, "read_package refuses a quality network without fit.toml"
        head, portions = package.head, replace(self._portions, on_cpu=CROPS_ON_CPU)
        return lambda engine, preprocessor: Grader(engine, preprocessor, package.manifest, head, portions)

    def _part(self, package: Package, make: Make[W]) -> Part[W]:
        role = package.manifest.role
        known = next((part for part in self._shared if part.is_of(package)), None)
        if known is not None:
            part: Part[W] = known.joined()
        else:
            part = Part(package, self.opener, make, lambda engine: self._around(role, engine))
        self._parts[role] = part
        return part
