"""Recipes of known networks: what `model.toml` and `fit.toml` say of them beside the graph. Read from `recipes/`."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from typing import Any

from faceedge.errors import PackageError
from faceedge.fit import Fit, QualityFit
from faceedge.toml import read_toml


@dataclass(frozen=True, slots=True)
class Recipe:
    """model: keys of model.toml, all but `source`; source: its keys, all but the digest. fit: None when no numbers with
    evidence are known, and for a detector."""

    name: str
    model: dict[str, Any]
    source: dict[str, Any]
    fit: Fit | QualityFit | None


def recipe_names() -> list[str]:
    """Every recipe there is."""
    folder = resources.files("faceedge.models") / "recipes"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def read_recipe(name: str) -> Recipe:
    """Raises PackageError with the known ones when there is none of that name."""
    if name not in recipe_names():
        raise PackageError(f"no recipe {name!r}; there are {', '.join(recipe_names())}")
    with resources.as_file(resources.files("faceedge.models") / "recipes" / f"{name}.toml") as path:
        parts = read_toml(path, PackageError, "install faceedge again")
    model = dict(parts["model"])
    kind = QualityFit if model["role"] == "quality" else Fit
    fit = kind.model_validate(parts["fit"]) if "fit" in parts else None
    return Recipe(name, model, model.pop("source"), fit)
