"""A disk of its own for the state: ext4 in a file that lies on XFS, which copies a file in one instant.

Such a copy is what a power cut leaves: everything that the loop device had been given up to there, and nothing later.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SHELF_MIB, DISK_MIB = 512, 64
FILLER = "filler"


class Disk:
    """Use it in a `with` block; `at` is where it is mounted. folder: where its files lie."""

    def __init__(self, folder: Path) -> None:
        self.at = folder / "disk"
        self._shelf, self._shelf_file = folder / "shelf", folder / "shelf.img"
        self._file = self._shelf / "disk.img"

    def __enter__(self) -> Disk:
        for place in (self.at, self._shelf):
            place.mkdir(parents=True)
        _make(self._shelf_file, SHELF_MIB, "mkfs.xfs", "-q")
        _mount(self._shelf_file, self._shelf)
        _make(self._file, DISK_MIB, "mkfs.ext4", "-q", "-F", "-m", "0")
        _mount(self._file, self.at)
        return self

    def __exit__(self, *_: object) -> None:
        for place in (self.at, self._shelf):
            run("umount", "--lazy", place)

    def fill(self) -> None:
        """Not one more block is free."""
        with (self.at / FILLER).open("wb", buffering=0) as filler:
            for size in (1 << 20, 1 << 12):
                try:
                    while True:
                        filler.write(b"\0" * size)
                except OSError:
                    continue

    def empty(self) -> None:
        """There is room again."""
        (self.at / FILLER).unlink()

    @contextmanager
    def cut(self, elsewhere: Path) -> Iterator[Path]:
        """The disk as a power cut would leave it now, mounted elsewhere; the real one goes on."""
        copy = self._shelf / "copy.img"
        run("cp", "--reflink=always", self._file, copy)
        elsewhere.mkdir(exist_ok=True)
        _mount(copy, elsewhere)
        try:
            yield elsewhere
        finally:
            run("umount", elsewhere)
            copy.unlink()


def _make(file: Path, mib: int, *command: str) -> None:
    with file.open("wb") as fresh:
        fresh.truncate(mib << 20)
    run(*command, file)


def _mount(file: Path, at: Path) -> None:
    run("mount", "-o", "loop", file, at)


def run(*words: object) -> None:
    """A command that must succeed."""
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{words[0]}: {done.stderr}"
