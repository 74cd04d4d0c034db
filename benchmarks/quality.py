"""How well quality foretells recognitions, beside the detector's score and LightQNet; its price; what it lets by.

    python -m benchmarks.quality ASSETS [OUT.json] [--state DIR] [--photos N] [RECOGNISER …]

Fits each head by `faceedge calibrate quality` on people of LFW who are not among those that are judged, unless DIR
holds it already. Judged are the probes of `dev/ident.csv` and `dev/lfw/ident.csv`, clean and by every recipe of
`degrade.py` (seed 7), against the clean gallery photos of their person, at the threshold where 1 of 1000 comparisons of
clean probes with others is false. Copies on which no face is found are left out. Intervals hold 95 % of 400 draws of
people.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import json
import statistics
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.measure import interleaved, machine, quartiles
from faceedge import assess
from faceedge.config import EngineSettings, Models, cache_dir
from faceedge.families.nms import overlap
from faceedge.jobs.calibrate_quality import Order, calibrate_quality
from faceedge.jobs.calibration.quality_figures import area, auc
from faceedge.jobs.open_vision import open_vision
from faceedge.jobs.site import Site
from faceedge.jobs.vision import Portrait, Vision
from faceedge.models.store import make_package
from faceedge.quantize.intervals import Drawing, draws, percentiles
from faceedge.types import Image, Template

FILES: dict[str, str] = {
    "edgeface-xxs": "edgeface_xxs_512", "mobilefacenet": "mobilefacenet_128_fast", "edgeface-xs": "edgeface_xs_512",
    "mobileface-v2": "mobileface_v2_256", "mobilefacenet-casia": "mobilefacenet_casia_128", "dlib-resnet": "",
    "yunet": "yunet_n", "lightqnet": "lightqnet",
}  # fmt: skip
LICENCES = ("LicenseRef-InsightFace-non-commercial", "none-stated")
SEED, FMR, SIDE_PX = 7, 1e-3, 480
SAME = 0.3
ROUNDS = 400
DRAWING = Drawing(seed=1)


@dataclass(slots=True, eq=False)
class Judged:
    """All looks of one recogniser. rows: by figure."""

    recipes: list[str] = field(default_factory=list)
    people: list[str] = field(default_factory=list)
    templates: list[Template] = field(default_factory=list)
    values: dict[str, list[float]] = field(default_factory=dict)

    def add(self, recipe: str, person: str, portrait: Portrait, values: dict[str, float]) -> None:
        self.recipes.append(recipe)
        self.people.append(person)
        self.templates.append(portrait.template)
        for name, value in values.items():
            self.values.setdefault(name, []).append(value)

    @property
    def embeddings(self) -> Any:
        return np.array([template.embedding for template in self.templates])


def main() -> None:
    """Prints a paragraph a recogniser and writes all figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("assets", type=Path)
    parser.add_argument("out", type=Path, nargs="?", default=Path("quality.json"))
    parser.add_argument("recognisers", nargs="*", default=["edgeface-xxs", "mobilefacenet"])
    parser.add_argument("--state", type=Path, default=Path("quality-state"))
    parser.add_argument("--photos", type=int, default=2000)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    found = []
    for name in args.recognisers:
        site = _fitted(args.assets, args.state, name, args.photos)
        row = {"recogniser": name, "machine": machine(), **_figures(args.assets / "data", site)}
        found.append(row)
        print(json.dumps(row, indent=1), flush=True)
    args.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def _fitted(assets: Path, state: Path, name: str, photos: int) -> Site:
    """A site whose recogniser has a head."""
    root, own = state / "models", f"{name}-own" if not FILES[name] else name
    for one in ("yunet", "lightqnet", name):
        if FILES[one] and not (root / one).exists():
            root.mkdir(parents=True, exist_ok=True)
            make_package(assets / "models" / f"{FILES[one]}.onnx", one, root)
    site = Site(state, cache_dir(), Models(detector="yunet", recognizer=own, accept_licences=LICENCES))
    package = site.present("recognizer") if FILES[name] or (root / own).exists() else None
    if package is None or package.fit is None or package.fit.quality is None:
        folder = _others(assets / "data" / "dev", state / "others")
        order = Order(images=(folder,), model=name, limit=photos)
        done = calibrate_quality(order, site, EngineSettings(threads=1), lambda *_: None)
        print(done.sentence, done.judged.model_dump_json(exclude={"curve"}), flush=True)
    return site


def _others(dev: Path, folder: Path) -> Path:
    """Links to the photos of LFW people who are not judged."""
    judged = {_plain(row["person"]) for row in _rows(dev)}
    for photo in sorted((dev / "lfw" / "images").rglob("*.jpg")):
        link = folder / photo.parent.name / photo.name
        if _plain(photo.parent.name) not in judged and not link.exists():
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(photo)
    return folder


def _plain(name: str) -> str:
    return name.lower().replace("_", " ").strip()


