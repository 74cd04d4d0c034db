"""Does an audit's bound hold on people it has not seen, and does it find what is planted? On real photos of people.

`python -m benchmarks.gallery_audit ASSETS` needs the test assets and some minutes.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from faceedge.config import EngineSettings, Models, cache_dir
from faceedge.fit import Fit
from faceedge.gallery.base import Origin, Templates
from faceedge.gallery.store import Gallery
from faceedge.jobs.audit.findings import LEVELS, Audit
from faceedge.jobs.audit.rates import Rates
from faceedge.jobs.audit.run import Asked, audit_gallery
from faceedge.jobs.audit.scan import Faces, scan
from faceedge.jobs.open_vision import open_vision
from faceedge.jobs.photos import read_photo
from faceedge.jobs.vision import Vision
from faceedge.models.store import make_package
from faceedge.package import Package
from faceedge.types import Image, Template

TWICE = frozenset({
    "leonardo_dicaprio", "robert_downey_jr", "joe_biden", "Hassan_Wirajuda", "Nora_Bendijo",
})  # fmt: skip
"""Folders that show somebody who has another folder, too."""
USABLE = 0.4
BLUR = 0.05
"""Sigma of a planted blur, as a share of the face's width; `degrade.py` of the assets draws 0.02 to 0.05."""
NOW = 1_800_000_000
RICH, PEOPLE = 110, 700
"""How many people are looked at with five photos, and in all."""


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """The main face of one photo."""

    person: str
    name: str
    template: Template
    quality: float
    crop: Image


class Eyes:
    """YuNet and EdgeFace XXS, and what they see on photos of the assets."""

    def __init__(self, assets: Path, state: Path) -> None:
        for file, recipe in (("yunet_n", "yunet"), ("edgeface_xxs_512", "edgeface-xxs")):
            (state / "models").mkdir(parents=True, exist_ok=True)
            make_package(assets / "models" / f"{file}.onnx", recipe, state / "models")
        models = Models(detector="yunet", recognizer="edgeface-xxs")
        self.vision: Vision = open_vision(models, EngineSettings(threads=1), state, cache_dir())
        dev = assets / "data" / "dev"
        with (dev / "boxes.csv").open(encoding="utf-8") as file:
            self._widths = {row["image"]: float(row["w"]) for row in csv.DictReader(file) if row["w"]}
        self._dev = dev

    @property
    def package(self) -> Package:
        return self.vision.recognizer_package

    @property
    def fit(self) -> Fit:
        assert self.package.fit is not None, "a recogniser has one"
        return self.package.fit

    def look(self, path: Path, blur: float = 0.0) -> Look | None:
        """The face nearest to the middle; None where there is none. blur: sigma as a share of the face's width."""
        image = read_photo(path)
        name = str(path.relative_to(self._dev))
        if blur:
            image = np.asarray(cv2.GaussianBlur(image, (0, 0), blur * self._widths.get(name, image.shape[1] / 2.4)))
        height, width = image.shape[:2]
        found = self.vision.portraits(image)
        if not found:
            return None
        middle = np.array([width, height]) / 2
        main = min(found, key=lambda one: float(np.abs(one.face.box.reshape(2, 2).mean(0) - middle).sum()))
        return Look(path.parent.name, name, main.template, main.assessment.quality, main.crop)


def photos(assets: Path) -> dict[str, list[Path]]:
    """Photos by person, people with the most first."""
    dev = assets / "data" / "dev"
    found: dict[str, list[Path]] = {}
    for path in [*sorted((dev / "lfw" / "images").rglob("*.jpg")), *sorted((dev / "faces").rglob("*.jpg"))]:
        if path.parent.name not in TWICE:
            found.setdefault(path.parent.name, []).append(path)
    return dict(sorted(found.items(), key=lambda item: (-len(item[1]), item[0])))


def audited(
    eyes: Eyes, people: dict[str, Sequence[Look]], asked: Asked, *, crops: bool
) -> tuple[Audit, dict[str, str]]:
    """The audit of a gallery with these people, and the id of each template by its look's name."""
    ids: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as state, Gallery.open(Path(state)) as gallery:
        with gallery.transaction():
            for name, looks in people.items():
                person = gallery.add_person(name)
                for look in looks:
                    origin = Origin(look.quality, look.name, eyes.vision.recognizer_build)
                    crop = look.crop if crops else None
                    ids[look.name] = gallery.add_template(person.id, look.template, origin, crop)
        return audit_gallery(gallery, eyes.package, asked, NOW, lambda _text, _done: None), ids


