"""What is to be calibrated, and with what: somebody's order in, the float package and the recipe that hold out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from faceedge.config import Capture, EngineSettings
from faceedge.errors import BadInput
from faceedge.jobs.calibration.eyes import Eyes
from faceedge.jobs.calibration.recipe import Recipe, read_recipe
from faceedge.jobs.calibration.source import Crops, Photos, Source, choose, files_in
from faceedge.jobs.calibration.state import Steps
from faceedge.jobs.captured_source import Drawn, captured_crops
from faceedge.jobs.site import SPOKEN, Site
from faceedge.manifest import Role
from faceedge.models.licence import check_licence
from faceedge.models.store import find_package
from faceedge.package import Package

Progress = Callable[[str, float], None]
SEARCHED_PX = 2_000_000
"""Photos are shrunk to as many px before a recogniser's faces are cut out of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What somebody asks for. model: name of the package; without it the one that serves. crops: the files are aligned
    crops. people, pairs: labelled people for the gates; without either the enrolled. capture: the daemon's crops
    under these settings, or source: anything else, in place of `images`. show_pairs: the report shows faces. The rest
    stands over the recipe."""

    role: Role
    images: Path | None = None
    capture: Capture | None = None
    source: Source | None = None
    model: str = ""
    crops: bool = False
    people: Path | None = None
    pairs: Path | None = None
    limit: int | None = None
    seed: int | None = None
    budget_s: float | None = None
    most_float: float | None = None
    method: str = ""
    precision: Literal["auto", "int8", "fp32"] = "auto"
    replace: bool = False
    show_pairs: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One calibration. package: the float one. recipe: with what the order says over it."""

    order: Order
    package: Package
    recipe: Recipe
    site: Site
    settings: EngineSettings

    @property
    def is_detector(self) -> bool:
        return self.package.manifest.role == "detector"


def case_of(order: Order, site: Site, settings: EngineSettings, tell: Progress, recipe: Recipe | None = None) -> Case:
    """recipe: in place of the installed one. Raises BadInput for words that cannot be, PackageError."""
    package = _package(order, site, tell)
    return Case(order, package, _recipe(order, recipe or read_recipe(order.role)[0]), site, settings)


def eyes_of(case: Case, steps: Steps, tell: Progress) -> Eyes | None:
    """The float detector; None where all files are crops. Close it. Raises PackageError, StoreError."""
    order = case.order
    needs_none = order.capture is not None and order.people is None and order.pairs is None
    if order.crops or order.source is not None or needs_none:
        return None
    detector = case.package if case.is_detector else case.site.present("detector", tell)
    assert detector is not None, "the detector has a built-in package"
    alignment = "" if case.is_detector else case.package.manifest.alignment
    pixels = case.recipe.pixels if case.is_detector else SEARCHED_PX
    memory = steps.folder / f"faces-{detector.build}.jsonl"
    return Eyes(detector, case.settings, memory, pixels=pixels, alignment=alignment)


def source_of(case: Case, eyes: Eyes | None) -> Source:
    """The pictures that were ordered. Raises BadInput for a folder without any."""
    order, recipe = case.order, case.recipe
    if order.source is not None:
        return order.source
    if order.capture is not None:
        drawn = Drawn(case.package.manifest.alignment, recipe.images, recipe.seed)
        return captured_crops(case.site.state, drawn, order.capture)
    if order.images is None:
        raise BadInput("--images DIR: name a folder of photos to calibrate on")
    photos = files_in(order.images)
    chosen = choose(photos, recipe.images, recipe.seed)
    if eyes is None:
        return Crops(chosen, case.package.manifest.alignment, f"{len(chosen)} of {len(photos)} crops of a folder")
    return Photos(chosen, eyes, f"{len(chosen)} of {len(photos)} photos of a folder")


def _package(order: Order, site: Site, tell: Progress) -> Package:
    """The float package that is calibrated."""
    if order.role == "quality":
        raise BadInput(
            "quality: only a detector or a recognizer is calibrated; a quality network takes no time to save"
        )
    if order.role == "detector" and (order.people or order.pairs or order.crops or order.capture):
        raise BadInput(
            "--people, --pairs, --crops and --capture are for a recognizer; a detector takes whole photos, and is"
            " judged on those held out"
        )
    package = find_package(order.model, site.state, site.cache, tell) if order.model else site.present(order.role, tell)
    if package is None or package.manifest.role != order.role:
        found = f"{package.label} is a {SPOKEN[package.manifest.role]}" if package else "none serves"
        raise BadInput(f"{found}, so no {SPOKEN[order.role]} can be calibrated; name one with --model")
    if package.manifest.precision != "fp32":
        raise BadInput(f"{package.label} is {package.manifest.precision} already; name its float source with --model")
    check_licence(package, site.models.accept_licences)
    return package


def _recipe(order: Order, recipe: Recipe) -> Recipe:
    """The recipe with what the command line says over it."""
    said = {"images": order.limit, "seed": order.seed, "budget_s": order.budget_s, "most_float": order.most_float}
    over: dict[str, object] = {key: value for key, value in said.items() if value is not None}
    if order.method:
        over["methods"] = (order.method,)
    return Recipe.model_validate(recipe.model_dump() | over)