def _rows(dev: Path) -> list[dict[str, str]]:
    lists = (dev / "ident.csv", dev / "lfw" / "ident.csv")
    return [row for path in lists for row in csv.DictReader(path.open(encoding="utf-8"))]


def _figures(data: Path, site: Site) -> dict[str, Any]:
    with ExitStack() as open_until:
        settings = EngineSettings(threads=1)

        def opened(quality: str) -> Vision:
            models = site.models.model_copy(update={"quality": quality})
            return open_until.enter_context(open_vision(models, settings, site.state, site.cache))

        vision, lightqnet = opened("none"), opened("lightqnet")
        gallery, probes = judged(data, vision, lightqnet)
        return {
            **_foretold(gallery, probes), "overhead": _overhead(data / "dev", vision),
            "no_faces": _no_faces(data / "dev", vision), "ruined": _ruined(data / "dev", vision),
        }  # fmt: skip


def judged(data: Path, vision: Vision, lightqnet: Vision | None = None) -> tuple[Judged, Judged]:
    """The gallery's photos and the probes of both lists, these clean and spoiled; data: the folder of `dev`."""
    degrade = _degrade(data / "degrade.py")
    dev = data / "dev"
    boxes = {row["image"]: row for row in csv.DictReader((dev / "boxes.csv").open(encoding="utf-8")) if row["w"]}
    gallery, probes = Judged(), Judged()
    for row in _rows(dev):
        name = row["image"]
        if row["role"] not in ("gallery", "probe") or name not in boxes:
            continue
        image, box = _small(cv2.imread(str(dev / name)), [float(boxes[name][key]) for key in "xywh"])
        into, recipes = (gallery, []) if row["role"] == "gallery" else (probes, list(degrade.RECIPES))
        for recipe in ("clean", *recipes):
            shown = image if recipe == "clean" else degrade.apply(recipe, image, tuple(box), name, SEED)[0]
            for portrait, values in _looked(vision, lightqnet, shown, box):
                into.add(recipe, row["person"], portrait, values)
    return gallery, probes


