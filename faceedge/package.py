"""A model package: a folder with `model.onnx`, `model.toml` (what it is) and `fit.toml` (numbers fitted to it).

Read by everything that opens a network. `space` and `build` are derived here and nowhere else. `onnxruntime.onnx`,
where there is one, is the same network in a form that ONNX Runtime runs faster; TensorRT takes `model.onnx`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import tomli_w
from pydantic import ValidationError

from faceedge.errors import PackageError, one_line
from faceedge.fit import Fit, QualityFit, QualityHead
from faceedge.manifest import Graph, Manifest, Part
from faceedge.toml import read_toml

GRAPH, FAST_GRAPH, MANIFEST, FIT = "model.onnx", "onnxruntime.onnx", "model.toml", "fit.toml"


@dataclass(frozen=True, slots=True)
class Package:
    """A package on disk that has been read and checked against its manifest, not yet opened.

    space: embeddings compare only within one space. build: names the exact graph that ONNX Runtime runs, and its
    precision. fit: a recogniser's; head: a quality network's.
    """

    folder: Path
    manifest: Manifest
    fit: Fit | None
    space: str
    build: str
    head: QualityHead | None = None

    @property
    def graph(self) -> Path:
        """The plain form, which every backend takes."""
        return self.folder / GRAPH

    def graph_digest(self) -> str:
        """SHA-256 of the graph that TensorRT reads, in hex: as noted, and reckoned where it was not. Raises OSError."""
        plain = self.manifest.plain
        return plain.sha256 if plain is not None else hashlib.sha256(self.graph.read_bytes()).hexdigest()

    @property
    def fast_graph(self) -> Path:
        """What ONNX Runtime runs: the rewritten form where there is one."""
        return self.folder / FAST_GRAPH if self.manifest.fast else self.graph

    @property
    def label(self) -> str:
        return f"{self.manifest.name}@{self.manifest.version}"


def read_package(folder: Path) -> Package:
    """Reads and checks a package folder. Raises PackageError with the file and the fault."""
    manifest = _read_part(folder / MANIFEST, Manifest)
    fit, head = _read_fit(folder, manifest)
    digest = _checked(folder / GRAPH, manifest.plain)
    space = space_of(manifest, digest)
    if manifest.fast is not None:
        digest = _checked(folder / FAST_GRAPH, manifest.fast)
    return Package(folder, manifest, fit, space, _short(digest, manifest.precision), head)


def _read_fit(folder: Path, manifest: Manifest) -> tuple[Fit | None, QualityHead | None]:
    path = folder / FIT
    if manifest.role == "detector":
        return None, None
    if not path.exists():
        missing = {
            "recognizer": "a recogniser without thresholds cannot decide",
            "quality": "a quality network without a head says nothing",
        }
        raise PackageError(f"{folder}: {FIT} is missing; {missing[manifest.role]}")
    if manifest.role == "quality":
        return None, _read_part(path, QualityFit).quality
    return _read_part(path, Fit), None


def _checked(path: Path, noted: Graph | None) -> str:
    """Digest of a graph, which must be what the manifest noted."""
    if not path.is_file():
        raise PackageError(f"{path.parent}: {path.name} is missing; add the package again")
    with path.open("rb") as file:
        digest = _sha256(file)
    if noted is not None and digest != noted.sha256:
        raise PackageError(f"{path}: damaged or changed since it was added; add the package again")
    return digest


def _sha256(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while block := file.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()


def space_of(manifest: Manifest, graph: str) -> str:
    """First 12 hex digits over the float source, the alignment and the preprocessing (design: Model package).

    graph: digest of model.onnx. An INT8 graph whose gates failed or are missing has a space of its own, so that its
    embeddings are never compared with its source's.
    """
    own = (graph,) if manifest.strays else ()
    return _short(
        manifest.source.sha256, manifest.alignment, manifest.metric,
        manifest.normalisation.model_dump_json(), manifest.input.model_dump_json(include={"width", "height"}), *own,
    )  # fmt: skip


def as_toml(part: Part) -> str:
    """The text of a model.toml or fit.toml."""
    return tomli_w.dumps(part.model_dump(exclude_none=True))


def _read_part(path: Path, part: type[Any]) -> Any:
    try:
        return part.model_validate(read_toml(path, PackageError, "add the package again"))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(step) for step in first["loc"])
        fault = one_line(f"{key}: {first['msg'].removeprefix('Value error, ').lower()}", 250)
        raise PackageError(f"{path}: {fault}; mend the manifest") from error


def _short(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:12]
