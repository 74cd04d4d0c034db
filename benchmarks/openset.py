"""Who is recognised, and who is taken for somebody else, out of everybody enrolled: an open-set run (ISO/IEC 19795-1).

    python -m benchmarks.openset [PAIR…] [--fit | --fitted STATE] [--out openset.json]

The lists are `dev/ident.csv` and `dev/lfw/ident.csv` of FACEEDGE_TEST_ASSETS: their people are enrolled from the photos
called `gallery`; `probe` shows one of them, `unknown` somebody else. The largest face of a photo counts. One photo is
one attempt, which is stricter towards strangers and harder on the enrolled than a door, where 3 of 5 shots must agree.

FPIR: share of strangers for whom somebody is at or above the threshold. FNIR: share of enrolled people who are not
found at rank 1 at or above it, a photo without a face or too poor to count among them. `granted` and `review` are what
one such shot is worth at a door, with its quality and its lead over the second. --fit: fits the quality first, on
photos of other people.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.measure import machine
from benchmarks.networks import DEV, LISTS, PAIRS, Fitting, add_fitting, largest, listed, opened
from faceedge.bands import Limits, limits_of
from faceedge.config import Decide
from faceedge.gallery.search import Index
from faceedge.identify import Identifier
from faceedge.jobs.vision import Portrait, Vision
from faceedge.quantize.intervals import Drawing, Interval, draws, percentiles, wider, wilson
from faceedge.types import Band, Match, Shot

DRAWING = Drawing(seed=1, rounds=1000)
NOBODY = Match(None, -1.0, float("inf"))


@dataclass(frozen=True)
class Attempt:
    """One probe. person: who it shows; is_enrolled: whether they are in the gallery. match: the nearest of the gallery,
    nobody where there is no face. band: what the shot is worth at a door."""

    image: str
    person: str
    is_enrolled: bool
    match: Match
    quality: float
    band: Band

    @property
    def is_right(self) -> bool:
        return self.match.person == self.person


@dataclass(frozen=True)
class Rate:
    """hits of count, and the wider of Wilson's interval and one that draws people (95 %)."""

    hits: int
    count: int
    interval: Interval

    @property
    def share(self) -> float:
        return self.hits / self.count

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.share:.2%} ({self.hits}/{self.count}; {low:.2%}–{high:.2%})"


def attempts(vision: Vision, name: str) -> tuple[list[Attempt], dict[str, int]]:
    """Every probe of a list, and what became of the photos to enrol from."""
    rows = listed(name)
    seen = {image: largest(vision, DEV / image) for image, _, _ in rows}
    limits = _limits(vision)
    identifier, enrolment = _enrolled([(seen[image], who) for image, who, role in rows if role == "gallery"], vision)
    probes = [
        _attempt(image, who, role == "probe", seen[image], identifier, limits)
        for image, who, role in rows
        if role != "gallery"
    ]
    return probes, enrolment


def rate(probes: Sequence[Attempt], is_hit: Callable[[Attempt], bool]) -> Rate:
    """Photos of one person are not independent, so people are drawn, not photos."""
    people = sorted({one.person for one in probes})
    hits, counts = np.zeros(len(people)), np.zeros(len(people))
    for one in probes:
        at = people.index(one.person)
        counts[at] += 1
        hits[at] += is_hit(one)
    drawn = draws(len(people), DRAWING)
    around = percentiles((drawn @ hits) / (drawn @ counts), DRAWING.confidence)
    total = int(hits.sum())
    return Rate(total, len(probes), wider(wilson(total, len(probes)), around))


def figures(probes: Sequence[Attempt], limits: Limits) -> dict[str, Rate]:
    """Everything that is stated of one list."""
    mates = [one for one in probes if one.is_enrolled]
    strangers = [one for one in probes if not one.is_enrolled]
    found: dict[str, Rate] = {}
    for level in ("grey", "match", "strict"):
        least = getattr(limits, level)
        found[f"FPIR at {level}"] = rate(strangers, partial(_is_near, least=least))
        found[f"FNIR at {level}"] = rate(mates, partial(_is_missed, least=least, usable=limits.usable))
    found["rank-1 errors"] = rate(mates, lambda one: not one.is_right)
    found["enrolled: granted"] = rate(mates, lambda one: _grants(one) and one.is_right)
    found["enrolled: granted as another"] = rate(mates, lambda one: _grants(one) and not one.is_right)
    found["enrolled: review"] = rate(mates, lambda one: one.band == "grey")
    found["strangers: granted"] = rate(strangers, _grants)
    found["strangers: review"] = rate(strangers, lambda one: one.band == "grey")
    return found


