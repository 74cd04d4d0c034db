"""What a calibration uses and demands: `calibration/<role>.toml`, installed or of the site, read and checked."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

from pydantic import Field, ValidationError

from faceedge.errors import BadInput
from faceedge.manifest import Part, Role
from faceedge.quantize.gates import Gates
from faceedge.quantize.options import Method
from faceedge.quantize.set_faults import Floors
from faceedge.toml import read_toml

SITE = Path("/etc/faceedge/calibration")
"""A recipe that lies here takes the place of the installed one, whole."""
INSTALLED = "share/faceedge/calibration"


class Recipe(Part):
    """methods: how steps are found from what passes through the network, tried in this order until the gates hold.

    images: most that are used. held_out: share of them that the gates see and the calibration does not, where nobody
    gave labelled people. pixels: photos are shrunk to as many before a detector sees them. budget_s, most_float: what
    the search for nodes that return to float may spend, in seconds and in share of the multiply-adds. worth: INT8 must
    be this many times as fast as float to be chosen. fmr: the false-match rate that a threshold must keep. floors: of
    the set; without them those of `quantize.set_faults`.
    """

    methods: tuple[Method, ...] = Field(("error", "percentile"), min_length=1, max_length=4)
    images: int = Field(1000, ge=1, le=20_000)
    held_out: float = Field(0.3, gt=0, lt=1)
    pixels: int = Field(640 * 480, ge=4096, le=8_000_000)
    seed: int = Field(1, ge=0, le=2**32 - 1)
    budget_s: float = Field(1200, ge=0)
    most_float: float = Field(0.5, ge=0, le=1)
    worth: float = Field(1.05, ge=1)
    fmr: dict[str, float] = Field(default_factory=dict)
    gates: Gates = Gates()
    floors: Floors | None = None


def read_recipe(role: Role, site: Path = SITE) -> tuple[Recipe, Path]:
    """The recipe of a role, and where it lies. Raises BadInput with file, key and fault."""
    path = _find(f"{role}.toml", site)
    try:
        return Recipe.model_validate(read_toml(path, BadInput, "mend it, or remove it to use the installed one")), path
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(step) for step in first["loc"])
        raise BadInput(f"{path}: {key}: {first['msg'].lower()}; mend it, or remove it") from error


def _find(name: str, site: Path) -> Path:
    for folder in (site, Path(__file__).parents[3] / "calibration", *_shared()):
        if (folder / name).is_file():
            return folder / name
    raise BadInput(f"{name}: no such calibration recipe in {site} or among the installed ones; install faceedge again")


def _shared() -> list[Path]:
    """Where the installer put the recipes: a wheel's data files lie outside the package."""
    try:
        files = metadata.files("faceedge") or []
    except metadata.PackageNotFoundError:
        return []
    return [Path(str(file.locate())).parent for file in files if INSTALLED in file.as_posix()][:1]
