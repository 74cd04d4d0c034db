"""The default models: dlib's networks, imported once into the cache, checked at every start, mended when damaged."""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from faceedge.errors import StoreError
from faceedge.files import sync
from faceedge.models import landmarks
from faceedge.models.importers import dlib

Progress = Callable[[str, float], None]

FOLDER = "models"
DIGESTS = "digests.json"
_SCRATCH = ".new-"


def default_models(cache: Path, progress: Progress | None = None) -> Path:
    """The folder with the packages `dlib-mmod/1` and `dlib-resnet/1`, under `cache`/models.

    The import appears whole or not at all, waits for another process that is at it, and repeats itself when a
    file is damaged or missing. Raises MissingExtra without face_recognition_models or onnx, PackageError when
    dlib's files are damaged, StoreError when the cache cannot be written.
    """
    folder = cache / FOLDER
    if is_whole(folder):
        return folder
    try:
        with _alone(cache):
            if not is_whole(folder):
                _import(cache, folder, progress)
    except OSError as error:
        raise StoreError(f"{cache}: {error.strerror}; make it writable or set FACEEDGE_CACHE") from error
    return folder


def is_whole(folder: Path) -> bool:
    """Whether every file is there as it was written, and was written by this importer."""
    try:
        noted = json.loads((folder / DIGESTS).read_text(encoding="utf-8"))
        return bool(noted["importer"] == _importer() and noted["files"] == _digests(folder, noted["files"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _import(cache: Path, folder: Path, progress: Progress | None) -> None:
    for stale in cache.glob(f"{_SCRATCH}*"):  # nobody else is at it: left by a process that was killed
        shutil.rmtree(stale, ignore_errors=True)
    scratch = Path(tempfile.mkdtemp(prefix=_SCRATCH, dir=cache))
    try:
        dlib.import_dlib(dlib.model_folder(), scratch, progress)
        _note(scratch)
        _replace(scratch, folder)
        sync(cache)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _note(folder: Path) -> None:
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    noted = {"importer": _importer(), "files": _digests(folder, names)}
    (folder / DIGESTS).write_text(json.dumps(noted, indent=1), encoding="utf-8")
    folder.chmod(0o755)
    for path in (*folder.rglob("*"), folder):
        sync(path)


def _replace(fresh: Path, folder: Path) -> None:
    """A reader sees the old folder, none for an instant, or the new one; never a mixture."""
    if folder.exists():
        old = fresh.with_name(f"{fresh.name}-old")
        folder.rename(old)
        fresh.rename(folder)
        shutil.rmtree(old, ignore_errors=True)
    else:
        fresh.rename(folder)


@lru_cache(maxsize=1)
def _importer() -> str:
    """Digest of the importer's own source: what another version of it wrote is imported anew."""
    digest = hashlib.sha256()
    for path in (*sorted(Path(dlib.__file__).parent.glob("dlib*.py")), Path(landmarks.__file__)):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _digests(folder: Path, names: list[str]) -> dict[str, list[object]]:
    """Size and sha256 of every file that is there."""
    found: dict[str, list[object]] = {}
    for name in names:
        content = (folder / name).read_bytes()
        found[name] = [len(content), hashlib.sha256(content).hexdigest()]
    return found


@contextmanager
def _alone(cache: Path) -> Iterator[None]:
    """One process at a time; the lock goes with the process, however it ends."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "models.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
