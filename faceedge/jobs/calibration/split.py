"""Which pictures calibrate, and what judges the outcome: labelled people, or pictures that were held out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from faceedge.errors import BadInput
from faceedge.jobs.calibration import people as people_of
from faceedge.jobs.calibration.case import Case
from faceedge.jobs.calibration.eyes import Eyes
from faceedge.jobs.calibration.gates import DetectorJudge, Judge, RecogniserJudge, Shown
from faceedge.jobs.calibration.gather import Gathered, crop_batches, held_out, photo_batches
from faceedge.jobs.calibration.source import Source
from faceedge.jobs.calibration.state import key_of
from faceedge.quantize.collect import Batches
from faceedge.quantize.imageset import SetReport
from faceedge.types import Image

Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """batches: what the flow would feed of the pictures that calibrate; digests: theirs. met: the same of the gates'
    pictures. shown: these in words. dropped: labelled people who are in the calibration set. key: by what verdicts are
    remembered."""

    batches: Batches
    met: Batches
    judge: Judge
    digests: tuple[str, ...]
    shown: str
    key: str
    dropped: int = 0


def split_of(
    case: Case, source: Source, gathered: Gathered, looked: SetReport, eyes: Eyes | None, tell: Progress
) -> Split:
    """Raises BadInput when too little is left for the gates to prove anything."""
    if case.is_detector:
        return _detector_split(case, source, gathered, looked)
    shown, kept, gates = _labelled(case, gathered, looked, eyes, tell), list(looked.kept), case.recipe.gates
    if shown is None:
        outside = _outside(kept, gathered, case)
        shown = people_of.of_nobody([_crop(gathered, at) for at in outside])
        kept = [at for at in kept if at not in set(outside)]
    if len(shown.crops) < gates.min_crops:
        raise BadInput(
            f"the gates need {gates.min_crops} crops and have {len(shown.crops)}; give more --images, or labelled"
            " people with --people"
        )
    crops = [_crop(gathered, at) for at in kept]
    judge = RecogniserJudge(
        case.package, shown, gates, case.settings, seed=case.recipe.seed, fmr=case.recipe.fmr
    )  # fmt: skip
    seen = [key_of(crop.tobytes().hex()) for crop in shown.crops]
    key = key_of(seen, shown.people.tolist(), gates.model_dump(), case.recipe.fmr, case.recipe.seed)
    digests = tuple(gathered.facts[at].digest for at in kept)
    batches, met = (crop_batches(some, case.package.manifest) for some in (crops, shown.crops))
    return Split(batches, met, judge, digests, shown.words, key, shown.dropped)


def _detector_split(case: Case, source: Source, gathered: Gathered, looked: SetReport) -> Split:
    kept, gates = list(looked.kept), case.recipe.gates
    outside = set(_outside(kept, gathered, case))
    faces = sum(gathered.facts[at].faces for at in outside)
    if faces < gates.min_faces:
        raise BadInput(
            f"the gates need {gates.min_faces} faces on the {len(outside)} photos held out for them and have {faces};"
            " give more --images with faces"
        )
    judging = {gathered.facts[at].digest for at in outside}
    digests = tuple(gathered.facts[at].digest for at in kept if at not in outside)
    judge = DetectorJudge(case.package, source, judging, gates, case.settings, seed=case.recipe.seed)
    words = f"{len(outside)} photos held out of the calibration, with {faces} faces"
    key = key_of(sorted(judging), gates.model_dump(), case.recipe.pixels, case.recipe.seed)
    batches, met = (photo_batches(source, some, case.package.manifest) for some in (set(digests), judging))
    return Split(batches, met, judge, digests, words, key)


def _outside(kept: Sequence[int], gathered: Gathered, case: Case) -> list[int]:
    """Places of the pictures held out for the gates: the recipe's share, of crops more where the gates need more, at
    most half."""
    needed = 0.0 if case.is_detector else case.recipe.gates.min_crops / max(1, len(kept))
    share = min(0.5, max(case.recipe.held_out, needed))
    drawn = held_out([gathered.people[at] for at in kept], share, case.recipe.seed)
    return [at for at, is_out in zip(kept, drawn, strict=True) if is_out]


def _labelled(
    case: Case, gathered: Gathered, looked: SetReport, eyes: Eyes | None, tell: Progress
) -> Shown | None:  # fmt: skip
    """The labelled people that were named, else the enrolled; None when there are none."""
    order, package, seed = case.order, case.package, case.recipe.seed
    digests = {gathered.facts[at].digest for at in looked.kept}
    known = people_of.Known(digests, {gathered.people[at] for at in looked.kept} - {""})
    if order.people is not None:
        return people_of.of_folder(order.people, eyes, package, known, seed, tell)
    if order.pairs is not None:
        return people_of.of_list(order.pairs, eyes, package, known, seed, tell)
    return people_of.of_gallery(case.site.state, package, known, seed, tell)


def _crop(gathered: Gathered, at: int) -> Image:
    crop = gathered.crops[at]
    assert crop is not None, "check_set keeps no picture without a face for a recogniser"
    return crop
