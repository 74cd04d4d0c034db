"""What a run has found: a plain table, and a picture of memory over time."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.soak.house import Sample
from tests.soak.verdict import HOUR_S, MEGA, Line, Slope

PARTS = ("daemon", "cameras", "controller")


def memory_table(samples: Sequence[Sample], slopes: Mapping[str, Slope]) -> list[str]:
    """Of the samples after the warm-up; a line for each part."""
    lines = ["part          RSS MB: first   last   PSS MB    MB/h    95 %                threads fds memfds children"]
    for part in PARTS:
        first, last, found = samples[0][part], samples[-1][part], slopes[part]
        counts = "  ".join(f"{last[name]:5d}" for name in ("threads", "descriptors", "memfds", "children"))
        lines.append(
            f"{part:<12}  {first['rss'] / MEGA:13.1f} {last['rss'] / MEGA:6.1f} {last['pss'] / MEGA:8.1f}"
            f" {found.middle:7.2f}  {found.low:7.2f} .. {found.high:7.2f} {counts}"
        )
    return lines


def work_table(samples: Sequence[Sample]) -> list[str]:
    """What was done meanwhile, and what is on disk for it."""
    first, last = samples[0], samples[-1]
    seconds, decided = last["at"] - first["at"], last["decisions"] - first["decisions"]
    lines = [
        f"{seconds / 60:.1f} min, {len(samples)} samples: {decided:.0f} decisions, {last['opened']} opened,"
        f" {(last['frames'] - first['frames']) / seconds:.1f} pictures a second,"
        f" {(last['dropped'] - first['dropped']) / seconds:.1f} left out"
    ]
    for name, size in last["disk"].items():
        grown = size - first["disk"].get(name, 0)
        lines.append(f"{name:<16} {size / 1000:8.0f} kB, {grown / max(1.0, decided):6.0f} bytes a decision")
    waiting = {name: max(one["queues"].get(name, 0) for one in samples) for name in last["queues"]}
    return [*lines, "most that waited: " + ", ".join(f"{name} {count:.0f}" for name, count in waiting.items())]


def lines_table(lines: Sequence[Line]) -> list[str]:
    """Where memory was allocated that grew most, and still is there."""
    shown = ["grown kB    kB at the end     MB/h  line"]
    return shown + [
        f"{line.grown / 1000:8.1f}  {line.bytes / 1000:12.1f}  {line.slope.middle:9.2f}  {_short(line.name)}"
        for line in lines
    ]


def progress(sample: Sample, began: float) -> str:
    """One line."""
    sizes = ", ".join(f"{part} {sample[part]['rss'] / MEGA:.1f}" for part in PARTS)
    daemon = sample["daemon"]
    return (
        f"{(sample['at'] - began) / 60:5.1f} min: RSS MB {sizes}; threads {daemon['threads']},"
        f" descriptors {daemon['descriptors']}, decisions {sample['decisions']:.0f}, opened {sample['opened']}"
    )


def plot(samples: Sequence[Sample], warm_at: float, slopes: Mapping[str, Slope], path: Path) -> None:
    """Draws RSS of each part, in MB over minutes, with the slope after the warm-up."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 8), layout="constrained")
    for place, part in zip(figure.subplots(len(PARTS), 1, sharex=True), PARTS, strict=True):
        minutes = [(one["at"] - samples[0]["at"]) / 60 for one in samples]
        place.plot(minutes, [one[part]["rss"] / MEGA for one in samples], linewidth=1)
        place.plot(*_straight(samples, warm_at, part, slopes[part]), "k--", linewidth=1)
        place.set_title(f"{part}: {slopes[part].middle:.2f} MB/h, at most {slopes[part].high:.2f}", loc="left")
        place.set_ylabel("RSS, MB")
        place.ticklabel_format(useOffset=False)
    place.set_xlabel("minutes")
    figure.savefig(path, dpi=120)


def _straight(samples: Sequence[Sample], warm_at: float, part: str, found: Slope) -> tuple[list[float], list[float]]:
    """Minutes and MB of its two ends, through the median."""
    after = [one for one in samples if one["at"] >= warm_at]
    middle = statistics.median(one[part]["rss"] for one in after) / MEGA
    half = found.middle * (after[-1]["at"] - after[0]["at"]) / HOUR_S / 2
    return [(one["at"] - samples[0]["at"]) / 60 for one in (after[0], after[-1])], [middle - half, middle + half]


def _short(name: str) -> str:
    """The last three parts of a path."""
    return "/".join(name.split("/")[-3:])