def _degrade(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location("degrade", path)
    assert spec is not None, f"{path} is Python"
    assert spec.loader is not None, f"{path} is Python"
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _small(image: Any, box: list[float]) -> tuple[Image, list[float]]:
    factor = min(1.0, SIDE_PX / max(image.shape[:2]))
    if factor < 1:
        image = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    return np.asarray(image, np.uint8), [edge * factor for edge in box]


def _looked(
    vision: Vision, lightqnet: Vision | None, image: Image, box: list[float]
) -> Iterator[tuple[Portrait, dict[str, float]]]:
    """The face at that place, where it is found, and every figure for its quality."""
    faces = vision.detector.detect([image])[0]
    place = np.array([box[0], box[1], box[0] + box[2], box[1] + box[3]], np.float32)
    near = [face for face in faces if float(overlap(place, face.box[None])[0]) >= SAME]
    if not near:
        return
    face = max(near, key=lambda one: one.score)
    crops = vision.crops(image, [face])
    before, templates = vision.assess(image, [face], crops), vision.recognizer.embed(crops)
    (after,) = vision.settled(before, templates)
    values = {
        "detector": face.score, "plain": assess.shot(face, crops[0], vision.scheme).quality, "ours": after.quality,
        "head alone": after.raw if after.raw is not None else -99.0,
    }  # fmt: skip
    if lightqnet is not None:
        values["lightqnet"] = lightqnet.grades(image, [face], crops)[0]
    yield Portrait(face, crops[0], after, templates[0]), values


def _foretold(gallery: Judged, probes: Judged) -> dict[str, Any]:
    known, seen = gallery.embeddings, probes.embeddings
    owners, people = np.array(gallery.people), np.array(probes.people)
    alike = seen @ known.T
    is_own = people[:, None] == owners[None]
    genuine = np.where(is_own, alike, -np.inf).max(1)
    clean = np.array(probes.recipes) == "clean"
    others = [alike[clean][:, owners == one][people[clean] != one].max(1) for one in sorted(set(owners))]
    limit = float(np.quantile(np.concatenate(others), 1 - FMR))
    fails = genuine < limit
    figures = _with_intervals(fails, people, {name: np.array(one) for name, one in probes.values.items()})
    ours = np.array(probes.values["ours"])
    good = np.concatenate([ours[clean], np.array(gallery.values["ours"])])
    plain = np.concatenate([np.array(probes.values["plain"])[clean], np.array(gallery.values["plain"])])
    bands = {f"{low:g}-{high:g}": _band(fails, ours, low, high) for low, high in ((0, 0.4), (0.4, 0.6), (0.6, 1.01))}
    return {
        "looks": len(fails), "threshold": round(limit, 4), "fails": round(float(fails.mean()), 4), "figures": figures,
        "bands": bands, "good crops": len(good), "good refused": round(float((good < 0.4).mean()), 4),
        "good refused by plain features": round(float((plain < 0.4).mean()), 4),
    }  # fmt: skip


def _with_intervals(fails: Any, people: Any, kinds: dict[str, Any]) -> dict[str, Any]:
    """Areas against the detector's score, areas under the ROC curve, and both with the ends of their intervals."""

    def figures(some: Any) -> dict[tuple[str, str], float]:
        base = area(fails[some], kinds["detector"][some])
        return {
            (name, what): value
            for name, one in kinds.items()
            for what, value in (("area", area(fails[some], one[some]) / base), ("auc", auc(fails[some], one[some])))
        }

    rows = [np.flatnonzero(people == one) for one in sorted(set(people))]
    drawn = [
        figures(np.concatenate([np.tile(own, count) for own, count in zip(rows, counts, strict=True)]))
        for counts in draws(len(rows), DRAWING)
    ]
    found: dict[str, Any] = {}
    for (name, what), value in figures(np.arange(len(fails))).items():
        ends = percentiles(np.array([one[name, what] for one in drawn]))
        found.setdefault(name, {})[what] = [round(number, 4) for number in (value, *ends)]
    return found


def _band(fails: Any, quality: Any, low: float, high: float) -> dict[str, float]:
    inside = (quality >= low) & (quality < high)
    return {"looks": int(inside.sum()), "fails": round(float(fails[inside].mean()), 4) if inside.any() else 0.0}


def _overhead(dev: Path, vision: Vision) -> dict[str, Any]:
    """What the head costs after the recogniser and before it, against the recognition of one crop."""
    photo = next(path for path in sorted((dev / "lfw" / "images").rglob("*.jpg")))
    (one, *_) = vision.portraits(np.asarray(cv2.imread(str(photo)), np.uint8))
    before = assess.shot(one.face, one.crop, vision.scheme, is_asked=True)
    works = (
        lambda: vision.settled([before], [one.template]), lambda: vision.recognizer.embed([one.crop]),
        lambda: assess.shot(one.face, one.crop, vision.scheme, is_asked=True),
    )  # fmt: skip
    head, recognition, shot = interleaved(ROUNDS, *works)
    shares = {
        "after, ms": head, "recognition, ms": recognition, "measures before it, with or without a head, ms": shot,
    }  # fmt: skip
    found: dict[str, Any] = {
        name: [round(1000 * statistics.median(times), 4), quartiles([1000 * second for second in times])]
        for name, times in shares.items()
    }
    medians = statistics.median(head) / statistics.median(recognition)
    return found | {"share": round(medians, 4), "share, fastest calls": round(min(head) / min(recognition), 4)}


def _no_faces(dev: Path, vision: Vision) -> dict[str, Any]:
    """Pictures without a human face: how many are taken for a face, and how good these are called."""
    found: dict[str, Any] = {"plain": [], "facelike": []}
    for row in csv.DictReader((dev / "ood" / "ood.csv").open(encoding="utf-8")):
        path = next(one for one in (dev / row["image"], dev / "ood" / row["image"]) if one.exists())
        image = cv2.imread(str(path))
        best = max((one.assessment.quality for one in vision.portraits(np.asarray(image, np.uint8))), default=None)
        found["facelike" if row["facelike"] == "1" else "plain"].append((best, row["image"]))
    return {kind: _kind(seen) for kind, seen in found.items()}


def _kind(seen: list[tuple[float | None, str]]) -> dict[str, Any]:
    faces = sorted(((best, name) for best, name in seen if best is not None), reverse=True)
    return {
        "pictures": len(seen), "no face": len(seen) - len(faces), "below 0.3": sum(best < 0.3 for best, _ in faces),
        "from 0.4": [f"{name} {best:.2f}" for best, name in faces if best >= 0.4],
        "0.3 to 0.4": [f"{name} {best:.2f}" for best, name in faces if 0.3 <= best < 0.4],
    }  # fmt: skip


def _ruined(dev: Path, vision: Vision) -> dict[str, Any]:
    """Faces of 22 x 28 px, and heavily blurred ones: none may be usable."""
    boxes = {row["image"]: row for row in csv.DictReader((dev / "boxes.csv").open(encoding="utf-8")) if row["w"]}
    names = [row["image"] for row in _rows(dev) if row["role"] == "probe" and row["image"] in boxes][:200]
    found: dict[str, Any] = {}
    for kind in ("22 px wide", "blur of 8 % of the face", "blur of 15 %"):
        usable = seen = 0
        for name in names:
            image, box = _small(cv2.imread(str(dev / name)), [float(boxes[name][key]) for key in "xywh"])
            if kind.startswith("22"):
                factor = 22 / box[2]
                image = np.asarray(
                    cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8
                )
            else:
                sigma = box[2] * (0.08 if "8 %" in kind else 0.15)
                image = np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.uint8)
            portraits = vision.portraits(image)
            seen += bool(portraits)
            usable += any(one.assessment.quality >= 0.4 for one in portraits)
        found[kind] = {"photos": len(names), "with a face": seen, "usable": usable}
    return found


if __name__ == "__main__":
    main()
