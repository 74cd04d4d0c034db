#!/usr/bin/env python3
"""Can all that flash_setup.sh installs be had on a Jetson? Resolves it as on the device, on any machine, by uv, and
holds each package against what may be installed there. Reads metadata only; nothing is installed.

    .venv/bin/python scripts/check_resolution.py            # a line a board; exit code 1 when something cannot be had
    .venv/bin/python scripts/check_resolution.py --renew    # the constraints files anew, with the newest that fit
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import parse_wheel_filename

from faceedge.errors import BadInput
from faceedge.toml import read_toml

SCRIPTS = Path(__file__).resolve().parent
PURE = {"sdnotify", "face-recognition-models"}
"""Come as source only, and build anywhere: pure Python."""
BUILT_THERE = {"pycuda"}
"""Compiled on the device, against its CUDA."""
FROM_JETPACK = {"tensorrt"}
"""Must not be asked of an index: the wheels there are for servers."""

Lock = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Board:
    """A system that flash_setup.sh installs on. minor: of its Python 3. glibc: minor number of its glibc 2; wheels for
    a newer one do not load."""

    name: str
    constraints: str
    minor: int
    glibc: int
    processor: str = "aarch64"
    extras: tuple[str, ...] = ("jetson", "cpu")

    @property
    def path(self) -> Path:
        return SCRIPTS / self.constraints

    def tags(self) -> set[Tag]:
        """What the file name of a wheel may say."""
        cpu, version = self.processor, (3, self.minor)
        platforms = [f"manylinux_2_{minor}_{cpu}" for minor in range(self.glibc, 4, -1)]
        platforms += [f"manylinux2014_{cpu}", f"manylinux2010_{cpu}", f"manylinux1_{cpu}", f"linux_{cpu}"]
        names = {"python_version": version, "platforms": platforms}
        return {*cpython_tags(**names), *compatible_tags(**names, interpreter=f"cp3{self.minor}")}


BOARDS = (
    Board("JetPack 6", "constraints-jp6.txt", 10, 35),
    Board("JetPack 7", "constraints-jp7.txt", 12, 39),
    Board("Ubuntu 22.04, --simulate", "constraints-jp6.txt", 10, 35, "x86_64", ("cpu",)),
    Board("Debian 12, --simulate", "constraints-jp7.txt", 11, 36, "x86_64", ("cpu",)),
    Board("Debian 13, --simulate", "constraints-jp7.txt", 13, 40, "x86_64", ("cpu",)),
)
OLDEST = {"constraints-jp6.txt": BOARDS[0], "constraints-jp7.txt": Board("", "constraints-jp7.txt", 11, 35)}
"""For which each constraints file is made: what serves there serves the others, too."""


def main() -> int:
    """Checks, or renews and checks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--renew", action="store_true", help="make the constraints files anew")
    if parser.parse_args().renew:
        for board in OLDEST.values():
            renew(board)
    faults = {board.name: faults_of(board) for board in BOARDS}
    for name, found in faults.items():
        print(f"{name}: {'; '.join(found) or 'everything can be had'}")  # noqa: T201
    return 1 if any(faults.values()) else 0


def faults_of(board: Board) -> list[str]:
    """Sentences; none when everything is a wheel for that board, or on a list above, and pinned."""
    with tempfile.TemporaryDirectory() as folder:
        lock = Path(folder) / "pylock.toml"
        try:
            compile_for(board, ["--constraint", str(board.path), "--format", "pylock.toml"], lock)
        except BadInput as error:
            return [str(error)]
        return judge(
            board, read_toml(lock, BadInput, "uv has written it"), pins(board.path.read_text(encoding="utf-8"))
        )


def judge(board: Board, lock: Lock, pinned: dict[str, str]) -> list[str]:
    """The same of a resolution. pinned: version by name."""
    tags, faults = board.tags(), []
    for package in lock["packages"]:
        name, version = package["name"], package["version"]
        if name in FROM_JETPACK:
            faults.append(f"{name} would come from an index, JetPack brings it")
        elif name not in PURE | BUILT_THERE and not any(_fits(wheel, tags) for wheel in package.get("wheels", ())):
            faults.append(f"{name} {version} has no wheel, and is on no list of what builds without one")
        if pinned.get(name) != version:
            faults.append(f"{name} {version} is not pinned in {board.constraints}: use --renew")
    return faults


def _fits(wheel: dict[str, Any], tags: set[Tag]) -> bool:
    name = wheel.get("name") or wheel["url"].rpartition("/")[2]
    return not tags.isdisjoint(parse_wheel_filename(name)[3])


def pins(text: str) -> dict[str, str]:
    """Version by name, of a constraints file."""
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)$", text, re.MULTILINE))


def renew(board: Board) -> None:
    """The newest versions that fit, below the comment that is there."""
    head = [line for line in board.path.read_text(encoding="utf-8").splitlines() if line.startswith("#")]
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder) / "constraints.txt"
        compile_for(board, ["--no-header", "--no-annotate"], fresh)
        board.path.write_text("\n".join([*head, fresh.read_text(encoding="utf-8")]), encoding="utf-8")


def compile_for(board: Board, more: list[str], out: Path) -> None:
    """uv's resolution of what setup.cfg declares, as it would be on that board. Raises BadInput with uv's words."""
    command = [
        sys.executable, "-m", "uv", "pip", "compile", str(SCRIPTS.parent / "setup.cfg"), "--quiet",
        *(word for extra in board.extras for word in ("--extra", extra)),
        "--python-version", f"3.{board.minor}", "--python-platform", f"{board.processor}-manylinux_2_{board.glibc}",
        *more, "--output-file", str(out),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise BadInput(" ".join(done.stderr.split())[:600] or f"uv ended with code {done.returncode}")


if __name__ == "__main__":
    sys.exit(main())
