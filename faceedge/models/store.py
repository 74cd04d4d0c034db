"""Where packages lie, `<state>/models/<name>/<version>/` and the imported defaults: finding, listing, making them."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from faceedge.errors import FaceedgeError, PackageError
from faceedge.fit import Fit, QualityFit
from faceedge.manifest import Manifest, Part, Source
from faceedge.models.defaults import FOLDER, default_models, is_whole
from faceedge.models.recipe import read_recipe
from faceedge.package import FIT, GRAPH, MANIFEST, Package, as_toml, read_package

DEFAULTS = ("dlib-mmod", "dlib-resnet")
DEFAULT_VERSION = "1"
INT8 = "-int8"
"""How the version of a calibrated build ends."""
Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Found:
    """A package folder of the store. package: None when it is broken, and then `fault` says how; a built-in one that
    was not imported yet, or is damaged and will be imported anew, has neither."""

    label: str
    folder: Path
    package: Package | None = None
    fault: str = ""
    is_built_in: bool = False


def find_package(name: str, state: Path, cache: Path, progress: Progress | None = None) -> Package:
    """The package called `name`, `name@version`, or in a folder of that path; without version the highest.

    Raises PackageError when there is none. The default packages are imported on first use.
    """
    if os.sep in name:
        return read_package(Path(name))
    stem, _, version = name.partition("@")
    folder = _newest(state / "models" / stem, version)
    if folder is None and stem in DEFAULTS:
        folder = _newest(default_models(cache, progress) / stem, version)
    if folder is None:
        raise PackageError(f"no model package {name!r} in {state / 'models'}; the built-in ones are {_listed()}")
    return _read_at_home(folder)


def every_package(state: Path, cache: Path) -> list[Found]:
    """All there are, the built-in ones first; never an exception for a broken one. Imports nothing."""
    root = state / "models"
    built_in = [_look(cache / FOLDER / name / DEFAULT_VERSION, is_built_in=True) for name in DEFAULTS]
    if not is_whole(cache / FOLDER):
        built_in = [Found(one.label, one.folder, is_built_in=True) for one in built_in]
    own = [_look(folder) for name in folders_in(root) for folder in folders_in(name)]
    return built_in + own


def _look(folder: Path, *, is_built_in: bool = False) -> Found:
    label = f"{folder.parent.name}@{folder.name}"
    try:
        return Found(label, folder, _read_at_home(folder), "", is_built_in)
    except (FaceedgeError, OSError) as error:
        return Found(label, folder, None, str(error), is_built_in)


def _read_at_home(folder: Path) -> Package:
    """A package of the store, which must be the one that its folders are called after."""
    package = read_package(folder)
    if package.label != f"{folder.parent.name}@{folder.name}":
        raise PackageError(f"{folder}: its manifest says {package.label}; add it again")
    return package


def folders_in(folder: Path) -> list[Path]:
    """Folders in a folder, but hidden ones, by name and version."""
    try:
        inside = [entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith(".")]
    except OSError:
        return []
    return sorted(inside, key=lambda entry: _order(entry.name))


def write_parts(folder: Path, manifest: Manifest, fit: Fit | QualityFit | None) -> None:
    """Writes model.toml, and fit.toml where there is a fit."""
    parts: list[tuple[str, Part]] = [(MANIFEST, manifest)] + ([(FIT, fit)] if fit is not None else [])
    for name, part in parts:
        (folder / name).write_text(as_toml(part), encoding="utf-8")


def make_package(graph: Path, recipe: str, root: Path) -> Package:
    """A package of a graph as it is, by a recipe: nothing rewritten, no self-test; returns it read back.

    `faceedge model add` does more (`jobs/add_model.py`). Raises PackageError: unknown recipe, missing file.
    """
    known = read_recipe(recipe)
    if not graph.is_file():
        raise PackageError(f"{graph}: no such file; name the ONNX file to package")
    source = Source(sha256=hashlib.sha256(graph.read_bytes()).hexdigest(), **known.source)
    manifest = Manifest(source=source, **known.model)
    target = root / manifest.name / manifest.version
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".new-") as scratch:
        fresh = Path(scratch) / manifest.version
        fresh.mkdir()
        shutil.copyfile(graph, fresh / GRAPH)
        write_parts(fresh, manifest, known.fit)
        if target.exists():
            shutil.rmtree(target)
        fresh.rename(target)
    return read_package(target)


def _newest(folder: Path, version: str) -> Path | None:
    if version:
        return folder / version if (folder / version).is_dir() else None
    return max(folders_in(folder), key=lambda entry: _order(entry.name), default=None)


def _order(version: str) -> tuple[bool, tuple[tuple[bool, int, str], ...]]:
    """1.10 after 1.9: numbers by value, words by spelling. An INT8 build comes before all others, so that a bare name
    never means one: whoever wants it says so."""
    parts = tuple((part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in version.split("."))
    return not version.endswith(INT8), parts


def _listed() -> str:
    return " and ".join(DEFAULTS)
