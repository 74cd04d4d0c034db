"""What somebody named as a model (file, folder, URL, catalogue name) in; the file or package folder that it means out.

Used by `jobs/add_model.py`. What comes from the network is fetched here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from faceedge.errors import BadInput, PackageError
from faceedge.manifest import SHA256
from faceedge.models.catalogue import Entry, entry, read_catalogue
from faceedge.models.download import fetch, from_folder
from faceedge.models.graph import MAX_BYTES
from faceedge.package import MANIFEST

Progress = Callable[[str, float], None]

MOST_FILES = 32
"""Of a package folder."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a model lies. path: a file, or a package folder. stem: a name to call it by where nothing better is
    known. entry: of the catalogue."""

    path: Path
    stem: str
    is_package: bool = False
    url: str = ""
    entry: Entry | None = None


def origin(
    source: str, state: Path, cache: Path, *, sha256: str = "", folder: Path | None = None,
    progress: Progress | None = None,
) -> Origin:  # fmt: skip
    """Finds what `source` names, and downloads it where it must be.

    sha256: what the file must be; a URL needs one. folder: where a catalogue's file lies on a site without internet.
    Raises BadInput for what cannot be meant, PackageError when there is no such thing or it is not the right one.
    """
    if not source:
        raise BadInput("an empty word is no model; name a file, a folder, a URL, or a name of the catalogue")
    if sha256 and not re.fullmatch(SHA256, sha256.lower()):
        raise BadInput("--sha256: not 64 hex digits; take them from whoever publishes the file")
    if "://" in source:
        return _from_url(source, cache, sha256.lower(), folder, progress)
    if source in read_catalogue(state):
        if sha256:
            raise BadInput(f"--sha256: {source} is in the catalogue, which has its own; leave it out")
        return _from_catalogue(entry(source, state), cache, folder, progress)
    if folder is not None:
        raise BadInput(f"--from: is for names of the catalogue, and {source!r} is none; name the file itself")
    path = Path(source)
    found = _from_path(path) if path.exists() else None
    if found is None:
        if os.sep not in source and not source.endswith(".onnx"):
            entry(source, state)  # raises, with the nearest name
        raise PackageError(f"{path}: no such file or folder; name one, a URL, or what `model list --catalogue` shows")
    if sha256 and found.is_package:
        raise BadInput("--sha256: is for a single file; a package folder has digests of its own")
    return found


def copied_folder(folder: Path, target: Path) -> None:
    """Copies the files of a package folder, all of them, to the new folder `target`.

    Raises PackageError for folders inside, links, special files, and more files than a package has.
    """
    target.mkdir()
    inside = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    if len(inside) > MOST_FILES:
        raise PackageError(f"{folder}: more than {MOST_FILES} files; a package has model.toml, fit.toml and graphs")
    for path in inside:
        if path.is_symlink() or not path.is_file():
            raise PackageError(f"{path}: a package folder holds plain files only; take it out")
        _copy(path, target / path.name)


def _from_url(url: str, cache: Path, sha256: str, folder: Path | None, progress: Progress | None) -> Origin:
    if folder is not None:
        raise BadInput("--from: is for names of the catalogue; name the file itself instead of the URL")
    if not sha256:
        raise BadInput(
            "a URL needs --sha256 HEX: whoever can change what it serves could else put any network at your door"
        )
    stem = url.partition("?")[0].rstrip("/").rpartition("/")[2].removesuffix(".onnx")
    target = _download_path(cache, f"{sha256}.onnx")
    return Origin(fetch(url, target, sha256=sha256, size=None, hosts=(), progress=progress), stem, url=url)


def _from_catalogue(known: Entry, cache: Path, folder: Path | None, progress: Progress | None) -> Origin:
    if folder is not None:
        return Origin(from_folder(known, folder), known.name, url=known.url, entry=known)
    target = _download_path(cache, f"{known.sha256}.onnx")
    path = fetch(known.url, target, sha256=known.sha256, size=known.size, hosts=known.hosts, progress=progress)
    return Origin(path, known.name, url=known.url, entry=known)


def _from_path(path: Path) -> Origin:
    if not path.is_dir():
        return Origin(path, path.stem)
    if (path / MANIFEST).exists():
        return Origin(path, path.name, is_package=True)
    graphs = sorted(path.glob("*.onnx"))
    if len(graphs) != 1:
        found = ", ".join(graph.name for graph in graphs[:5]) or "none"
        raise PackageError(f"{path}: has no {MANIFEST}, and not exactly one .onnx file ({found}); name the file")
    return Origin(graphs[0], graphs[0].stem)


def _download_path(cache: Path, name: str) -> Path:
    folder = cache / "downloads"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PackageError(f"{folder}: {error.strerror}; make it writable or set FACEEDGE_CACHE") from error
    return folder / name


def _copy(path: Path, target: Path) -> None:
    """Never waits on a pipe and never copies without end."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file, target.open("wb") as copy:
            left = MAX_BYTES
            while block := file.read(min(1 << 20, left + 1)):
                left -= len(block)
                if left < 0:
                    raise PackageError(
                        f"{path}: more than {MAX_BYTES >> 20} MB; a network for an edge device is smaller"
                    )
                copy.write(block)
    except OSError as error:
        raise PackageError(f"{path}: cannot be copied ({error.strerror})") from error
