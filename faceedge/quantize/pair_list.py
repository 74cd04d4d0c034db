"""A list of labelled pairs, `imgA,imgB,same[,suspect]`, read into photos, people and pairs."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from faceedge.errors import BadInput
from faceedge.quantize.pairs import Labelled, Numbers, Pairs

MAX_ROWS, MAX_BYTES = 1_000_000, 200_000_000


def read_pairs(path: Path, root: Path) -> tuple[Labelled, Pairs]:
    """A list `imgA,imgB,same[,suspect]`, paths below `root`; suspect rows are left out.

    Photos in one folder show one person, unless the list itself says otherwise; `same` joins folders.
    Raises BadInput, with the line, on what is not such a list.
    """
    rows = list(_rows(path))
    if not rows:
        raise BadInput(f"{path}: no pairs in it; a line reads imgA,imgB,same")
    files = sorted({name for one, two, _ in rows for name in (one, two)})
    place = {name: at for at, name in enumerate(files)}
    people, names = _people(files, rows)
    first = np.array([place[one] for one, _, _ in rows], np.int64)
    second = np.array([place[two] for _, two, _ in rows], np.int64)
    images = tuple(root / name for name in files)
    return Labelled(images, people, names), Pairs(first, second, np.array([same for *_, same in rows], bool))


def _rows(path: Path) -> Iterator[tuple[str, str, bool]]:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise BadInput(f"{path}: larger than {MAX_BYTES // 10**6} MB; name a shorter list of pairs")
        with path.open(newline="", encoding="utf-8") as lines:
            reader = csv.DictReader(lines)
            if not {"imgA", "imgB", "same"} <= set(reader.fieldnames or ()):
                raise BadInput(f"{path}: the first line must name the columns imgA,imgB,same")
            for row in reader:
                if reader.line_num > MAX_ROWS:
                    raise BadInput(f"{path}: more than {MAX_ROWS} lines; name a shorter list of pairs")
                if row.get("suspect") != "1":
                    yield _row(row, f"{path}, line {reader.line_num}")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"{path}: cannot be read as a list of pairs; save it as CSV in UTF-8") from error


def _row(row: Mapping[str, str | None], where: str) -> tuple[str, str, bool]:
    one, two, same = row["imgA"] or "", row["imgB"] or "", row["same"]
    for name in (one, two):
        if not name or "\0" in name or PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise BadInput(f"{where}: {name!r} is no path below the folder; write it relative, without '..'")
    if same not in ("0", "1"):
        raise BadInput(f"{where}: same must be 0 or 1, not {same!r}")
    if one == two:
        raise BadInput(f"{where}: a photo is paired with itself; remove the line")
    return one, two, same == "1"


def _people(files: Sequence[str], rows: Sequence[tuple[str, str, bool]]) -> tuple[Numbers, tuple[str, ...]]:
    """The number of each file's person, and what the people are called: by their folder, else by the file."""
    folders = {name: str(PurePosixPath(name).parent) for name in files}
    if any(not same and folders[one] == folders[two] for one, two, same in rows):
        folders = {name: name for name in files}
    joined = {folder: folder for folder in folders.values()}
    for one, two, same in rows:
        if same:
            joined[_root(joined, folders[one])] = _root(joined, folders[two])
    keys = [_root(joined, folders[name]) for name in files]
    numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    return np.array([numbers[key] for key in keys], np.int64), tuple(PurePosixPath(key).name for key in numbers)


def _root(joined: dict[str, str], key: str) -> str:
    while joined[key] != key:
        joined[key] = joined[joined[key]]
        key = joined[key]
    return key
