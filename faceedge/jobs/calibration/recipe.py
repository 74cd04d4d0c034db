"""What a calibration uses and demands: `calibration/<role>.toml`, installed or of the site, read and checked."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from faceedge.jobs.recipes import read_recipe_of
from faceedge.manifest import Part, Role
from faceedge.quantize.gates import Gates
from faceedge.quantize.options import Method
from faceedge.quantize.set_faults import Floors

SITE = Path("/etc/faceedge/calibration")
"""A recipe that lies here takes the place of the installed one, whole."""


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
    return read_recipe_of("calibration", role, site, Recipe)
