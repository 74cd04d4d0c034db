"""Guides are executed: the blocks of a page as they stand, in its order. A comment above a block is its mark."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

DOCS = Path(__file__).parents[1] / "docs"
BLOCK = re.compile(r"(?:^<!-- (.*?) -->\n)?^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
ONLINE = "needs the internet"
ANSWERS_NO = "the answer is no"
"""Its last command ends with exit code 1."""


class Block(NamedTuple):
    """mark: the comment above it, or nothing."""

    mark: str
    language: str
    body: str


def blocks(page: Path, language: str = "") -> list[Block]:
    """Those of one language, or all, in the order of the page."""
    found = [Block(*block) for block in BLOCK.findall(page.read_text(encoding="utf-8"))]
    return [block for block in found if not language or block.language == language]


def prose(page: Path) -> str:
    """The page without its blocks."""
    return BLOCK.sub("", page.read_text(encoding="utf-8"))


def ran(script: str, site: Path, environ: Mapping[str, str] | None = None) -> str:
    """What a block prints when it is typed in the folder `site`, with a state directory in it; fails with its output
    when a command does."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("FACEEDGE_")}
    clean |= {"FACEEDGE_STATE": str(site / "state"), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["sh", "-e", "-c", script], cwd=site, env=clean | dict(environ or {}), stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
    return done.stdout
