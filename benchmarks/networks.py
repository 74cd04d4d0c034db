"""The pairs of networks that judgement is measured with, opened as the daemon opens them, and what they see in photos.

default        dlib-mmod and dlib-resnet, which ship
edgeface       yunet and edgeface-xxs (512 numbers), of FACEEDGE_TEST_ASSETS
mobilefacenet  yunet and mobilefacenet (128 numbers), of FACEEDGE_TEST_ASSETS
"""

from __future__ import annotations

import argparse
import csv
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from faceedge.config import EngineSettings, Models, cache_dir
from faceedge.jobs.open_vision import open_vision
from faceedge.jobs.photos import read_photo
from faceedge.jobs.vision import Portrait, Vision
from faceedge.models.store import make_package

ASSETS = Path(os.environ.get("FACEEDGE_TEST_ASSETS", Path(__file__).parents[2] / "shared"))
DEV = ASSETS / "data" / "dev"
PAIRS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "default": (),
    "edgeface": (("yunet_n", "yunet"), ("edgeface_xxs_512", "edgeface-xxs")),
    "mobilefacenet": (("yunet_n", "yunet"), ("mobilefacenet_128_fast", "mobilefacenet")),
}
"""Graph and recipe of detector and recogniser; nothing: the built-in ones."""
ACCEPTED = ("LicenseRef-InsightFace-non-commercial",)
LISTS = ("ident.csv", "lfw/ident.csv")


@dataclass(frozen=True)
class Opened:
    """models: what a configuration must say for the same networks, with `state` as its state directory."""

    vision: Vision
    models: Models
    state: Path


@dataclass(frozen=True)
class Fitting:
    """Whether the recogniser says itself how good a picture is. anew: fitted first, on photos of other people. of: a
    state directory in which `faceedge calibrate quality` has done so."""

    anew: bool = False
    of: Path | None = None


def add_fitting(parser: argparse.ArgumentParser) -> None:
    """`--fit` and `--fitted`."""
    parser.add_argument("--fit", action="store_true", help="fit the quality first, on photos of other people")
    parser.add_argument("--fitted", type=Path, metavar="STATE", help="a state directory where that has been done")


@contextmanager
def opened(pair: str, state: Path, fitting: Fitting = Fitting()) -> Iterator[Opened]:
    """state: an empty folder."""
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    models = _models(pair, state)
    if fitting.of is not None:
        models = _taken(models, state, fitting.of)
    elif fitting.anew:
        models = _fitted(models, state, others())
    with open_vision(models, EngineSettings(threads=1), state, cache_dir()) as vision:
        yield Opened(vision, models, state)


def largest(vision: Vision, photo: Path) -> Portrait | None:
    """The largest face of a photo."""
    found = vision.portraits(read_photo(photo))
    return found[0] if found else None


def listed(name: str) -> list[tuple[str, str, str]]:
    """(image, person, role) of a list for identification, below `DEV`."""
    with (DEV / name).open(newline="", encoding="utf-8") as lines:
        return [(row["image"], row["person"], row["role"]) for row in csv.DictReader(lines)]


def others() -> list[Path]:
    """Photos of people whom no list for identification names: to fit on, so that nothing is judged by itself."""
    known = {person.lower() for name in LISTS for _, person, _ in listed(name)}
    folders = (DEV / "lfw" / "images").iterdir()
    return sorted(photo for folder in folders if folder.name.lower() not in known for photo in folder.glob("*.jpg"))


def link(photos: Iterable[Path], folder: Path) -> Path:
    """The same photos in a folder of their own."""
    folder.mkdir(parents=True)
    for photo in photos:
        (folder / photo.name).symlink_to(photo)
    return folder


def _models(pair: str, state: Path) -> Models:
    if not (parts := PAIRS[pair]):
        return Models()
    made = [make_package(ASSETS / "models" / f"{graph}.onnx", recipe, state / "models") for graph, recipe in parts]
    detector, recognizer = (package.label for package in made)
    return Models(detector=detector, recognizer=recognizer, accept_licences=ACCEPTED)


def _taken(models: Models, state: Path, other: Path) -> Models:
    """With the recogniser as it was fitted there; as it is where it was not."""
    name = models.recognizer.partition("@")[0] or "dlib-resnet-own"
    there = other / "models" / name
    if not there.is_dir():
        print(f"{name}: not fitted in {other}")
        return models
    shutil.rmtree(state / "models" / name, ignore_errors=True)
    shutil.copytree(there, state / "models" / name)
    return models.model_copy(update={"recognizer": name})


def _fitted(models: Models, state: Path, photos: Sequence[Path]) -> Models:
    from faceedge.jobs.calibrate_quality import Order, calibrate_quality
    from faceedge.jobs.site import Site

    folder = link(photos, state / "fit-on")
    site = Site(state, cache_dir(), models)
    done = calibrate_quality(Order(images=[folder]), site, EngineSettings(threads=1), lambda _what, _share: None)
    print(f"quality of {done.source.label}: {done.sentence}", *done.judged.faults)
    if done.package is None:
        return models
    return models.model_copy(update={"recognizer": done.package.label})
