"""Finds the distance at which dlib's recogniser takes strangers for one person ten times as often as at d = 0.6.

    python -m calibration.look_alike ASSETS

From the labels in ASSETS and dlib's own distances in tests/golden/dlib_pairs.csv. Prints the false-match rates and
the largest hundredth of a distance that stays within ten times; a pair without a face is no match.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.accuracy import DLIB_THRESHOLD, matches, read_pairs

TIMES = 10
LARGEST_HUNDREDTH = 200


def false_matches(impostors: Sequence[float | None], distance: float) -> int:
    """How many pairs of different people are nearer than this."""
    return sum(matches(theirs, distance) for theirs in impostors)


def look_alike_distance(impostors: Sequence[float | None], threshold: float = DLIB_THRESHOLD) -> float:
    """The largest hundredth with at most ten times the false matches of `threshold`, and never below it."""
    most = TIMES * false_matches(impostors, threshold)
    first = round(threshold * 100)
    fitting = [at for at in range(first, LARGEST_HUNDREDTH) if false_matches(impostors, at / 100) <= most]
    return max(fitting, default=first) / 100


def similarity(distance: float) -> float:
    """As the gallery measures it: 1 - d²/2."""
    return round(1 - distance * distance / 2, 6)


def main() -> int:
    if len(sys.argv) != 2:
        sys.exit("name the folder with the test assets")
    sure = [pair for pair in read_pairs(Path(sys.argv[1])) if not pair.suspect]
    impostors = [pair.theirs for pair in sure if not pair.same]
    for distance in (DLIB_THRESHOLD, 0.65, look_alike_distance(impostors)):
        count = false_matches(impostors, distance)
        print(
            f"d {distance:.2f}  similarity {similarity(distance)}  false matches {count} of {len(impostors)}"
            f" ({count / len(impostors):.2%})"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
