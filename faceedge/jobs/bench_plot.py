"""What was measured as a picture: latency by stage, rates by batch. Run by `faceedge bench --plot`."""

from __future__ import annotations

import io
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faceedge.errors import BadInput, MissingExtra
from faceedge.files import write_whole

if TYPE_CHECKING:
    from faceedge.jobs.bench import Result

BLUE, PALE, ORANGE, INK = "#2f6690", "#9db9cd", "#d1741f", "#333333"
WIDTH_IN, HEIGHT_IN, DPI = 11.0, 5.2, 130


def check_drawable() -> None:
    """Raises MissingExtra without matplotlib: before the measuring, not after it."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise MissingExtra('the plot needs matplotlib; run: pip install "faceedge[demo]"') from error


def plot(result: Result, title: str, path: Path) -> None:
    """Writes a PNG, whole or not at all. Raises BadInput when it cannot be written."""
    from matplotlib.figure import Figure

    logging.getLogger("matplotlib").setLevel(logging.WARNING)  # it tells of its font cache
    figure = Figure(figsize=(WIDTH_IN, HEIGHT_IN), layout="constrained")
    figure.suptitle(title, fontsize=10, color=INK, x=0.01, ha="left")
    roles = [role for role in ("detector", "recognizer") if any(speed.role == role for speed in result.speeds)]
    axes = figure.subplots(1, 1 + len(roles), width_ratios=[1.9, *[1] * len(roles)], squeeze=False)[0]
    _latency(axes[0], result)
    for axis, role in zip(axes[1:], roles, strict=True):
        _throughput(axis, result, role)
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=DPI)
    try:
        write_whole(path, content.getvalue())
    except OSError as error:
        raise BadInput(f"{path}: cannot be written ({error.strerror}); name another file") from error


def _latency(axis: Any, result: Result) -> None:
    """Median as a bar, the 95th percentile as its whisker."""
    medians = [stage.ms.median for stage in result.stages]
    over = [max(0.0, stage.ms.p95 - stage.ms.median) for stage in result.stages]
    colours = [ORANGE if stage.name.startswith("total") else BLUE for stage in result.stages]
    places = range(len(medians))
    axis.barh(places, medians, xerr=[[0.0] * len(medians), over], color=colours, ecolor=INK, capsize=3)
    for place, stage, more in zip(places, result.stages, over, strict=True):
        axis.annotate(
            f"{stage.ms.median:.3g}, p95 {stage.ms.p95:.3g}", (stage.ms.median + more, place), (5, 0), va="center",
            textcoords="offset points", fontsize=9, color=INK,
        )  # fmt: skip
    axis.set_yticks(places, [f"{stage.name}\n(a {stage.per})" for stage in result.stages], fontsize=9)
    axis.invert_yaxis()
    axis.margins(x=0.32)
    axis.set_xlabel("ms: median as the bar, 95th percentile as its whisker")
    axis.set_title("Latency", fontsize=11, loc="left")
    _plain(axis)


def _throughput(axis: Any, result: Result, role: str) -> None:
    """Median as a bar, quartiles as its whisker."""
    speeds = [speed for speed in result.speeds if speed.role == role]
    medians = [speed.per_s.median for speed in speeds]
    below = [speed.per_s.median - speed.per_s.q1 for speed in speeds]
    above = [speed.per_s.q3 - speed.per_s.median for speed in speeds]
    axis.bar(range(len(speeds)), medians, yerr=[below, above], color=PALE, ecolor=INK, capsize=3)
    for place, speed in enumerate(speeds):
        axis.annotate(
            f"{speed.per_s.median:.3g}", (place, speed.per_s.q3), (0, 4), textcoords="offset points", ha="center",
            fontsize=9, color=INK,
        )  # fmt: skip
    axis.set_xticks(range(len(speeds)), [str(speed.batch) for speed in speeds])
    axis.margins(y=0.12)
    axis.set_xlabel("batch; whiskers are quartiles")
    axis.set_ylabel({"detector": "frames a second", "recognizer": "faces a second"}[role])
    axis.set_title({"detector": "Detector", "recognizer": "Recogniser"}[role], fontsize=11, loc="left")
    _plain(axis)


def _plain(axis: Any) -> None:
    axis.spines[["top", "right"]].set_visible(False)
    axis.tick_params(colors=INK)