def _limits(vision: Vision) -> Limits:
    """Of a door without numbers of its own; faces of photos may be of any size."""
    return limits_of(Decide(min_face_px=20), vision.door_thresholds, judging=vision.judging)


def _enrolled(shown: Sequence[tuple[Portrait | None, str]], vision: Vision) -> tuple[Identifier, dict[str, int]]:
    usable = _limits(vision).usable
    good = [(one, who) for one, who in shown if one is not None and one.assessment.quality >= usable]
    index = Index(
        [who for _, who in good],
        np.stack([one.template.embedding for one, _ in good]),
        np.array([one.template.norm for one, _ in good], np.float32),
        vision.metric,
        vision.space,
    )
    told = {
        "photos": len(shown), "without a face": sum(one is None for one, _ in shown),
        "too poor": sum(one is not None for one, _ in shown) - len(good), "people": len(index.persons),
        "people not enrolled": len({who for _, who in shown}) - len(index.persons),
    }  # fmt: skip
    return Identifier(index), told


def _attempt(
    image: str, person: str, is_enrolled: bool, seen: Portrait | None, identifier: Identifier, limits: Limits
) -> Attempt:
    if seen is None:
        return Attempt(image, person, is_enrolled, NOBODY, 0.0, "none")
    match = identifier.identify(seen.template)
    shot = Shot("photo", 1, 0, 0.0, seen.face, seen.crop, seen.assessment)
    band = limits.band(shot, match) if limits.is_usable(shot) else "none"
    return Attempt(image, person, is_enrolled, match, seen.assessment.quality, band)


def _is_near(one: Attempt, least: float) -> bool:
    return one.match.similarity >= least


def _is_missed(one: Attempt, least: float, usable: float) -> bool:
    return not (one.is_right and one.match.similarity >= least and one.quality >= usable)


def _grants(one: Attempt) -> bool:
    return one.band in ("trusted", "low_quality")


def table(found: dict[str, dict[str, dict[str, Rate]]]) -> Table:
    """A row a figure, a column a pair and list."""
    heads = [(pair, name) for pair, lists in found.items() for name in lists]
    view = Table(title=f"open set, {machine()}")
    view.add_column("figure")
    for pair, name in heads:
        view.add_column(f"{pair}\n{name}", justify="right")
    pair, name = heads[0]
    for figure in found[pair][name]:
        view.add_row(figure, *(str(found[pair][name][figure]) for pair, name in heads))
    return view


def main() -> None:
    """Measures, prints, writes."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.openset", description=__doc__.splitlines()[0])
    parser.add_argument("pair", nargs="*", help=f"any of {', '.join(PAIRS)} (default: default edgeface)")
    add_fitting(parser)
    parser.add_argument("--out", type=Path, default=Path("openset.json"))
    args = parser.parse_args()
    found: dict[str, dict[str, dict[str, Rate]]] = {}
    document = []
    for pair in args.pair or ("default", "edgeface"):
        found[pair] = {}
        with tempfile.TemporaryDirectory() as state, opened(pair, Path(state), Fitting(args.fit, args.fitted)) as site:
            limits = _limits(site.vision)
            for name in LISTS:
                probes, enrolment = attempts(site.vision, name)
                found[pair][name] = figures(probes, limits)
                document.append(_entry(pair, name, limits, enrolment, found[pair][name], probes))
    Console(width=60 + 48 * len(document)).print(table(found))
    for entry in document:
        print(entry["pair"], entry["list"], "enrolment:", entry["enrolment"], "limits:", entry["limits"])
        print("  granted to a stranger or as another:", entry["wrong"])
    args.out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def _entry(
    pair: str, name: str, limits: Limits, enrolment: dict[str, int], found: dict[str, Rate], probes: Sequence[Attempt]
) -> dict[str, object]:
    wrong = [one for one in probes if _grants(one) and not (one.is_enrolled and one.is_right)]
    return {
        "pair": pair, "list": name, "machine": machine(), "limits": limits.as_json(), "enrolment": enrolment,
        "rates": {figure: {**asdict(one), "share": one.share} for figure, one in found.items()},
        "wrong": [[one.image, one.match.person, round(one.match.similarity, 3)] for one in wrong],
    }  # fmt: skip


if __name__ == "__main__":
    main()
