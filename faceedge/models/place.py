"""Puts packages into the store and takes them out: they appear whole, or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from faceedge.errors import PackageError, StoreError
from faceedge.files import sync, sync_folder
from faceedge.models.lock import alone
from faceedge.models.store import DEFAULTS, folders_in

_SCRATCH, _OLD = ".new-", "-old"


@contextmanager
def scratch_folder(state: Path) -> Iterator[Path]:
    """An empty folder beside the packages, in which one is built; it is gone at the end, and also after a crash.

    One process at a time. Raises StoreError when the state directory cannot be written.
    """
    root = state / "models"
    try:
        with alone(state):
            root.mkdir(exist_ok=True)
            for stale in root.glob(f"{_SCRATCH}*"):  # nobody else is at it: left by a process that was killed
                _sweep(stale)
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
        sync(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    _exchange(fresh, target)
    sync_folder(target.parent)
    sync_folder(target.parent.parent)
    return target


def _exchange(fresh: Path, target: Path) -> None:
    """A reader sees the old folder, none for an instant, or the new one; after a fault the old one is back, after a
    power cut in that instant with the next change of a model."""
    old = fresh.with_name(f"{target.parent.name}@{target.name}{_OLD}")
    if target.exists():
        target.rename(old)
    try:
        fresh.rename(target)
    except BaseException:
        if old.exists():
            old.rename(target)
        raise


def _sweep(stale: Path) -> None:
    """Removes what a killed process left, but for a package that had given up its place to one that never came."""
    for old in stale.glob(f"*@*{_OLD}"):
        name, _, version = old.name.removesuffix(_OLD).partition("@")
        target = stale.parent / name / version
        if not target.exists():
            old.rename(target)
            sync_folder(target.parent)
    shutil.rmtree(stale, ignore_errors=True)


def check_free(label: str, state: Path, *, replace: bool = False) -> None:
    """Raises PackageError when a package of that label is there and must stay."""
    name, _, version = label.partition("@")
    if name in DEFAULTS:
        raise PackageError(f"{name} is the name of a built-in package; choose another with --name")
    if not replace and (state / "models" / name / version).exists():
        raise PackageError(f"{label} is there already; choose another --version, or --replace it")


def remove_package(label: str, state: Path, check: Callable[[], None]) -> None:
    """Deletes the folder of a package that lies in the state directory. Raises PackageError, StoreError.

    check: raises when it must stay; asked while no other process can choose a model.
    """
    name, _, version = label.partition("@")
    folder = state / "models" / name / version
    if not version or folder not in [inside for outer in folders_in(state / "models") for inside in folders_in(outer)]:
        raise PackageError(f"no model package {label!r} in {state / 'models'}; `faceedge model list` shows them")
    with scratch_folder(state) as scratch:
        check()
        folder.rename(scratch / "gone")
        sync_folder(folder.parent)
        if not any(folder.parent.iterdir()):
            folder.parent.rmdir()
