"""Pictures without a human face, shown to a door and to enrolment: things, places, and what only looks like a face.

    python -m benchmarks.ood [PAIR…] [--pictures-only] [--fit | --fitted STATE] [--out ood.json]

The pictures are `dev/ood` of FACEEDGE_TEST_ASSETS. Each is shown for 2 s, slightly moving (`stills.py`), at a door
where 31 people are enrolled, and offered to enrolment. A plain one makes no track, or no face of it reaches a quality
of 0.3; of those like a face none is granted, and enrolment refuses most. --fit: fits the quality first, on photos of
people whom no list names.
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.measure import machine
from benchmarks.networks import DEV, PAIRS, Fitting, Opened, add_fitting, listed, opened
from benchmarks.stills import Came, Desk, enrol, show
from faceedge.jobs.photos import read_photo
from faceedge.types import Image

NO_FACE = 0.3
SIDE_PX = 1024
"""Larger pictures are made smaller first: a door shows none of them larger than its own picture."""


@dataclass(frozen=True)
class Seen:
    """What became of one picture. still: the best quality of a face in the picture itself, None without a face; shown:
    the best that a decision at the door rests on. refused: why enrolment refuses it, empty when it does not."""

    image: str
    is_facelike: bool
    still: float | None
    tracks: int
    shown: float
    granted: int
    review: int
    refused: str

    @property
    def is_no_face(self) -> bool:
        """No track, or whatever was seen there is no face."""
        return (self.tracks == 0 or self.shown < NO_FACE) and (self.still is None or self.still < NO_FACE)


def pictures() -> list[tuple[str, bool]]:
    """(path below `DEV`, whether it looks like a face)."""
    with (DEV / "ood" / "ood.csv").open(newline="", encoding="utf-8") as lines:
        return [(row["image"], row["facelike"] == "1") for row in csv.DictReader(lines)]


def judged(site: Opened, images: Sequence[tuple[str, bool]], folder: Path, *, at_door: bool = True) -> list[Seen]:
    """Enrols the people of the list for identification and shows them the pictures; or only looks at the pictures."""
    stills = [_small(read_photo(DEV / image)) for image, _ in images]
    came = _shown(site, stills, folder) if at_door else [Came(0, ())] * len(stills)
    with Desk(site) as desk:
        return [
            Seen(
                image,
                is_facelike,
                max((face.assessment.quality for face in site.vision.portraits(still)), default=None),
                one.tracks,
                one.quality,
                len(one.granted),
                sum(decision["outcome"] == "review" for decision in one.decisions),
                desk.refusal(DEV / image),
            )
            for (image, is_facelike), still, one in zip(images, stills, came, strict=True)
        ]


def _shown(site: Opened, stills: Sequence[Image], folder: Path) -> list[Came]:
    people: dict[str, list[Path]] = defaultdict(list)
    for image, who, role in listed("ident.csv"):
        if role == "gallery":
            people[who].append(DEV / image)
    assert enrol(site, people), "nobody could be enrolled"
    return show(site, stills, folder, {})


def _small(image: Image) -> Image:
    share = SIDE_PX / max(image.shape[:2])
    if share >= 1:
        return image
    return np.asarray(cv2.resize(image, None, fx=share, fy=share, interpolation=cv2.INTER_AREA), np.uint8)


def table(found: dict[str, list[Seen]]) -> Table:
    """A row a pair."""
    view = Table(title=f"no human face, {machine()}")
    for column in (
        "pair",
        "plain",
        "no track",
        f"below {NO_FACE}",
        "facelike",
        "tracks",
        "review",
        "granted",
        "refused",
    ):
        view.add_column(column, justify="right")
    for pair, seen in found.items():
        plain, alike = ([one for one in seen if one.is_facelike == kind] for kind in (False, True))
        numbers = (
            len(plain), sum(one.tracks == 0 for one in plain), sum(one.is_no_face for one in plain),
            len(alike), sum(one.tracks > 0 for one in alike), sum(one.review > 0 for one in seen),
            sum(one.granted for one in seen), sum(bool(one.refused) for one in alike),
        )  # fmt: skip
        view.add_row(pair, *map(str, numbers))
    return view


def main() -> None:
    """Measures, prints, writes."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ood", description=__doc__.splitlines()[0])
    parser.add_argument("pair", nargs="*", help=f"any of {', '.join(PAIRS)} (default: all)")
    add_fitting(parser)
    parser.add_argument("--pictures-only", action="store_true", help="no door: only the pictures, and enrolment")
    parser.add_argument("--out", type=Path, default=Path("ood.json"))
    args = parser.parse_args()
    found = {}
    for pair in args.pair or PAIRS:
        with (
            tempfile.TemporaryDirectory() as folder,
            opened(pair, Path(folder) / "state", Fitting(args.fit, args.fitted)) as site,
        ):
            found[pair] = judged(site, pictures(), Path(folder), at_door=not args.pictures_only)
    Console(width=120).print(table(found))
    for pair, seen in found.items():
        for one in seen:
            if one.granted or (one.is_facelike and not one.refused) or not (one.is_facelike or one.is_no_face):
                print(pair, one.image, {key: value for key, value in asdict(one).items() if key != "image"})
    document = {"machine": machine(), "pairs": {pair: [asdict(one) for one in seen] for pair, seen in found.items()}}
    args.out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