def let_in(eyes: Eyes, people: dict[str, Sequence[Look]]) -> dict[str, Sequence[Look]]:
    """Whom an enrolment of one after the other would not refuse: nobody who looks like somebody that is in already."""
    gate, rows, found = eyes.fit.door_thresholds.match, list[np.ndarray](), dict[str, Sequence[Look]]()
    assert eyes.vision.metric == "cosine", "scores are products here"
    for name, looks in people.items():
        own = np.stack([look.template.embedding for look in looks])
        if not rows or (own @ np.concatenate(rows).T).max() < gate:
            found[name] = looks
            rows.append(own)
    return found


@dataclass(frozen=True, slots=True)
class Split:
    """One split of people. held, assured: of grey, match and strict, whether the bound of those seen holds on those
    not seen. ratio: bound over rate at grey, how far the bound lies off; advised: whether the bound of the advice held,
    or none was stated. refused: how many of those seen enrolment did not let in.
    """

    held: tuple[bool, ...]
    assured: tuple[bool, ...]
    ratio: float
    advised: tuple[bool, ...]
    refused: int


def split(
    eyes: Eyes, looks: dict[str, Sequence[Look]], seen: int, seed: int, fmr: float, *, gated: bool = True
) -> Split:
    """Audits `seen` people drawn by the seed, and asks the others, strangers, whether it is so. gated: they come in by
    an enrolment, which refuses who looks like somebody else; else all of them are in."""
    drawn = [str(name) for name in np.random.default_rng(seed).permutation(sorted(looks))]
    people = {name: looks[name] for name in drawn[:seen]}
    enrolled = let_in(eyes, people) if gated else people
    audit, _ = audited(eyes, enrolled, Asked(fmr=fmr, crops=False), crops=False)
    others = Rates(scan(_faces(eyes, [looks[name] for name in drawn[seen:]]), lambda _done: None), audit.confidence)

    def rate(threshold: float) -> float:
        found = others.false_match(threshold)
        assert found is not None, "there are two people"
        return found.rate

    bounds = [level.false_match for level in audit.levels]
    truth = [rate(level.threshold) for level in audit.levels]
    pairs = [(bound, real) for bound, real in zip(bounds, truth, strict=True) if bound is not None]
    return Split(
        tuple(bound.likely >= real for bound, real in pairs), tuple(bound.assured >= real for bound, real in pairs),
        pairs[0][0].likely / max(truth[0], 1e-12),
        tuple(one.likely is None or one.likely >= rate(one.threshold) for one in audit.advice),
        len(people) - len(enrolled),
    )  # fmt: skip


def _faces(eyes: Eyes, people: Iterable[Sequence[Look]]) -> Faces:
    looks = [look for each in people for look in each]
    templates = Templates(
        tuple(look.person for look in looks), np.stack([look.template.embedding for look in looks]),
        np.array([look.template.norm for look in looks], np.float32), eyes.vision.space,
    )  # fmt: skip
    return Faces.of(templates, eyes.vision.metric)


@dataclass(frozen=True, slots=True)
class Plants:
    """One gallery with three faults. wrong, blurred: whether that template was named for sure; twice: whether the
    person enrolled twice was; blamed: names of looks that were named for sure and are as the photos' labels say;
    doubted: named, but not for sure."""

    wrong: bool
    blurred: bool
    twice: bool
    blamed: tuple[str, ...]
    doubted: tuple[str, ...]
    templates: int


