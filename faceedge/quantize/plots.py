"""The plots of a calibration report as SVG for its page: drawn by matplotlib, coloured by the page's own style sheet.

In: a report. Out: SVG by the plot's name; only plots that the report has figures for.
"""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Callable
from functools import partial
from typing import Any

from faceedge.errors import MissingExtra
from faceedge.quantize import drawings
from faceedge.quantize.drawings import AFTER, BAD, BEFORE, GOOD, GROUND, INK, LINE, MUTED
from faceedge.quantize.report import Report

WIDTH_IN, HEIGHT_IN = 7.2, 3.4
_VARIABLES = {
    INK: "ink", MUTED: "muted", LINE: "line", GROUND: "ground",
    BEFORE: "before", AFTER: "after", GOOD: "good", BAD: "bad",
}  # fmt: skip
"""Colours that stand in while drawing; each becomes a variable of the page, so that light and dark share a drawing."""
_STYLE: dict[str, Any] = {
    "svg.fonttype": "none", "svg.hashsalt": "faceedge", "font.family": "sans-serif", "font.size": 11,
    "text.color": INK, "text.parse_math": False, "axes.labelcolor": MUTED, "axes.edgecolor": LINE,
    "axes.labelsize": 10.5, "axes.facecolor": "none", "figure.facecolor": "none",
    "xtick.color": MUTED, "ytick.color": MUTED, "xtick.labelsize": 10, "ytick.labelsize": 10,
    "xtick.minor.size": 0, "ytick.minor.size": 0, "xtick.major.size": 3, "ytick.major.size": 0,
    "grid.color": LINE, "grid.linewidth": 0.7, "axes.grid": True, "axes.axisbelow": True,
    "axes.spines.top": False, "axes.spines.right": False, "axes.spines.left": False,
}  # fmt: skip
_PLOTS: dict[str, tuple[Callable[[Report], bool], Callable[[Any, Report], None]]] = {
    "scores": (lambda report: report.scores is not None, drawings.scores),
    "errors": (lambda report: report.errors is not None, drawings.errors),
    "cosines": (lambda report: report.cosines is not None, drawings.cosines),
    "landmarks": (lambda report: report.landmarks is not None, drawings.landmarks),
    "sensitivity": (lambda report: len(report.sensitivity) > 1, drawings.sensitivity),
    "latency": (lambda report: bool(report.candidates), drawings.latency),
}


def drawn(report: Report) -> dict[str, str]:
    """SVG text by the name of the plot. Raises MissingExtra without matplotlib."""
    plots = {}
    for name, (has_figures, draw) in _PLOTS.items():
        if has_figures(report):
            height = 0.9 + 0.5 * len(report.candidates) if name == "latency" else HEIGHT_IN
            plots[name] = svg_of(name, partial(_of, draw, report), height)
    return plots


def _of(draw: Callable[[Any, Report], None], report: Report, axis: Any) -> None:
    draw(axis, report)


def svg_of(name: str, draw: Callable[[Any], None], height_in: float = HEIGHT_IN) -> str:
    """What `draw` draws on an axis, in the page's own colours. Raises MissingExtra without matplotlib."""
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtra('the plots need matplotlib; run: pip install "faceedge[demo]"') from error
    logging.getLogger("matplotlib").setLevel(logging.WARNING)  # it tells of its font cache
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(WIDTH_IN, height_in), layout="constrained")
        draw(figure.subplots())
        return _inline(figure, name)


def _inline(figure: Any, name: str) -> str:
    """The bare svg element, its ids unlike those of other plots, its stand-in colours made variables."""
    content = io.StringIO()
    silent = {"Date": None, "Creator": None, "Format": None, "Type": None}
    figure.savefig(content, format="svg", transparent=True, metadata=silent)
    text = content.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r'(id="|url\(#|href="#)', rf"\g<1>{name}-", text)
    text = re.sub(r'<svg [^>]*viewBox="([^"]*)"[^>]*>', r'<svg viewBox="\1" aria-hidden="true">', text, count=1)
    for stand_in, variable in _VARIABLES.items():
        text = text.replace(stand_in, f"var(--{variable})")
    return text
