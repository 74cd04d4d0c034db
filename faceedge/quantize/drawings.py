"""What each plot of a calibration report shows, drawn on matplotlib axes. Colours are stand-ins that `plots` replaces.

Blue is FP32, orange INT8; lines differ in style too, and words stand beside what they name.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from faceedge.quantize.report import Candidate, Report
from faceedge.quantize.summaries import Histogram

INK, MUTED, LINE, GROUND = "#010101", "#020202", "#030303", "#040404"
BEFORE, AFTER, GOOD, BAD = "#050505", "#060606", "#070707", "#080808"
_DASHED = (0, (5, 2))


def scores(axis: Any, report: Report) -> None:
    """Both kinds of pairs, each as shares of its own number: few genuine pairs stand as high as many others."""
    seen = report.scores
    assert seen is not None
    kinds = {
        "different people": (seen.impostor_source, seen.impostor_build),
        "same person": (seen.genuine_source, seen.genuine_build),
    }
    top = max(float(np.max(_shares(one))) for both in kinds.values() for one in both)
    for label, (source, build) in kinds.items():
        before, after, edges = _shares(source), _shares(build), _edges(source)
        axis.stairs(before, edges, fill=True, color=BEFORE, alpha=0.35, linewidth=0)
        axis.stairs(after, edges, color=AFTER, linewidth=1.6)
        peak = int(np.argmax(np.maximum(before, after)))
        place = ((edges[peak] + edges[peak + 1]) / 2, max(before[peak], after[peak]))
        axis.annotate(label, place, (0, 6), textcoords="offset points", ha="center")
    axis.set(ylim=(0, 1.3 * top), yticks=[], xlabel="similarity")
    axis.grid(False)
    _match(axis, report)
    _key(axis)


def _match(axis: Any, report: Report) -> None:
    level = next((level for level in report.levels if level.name == "match"), None)
    if level is None:
        return
    axis.axvline(level.source, color=BEFORE, linewidth=1.4)
    axis.axvline(level.build, color=AFTER, linewidth=1.4, linestyle=_DASHED)
    words = f"match {level.source:.3f}, INT8 {level.build:.3f}"
    _note(axis, words, (min(level.source, level.build), 0.99), (-6, 0), ha="right", va="top")


def errors(axis: Any, report: Report) -> None:
    """The error trade-off on two logarithmic axes; what no genuine pair shows lies in the band at the bottom."""
    curve = report.errors
    assert curve is not None
    lowest = curve.floor / 2
    axis.plot(curve.fmr, np.maximum(curve.source, lowest), color=BEFORE, linewidth=2.2, label="FP32")
    axis.plot(curve.fmr, np.maximum(curve.build, lowest), color=AFTER, linewidth=2.2, linestyle=_DASHED, label="INT8")
    highest = max(*curve.source, *curve.build, 2 * curve.floor)
    axis.set(xscale="log", yscale="log", ylim=(lowest / 1.3, 2 * highest))
    axis.set_xlabel("share of different people taken for one")
    axis.set_ylabel("share of genuine pairs missed")
    for side in (axis.xaxis, axis.yaxis):
        side.set_major_formatter(_percent)
    if min(*curve.source, *curve.build) < curve.floor:
        axis.axhspan(lowest / 1.3, curve.floor, color=LINE, alpha=0.5, linewidth=0)
        axis.annotate("none missed", (curve.fmr[0], lowest / 1.15), fontsize=9, color=MUTED)
    axis.legend(frameon=False, loc="upper right")


def cosines(axis: Any, report: Report) -> None:
    """How near each crop's INT8 output is to its FP32 output."""
    assert report.cosines is not None
    _bars(axis, report.cosines)
    found = {finding.name: finding for finding in report.verdict.findings}
    for name, label in (("cosine_mean", "mean"), ("cosine_p1", "worst 1 %")):
        value = found[name].value if name in found else None
        if value is not None:
            colour = GOOD if found[name].passed else BAD
            axis.axvline(value, color=colour, linewidth=1.8)
            _note(axis, f"{label} {value:.4f}", (value, 0.99), (-6, 0), ha="right", va="top")
    axis.set(xlabel="cosine between the FP32 and the INT8 output of a crop", ylabel="crops")


