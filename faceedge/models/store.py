"""Where packages lie, `<state>/models/<name>/<version>/` and the imported defaults: finding, listing, placing them."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from faceedge.errors import FaceedgeError, PackageError, StoreError
from faceedge.files import sync_folder
from faceedge.models.defaults import FOLDER, default_models, is_whole
from faceedge.models.recipe import read_recipe
from faceedge.package import (
    FIT,
    GRAPH,
    MANIFEST,
    Fit,
    Manifest,
    Package,
    Part,
    QualityFit,
    Source,
    as_toml,
    read_package,
)

DEFAULTS = ("dlib-mmod", "dlib-resnet")
DEFAULT_VERSION = "1"
Progress = Callable[[str, float], None]
_SCRATCH, _LOCK = ".new-", "models.lock"


@dataclass(frozen=True, slots=True)
class Found:
    """A package folder of the store. package: None when it is broken, and then `fault` says how; a built-in one that
    was not imported yet has neither."""

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
    return read_package(folder)


def every_package(state: Path, cache: Path) -> list[Found]:
    """All there are, the built-in ones first; never an exception for a broken one. Imports nothing."""
    root = state / "models"
    built_in = [_look(cache / FOLDER / name / DEFAULT_VERSION, is_built_in=True) for name in DEFAULTS]
    if not is_whole(cache / FOLDER):
        built_in = [Found(one.label, one.folder, is_built_in=True) for one in built_in]
    own = [_look(folder) for name in _shown(root) for folder in _shown(name)]
    return built_in + own


def _look(folder: Path, *, is_built_in: bool = False) -> Found:
    label = f"{folder.parent.name}@{folder.name}"
    try:
        package = read_package(folder)
        if package.label != label:
            return Found(label, folder, None, f"{folder}: its manifest says {package.label}; add it again", is_built_in)
        return Found(label, folder, package, "", is_built_in)
    except (FaceedgeError, OSError) as error:
        return Found(label, folder, None, str(error), is_built_in)


def _shown(folder: Path) -> list[Path]:
    """Folders in a folder, but hidden ones, by name and version."""
    try:
        inside = [entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith(".")]
    except OSError:
        return []
    return sorted(inside, key=lambda entry: _order(entry.name))


@contextmanager
def scratch_folder(state: Path) -> Iterator[Path]:
    """An empty folder beside the packages, in which one is built; it is gone at the end, and also after a crash.

    One process at a time. Raises StoreError when the state directory cannot be written.
    """
    root = state / "models"
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        root.mkdir(exist_ok=True)
        with (state / _LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for stale in root.glob(f"{_SCRATCH}*"):  # nobody else is at it: left by a process that was killed
                shutil.rmtree(stale, ignore_errors=True)
            with tempfile.TemporaryDirectory(dir=root, prefix=_SCRATCH) as scratch:
                yield Path(scratch)
    except OSError as error:
        raise StoreError(f"{root}: {error.strerror or error}; nothing was changed") from error


def place(fresh: Path, label: str, state: Path, *, replace: bool = False) -> Path:
    """Moves a folder of the scratch folder to where the package belongs, whole and lastingly; returns that folder.

    Raises PackageError when there is one already, unless `replace`.
    """
    check_free(label, state, replace=replace)
    name, _, version = label.partition("@")
    target = state / "models" / name / version
    for path in (*fresh.rglob("*"), fresh):
        path.chmod(0o755 if path.is_dir() else 0o644)
        _sync(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    _exchange(fresh, target)
    sync_folder(target.parent)
    sync_folder(target.parent.parent)
    return target


def _exchange(fresh: Path, target: Path) -> None:
    """A reader sees the old folder, none for an instant, or the new one; after a fault the old one is back."""
    old = fresh.with_name(f"{fresh.name}-old")
    if target.exists():
        target.rename(old)
    try:
        fresh.rename(target)
    except OSError:
        if old.exists():
            old.rename(target)
        raise


def check_free(label: str, state: Path, *, replace: bool = False) -> None:
    """Raises PackageError when a package of that label is there and must stay."""
    name, _, version = label.partition("@")
    if name in DEFAULTS:
        raise PackageError(f"{name} is the name of a built-in package; choose another with --name")
    if not replace and (state / "models" / name / version).exists():
        raise PackageError(f"{label} is there already; choose another --version, or --replace it")


def remove_package(label: str, state: Path) -> None:
    """Deletes the folder of a package that lies in the state directory. Raises PackageError, StoreError."""
    name, _, version = label.partition("@")
    folder = state / "models" / name / version
    if not version or folder not in [inside for outer in _shown(state / "models") for inside in _shown(outer)]:
        raise PackageError(f"no model package {label!r} in {state / 'models'}; `faceedge model list` shows them")
    with scratch_folder(state) as scratch:
        folder.rename(scratch / "gone")
        sync_folder(folder.parent)
        if not any(folder.parent.iterdir()):
            folder.parent.rmdir()


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
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=_SCRATCH) as scratch:
        fresh = Path(scratch) / manifest.version
        fresh.mkdir()
        shutil.copyfile(graph, fresh / GRAPH)
        write_parts(fresh, manifest, known.fit)
        if target.exists():
            shutil.rmtree(target)
        fresh.rename(target)
    return read_package(target)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _newest(folder: Path, version: str) -> Path | None:
    if version:
        return folder / version if (folder / version).is_dir() else None
    return max(_shown(folder), key=lambda entry: _order(entry.name), default=None)


def _order(version: str) -> tuple[tuple[bool, int, str], ...]:
    """1.10 after 1.9: numbers by value, words by spelling."""
    return tuple((part.isdigit(), int(part) if part.isdigit() else 0, part) for part in version.split("."))


def _listed() -> str:
    return " and ".join(DEFAULTS)
