"""Faces that are too small or too blurred to judge, and good ones beside them, at a door and at enrolment.

    python -m benchmarks.poor_crops [PAIR…] [--fit | --fitted STATE] [--out poor_crops.json]

Poor ones are made of the probes of `dev/ident.csv`, whose people are enrolled, so that each could be granted: their
face 22x28 px, as it is and blown up again, and blurred with a sigma of 0.1 face widths. Each is shown for 2 s
(`stills.py`) and offered to enrolment. The same probes untouched show that this door does open.

Good ones are the photos of `dev/faces` and of `dev/lfw/ident.csv`: the share whose largest face is called too poor to
count, by reason, and what enrolment refuses. Some of these photos show people in profile, so the share is also stated
of those that would be recognised: at least as like another photo of the same person as a match has to be.
--fit: fits the quality first, on photos of other people.
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.measure import machine
from benchmarks.networks import DEV, PAIRS, Fitting, Opened, add_fitting, listed, opened
from benchmarks.stills import Came, Desk, enrol, show
from faceedge.bands import USABLE_QUALITY
from faceedge.gallery.search import similarity
from faceedge.jobs.photos import read_photo
from faceedge.jobs.vision import Portrait
from faceedge.quantize.intervals import wilson
from faceedge.types import Image

SMALL_PX = (22, 28)
BLUR = 0.1
"""Sigma in face widths: the eyes run together."""
AROUND = 1.2
"""Of a probe so much is kept on each side of the face, in face widths, so that it fills the door's picture."""
Box = tuple[float, float, float, float]
KINDS = ("clean", "small", "blown up", "blurred")


@dataclass(frozen=True)
class Shown:
    """What became of the probes of one kind. faces: how many had one in the picture itself."""

    kind: str
    count: int
    faces: int
    tracks: int
    granted: int
    granted_as_another: int
    review: int
    enrolled: int
    best_quality: float


@dataclass(frozen=True)
class Good:
    """Good photos. poor: those whose face counts as too poor: file, quality, reasons. recognised: how many are like
    another photo of the same person; lost: those of them that are called poor. refused: by enrolment, by why."""

    name: str
    count: int
    without_face: int
    poor: tuple[tuple[str, float, str], ...]
    recognised: int
    lost: tuple[str, ...]
    refused: Mapping[str, int]

    @property
    def words(self) -> str:
        """The shares that are called poor."""
        seen, firsts = self.count - self.without_face, Counter(reasons.partition(",")[0] for _, _, reasons in self.poor)
        return (
            f"called poor {_share(len(self.poor), seen)}, first reasons {dict(firsts)};"
            f" of those that would be recognised {_share(len(self.lost), self.recognised)}"
        )


def _share(hits: int, count: int) -> str:
    low, high = wilson(hits, count)
    return f"{hits / max(count, 1):.2%} ({hits}/{count}; {low:.2%}–{high:.2%})"


def boxes() -> dict[str, Box]:
    """Boxes of the main faces, px; photos without one are left out."""
    with (DEV / "boxes.csv").open(newline="", encoding="utf-8") as lines:
        rows = [row for row in csv.DictReader(lines) if row["w"]]
    return {row["image"]: (float(row["x"]), float(row["y"]), float(row["w"]), float(row["h"])) for row in rows}


def spoiled(photo: Image, box: Box, kind: str) -> Image:
    """The face with some of what is around it, as `kind` has it. uint8 BGR."""
    x, y, width, height = box
    top, left = max(0, round(y - AROUND * height)), max(0, round(x - AROUND * width))
    cut = photo[top : round(y + (1 + AROUND) * height), left : round(x + (1 + AROUND) * width)]
    if kind == "clean":
        return cut
    if kind == "blurred":
        return np.asarray(cv2.GaussianBlur(cut, (0, 0), BLUR * width), np.uint8)
    fewer = (SMALL_PX[0] / width, SMALL_PX[1] / height)
    small = cv2.resize(cut, None, fx=min(1.0, fewer[0]), fy=min(1.0, fewer[1]), interpolation=cv2.INTER_AREA)
    return np.asarray(small if kind == "small" else cv2.resize(small, cut.shape[1::-1]), np.uint8)


