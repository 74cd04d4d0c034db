"""A graph's facts and somebody's wish in, its manifest and fit out, and what was assumed. Pure but for the recipe read.

What is said on the command line counts before the catalogue, that before the recipe, that before a guess.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from faceedge.errors import BadInput, PackageError
from faceedge.fit import Fit, QualityFit
from faceedge.jobs.site import SPOKEN
from faceedge.manifest import Manifest, Source
from faceedge.models.agree import check_agreement
from faceedge.models.bring import Origin
from faceedge.models.graph import Facts
from faceedge.models.guess import guess, guess_source
from faceedge.models.recipe import Recipe, read_recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody asks for; empty words are found out."""

    source: str
    role: str = ""
    family: str = ""
    recipe: str = ""
    name: str = ""
    version: str = ""
    licence: str = ""
    sha256: str = ""
    from_folder: Path | None = None
    replace: bool = False
    fit: Fit | QualityFit | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """A manifest whose graphs are still to be written, and the fit that goes beside it."""

    manifest: Manifest
    fit: Fit | QualityFit | None
    assumed: tuple[str, ...]


def describe(facts: Facts, found: Origin, wish: Wish) -> Draft:
    """Raises BadInput for words that cannot be, PackageError when the graph is not what it is said to be."""
    recipe = _recipe(found, wish)
    said = {"role": wish.role, "family": wish.family}
    known = (recipe.model if recipe else {}) | {key: word for key, word in said.items() if word}
    guessed = guess(facts.inputs, facts.outputs, known)
    source, lines = _source(facts, found, wish, recipe)
    parts = guessed.parts | known | _names(found, wish, recipe) | {"source": source}
    parts["outputs"] = known.get("outputs") or guessed.parts["outputs"]
    if guessed.parts["input"].get("fixed"):
        parts["input"] = guessed.parts["input"]
        lines.append("the graph takes {width}x{height} px only".format(**parts["input"]))
    manifest = _manifest(parts)
    check_agreement(manifest, facts.inputs, facts.outputs)
    return Draft(manifest, _fit(manifest, wish, recipe), (*guessed.assumed, *lines))


def _recipe(found: Origin, wish: Wish) -> Recipe | None:
    name = wish.recipe or (found.entry.recipe if found.entry else "")
    recipe = read_recipe(name) if name else None
    for key, said in (("role", wish.role), ("family", wish.family)):
        if recipe is not None and said and recipe.model[key] != said:
            raise BadInput(
                f"--{key} {said}: the {key} of recipe {name} is {recipe.model[key]}; leave one of the two out"
            )
    return recipe


def _names(found: Origin, wish: Wish, recipe: Recipe | None) -> dict[str, str]:
    """Name and version. A file's own name is made to fit; a name that somebody says must fit."""
    own = re.sub(r"[^a-z0-9._-]+", "-", found.stem.lower()).strip("._-")[:64] or "model"
    entry = found.entry
    return {
        "name": wish.name or (entry.name if entry else recipe.name if recipe else own),
        "version": wish.version or (entry.version if entry else recipe.model["version"] if recipe else "1"),
    }


def _source(facts: Facts, found: Origin, wish: Wish, recipe: Recipe | None) -> tuple[Source, list[str]]:
    parts: dict[str, str] = dict(recipe.source) if recipe else {}
    lines: list[str] = []
    if found.entry is not None:
        parts["licence"] = found.entry.licence
    elif recipe is None:
        parts, lines = guess_source(facts.metadata)
    if found.url:
        parts["url"] = found.url
    if wish.licence:
        if len(wish.licence) > 200 or not wish.licence.isprintable():
            raise BadInput("--licence: at most 200 printable letters; say its SPDX name, such as MIT")
        parts["licence"], lines = wish.licence, []
    if "licence" not in parts:
        lines.append("no licence is known: neither file nor recipe names one; say it with --licence")
    return Source(**({"licence": ""} | parts | {"sha256": facts.sha256})), lines


def _manifest(parts: dict[str, Any]) -> Manifest:
    try:
        return Manifest.model_validate(parts)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(step) for step in first["loc"])
        if key in ("name", "version"):
            raise BadInput(
                f"--{key} {parts[key]!r}: use a-z, 0-9, ., _ and -, beginning with a letter or digit"
            ) from error
        raise PackageError(f"{parts['name']}: {key}: {first['msg'].lower()}; name another recipe") from error


def _fit(manifest: Manifest, wish: Wish, recipe: Recipe | None) -> Fit | QualityFit | None:
    kind = {"recognizer": Fit, "quality": QualityFit}.get(manifest.role)
    if wish.fit is not None and not (kind and isinstance(wish.fit, kind)):
        flag = "--thresholds" if isinstance(wish.fit, Fit) else "--knots"
        raise BadInput(f"{flag}: {manifest.name} is a {SPOKEN[manifest.role]}, which has none; leave it out")
    fit = wish.fit or (recipe.fit if recipe else None)
    if fit is None and manifest.role == "recognizer":
        raise BadInput(
            f"{manifest.name}: a recogniser without thresholds cannot decide, and none are known for it; measure them "
            "on pairs of photos and say --thresholds GREY,MATCH,STRICT --evidence TEXT"
        )
    if fit is None and manifest.role == "quality":
        raise BadInput(
            f"{manifest.name}: nobody knows which of its numbers are good, and the recipe does not say; measure it and "
            "say --knots RAW:QUALITY,RAW:QUALITY --evidence TEXT"
        )
    return fit