def plant(eyes: Eyes, looks: dict[str, Sequence[Look]], blurred: dict[str, Look], people: int, seed: int) -> Plants:
    """A gallery of `people`, three templates each, with a fourth of somebody else for one, a blurred one for another,
    and a third enrolled a second time with two more photos. looks: of people with five photos and more. blurred: by
    person."""
    drawn = [str(name) for name in np.random.default_rng(seed).permutation(sorted(looks))]
    host, double, thief = drawn[0], drawn[1], drawn[people + seed % (len(drawn) - people)]
    soft = next(name for name in drawn[2:people] if name in blurred)
    gallery = {name: list(looks[name][:3]) for name in drawn[:people]}
    wrong = looks[thief][3]
    gallery[host].append(wrong)
    gallery[soft].append(blurred[soft])
    gallery["enrolled again"] = list(looks[double][3:5])
    audit, ids = audited(eyes, gallery, Asked(), crops=True)
    names = {key: name for name, key in ids.items()}
    sure = {names[one.facts.record.id] for one in audit.suspects if one.sure}
    every = {names[one.facts.record.id] for one in audit.suspects}
    called = audit.names
    pairs = {
        frozenset((called[pair.one], called[pair.other])) for pair in audit.close_pairs if pair.kind == "same_person"
    }
    planted = {wrong.name, blurred[soft].name}
    return Plants(
        wrong.name in sure, blurred[soft].name in sure, frozenset((double, "enrolled again")) in pairs,
        tuple(sorted(sure - planted)), tuple(sorted(every - sure - planted)), audit.templates,
    )  # fmt: skip


def several(eyes: Eyes, found: dict[str, list[Path]], most: int) -> dict[str, Sequence[Look]]:
    """Usable looks of each person, at most so many; people without any are left out."""
    looks: dict[str, Sequence[Look]] = {}
    for name, paths in found.items():
        seen = [look for path in paths[:most] if (look := eyes.look(path)) is not None and look.quality >= USABLE]
        if seen:
            looks[name] = seen
    return looks


def soft(eyes: Eyes, assets: Path, looks: dict[str, Sequence[Look]], sigma: float) -> dict[str, Look]:
    """A blurred look of each person, of the fourth photo."""
    dev, made = assets / "data" / "dev", {}
    for name, each in looks.items():
        look = eyes.look(dev / each[3].name, sigma)
        if look is not None:
            made[name] = Look(look.person, f"{look.name} blurred", look.template, look.quality, look.crop)
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Prints the figures of 20 splits and 20 galleries."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("assets", type=Path)
    parser.add_argument("--only", choices=("plants", "splits"), help="what is planted, or how bounds hold")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as state:
        eyes = Eyes(args.assets, Path(state))
        found = photos(args.assets)
        rich = {
            name: each for name, each in several(eyes, dict(list(found.items())[:RICH]), 5).items() if len(each) == 5
        }
        print(f"{len(rich)} people with five photos; {eyes.package.label}", flush=True)
        for sigma in () if args.only == "splits" else (BLUR, 0.035, 0.02):
            blurred = soft(eyes, args.assets, rich, sigma)
            _print_plants(sigma, [plant(eyes, rich, blurred, 60, seed) for seed in range(20)])
        if args.only == "plants":
            return 0
        others = several(eyes, dict(list(found.items())[RICH:PEOPLE]), 1)
        looks = {name: each[:2] for name, each in rich.items()} | others
        print(f"{len(looks)} people, {sum(map(len, looks.values()))} photos", flush=True)
        for seen in (20, 50, 100, 200):
            for gated in (True, False):
                splits = [split(eyes, looks, seen, seed, 1e-3, gated=gated) for seed in range(20)]
                _print_splits(f"{seen} people, {'as enrolled' if gated else 'past the gate'}", splits)
    return 0


def _print_splits(who: str, splits: Sequence[Split]) -> None:
    held = {name: sum(one.held[at] for one in splits) for at, name in enumerate(LEVELS)}
    advised = {name: sum(one.advised[at] for one in splits) for at, name in enumerate(LEVELS)}
    sure = sum(all(one.assured) for one in splits)
    ratios = np.quantile([one.ratio for one in splits], (0.25, 0.5, 0.75)).round(2)
    refused = sum(one.refused for one in splits)
    print(f"{who}: {refused} refused; likely bound held {held}, of advice {advised}, assured {sure} of {len(splits)}; "
          f"likely over the others' rate at grey {ratios}", flush=True)  # fmt: skip


def _print_plants(sigma: float, found: Sequence[Plants]) -> None:
    blamed = sorted({name for one in found for name in one.blamed})
    wrong, hazy, twice = (sum(getattr(one, fault) for one in found) for fault in ("wrong", "blurred", "twice"))
    named, doubted = sum(len(one.blamed) for one in found), sum(len(one.doubted) for one in found)
    print(
        f"blur {sigma}: wrong {wrong}, blurred {hazy}, twice {twice} of {len(found)}; honest named for sure {named}, "
        f"in doubt {doubted}, of {sum(one.templates for one in found)}: {', '.join(blamed)}", flush=True,
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
