"""Recipes, one TOML file a role: the site's own takes the place of the installed one, whole."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from faceedge.errors import BadInput
from faceedge.manifest import Part, Role
from faceedge.toml import read_toml

CHECKOUT = Path(__file__).parents[2]
P = TypeVar("P", bound=Part)


def read_recipe_of(kind: str, role: Role, site: Path, model: type[P]) -> tuple[P, Path]:
    """The recipe of a role, and where it lies. kind: the folder of such recipes, `calibration` or `engines`.

    Raises BadInput with file, key and fault.
    """
    path = _find(kind, f"{role}.toml", site)
    try:
        return model.model_validate(read_toml(path, BadInput, "mend it, or remove it to use the installed one")), path
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(step) for step in first["loc"])
        raise BadInput(f"{path}: {key}: {first['msg'].lower()}; mend it, or remove it") from error


def _find(kind: str, name: str, site: Path) -> Path:
    for folder in (site, CHECKOUT / kind, *_shared(kind)):
        if (folder / name).is_file():
            return folder / name
    raise BadInput(f"{name}: no such recipe in {site} or among the installed ones; install faceedge again")


def _shared(kind: str) -> list[Path]:
    """Where the installer put the recipes: a wheel's data files lie outside the package."""
    try:
        files = metadata.files("faceedge") or []
    except metadata.PackageNotFoundError:
        return []
    return [Path(str(file.locate())).parent for file in files if f"share/faceedge/{kind}" in file.as_posix()][:1]
