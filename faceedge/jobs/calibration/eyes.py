"""The float detector during a calibration: photos in, faces out, remembered by the photo's digest, crops cut.

Detection is most of the work, and several passes need it, so what was found lies in a file that a later run takes up.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from faceedge import align
from faceedge.backends.base import Engine
from faceedge.backends.cpu import CpuPreprocessor
from faceedge.backends.onnx import OnnxEngine
from faceedge.config import EngineSettings
from faceedge.detect import Detector
from faceedge.errors import StoreError
from faceedge.families import detector_family
from faceedge.manifest import Manifest
from faceedge.models.landmarks import load_landmarker
from faceedge.package import Package
from faceedge.types import Face, Image


def open_engine(graph: Path, manifest: Manifest, settings: EngineSettings) -> OnnxEngine:
    """An engine as the daemon would open it. Raises PackageError, EngineError."""
    return OnnxEngine(graph, max_batch=manifest.max_batch, threads=settings.threads, providers=settings.providers)


def open_detector(package: Package, engine: Engine) -> Detector:
    """A detector on any graph of that package's kind."""
    manifest = package.manifest
    return Detector(
        engine, detector_family(manifest), CpuPreprocessor(), manifest.normalisation, load_landmarker(package)
    )


class Eyes:
    """A detector with a memory. alignment: of the crops to cut; empty where whole photos are wanted. Close it."""

    def __init__(
        self, package: Package, settings: EngineSettings, memory: Path, *, pixels: int, alignment: str = ""
    ) -> None:
        self.scheme = package.manifest.landmarks
        self.alignment = alignment
        if alignment:
            align.check(self.scheme, alignment)
        self._pixels = pixels
        self._package = package
        self._settings = settings
        self._preprocessor = CpuPreprocessor()
        self._memory = _Memory(memory)
        self._engine: Engine | None = None
        self._detector: Detector | None = None

    def faces(self, digest: str, photo: Image) -> tuple[Face, ...]:
        """Faces of a photo that `shrunk` gave, largest first. Raises EngineError when the network fails."""
        height, width = photo.shape[:2]
        key = f"{digest}-{width}x{height}"
        found = self._memory.get(key)
        if found is None:
            seen = self._opened().detect([photo])[0]
            found = tuple(sorted(seen, key=lambda face: -face.width_px * face.height_px))
            self._memory.put(key, found)
        return found

    def picture(self, photo: Image, faces: Sequence[Face]) -> Image | None:
        """The photo itself, or with an alignment the crop of the first face; None without a face."""
        if not self.alignment:
            return photo
        if not faces:
            return None
        matrices = align.matrices([faces[0].landmarks], self.scheme, self.alignment)
        handle = self._preprocessor.upload(photo)
        return self._preprocessor.warp(handle, matrices, align.crop_spec(self.alignment))[0]

    def shrunk(self, photo: Image) -> Image:
        """The photo, of at most as many pixels as the recipe says."""
        height, width = photo.shape[:2]
        factor = (self._pixels / (height * width)) ** 0.5
        if factor >= 1:
            return photo
        size = (max(16, int(width * factor)), max(16, int(height * factor)))
        return np.asarray(cv2.resize(photo, size, interpolation=cv2.INTER_AREA), np.uint8)

    def close(self) -> None:
        """Gives memory back."""
        if self._engine is not None:
            self._engine.close()
        self._memory.close()

    def _opened(self) -> Detector:
        if self._detector is None:
            self._engine = open_engine(self._package.fast_graph, self._package.manifest, self._settings)
            self._detector = open_detector(self._package, self._engine)
        return self._detector


class _Memory:
    """Faces by photo, one JSON line each; a line cut short by a crash is passed over."""

    def __init__(self, path: Path) -> None:
        self._found: dict[str, tuple[Face, ...]] = {}
        try:
            for line in path.read_text(encoding="ascii").splitlines() if path.exists() else []:
                self._read(line)
            self._file = path.open("a", encoding="ascii")
            self._file.write("\n")  # what comes next must not be glued to a line that was cut short
        except OSError as error:
            raise StoreError(f"{path}: cannot be used ({error.strerror}); remove it") from error

    def get(self, key: str) -> tuple[Face, ...] | None:
        return self._found.get(key)

    def put(self, key: str, faces: tuple[Face, ...]) -> None:
        self._found[key] = faces
        rows = [[face.box.tolist(), face.score, face.landmarks.tolist()] for face in faces]
        self._file.write(json.dumps({"key": key, "faces": rows}) + "\n")
        self._file.flush()

    def close(self) -> None:
        self._file.close()

    def _read(self, line: str) -> None:
        try:
            row: dict[str, Any] = json.loads(line)
            self._found[row["key"]] = tuple(
                Face(np.array(box, np.float32), float(score), np.array(marks, np.float32).reshape(5, 2))
                for box, score, marks in row["faces"]
            )
        except (ValueError, KeyError, TypeError):
            return
