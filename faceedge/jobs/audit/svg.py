"""The few shapes of a plot as SVG text: scales, axes, lines, areas, words. Colours are classes of the page's style.

All coordinates are px of a drawing `WIDTH` wide, y down.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from statistics import NormalDist

WIDTH, HEIGHT = 720.0, 300.0
LEFT, RIGHT, TOP, BOTTOM = 76.0, 14.0, 14.0, 46.0
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Scale:
    """Values from `low` to `high` to px from `start` to `end`. bend: what is drawn evenly, such as `math.log10`."""

    low: float
    high: float
    start: float
    end: float
    bend: Callable[[float], float] = float

    def at(self, value: float) -> float:
        """Where a value lies; what is outside lies at the edge."""
        low, high = self.bend(self.low), self.bend(self.high)
        share = (self.bend(min(max(value, self.low), self.high)) - low) / (high - low)
        return round(self.start + share * (self.end - self.start), 1)


def across(low: float, high: float, bend: Callable[[float], float] = float) -> Scale:
    """From left to right over the whole drawing."""
    return Scale(low, high, LEFT, WIDTH - RIGHT, bend)


def upwards(low: float, high: float, bend: Callable[[float], float] = float, height: float = HEIGHT) -> Scale:
    """From the bottom to the top."""
    return Scale(low, high, height - BOTTOM, TOP, bend)


def probit(share: float) -> float:
    """The deviate of a share between 0 and 1: on two such axes the errors of two normal distributions are a line."""
    return NormalDist().inv_cdf(share)


def drawing(label: str, parts: Iterable[str], height: float = HEIGHT) -> str:
    """The whole picture. label: what it shows, for whoever cannot see it."""
    return (
        f'<svg viewBox="0 0 {WIDTH:g} {height:g}" role="img" aria-label="{escape(label)}">\n'
        + "\n".join(part for part in parts if part)
        + "\n</svg>"
    )


def below(scale: Scale, ticks: Iterable[float], words: Callable[[float], str], title: str, y: float) -> str:
    """An axis from left to right at `y`, with lines up to the top."""
    marks = [
        line((scale.at(tick), TOP), (scale.at(tick), y), "grid")
        + text((scale.at(tick), y + 17), words(tick), "tick", "middle")
        for tick in ticks
    ]
    return "\n".join([*marks, text(((scale.start + scale.end) / 2, y + 37), title, "title", "middle")])


def beside(scale: Scale, ticks: Iterable[float], words: Callable[[float], str], title: str = "") -> str:
    """An axis from the bottom up at the left, with lines to the right."""
    marks = [
        line((LEFT, scale.at(tick)), (WIDTH - RIGHT, scale.at(tick)), "grid")
        + text((LEFT - 8, scale.at(tick) + 4), words(tick), "tick", "end")
        for tick in ticks
    ]
    middle = (scale.start + scale.end) / 2
    turned = f'transform="translate(12 {middle:g}) rotate(-90)"'
    marks += [f'<text class="title" text-anchor="middle" {turned}>{escape(title)}</text>'] if title else []
    return "\n".join(marks)


def line(one: Point, other: Point, kind: str) -> str:
    return f'<line class="{kind}" x1="{one[0]:g}" y1="{one[1]:g}" x2="{other[0]:g}" y2="{other[1]:g}"/>'


def path(points: Sequence[Point], kind: str, *, closed: bool = False) -> str:
    """A line through all points; nothing for fewer than two."""
    if len(points) < 2:
        return ""
    steps = " ".join(f"{x:g},{y:g}" for x, y in points)
    return f'<{"polygon" if closed else "polyline"} class="{kind}" points="{steps}"/>'


def box(corner: Point, width: float, height: float, kind: str) -> str:
    return f'<rect class="{kind}" x="{corner[0]:g}" y="{corner[1]:g}" width="{width:g}" height="{height:g}" rx="1.5"/>'


def dot(place: Point, kind: str, radius: float = 4.5) -> str:
    return f'<circle class="{kind}" cx="{place[0]:g}" cy="{place[1]:g}" r="{radius:g}"/>'


def text(place: Point, words: str, kind: str = "", anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{place[0]:g}" y="{place[1]:g}" text-anchor="{anchor}">{escape(words)}</text>'


def stairs(edges: Sequence[float], heights: Sequence[float], x: Scale, y: Scale) -> list[Point]:
    """The outline of bars that stand side by side, from the bottom to the bottom."""
    steps = [(edge, height) for at, height in enumerate(heights) for edge in (edges[at], edges[at + 1])]
    inner = [(x.at(edge), y.at(height)) for edge, height in steps]
    return [(x.at(edges[0]), y.start), *inner, (x.at(edges[-1]), y.start)]


def even(low: float, high: float, wanted: int = 6) -> list[float]:
    """Round values between two, about as many as wanted."""
    rough = (high - low) / wanted
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * times for times in (1, 2, 5, 10) if size * times >= rough)
    first = math.ceil(low / step - 1e-9)
    return [round(step * at, 10) for at in range(first, math.floor(high / step + 1e-9) + 1)]


def share(value: float) -> str:
    """A share as a percentage, as short as can be."""
    return f"{100 * value:.3g} %" if value >= 1e-5 else f"{value:.0e}"