def shown(site: Opened, folder: Path, most: int, kinds: Sequence[str] = KINDS) -> list[Shown]:
    """Every kind of probe at the door. most: so many probes, evenly from the list."""
    people: dict[str, list[Path]] = defaultdict(list)
    for image, who, role in listed("ident.csv"):
        if role == "gallery":
            people[who].append(DEV / image)
    labels = enrol(site, people)
    known = boxes()
    probes = [(image, who) for image, who, role in listed("ident.csv") if role == "probe" and image in known]
    probes = probes[:: max(1, len(probes) // most)][:most]
    found = []
    for kind in kinds:
        stills = [spoiled(read_photo(DEV / image), known[image], kind) for image, _ in probes]
        rules = {"min_face_px": 20}  # or all of the small ones are refused for that alone
        came = show(site, stills, folder, rules)
        found.append(_shown(site, folder, kind, stills, came, [who for _, who in probes], labels))
    return found


def _shown(
    site: Opened, folder: Path, kind: str, stills: Sequence[Image], came: Sequence[Came], who: Sequence[str],
    labels: Mapping[str, str],
) -> Shown:  # fmt: skip
    faces = [site.vision.portraits(still) for still in stills]
    photo = folder / "crop.png"
    enrolled = 0
    with Desk(site) as desk:
        for still in stills:
            cv2.imwrite(str(photo), still)
            enrolled += not desk.refusal(photo)
    granted = [{labels[person] for person in one.granted} for one in came]
    review = sum(any(decision["outcome"] == "review" for decision in one.decisions) for one in came)
    return Shown(
        kind, len(stills), sum(map(bool, faces)), sum(one.tracks > 0 for one in came), sum(map(bool, granted)),
        sum(bool(names - {own}) for names, own in zip(granted, who, strict=True)), review, enrolled,
        round(max((one.assessment.quality for found in faces for one in found), default=0.0), 3),
    )  # fmt: skip


def good(site: Opened, name: str, photos: Sequence[Path]) -> Good:
    """How many good photos are called poor, and why enrolment refuses any. The folder of a photo is its person."""
    seen: dict[Path, Portrait] = {}
    poor, refused = [], Counter[str]()
    with Desk(site) as desk:
        for photo in photos:
            found = site.vision.portraits(read_photo(photo))
            if found:
                seen[photo] = found[0]
            if found and not found[0].assessment.quality >= USABLE_QUALITY:
                assessment = found[0].assessment
                poor.append(
                    (f"{photo.parent.name}/{photo.name}", round(assessment.quality, 3), ", ".join(assessment.reasons))
                )
                refused["poor"] += 1
            elif len(found) != 1:
                refused["several faces" if found else "no face"] += 1
            elif why := desk.refusal(photo):
                refused[why] += 1
    known = _recognised(site, seen)
    lost = tuple(
        f"{photo.parent.name}/{photo.name}" for photo in known if not seen[photo].assessment.quality >= USABLE_QUALITY
    )
    return Good(name, len(photos), len(photos) - len(seen), tuple(poor), len(known), lost, dict(refused))


def _recognised(site: Opened, seen: Mapping[Path, Portrait]) -> list[Path]:
    """Photos that match another one of the same person."""
    by_person: dict[Path, list[Path]] = defaultdict(list)
    for photo in seen:
        by_person[photo.parent].append(photo)
    least, metric = site.vision.door_thresholds.match, site.vision.metric
    return [
        photo
        for photo, one in seen.items()
        if any(
            similarity(one.template, seen[other].template, metric) >= least
            for other in by_person[photo.parent]
            if other != photo
        )
    ]


def measured(pair: str, fitting: Fitting, most: int) -> tuple[list[Shown], list[Good]]:
    """Both halves with one pair of networks."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        with opened(pair, folder / "state", fitting) as site:
            ours = sorted((DEV / "faces").rglob("*.jpg"))
            lfw = [DEV / image for image, _, _ in listed("lfw/ident.csv")]
            return shown(site, folder, most), [
                good(site, "dev/faces", ours),
                good(site, "lfw", lfw),
            ]


def table(found: Mapping[str, tuple[Sequence[Shown], Sequence[Good]]]) -> Table:
    """A row a pair and kind."""
    view = Table(title=f"poor crops, {machine()}")
    for column in (
        "pair",
        "kind",
        "shown",
        "face",
        "track",
        "granted",
        "as another",
        "review",
        "enrolled",
        "best quality",
    ):
        view.add_column(column, justify="right")
    for pair, (poor, _) in found.items():
        for one in poor:
            view.add_row(pair, *map(str, asdict(one).values()))
    return view


def main() -> None:
    """Measures, prints, writes."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.poor_crops", description=__doc__.splitlines()[0])
    parser.add_argument("pair", nargs="*", help=f"any of {', '.join(PAIRS)} (default: all)")
    add_fitting(parser)
    parser.add_argument("--most", type=int, default=24, help="probes to spoil (default: 24)")
    parser.add_argument("--out", type=Path, default=Path("poor_crops.json"))
    args = parser.parse_args()
    found = {pair: measured(pair, Fitting(args.fit, args.fitted), args.most) for pair in args.pair or PAIRS}
    Console(width=130).print(table(found))
    for pair, (_, goods) in found.items():
        for one in goods:
            print(f"{pair}, {one.name}: {one.words}; refused by enrolment: {dict(one.refused)}")
            print("   ", *one.poor)
    document = {
        pair: {"poor": [asdict(one) for one in poor], "good": [asdict(one) for one in goods]}
        for pair, (poor, goods) in found.items()
    }
    args.out.write_text(json.dumps({"machine": machine(), "pairs": document}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
