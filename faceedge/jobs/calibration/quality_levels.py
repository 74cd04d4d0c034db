"""The numbers of a decision beside the thresholds, held against people: what the levels of quality and the lead over
the second person are worth. What was seen of people in, `[judging]` with its evidence out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from faceedge.fit import Judging, RecogniserQuality
from faceedge.gallery.search import Index
from faceedge.jobs.calibration.quality_figures import Flags, Numbers
from faceedge.jobs.calibration.quality_fit import Rows, settled
from faceedge.types import Template

Lead = tuple[bool, float, float]
"""Of one photo among all others: whether the nearest is the same person, how near, and the lead over the second."""


def judging_of(rows: Rows, fitted: RecogniserQuality, own: Judging, match: float, metric: str) -> Judging:
    """`own` with what these people say of its numbers. match: raw similarity that a door demands."""
    final, _ = settled(rows, fitted)
    judges = rows.held & rows.is_face
    shown = [(look.person, look.template) for look in rows.looks if look.clean and not look.mirrored]
    told = (levels(final[judges], rows.fails[judges], own), margin(list(leads(shown, metric)), match, own.margin))
    return own.model_copy(update={"evidence": "; ".join(told)})


def leads(shown: Sequence[tuple[str, Template]], metric: str) -> Iterator[Lead]:
    """Every photo of a person who is shown on others, too, searched among all other photos. shown: who, if that is
    known, and the template of each photo."""
    if not shown:
        return
    templates = [template for _, template in shown]
    embeddings, norms = (
        np.array([getattr(template, name) for template in templates], np.float32) for name in ("embedding", "norm")
    )
    index = Index([str(at) for at in range(len(shown))], embeddings, norms, metric, templates[0].space)
    owners = [person or f"\0{at}" for at, (person, _) in enumerate(shown)]
    for at, template in enumerate(templates):
        if owners.count(owners[at]) < 2:
            continue
        near = [(owners[int(one)], value) for one, value in index.nearest(template) if int(one) != at]
        first, value = near[0]
        second = next((other for person, other in near if person != first), -np.inf)
        yield first == owners[at], value, value - second


def levels(quality: Numbers, fails: Flags, own: Judging) -> str:
    """How many genuine comparisons fail by the levels of quality of people who fitted nothing."""
    parts = []
    for words, low, high in (
        (f"below {own.usable:g}", -1.0, own.usable), (f"from there to {own.trusted:g}", own.usable, own.trusted),
        ("above", own.trusted, 2.0),
    ):  # fmt: skip
        inside = (quality >= low) & (quality < high)
        parts.append(f"{words} {int(fails[inside].sum())} of {int(inside.sum())}")
    return f"genuine comparisons of people held out that fail, by quality: {', '.join(parts)}"


def margin(found: Sequence[Lead], match: float, least: float) -> str:
    """What demanding this lead keeps from whom. match: as a door demands."""
    if not found:
        return f"margin {least:g} is the product's own: nobody was shown twice"
    near = [(is_right, lead < least) for is_right, value, lead in found if value >= match]
    wrong, right = ([is_held for is_right, is_held in near if is_right == kind] for kind in (False, True))
    return (
        f"margin {least:g}: of {len(found)} photos, each searched among all others, {len(near)} reach match; it holds"
        f" back {sum(wrong)} of {len(wrong)} that are nearest to somebody else, and {sum(right)} of the {len(right)}"
        " that are right"
    )
