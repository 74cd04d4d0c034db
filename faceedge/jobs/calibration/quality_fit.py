"""Looks in, a fitted quality of the recogniser out. People who judge are not among those who fit."""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from faceedge.assess import USABLE, quality
from faceedge.errors import BadInput
from faceedge.fit import LightHead, RecogniserQuality
from faceedge.jobs.calibration.gather import held_out
from faceedge.jobs.calibration.quality_figures import Flags, Numbers, knots_of, spared
from faceedge.jobs.calibration.quality_gather import Look
from faceedge.jobs.calibration.quality_train import Net, Training, beside, mean, train
from faceedge.quality_head import NO_FACE, Head, Source, groups, inputs
from faceedge.types import Floats

HELD_OUT, MOST_HELD_OUT = 0.2, 400
"""Share of the photos, and most photos, that judge."""
TYPICAL = 0.45
"""Where the photos hardly show anybody twice: two good photos of one person lie so far from the match to the same."""
ENOUGH_MATES = 20
HALF_STEP = 0.5
"""The target falls from likely to unlikely over so many deviations of the likeness."""
NETS = 4
"""So many networks forecast together, each from other first weights: their mean errs less than any of them."""
NAMING_UNITS = 2
"""Of the hidden units, beside those of the forecast: they only name a cover and what is no face."""
COVERED, MIRRORED, NO_FACE_WEIGHT = 0.5, 0.5, 0.3
"""What a look weighs: there are three covers for each other fault, nobody comes mirrored, no face is easily told."""
LOST_FACES, FALSE_COVERS = 0.002, 0.05
"""Recognised faces that may be called none, and free ones that may be called covered."""
LOST_PHOTOS = 0.01
"""Photos as they are, from near and far, that would be recognised and may be called unusable."""


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """The looks as arrays. likeness: cosine to the own clean picture, NaN for what is no face; best: to the person's
    other photos, NaN where there are none. fails: the best genuine comparison is no match; of things that are no face
    it is always so. held: judges, and did not fit. typical: cosine of two clean photos of one person, the median of so
    many `mates`."""

    looks: Sequence[Look]
    seen: Floats
    norms: Floats
    embeddings: Floats
    likeness: Numbers
    best: Numbers
    fails: Flags
    held: Flags
    typical: float
    mates: int

    @property
    def is_face(self) -> Flags:
        return np.array([look.is_face for look in self.looks])

    @property
    def clean(self) -> Flags:
        return np.array([look.clean for look in self.looks])


def rows_of(looks: Sequence[Look], match: float, seed: int) -> Rows:
    """match: cosine from which two pictures are one person. Raises BadInput when too few photos show a face."""
    own = {(look.photo, look.mirrored): look.template.embedding for look in looks if look.clean}
    kept = [look for look in looks if not look.is_face or (look.photo, look.mirrored) in own]
    photos = sorted({photo for photo, _ in own})
    if len(photos) < 40:
        raise BadInput(f"{len(photos)} photos show a face that is found again; give 40 or more, better 1000")
    embeddings = np.array([look.template.embedding for look in kept], np.float32)
    likeness = np.array([_likeness(look, own) for look in kept])
    mates = _mates(kept)
    typical = float(np.median(mates)) if len(mates) >= ENOUGH_MATES else match + TYPICAL * (1 - match)
    people = {look.photo: look.person for look in kept}
    share = min(HELD_OUT, MOST_HELD_OUT / len(photos))
    is_out = dict(zip(photos, held_out([people[photo] for photo in photos], share, seed), strict=True))
    best = _best(kept)
    fails = np.where(np.isnan(best), np.nan_to_num(likeness, nan=-1) < match / typical, best < match)
    features = [look.before.features for look in kept]
    assert all(row is not None for row in features), "shot() measures every crop"
    return Rows(
        kept, np.array(features, np.float32), np.array([look.template.norm for look in kept], np.float32), embeddings,
        likeness, best, fails, np.array([is_out[look.photo] for look in kept]),
        typical, len(mates),
    )  # fmt: skip


