"""Templates made of the pictures that were kept, against templates of the original photos.

    python -m benchmarks.reembedding [--pairs N] [--people N] [--detector yunet]

Pairs of photos of `dev/lfw/pairs.csv` of FACEEDGE_TEST_ASSETS: the first photo of each is known by a template that was
made of its kept crop, the second is seen fresh, as at a door. For crops of another alignment two ways are tried: the
face is where the old alignment puts it (as `jobs/recut.py` does), or it is searched for once more in the crop with a
black border. Then so many people are re-embedded, one picture each, and again, when there is nothing left to do.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.networks import ASSETS, DEV
from faceedge.config import EngineSettings, Models, cache_dir
from faceedge.gallery.base import Origin
from faceedge.gallery.search import similarity
from faceedge.gallery.store import Gallery
from faceedge.jobs.open_vision import open_vision
from faceedge.jobs.recut import recut
from faceedge.jobs.reembed import reembed
from faceedge.jobs.vision import Vision
from faceedge.models.store import make_package
from faceedge.types import Face, Floats, Image, Template

GRAPHS = {
    "yunet": "yunet_n", "edgeface-xxs": "edgeface_xxs_512", "edgeface-xs": "edgeface_xs_512",
    "mobilefacenet": "mobilefacenet_128_fast",
}  # fmt: skip
SWITCHES = (
    ("edgeface-xxs", "mobilefacenet"), ("dlib-resnet", "edgeface-xxs"), ("edgeface-xxs", "dlib-resnet")
)  # fmt: skip
BORDER = 0.5
"""Of the crop's side, around it: what a detector was found to do best with, of 0, 0.25, 0.5 and 1."""
Recut = Callable[[Vision, Image], Image | None]


@dataclass(frozen=True)
class Study:
    """Two recognisers, the old crops, and templates of the original photos by the new one."""

    eyes: Vision
    crops: Mapping[str, Image]
    fresh: Mapping[str, Template]
    pairs: Sequence[tuple[str, str, bool]]

    def told(self, way: str, cut: Recut | None) -> str:
        """One line: how near the templates are, and what that does to pairs at the door's threshold."""
        made = dict(self.fresh) if cut is None else self._made(cut)
        cosines = np.array([made[name].embedding @ self.fresh[name].embedding for name in made])
        furthest = max(float(np.abs(made[name].embedding - self.fresh[name].embedding).max()) for name in made)
        levels = self.eyes.door_thresholds
        genuine, strangers = self._scores(made, is_same=True), self._scores(made, is_same=False)
        return (
            f"  {way}: {len(self.crops) - len(made)} of {len(self.crops)} without a face; cosine median"
            f" {np.median(cosines):.4f}, 5th percentile {np.percentile(cosines, 5):.4f}, least {cosines.min():.4f};"
            f" furthest number {furthest:.1e}; FNMR at match {(genuine < levels.match).mean():.2%}, at grey"
            f" {(genuine < levels.grey).mean():.2%} of {len(genuine)}; FMR at match"
            f" {(strangers >= levels.match).mean():.2%}, at grey {(strangers >= levels.grey).mean():.2%} of"
            f" {len(strangers)}"
        )

    def _made(self, cut: Recut) -> dict[str, Template]:
        cuts = {name: one for name, crop in self.crops.items() if (one := cut(self.eyes, crop)) is not None}
        return dict(zip(cuts, self.eyes.recognizer.embed(list(cuts.values())), strict=True))

    def _scores(self, made: Mapping[str, Template], *, is_same: bool) -> Floats:
        """A pair without a face counts as strangers."""
        scores = [
            similarity(made[one], self.fresh[other], self.eyes.metric) if one in made else -1.0
            for one, other, same in self.pairs
            if same == is_same
        ]
        return np.array(scores, np.float32)


def searched(eyes: Vision, crop: Image) -> Image | None:
    """Cut anew where the detector finds the face that is nearest to the middle."""
    border = round(BORDER * crop.shape[0])
    wide = np.asarray(cv2.copyMakeBorder(crop, *[border] * 4, cv2.BORDER_CONSTANT), np.uint8)
    found = eyes.detector.detect([wide])[0]
    middle = wide.shape[0] / 2
    nearest = min(found, key=lambda face: float(np.hypot(*(face.box.reshape(2, 2).mean(0) - middle))), default=None)
    return None if nearest is None else eyes.crops(wide, [nearest])[0]


