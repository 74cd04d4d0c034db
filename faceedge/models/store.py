"""Where packages lie: `<state>/models/<name>/<version>/`, then the imported defaults; and making one from a graph."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from importlib import resources
from pathlib import Path

from faceedge.errors import PackageError
from faceedge.models.defaults import default_models
from faceedge.package import Fit, Manifest, Package, Source, as_toml, read_package
from faceedge.toml import read_toml

DEFAULTS = ("dlib-mmod", "dlib-resnet")
Progress = Callable[[str, float], None]


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


def make_package(graph: Path, recipe: str, root: Path) -> Package:
    """A package from an ONNX file and a recipe of `models/recipes` (`yunet`, `edgeface-xxs`); returns it read back.

    The folder appears whole or not at all. Raises PackageError on an unknown recipe or a missing file.
    """
    known = resources.files("faceedge.models") / "recipes"
    path = known / f"{recipe}.toml"
    if not path.is_file():
        names = sorted(entry.name.removesuffix(".toml") for entry in known.iterdir())
        raise PackageError(f"no recipe {recipe!r}; there are {', '.join(names)}")
    if not graph.is_file():
        raise PackageError(f"{graph}: no such file; name the ONNX file to package")
    with resources.as_file(path) as file:
        parts = read_toml(file, PackageError, "install faceedge again")
    digest = hashlib.sha256(graph.read_bytes()).hexdigest()
    source = Source(sha256=digest, **parts["model"].pop("source"))
    manifest = Manifest(source=source, **parts["model"])
    fit = Fit(**parts["fit"]) if "fit" in parts else None
    return read_package(_write(graph, manifest, fit, root))


def _write(graph: Path, manifest: Manifest, fit: Fit | None, root: Path) -> Path:
    target = root / manifest.name / manifest.version
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".new-") as scratch:
        fresh = Path(scratch) / manifest.version
        fresh.mkdir()
        shutil.copyfile(graph, fresh / "model.onnx")
        (fresh / "model.toml").write_text(as_toml(manifest), encoding="utf-8")
        if fit is not None:
            (fresh / "fit.toml").write_text(as_toml(fit), encoding="utf-8")
        if target.exists():
            shutil.rmtree(target)
        fresh.rename(target)
    return target


def _newest(folder: Path, version: str) -> Path | None:
    if version:
        return folder / version if (folder / version).is_dir() else None
    versions = [entry for entry in folder.iterdir() if not entry.name.startswith(".")] if folder.is_dir() else []
    return max(versions, key=lambda entry: _order(entry.name), default=None)


def _order(version: str) -> tuple[tuple[bool, int, str], ...]:
    """1.10 after 1.9: numbers by value, words by spelling."""
    return tuple((part.isdigit(), int(part) if part.isdigit() else 0, part) for part in version.split("."))


def _listed() -> str:
    return " and ".join(DEFAULTS)
