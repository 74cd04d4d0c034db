"""A calibration report as one page that loads nothing: the verdict in plain words, plots, tables, where it came from.

In: a report and its plots. Out: HTML. Every text is escaped; a strict policy in the page itself forbids all else.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from html import escape

from faceedge.quantize.gates import Finding
from faceedge.quantize.html_page import banner, document, figure, table
from faceedge.quantize.report import Report, WorstPair

_TITLES = {
    "crops": "Face crops compared", "cosine_mean": "Mean cosine", "cosine_p1": "Cosine, 1st percentile",
    "cosine_min": "Lowest cosine", "accuracy_drop": "Drop in accuracy", "genuine_shift": "Shift of genuine scores",
    "impostor_shift": "Shift of impostor scores", "faces": "Faces compared", "detector_f1": "F1 against FP32",
    "recall": "Recall", "precision": "Precision", "landmark_error": "Landmark error", "box_overlap": "Box overlap",
    "landmark_p95": "Landmark error, 95th percentile",
}  # fmt: skip
_CAPTIONS = {
    "scores": ("Scores before and after", "Where the two humps overlap, people are mixed up or missed."),
    "errors": ("Error trade-off", "Lower is better. Drawn only as far down as 30 expected false matches carry it."),
    "cosines": ("Agreement with FP32", "1 is the same answer. The gates look at the mean and at the worst hundredth."),
    "landmarks": ("Landmarks", "How far the five points moved from those that FP32 finds, by face."),
    "sensitivity": ("Sensitivity", "The worst nodes return to float one after the other, until the gates hold."),
    "latency": ("Speed on this machine", "The fastest candidate whose gates hold is chosen."),
}  # fmt: skip


def page(report: Report, plots: Mapping[str, str], worst: Sequence[WorstPair] = (), missing: str = "") -> str:
    """The whole document. missing: why there are no plots, in words."""
    parts = [
        _banner(report),
        _gates(report.verdict.findings),
        *(_figure(name, svg) for name, svg in plots.items()),
        f'<p class="note">{escape(missing)}</p>' if missing else "",
        _thresholds(report),
        _candidates(report),
        _images(report),
        _worst(worst),
        _origin(report),
    ]
    return document(f"Calibration of {report.package}", parts)


def _banner(report: Report) -> str:
    outcome = report.verdict.outcome
    verdict = banner(
        outcome, outcome.capitalize(),
        (report.verdict.sentence, report.why[:1].upper() + report.why[1:]),
    )  # fmt: skip
    return (
        f"<header>\n<h1>Calibration of {escape(report.package)}</h1>\n"
        f'<p class="muted">INT8, {report.role.replace("z", "s")}, {report.made.isoformat()}</p>\n</header>\n{verdict}'
    )


def _figure(name: str, svg: str) -> str:
    title, caption = _CAPTIONS[name]
    return figure(title, svg, caption)


def _gates(findings: Iterable[Finding]) -> str:
    rows = [(_title(one), _value(one.name, one.value), _limit(one), _said(one), escape(one.words)) for one in findings]
    return table("Gates", ("Figure", "Value", "Limit", "", "In words"), rows)


def _limit(one: Finding) -> str:
    return f"{one.bound} {_value(one.name, one.limit)}" if one.bound else ""


def _title(one: Finding) -> str:
    if one.name.startswith("tar_at_far_"):
        return f"True matches at {100 * float(one.name.removeprefix('tar_at_far_')):g} % false ones"
    return _TITLES.get(one.name, escape(one.name))


def _value(name: str, value: float | None) -> str:
    if value is None:
        return "not stated"
    if name == "accuracy_drop":
        return f"{100 * value:.2f} points"
    if name.startswith("tar_at_far_") or name in ("recall", "precision"):
        return f"{value:.2%}"
    return f"{value:,.0f}" if name in ("crops", "faces") else f"{value:.4f}"


def _said(one: Finding) -> str:
    if one.bound is None:
        return ""
    kind, word = {True: ("good", "passed"), False: ("bad", "failed"), None: ("open", "not resolved")}[one.passed]
    return f'<span class="{kind}">{word}</span>'


def _thresholds(report: Report) -> str:
    rows = [
        (
            escape(level.name.replace("_", " ")), f"{level.source:.4f}", f"{level.build:.4f}",
            f"{level.false_source:,}", f"{level.false_build:,}", escape(level.words),
        )
        for level in report.levels
    ]  # fmt: skip
    head = ("Level", "FP32", "INT8", "False matches, FP32", "INT8", "In words")
    return table("Thresholds", head, rows)


def _candidates(report: Report) -> str:
    rows = [
        (
            escape(one.name) + (" <strong>chosen</strong>" if one.chosen else ""), f"{one.ms:.3g} ms",
            f"{one.quartiles[0]:.3g} to {one.quartiles[1]:.3g} ms", f"{one.kept_float:.1%}",
            f"{one.weight_bytes / 1e6:.2f} MB" if one.weight_bytes else "",
            {None: "float", True: "passed", False: "failed"}[one.passed],
        )
        for one in report.candidates
    ]  # fmt: skip
    return table("Candidates", ("Build", "Median", "Middle half", "In float", "Weights", "Gates"), rows)


def _images(report: Report) -> str:
    seen = report.images
    sentences = [seen.sentence, *(fault.words for fault in seen.faults), *seen.remarks]
    if seen.people is not None:
        sentences.append(f"about {seen.people} people, counted by the float recogniser")
    if report.dropped:
        sentences.append(f"{report.dropped} people were left out of the gates because the calibration set shows them")
    return (
        "<section>\n<h2>Calibration set</h2>\n<ul>"
        + "".join(f"<li>{escape(one)}</li>" for one in sentences)
        + "</ul>\n</section>"
    )


def _worst(pairs: Sequence[WorstPair]) -> str:
    if not pairs:
        return ""
    shown = "".join(_pair(pair) for pair in pairs)
    return f'<section>\n<h2>Pairs that moved most</h2>\n<div class="pairs">{shown}</div>\n</section>'


def _pair(pair: WorstPair) -> str:
    words = f"person {pair.people[0]} and person {pair.people[1]}: {pair.source:.3f} by FP32, {pair.build:.3f} by INT8"
    pictures = _picture(pair.one) + _picture(pair.other)
    return f'<figure class="pair"><div>{pictures}</div><figcaption>{words}</figcaption></figure>'


def _picture(png: bytes) -> str:
    return f'<img alt="face crop" src="data:image/png;base64,{base64.b64encode(png).decode()}">'


def _origin(report: Report) -> str:
    rows = [
        ("method", escape(report.method)), ("seed", str(report.seed)),
        ("left in float", f"{report.kept_float:.2%} of the multiply-adds"), ("machine", escape(report.machine)),
        ("float graph", f"<code>{report.source}</code>"), ("INT8 graph", f"<code>{report.graph}</code>"),
        ("calibration set", f"<code>{escape(report.images.digest)}</code>"),
    ]  # fmt: skip
    return table("Where it came from", (), [row for row in rows if row[1]])