def read_pairs(most: int) -> list[tuple[str, str, bool]]:
    """Evenly drawn, without labels that are doubted."""
    with (DEV / "lfw" / "pairs.csv").open(newline="", encoding="utf-8") as lines:
        rows = [row for row in csv.DictReader(lines) if row["suspect"] != "1"]
    return [(row["imgA"], row["imgB"], row["same"] == "1") for row in rows[:: max(1, len(rows) // most)]]


def opened(recogniser: str, detector: str, state: Path) -> Vision:
    models = Models(
        detector=detector, recognizer=recogniser, quality="none",
        accept_licences=["LicenseRef-InsightFace-non-commercial"],
    )  # fmt: skip
    return open_vision(models, EngineSettings(), state, cache_dir())


def faces(eyes: Vision, names: Sequence[str]) -> dict[str, tuple[Image, Face]]:
    """The photos and their largest faces; photos without a face are left out."""
    found = {}
    for name in names:
        photo = np.asarray(cv2.imread(str(DEV / name)), np.uint8)
        seen = eyes.detector.detect([photo])[0]
        if seen:
            found[name] = photo, max(seen, key=lambda face: face.width_px * face.height_px)
    return found


def study(old: Vision, new: Vision, pairs: Sequence[tuple[str, str, bool]]) -> Study:
    """Cuts and embeds everything once."""
    shown = faces(old, sorted({name for pair in pairs for name in pair[:2]}))
    crops = {name: old.crops(photo, [face])[0] for name, (photo, face) in shown.items()}
    originals = [new.crops(photo, [face])[0] for photo, face in shown.values()]
    fresh = dict(zip(shown, new.recognizer.embed(originals), strict=True))
    return Study(new, crops, fresh, [pair for pair in pairs if pair[0] in fresh and pair[1] in fresh])


def timed(old: Vision, new: Vision, names: Sequence[str], state: Path) -> str:
    """People with one picture each, re-embedded, and once more."""
    crops = [old.crops(photo, [face])[0] for photo, face in faces(old, names).values()]
    with Gallery.open(state) as gallery:
        with gallery.transaction():
            for number, (crop, made) in enumerate(zip(crops, old.recognizer.embed(crops), strict=True)):
                person = gallery.add_person(f"person {number}")
                gallery.add_template(person.id, made, Origin(0.9, "photo", old.recognizer_build), crop)
        gallery.empty_log()
        before = gallery.path.stat().st_size
        began = _now()
        outcome = reembed(gallery, new, lambda _share: None)
        first = _now()
        reembed(gallery, new, lambda _share: None)
        again = _now()
        gallery.empty_log()
        grown = (gallery.path.stat().st_size - before) / max(outcome.templates, 1)
        bare = _now()
        new.recognizer.embed(crops)
        network = _now() - bare
    return (
        f"  {outcome.people} people in {_both(first - began)}; the bare network {_both(network)}; a second run"
        f" {_both(again - first)}; {grown / 1000:.0f} kB a template on disk"
    )


def _now() -> NDArray[np.float64]:
    """Seconds by the clock, and of this process."""
    return np.array([time.perf_counter(), time.process_time()])


def _both(seconds: NDArray[np.float64]) -> str:
    return f"{seconds[0]:.2f} s ({seconds[1]:.2f} s of CPU)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", metavar="N", type=int, default=1 << 30, help="only about so many")
    parser.add_argument("--people", metavar="N", type=int, default=500, help="to re-embed (default: 500)")
    parser.add_argument("--detector", default="yunet", help="yunet or dlib-mmod (default: yunet)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        root = Path(folder)
        for recipe, graph in GRAPHS.items():
            make_package(ASSETS / "models" / f"{graph}.onnx", recipe, root / "models")
        names = {name for switch in SWITCHES for name in switch} | {"edgeface-xs"}
        eyes = {name: stack.enter_context(opened(name, args.detector, root)) for name in sorted(names)}
        pairs = read_pairs(args.pairs)
        for old, new in SWITCHES:
            found = study(eyes[old], eyes[new], pairs)
            print(f"{old} to {new}, {len(found.pairs)} pairs, {args.detector}:")
            for way, cut in (("of the photo", None), ("of the crop", recut), ("searched in the crop", searched)):
                print(found.told(way, cut), flush=True)
        photos = [str(min(one.iterdir()).relative_to(DEV)) for one in sorted((DEV / "lfw" / "images").iterdir())]
        for new in ("edgeface-xs", "mobilefacenet"):
            print(f"edgeface-xxs to {new}, {args.people} people:")
            print(timed(eyes["edgeface-xxs"], eyes[new], photos[: args.people], root / new), flush=True)


if __name__ == "__main__":
    main()
