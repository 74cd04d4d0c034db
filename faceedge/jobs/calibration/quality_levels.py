"""The numbers of a decision beside the thresholds, held against people: what the levels of a fitted quality and the
lead over the second person are worth. Looks and a fitted quality in, `[judging]` with its evidence out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from faceedge.fit import Judging, RecogniserQuality
from faceedge.gallery.search import Index
from faceedge.jobs.calibration.quality_fit import Rows, settled
from faceedge.jobs.calibration.quality_gather import Look

Lead = tuple[bool, float, float]
"""Of one photo among all others: whether the nearest is the same person, how near, and the lead over the second."""


def judging_of(rows: Rows, fitted: RecogniserQuality, own: Judging, match: float, metric: str) -> Judging:
    """`own` with what these people say of its numbers. match: raw similarity that a door demands."""
    told = (_levels(rows, fitted, own), _margin(list(leads(rows.looks, metric)), match, own.margin))
    return own.model_copy(update={"evidence": "; ".join(told)})


def leads(looks: Sequence[Look], metric: str) -> Iterator[Lead]:
    """Every clean photo of a person who is shown on others, too, searched among all other photos."""
    clean = [look for look in looks if look.clean and not look.mirrored]
    if not clean:
        return
    embeddings, norms = (
        np.array([getattr(look.template, name) for look in clean], np.float32) for name in ("embedding", "norm")
    )
    index = Index([str(at) for at in range(len(clean))], embeddings, norms, metric, clean[0].template.space)
    owners = [look.person or f"\0{look.photo}" for look in clean]
    for at, look in enumerate(clean):
        if owners.count(owners[at]) < 2:
            continue
        near = [(owners[int(one)], value) for one, value in index.nearest(look.template) if int(one) != at]
        first, value = near[0]
        second = next((other for person, other in near if person != first), -np.inf)
        yield first == owners[at], value, value - second


def _levels(rows: Rows, fitted: RecogniserQuality, own: Judging) -> str:
    final, _ = settled(rows, fitted)
    judges = rows.held & rows.is_face
    parts = []
    for words, low, high in (
        (f"below {own.usable:g}", -1.0, own.usable), (f"from there to {own.trusted:g}", own.usable, own.trusted),
        ("above", own.trusted, 2.0),
    ):  # fmt: skip
        inside = judges & (final >= low) & (final < high)
        parts.append(f"{words} {int(rows.fails[inside].sum())} of {int(inside.sum())}")
    return f"genuine comparisons of people held out that fail, by quality: {', '.join(parts)}"


def _margin(found: Sequence[Lead], match: float, margin: float) -> str:
    if not found:
        return f"margin {margin:g} is the product's own: nobody was shown twice"
    near = [(is_right, lead < margin) for is_right, value, lead in found if value >= match]
    wrong, right = ([is_held for is_right, is_held in near if is_right == kind] for kind in (False, True))
    return (
        f"margin {margin:g}: of {len(found)} photos, each searched among all others, {len(near)} reach match; it holds"
        f" back {sum(wrong)} of {len(wrong)} that are nearest to somebody else, and {sum(right)} of the {len(right)}"
        " that are right"
    )
