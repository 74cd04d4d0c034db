"""Everything a demo run needs before it can begin: a folder, a configuration, one enrolled person, one door key."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from faceedge.demo import photos
from faceedge.demo.children import environment, faceedge
from faceedge.door.keys import make_key
from faceedge.errors import BadInput, FaceedgeError

NAME = "Eileen Collins"
DOOR = "main"
ENROL_LIMIT_S = 120
FILM: Mapping[str, Any] = {"decide": {"motion": False}}
"""For a film made of photos: nothing of a photo moves as a living face does."""


@dataclass(frozen=True, slots=True)
class Stand:
    """Where a run happens. config: its TOML file. known: id of the one person who may pass."""

    folder: Path
    config: Path
    known: str

    @property
    def names(self) -> dict[str, str]:
        return {self.known: NAME}


@contextmanager
def workplace(keep: Path | None) -> Iterator[Path]:
    """A folder for one run: `keep`, which must be new or empty and stays, or one that vanishes afterwards."""
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="faceedge-demo-") as folder:
            yield Path(folder)
        return
    try:
        keep.mkdir(parents=True, exist_ok=True)
        if any(keep.iterdir()):
            raise BadInput(f"{keep}: not empty; name a new folder with --keep")
    except OSError as error:
        raise BadInput(f"{keep}: {error.strerror}; name another folder with --keep") from error
    yield keep.resolve()


def build(folder: Path, camera: str, broker_port: int, more: Mapping[str, Any] | None = None) -> Stand:
    """Writes the configuration, enrols the astronaut from her photo, makes the key of the door's controller.

    more: further sections of the configuration, such as other networks.
    """
    config, state = folder / "faceedge.toml", folder / "state"
    settings = {
        "device": "demo",
        "state_dir": str(state),
        "broker": {"host": "127.0.0.1", "port": broker_port},
        "camera": [{"name": "entry", "uri": camera}],
        "door": [{"name": DOOR, "cameras": ["entry"]}],
        **(more or {}),
    }
    config.write_text(tomli_w.dumps(settings), encoding="utf-8")
    make_key(state, DOOR, "main")
    return Stand(folder, config, _enrol(config))


def _enrol(config: Path) -> str:
    command = faceedge("enroll", NAME, str(photos.astronaut_path()), "--config", str(config), "--json")
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, encoding="utf-8",
            timeout=ENROL_LIMIT_S, check=False, stdin=subprocess.DEVNULL, env=environment(),
        )  # fmt: skip
        return str(json.loads(done.stdout)["person"]["id"])
    except subprocess.TimeoutExpired as error:
        raise FaceedgeError(f"the astronaut was not enrolled within {ENROL_LIMIT_S} s; try again") from error
    except (ValueError, KeyError, TypeError) as error:
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise FaceedgeError(f"the astronaut cannot be enrolled: {said[-1]}") from error