def fit_head(
    rows: Rows, middle: float, detector: str, scheme: str, how: Training, tell: Callable[[float], None]
) -> tuple[RecogniserQuality, RecogniserQuality]:
    """The light head that can be judged, for the people held out have not fitted it; and the one that serves, the same
    after these people were learnt from, too. The limits and the scale of both come of the people held out and the
    first. middle: cosine at which a comparison is as likely to be worth something as not. detector: its build."""
    learns, everybody = ~rows.held, np.ones(len(rows.held), bool)
    means, scales = _standard(rows, learns)
    fed = inputs(rows.seen, rows.norms, rows.embeddings, means, scales)
    targets, weights = _targets(rows, middle)
    naming = train(fed[learns], targets[learns, 1:], weights[learns, 1:], replace(how, units=NAMING_UNITS))

    def forecast(some: Flags, done: float) -> LightHead:
        nets = []
        for at in range(NETS):
            tell(done + at / NETS / 2)
            seeded = replace(how, seed=how.seed + at)
            nets.append(train(fed[some], targets[some, :1], weights[some, :1], seeded))
        return _packed(beside(mean(nets), naming), means, scales, detector, scheme)

    head = forecast(learns, 0.0)
    draft = RecogniserQuality(output="head", knots=((0.0, 0.0), (1.0, 1.0)), head=head, evidence="in the making")
    limited = _limited(rows, head)
    judged = draft.model_copy(update={"head": limited, "knots": _knots(rows, raws(rows, draft))})
    limits = {"covered": limited.covered, "face": limited.face}
    return judged, judged.model_copy(update={"head": forecast(everybody, 0.5).model_copy(update=limits)})


def fit_output(rows: Rows, output: str) -> RecogniserQuality:
    """The scale of a number that the recogniser gives itself. Raises BadInput when it does not give it."""
    draft = RecogniserQuality(output=output, knots=((0.0, 0.0), (1.0, 1.0)), evidence="in the making")
    raw = raws(rows, draft)
    if not np.isfinite(raw).all():
        names = ", ".join(sorted({name for look in rows.looks for name in look.template.aux})) or "none"
        raise BadInput(f"--output {output}: the recogniser has no such output; it has norm, and of its own: {names}")
    rises = np.corrcoef(raw, ~rows.fails)[0, 1] >= 0
    knots = _knots(rows, raw if rises else -raw)
    return draft.model_copy(update={"knots": knots if rises else tuple((-at, worth) for at, worth in reversed(knots))})


def raws(rows: Rows, fitted: RecogniserQuality) -> Numbers:
    """What the source says of every look, on its own scale."""
    source = Source(fitted)
    found = zip(rows.seen, rows.looks, strict=True)
    return np.array([source.forecast(seen, look.template).raw for seen, look in found], np.float64)


def settled(rows: Rows, fitted: RecogniserQuality) -> tuple[Numbers, Flags]:
    """The quality of every look as the flow will have it, and which are said to be no face."""
    source = Source(fitted)
    seen = [
        quality(look.before, source.forecast(row, look.template))
        for row, look in zip(rows.seen, rows.looks, strict=True)
    ]
    return np.array([one.quality for one in seen]), np.array([NO_FACE in one.reasons for one in seen])


def _likeness(look: Look, own: dict[tuple[int, bool], Floats]) -> float:
    return float(own[look.photo, look.mirrored] @ look.template.embedding) if look.is_face else float("nan")


def _mates(looks: Sequence[Look]) -> list[float]:
    """Cosines of clean pictures of one person, each pair of photos once."""
    by_person: dict[str, list[Look]] = defaultdict(list)
    for look in looks:
        if look.clean and not look.mirrored and look.person:
            by_person[look.person].append(look)
    return [
        float(one.template.embedding @ other.template.embedding)
        for group in by_person.values() for at, one in enumerate(group[:10]) for other in group[at + 1 : 10]
    ]  # fmt: skip


def _best(looks: Sequence[Look]) -> Numbers:
    """The best comparison of each with the other clean photos of its person; NaN where there are none."""
    by_person: dict[str, list[Look]] = defaultdict(list)
    for look in looks:
        if look.clean and not look.mirrored and look.person:
            by_person[look.person].append(look)
    found = np.full(len(looks), np.nan)
    for at, look in enumerate(looks):
        others = [mate.template.embedding for mate in by_person[look.person] if mate.photo != look.photo]
        if others:
            found[at] = float((np.array(others) @ look.template.embedding).max()) if look.is_face else -1.0
    return found


