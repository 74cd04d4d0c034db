"""What each plot of an audit's page shows. Audit in, SVG text out; empty where the gallery has no figures for it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone

import numpy as np

from faceedge.jobs.audit import svg
from faceedge.jobs.audit.findings import LEVELS, Audit, Histogram, LevelName, Point
from faceedge.jobs.audit.svg import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH

MOST_PAIRS = 20
MOST_COUNTED = 10
MOST_STEPS = 60
DET_PX = 380.0
ROW_PX = 22.0
NAMES_PX = 250.0
DECADES = tuple(10.0**power for power in range(-9, 0))
RATES = (*DECADES[:-1], 0.01, 0.02, 0.05, 0.1, 0.2, 0.4)
DAY_S = 86_400
BESIDE: dict[LevelName, tuple[svg.Point, str]] = {
    "grey": ((9, -8), "start"), "match": ((-9, 16), "end"), "strict": ((9, -8), "start"),
}  # fmt: skip
"""Where the name of a threshold stands beside its ring, so that no two meet."""


def scores(audit: Audit) -> str:
    """Both kinds of comparisons, each as shares of its own number, on a logarithmic axis: the tails are what counts."""
    seen = audit.histogram
    if not seen.impostors.sum() and not seen.genuine.sum():
        return ""
    seen = _coarse(seen)
    edges = seen.edges.tolist()
    floor = 0.5 / max(int(seen.impostors.sum()), int(seen.genuine.sum()))
    x, y = svg.across(edges[0], max(edges[-1], audit.thresholds.strict + 0.02)), svg.upwards(floor, 1.0, math.log10)
    parts = [
        svg.beside(y, [decade for decade in (*DECADES, 1.0) if decade >= floor], svg.share, "share of its comparisons"),
        svg.below(x, svg.even(x.low, x.high), lambda at: f"{at:g}", "similarity", y.start),
    ]
    for kind, counts in (("impostor", seen.impostors), ("genuine", seen.genuine)):
        if counts.sum():
            heights = (counts / counts.sum()).tolist()
            parts.append(svg.path(svg.stairs(edges, heights, x, y), f"{kind} area", closed=True))
    parts += _levels(audit, x)
    return svg.drawing("shares of similarities of different people and of the same person", parts)


def _coarse(seen: Histogram) -> Histogram:
    """The part that has counts, in so few steps that single scores stand out no more than they must."""
    used = np.flatnonzero(seen.impostors + seen.genuine)
    low, size = int(used[0]), max(1, math.ceil((used[-1] + 1 - used[0]) / MOST_STEPS))
    steps = range(low, int(used[-1]) + 1, size)
    impostors, genuine = (
        np.array([counts[at : at + size].sum() for at in steps]) for counts in (seen.impostors, seen.genuine)
    )
    last = min(steps[-1] + size, len(seen.edges) - 1)
    return Histogram(seen.edges[[*steps, last]], impostors, genuine)


def _levels(audit: Audit, x: svg.Scale, bottom: float = HEIGHT - BOTTOM) -> Iterator[str]:
    """The thresholds as upright lines with their names, one below the other where they would touch."""
    for place, name in enumerate(LEVELS):
        at, top = x.at(getattr(audit.thresholds, name)), TOP + 12 * place
        demanded = " demanded" if name == audit.demanded else ""
        yield svg.line((at, TOP), (at, bottom), f"level{demanded}")
        yield svg.text((at + 4, top + 10), name, f"note{demanded}")


def trade_off(audit: Audit) -> str:
    """False matches against false non-matches on two axes of normal deviates (DET, ISO/IEC 19795-1)."""
    points = [point for point in audit.curve if point.fnmr is not None]
    if not points:
        return ""
    fmr = [rate for point in points for rate in (point.fmr, point.likely) if rate]
    if not fmr:
        return ""
    missed = [point.fnmr for point in points if point.fnmr]
    x = svg.across(*_around(fmr), svg.probit)
    y = svg.upwards(*_around(missed or [0.01]), svg.probit, DET_PX)
    parts = [
        svg.beside(y, _within(y), svg.share, "missed: the same person, apart"),
        svg.below(x, _within(x), svg.share, "false matches: two people, taken for one", y.start),
        svg.path([_place(x, y, point.fmr, point) for point in points if point.fmr], "curve"),
        svg.path([_place(x, y, point.likely, point) for point in points if point.likely], "bound"),
        *_marks(audit, x, y),
    ]
    return svg.drawing("false non-matches by false matches, over all thresholds", parts, DET_PX)


def _place(x: svg.Scale, y: svg.Scale, rate: float, point: Point) -> svg.Point:
    return x.at(rate), y.at(point.fnmr or y.low)


def _marks(audit: Audit, x: svg.Scale, y: svg.Scale) -> Iterator[str]:
    """Where the thresholds lie on the bound."""
    for level in audit.levels:
        if level.false_match is None or level.miss.rate is None:
            continue
        place = (x.at(level.false_match.likely), y.at(level.miss.rate or y.low))
        (right, down), anchor = BESIDE[level.name]
        yield svg.dot(place, "mark")
        yield svg.text((place[0] + right, place[1] + down), level.name, "note", anchor)


def _around(rates: Sequence[float]) -> tuple[float, float]:
    """The marked rates just outside of these."""
    low = max((rate for rate in RATES if rate <= min(rates)), default=RATES[0])
    high = min((rate for rate in RATES if rate >= max(rates)), default=0.6)
    if low == high:
        low = RATES[max(0, RATES.index(low) - 1)] if low in RATES else low / 2
    return low, high


def _within(scale: svg.Scale) -> list[float]:
    """Marked rates, not nearer to each other than their words are long."""
    kept: list[float] = []
    for rate in RATES:
        if scale.low <= rate <= scale.high and (not kept or abs(scale.at(rate) - scale.at(kept[-1])) >= 30):
            kept.append(rate)
    return kept


def pairs(audit: Audit) -> str:
    """The people who come closest to each other, closest first, with the thresholds."""
    nearest = audit.neighbours[:MOST_PAIRS]
    if not nearest:
        return ""
    height = TOP + 40 + ROW_PX * len(nearest) + BOTTOM
    least = min(*(one.score for one in nearest), audit.thresholds.grey)
    most = max(nearest[0].score, audit.thresholds.strict)
    spare = 0.06 * (most - least) or 0.01
    x = svg.Scale(least - spare, most + spare, NAMES_PX, WIDTH - RIGHT)
    bottom = height - BOTTOM
    parts = [
        svg.below(x, svg.even(x.low, x.high, 5), lambda at: f"{at:g}", "highest similarity of two templates", bottom)
    ]
    parts += _levels(audit, x, bottom)
    for place, one in enumerate(nearest):
        y = TOP + 46 + ROW_PX * place
        kind = "over" if one.score >= getattr(audit.thresholds, audit.demanded) else "under"
        words = f"{_short(audit.names.get(one.one, one.one))} – {_short(audit.names.get(one.other, one.other))}"
        parts.append(svg.text((NAMES_PX - 10, y + 4), words, "name", "end"))
        parts.append(svg.line((NAMES_PX, y), (x.at(one.score), y), f"stem {kind}"))
        parts.append(svg.dot((x.at(one.score), y), kind))
    return svg.drawing("the closest pairs of people", parts, height)


def _short(name: str, most: int = 17) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"


def templates(audit: Audit) -> str:
    """How many people have how many templates."""
    counts = Counter(min(person.templates, MOST_COUNTED) for person in audit.people)
    if not counts:
        return ""
    bars = [(f"{at}{'+' if at == MOST_COUNTED else ''}", counts[at]) for at in range(1, max(counts) + 1)]
    return _bars("people by their number of templates", bars, "templates of one person", "people")


def ages(audit: Audit) -> str:
    """When templates were made, by quarter of a year, or by month where that is all in two years."""
    created = sorted(facts.record.created for facts in audit.facts)
    if not created:
        return ""
    is_short = created[-1] - created[0] <= 730 * DAY_S
    step = 1 if is_short else 3
    counts = Counter(_months(moment) // step for moment in created)
    first, last = min(counts), max(counts)
    bars = [(_month(at * step), counts[at]) for at in range(first, last + 1)]
    return _bars(
        "templates by when they were made", bars, "month" if is_short else "quarter, by its first month", "templates"
    )


def _months(unix_s: int) -> int:
    moment = datetime.fromtimestamp(unix_s, timezone.utc)
    return 12 * moment.year + moment.month - 1


def _month(months: int) -> str:
    return f"{months // 12}-{months % 12 + 1:02}"


def _bars(label: str, bars: Sequence[tuple[str, int]], title: str, what: str) -> str:
    """Bars with their numbers above and their words below, as many words as fit."""
    height = 0.75 * HEIGHT
    most = max(count for _, count in bars)
    y = svg.upwards(0, 1.15 * most, height=height)
    wide = (WIDTH - RIGHT - LEFT) / max(len(bars), 8)
    every = max(1, math.ceil(max(len(words) for words, _ in bars) * 7 / wide))
    parts = [svg.beside(y, sorted({round(at) for at in svg.even(0, most, 4)}), lambda at: f"{at:,.0f}", what)]
    for place, (words, count) in enumerate(bars):
        left = LEFT + wide * place
        parts.append(
            svg.box((left + 0.12 * wide, y.at(count)), 0.76 * wide, y.start - y.at(count), "bar") if count else ""
        )
        if count and wide >= 22:
            parts.append(svg.text((left + wide / 2, y.at(count) - 5), f"{count:,}", "count", "middle"))
        if place % every == 0:
            parts.append(svg.text((left + wide / 2, y.start + 17), words, "tick", "middle"))
    parts.append(svg.text(((LEFT + WIDTH - RIGHT) / 2, y.start + 37), title, "title", "middle"))
    return svg.drawing(label, parts, height)
