"""Says what the numbers of `[judging]` are worth with the built-in networks, which have no fitted quality.

    python -m calibration.judging ASSETS

Photos of the people in `dev/ident.csv` and `dev/lfw/ident.csv` of ASSETS, photos of the gallery clean, probes also by
every recipe of `degrade.py`. A genuine comparison fails when the best photo of the same person is below what a door
demands. Nothing is fitted: the numbers are the product's own, and this is their evidence.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.networks import opened
from benchmarks.quality import judged
from faceedge.gallery.search import similarity
from faceedge.jobs.calibration.quality_levels import leads, levels, margin


def main() -> int:
    if len(sys.argv) != 2:
        sys.exit("name the folder with the test assets")
    with tempfile.TemporaryDirectory() as folder, opened("default", Path(folder) / "state") as site:
        vision = site.vision
        gallery, probes = judged(Path(sys.argv[1]) / "data", vision)
    match, metric = vision.door_thresholds.match, vision.metric
    known = list(zip(gallery.people, gallery.templates, strict=True))
    seen = list(zip(probes.people, probes.templates, strict=True))
    best = [
        max((similarity(one, own, metric) for owner, own in known if owner == who), default=-1) for who, one in seen
    ]
    clean = known + [one for one, recipe in zip(seen, probes.recipes, strict=True) if recipe == "clean"]
    print(levels(np.array(probes.values["ours"]), np.array(best) < match, vision.judging))
    print(margin(list(leads(clean, metric)), match, vision.judging.margin))
    return 0


if __name__ == "__main__":
    sys.exit(main())