def _standard(rows: Rows, learns: Flags) -> tuple[Floats, Floats]:
    """Means and scales of the measures and the norm's logarithm, over real faces, as the manifest will carry them."""
    count = groups(1)[0] - 1
    some = learns & rows.is_face
    numbers = np.column_stack([rows.seen[some, :count], np.log(np.maximum(rows.norms[some], 1e-6))])
    return np.round(numbers.mean(0), 5).astype(np.float32), np.round(numbers.std(0) + 1e-3, 5).astype(np.float32)


def _targets(rows: Rows, middle: float) -> tuple[Floats, Floats]:
    """See `quality_head.OUTPUTS`. A face goes well by how near it stays to its clean picture. How near it comes to
    other photos of its person says as much of those: a head that learnt that, too, foretold less."""
    is_face, is_covered = rows.is_face, np.array([look.covered for look in rows.looks])
    near = _likely(rows.likeness, middle / rows.typical, is_face)
    weigh = np.where(is_covered, COVERED, 1.0) * np.where([look.mirrored for look in rows.looks], MIRRORED, 1.0)
    weigh = np.where(is_face, weigh, NO_FACE_WEIGHT)
    targets = np.column_stack([near, is_covered, is_face]).astype(np.float32)
    return targets, np.column_stack([weigh, is_face, np.ones(len(near))]).astype(np.float32)


def _likely(cosines: Numbers, middle: float, counted: Flags) -> Numbers:
    """0..1, a half at the middle; 0 for what does not count."""
    spread = max(HALF_STEP * float(cosines[counted].std()), 1e-3)
    return np.where(counted, 1 / (1 + np.exp(-(np.where(counted, cosines, 0) - middle) / spread)), 0.0)


def _packed(net: Net, means: Floats, scales: Floats, detector: str, scheme: str) -> LightHead:
    """The weights in a byte each, a step for each unit and group of inputs."""
    units = net.hidden.shape[1]
    dimension = len(net.hidden) - sum(groups(0))
    parts = np.split(net.hidden, np.cumsum(groups(dimension))[:-1])
    steps = [np.maximum(np.abs(part).max(0) / 127, 1e-8) for part in parts]
    table = np.concatenate([np.round(part / step) for part, step in zip(parts, steps, strict=True)]).astype(np.int8)
    return LightHead(
        detector=detector, scheme=scheme, dimension=dimension, units=units, means=_row(means), scales=_row(scales),
        weights=base64.b64encode(table.tobytes()).decode(), steps=(_row(steps[0]), _row(steps[1]), _row(steps[2])),
        bias=_row(net.bias), out=(_row(net.out[:, 0]), _row(net.out[:, 1]), _row(net.out[:, 2])),
        out_bias=(float(net.out_bias[0]), float(net.out_bias[1]), float(net.out_bias[2])), covered=0.0, face=0.0,
    )  # fmt: skip


def _limited(rows: Rows, head: LightHead) -> LightHead:
    """With the logits from which a cover and a missing face are named."""
    logits = Head(head).logits(rows.seen, rows.norms, rows.embeddings)
    usable = np.array([look.before.quality >= USABLE for look in rows.looks])
    faces = rows.held & rows.is_face & usable
    free, known = faces & ~np.array([look.covered for look in rows.looks]), faces & ~rows.fails
    face = float(np.quantile(logits[known, 2], LOST_FACES, method="lower")) if known.any() else 0.0
    covered = float(np.quantile(logits[free, 1], 1 - FALSE_COVERS)) if free.any() else 0.0
    return head.model_copy(update={"covered": round(covered, 4), "face": float(np.floor(1e4 * face) / 1e4)})


def _knots(rows: Rows, raw: Numbers) -> tuple[tuple[float, float], ...]:
    """Over the people held out. What is recognised without any harm done to it stays usable."""
    judges = rows.held & rows.is_face
    clean = judges & rows.clean
    large = np.array([look.before.quality >= USABLE for look in rows.looks])
    good = judges & large & ~rows.fails & (rows.clean | np.array([look.distant for look in rows.looks]))
    usual, best = float(rows.fails[clean].mean()), float(np.quantile(raw[clean], 0.6))
    usable = spared(raw[good], LOST_PHOTOS) if good.any() else np.inf
    return knots_of(raw[judges], rows.fails[judges], usual, best, usable)


def _row(values: Floats) -> tuple[float, ...]:
    return tuple(float(f"{value:.6g}") for value in values)