def landmarks(axis: Any, report: Report) -> None:
    """How far the landmarks of each face moved."""
    assert report.landmarks is not None
    _bars(axis, report.landmarks)
    limit = report.gates.landmark_error
    if limit <= report.landmarks.high:
        axis.axvline(limit, color=GOOD, linewidth=1.4, linestyle=_DASHED)
        _note(axis, f"gate for the mean {limit:g}", (limit, 0.99), (6, 0), va="top")
    axis.set(xlabel="landmark error, in eye distances", ylabel="faces")


def sensitivity(axis: Any, report: Report) -> None:
    """What every node that returns to float buys."""
    points = sorted(report.sensitivity, key=lambda point: point.kept_float)
    shares, values = [100 * point.kept_float for point in points], [point.score for point in points]
    limit, what = {
        "recognizer": (report.gates.cosine_mean, "mean cosine to FP32"),
        "detector": (report.gates.detector_f1, "F1 against FP32"),
    }[report.role]
    axis.axhline(limit, color=GOOD, linewidth=1.4, linestyle=_DASHED)
    axis.plot(shares, values, "o-", color=AFTER, linewidth=2, markersize=5, markerfacecolor=GROUND, markeredgewidth=1.6)
    at = min(range(len(points)), key=lambda place: abs(points[place].kept_float - report.kept_float))
    axis.plot(shares[at], values[at], "o", color=AFTER, markersize=9)
    words = f"chosen: {shares[at]:.3g} % in float, {values[at]:.4f}"
    axis.annotate(words, (shares[at], values[at]), (8, -14), textcoords="offset points", va="top")
    place = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points"}
    axis.annotate(f"gate {limit:g}", (1, limit), (0, -4), ha="right", va="top", color=MUTED, **place)
    axis.set(xlabel="share of the multiply-adds left in float, %", ylabel=what)
    axis.margins(x=0.05, y=0.15)


def latency(axis: Any, report: Report) -> None:
    """Every candidate that was timed."""
    slowest = max(_end(one) for one in report.candidates)
    for place, one in enumerate(report.candidates):
        colour = AFTER if one.chosen else LINE if one.passed is False else BEFORE
        axis.barh(place, one.ms, height=0.56, color=colour, alpha=1 if one.chosen else 0.75)
        axis.plot(one.quartiles, (place, place), color=INK, linewidth=1.6, solid_capstyle="butt")
        words = f"{one.ms:.3g} ms" + (", chosen" if one.chosen else "")
        words += ", gates failed" if one.passed is False else ""
        axis.annotate(words, (_end(one), place), (7, 0), textcoords="offset points", va="center")
    axis.set_yticks(range(len(report.candidates)), [one.name for one in report.candidates])
    axis.tick_params(axis="y", labelsize=11, labelcolor=INK)
    axis.set(xlim=(0, 1.4 * slowest), xlabel="ms a run: median, and the middle half as a line")
    axis.invert_yaxis()
    axis.grid(False, axis="y")


def _end(one: Candidate) -> float:
    return max(one.ms, one.quartiles[1])


def _note(axis: Any, words: str, place: tuple[float, float], shift: tuple[int, int], **how: str) -> None:
    """Words at a value of x and a share of the axes' height."""
    where = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points"}
    axis.annotate(words, place, shift, color=MUTED, fontsize=10, **where, **how)


def _bars(axis: Any, seen: Histogram) -> None:
    axis.stairs(seen.counts, _edges(seen), fill=True, color=AFTER, alpha=0.55, linewidth=0)
    axis.set_ylim(0, 1.35 * max(*seen.counts, 1))
    axis.grid(False, axis="x")


def _edges(seen: Histogram) -> Any:
    return np.linspace(seen.low, seen.high, len(seen.counts) + 1)


def _shares(seen: Histogram) -> Any:
    return np.array(seen.counts) / max(sum(seen.counts), 1)


def _key(axis: Any) -> None:
    from matplotlib.patches import Patch

    before = Patch(facecolor=BEFORE, alpha=0.5, linewidth=0, label="FP32")
    after = Patch(facecolor="none", edgecolor=AFTER, linewidth=1.6, label="INT8")
    axis.legend(handles=[before, after], frameon=False, loc="upper left")


def _percent(value: float, _place: int) -> str:
    return f"{100 * value:.3g} %"
