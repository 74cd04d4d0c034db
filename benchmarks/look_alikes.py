"""How many strangers are flagged as look-alikes, and how many would be by a single pair of photos.

    python -m benchmarks.look_alikes [PAIR…]

The people of `dev/ident.csv` and `dev/lfw/ident.csv` of FACEEDGE_TEST_ASSETS that are called `gallery`, as they would
be enrolled; nobody of them is known to be related, so every flag is one too many (or a photo under a wrong name).
"""

from __future__ import annotations

import argparse
import tempfile
from collections import defaultdict
from itertools import combinations
from pathlib import Path

from benchmarks.networks import DEV, LISTS, PAIRS, largest, listed, opened
from faceedge.decide import USABLE_QUALITY
from faceedge.gallery.search import similarity
from faceedge.jobs.look_alikes import Measure
from faceedge.jobs.vision import Vision
from faceedge.types import Template


def enrolled(vision: Vision, name: str) -> dict[str, list[Template]]:
    """The templates of everybody in a list."""
    shown: defaultdict[str, list[Template]] = defaultdict(list)
    for image, person, role in listed(name):
        face = largest(vision, DEV / image) if role == "gallery" else None
        if face is not None and face.assessment.quality >= USABLE_QUALITY:
            shown[person].append(face.template)
    return shown


def flagged(shown: dict[str, list[Template]], measure: Measure) -> dict[str, tuple[int, int]]:
    """Pairs and people, by how they are found."""
    found: dict[str, list[tuple[str, str]]] = {"one pair of photos above grey": [], "flagged": []}
    for one, other in combinations(sorted(shown), 2):
        best = max(similarity(a, b, measure.metric) for a in shown[one] for b in shown[other])
        if best >= measure.grey:
            found["one pair of photos above grey"].append((one, other))
        if measure.likeness(shown[one], shown[other]) is not None:
            found["flagged"].append((one, other))
    return {how: (len(pairs), len({person for pair in pairs for person in pair})) for how, pairs in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", metavar="PAIR", nargs="*", default=list(PAIRS), help=", ".join(PAIRS))
    for pair in parser.parse_args().pairs:
        with tempfile.TemporaryDirectory() as folder, opened(pair, Path(folder) / "state") as ready:
            for name in LISTS:
                shown = enrolled(ready.vision, name)
                for how, (pairs, people) in flagged(shown, Measure.of(ready.vision)).items():
                    print(f"{pair}, {name}, {len(shown)} people: {how}: {pairs} pairs, {people} people", flush=True)


if __name__ == "__main__":
    main()
