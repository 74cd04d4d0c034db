"""What a fitted quality is worth on people who did not fit it: figures, the sentence, and the page with the curve."""

from __future__ import annotations

import datetime
from html import escape
from typing import Any, Literal

import numpy as np

from faceedge.decide import TRUSTED_QUALITY, USABLE_QUALITY
from faceedge.errors import MissingExtra
from faceedge.fit import RecogniserQuality
from faceedge.jobs.calibration.quality_figures import DISCARDS, Flags, Numbers, area, auc, discards, thinned
from faceedge.jobs.calibration.quality_fit import Rows, settled
from faceedge.manifest import Part
from faceedge.quantize.html_page import banner, document, figure, table
from faceedge.quantize.plots import svg_of

WORTH = 0.95
"""The errors left must be at most so many times those that plain features leave; else the head is not worth it."""
LEAST_FAILURES = 50
"""Of copies that fail; those of one photo fail together, so fewer are a handful of photos and prove nothing."""
MOST_REFUSED = 0.02
"""Clean pictures that may be called unusable."""


class Judged(Part):
    """Figures on the people held out. auc: for `its best genuine comparison is no match`. area: mean share of failures
    left while the worst 0 to 95 % are put away; both by detector score, by plain features, by what was fitted. refused,
    trusted: shares of the clean pictures, of those large enough below 0.4, of all from 0.6. no_faces: things that are
    no face; named: those below 0.3."""

    photos: int
    looks: int
    people: int
    mates: int
    fails: float
    auc: dict[str, float]
    area: dict[str, float]
    curve: dict[str, tuple[float, ...]]
    refused: float
    trusted: float
    no_faces: int
    named: int
    faults: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        return not self.faults


class Report(Part):
    """quality.json: what `faceedge calibrate quality` found, beside the package."""

    package: str
    detector: str
    made: datetime.date
    seed: int
    verdict: Literal["passed", "failed"]
    sentence: str
    bytes: int
    judged: Judged
    knots: tuple[tuple[float, float], ...]


def judge(rows: Rows, fitted: RecogniserQuality) -> Judged:
    """On the looks of the people held out."""
    final, _ = settled(rows, fitted)
    faces, others = rows.held & rows.is_face, rows.held & ~rows.is_face
    kinds: dict[str, Numbers] = {
        "detector": np.array([look.face.score for look in rows.looks]),
        "plain": np.array([look.plain for look in rows.looks]), "fitted": final,
    }  # fmt: skip
    fails, clean = rows.fails[faces], faces & rows.clean
    areas = {name: round(area(fails, values[faces]), 5) for name, values in kinds.items()}
    aucs = {name: round(auc(fails, values[faces]), 4) for name, values in kinds.items()}
    asked = clean & np.array([look.before.quality >= USABLE_QUALITY for look in rows.looks])
    refused = float((final[asked] < USABLE_QUALITY).mean()) if asked.any() else 1.0
    held = [look for look, is_held in zip(rows.looks, rows.held, strict=True) if is_held]
    return Judged(
        photos=len({look.photo for look in held}), looks=int(faces.sum()), mates=rows.mates,
        people=len({look.person or f"\0{look.photo}" for look in held}), fails=round(float(fails.mean()), 5),
        auc=aucs, area=areas,
        curve={name: tuple(thinned(discards(fails, values[faces]))) for name, values in kinds.items()},
        refused=round(refused, 5), trusted=round(float((final[clean] >= TRUSTED_QUALITY).mean()), 5),
        no_faces=int(others.sum()), named=int((final[others] < 0.3).sum()), faults=_faults(fails, areas, refused),
    )  # fmt: skip


def _faults(fails: Flags, areas: dict[str, float], refused: float) -> tuple[str, ...]:
    """Why it must not serve."""
    found = []
    if fails.sum() < LEAST_FAILURES:
        return (f"only {int(fails.sum())} comparisons of the people held out failed, which proves nothing",)
    if areas["fitted"] > WORTH * min(areas["plain"], areas["detector"]):
        found.append("it foretells failures hardly better than plain features and the detector do")
    if refused > MOST_REFUSED:
        found.append(f"it would refuse {refused:.1%} of the clean pictures")
    return tuple(found)


def sentence(judged: Judged) -> str:
    """The figures as words; they become the evidence."""
    against = judged.area["fitted"] / max(judged.area["detector"], 1e-9)
    return (
        f"{judged.looks} pictures of {judged.photos} photos held out, {judged.fails:.1%} of which are no match: area "
        f"under the curve of errors against discards {against:.2f} of the detector score's, AUC "
        f"{judged.auc['fitted']:.3f}; {judged.refused:.1%} of the clean ones refused; 0.6 is 5 % failures more than "
        "clean pictures have, 0.4 is 25 %, or more where good photos would else be refused"
    )


def page(report: Report) -> str:
    """One page that loads nothing."""
    try:
        picture = svg_of("discards", lambda axis: _drawn(axis, report.judged))
    except MissingExtra as error:
        picture = f'<p class="note">{escape(str(error))}</p>'
    outcome = report.verdict
    rows = [
        (words, f"{report.judged.auc[name]:.3f}", f"{report.judged.area[name]:.3%}") for name, words in _SPOKEN.items()
    ]
    facts = "".join(f"<li>{escape(one)}</li>" for one in _facts(report))
    title = f"Quality of {report.package}"
    caption = "The worst pictures are put away, from left to right; what fails among the rest is left. Lower is better."
    parts = [
        f'<header><h1>{escape(title)}</h1><p class="muted">{report.made.isoformat()}</p></header>',
        banner(outcome, outcome.capitalize(), (report.sentence,)),
        figure("Errors against discards", picture, caption),
        table("Figures", ("Quality by", "AUC", "Errors left, mean"), rows),
        f"<section><h2>In words</h2><ul>{facts}</ul></section>",
    ]
    return document(title, parts)


_SPOKEN = {"detector": "detector score", "plain": "plain features", "fitted": "what was fitted"}


def _facts(report: Report) -> list[str]:
    judged = report.judged
    return [
        f"behind the detector of build {report.detector}; seed {report.seed}; {report.bytes} bytes of weights",
        f"{judged.photos} photos of {judged.people} people were held out; {judged.mates} pairs of photos of one person",
        f"{judged.trusted:.1%} of the clean pictures are trusted",
        f"{judged.named} of {judged.no_faces} things that are no face get less than 0.3", *judged.faults,
    ]  # fmt: skip


def _drawn(axis: Any, judged: Judged) -> None:
    from faceedge.quantize.drawings import AFTER, BEFORE, MUTED

    shown = 100 * thinned_discards()
    styles = {"detector": (MUTED, ":"), "plain": (BEFORE, (0, (5, 2))), "fitted": (AFTER, "-")}
    for name, (colour, line) in styles.items():
        values = 100 * np.array(judged.curve[name])
        axis.plot(shown, values, color=colour, linestyle=line, linewidth=2, label=_SPOKEN[name])
    axis.set(xlabel="worst pictures put away, %", ylabel="failures among the rest, %", ylim=(0, None))
    axis.legend(frameon=False, loc="upper right")


def thinned_discards() -> Numbers:
    """The x of the curves in a report."""
    return np.array(thinned(DISCARDS))
