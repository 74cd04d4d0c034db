"""A burst of shots: told what to change, one person only, and never the same picture twice. Time is passed in."""

from __future__ import annotations

import pytest

from faceedge.gallery.search import similarity
from faceedge.jobs.burst import CROWD, LIMIT_S, NOBODY, STILL, Burst
from faceedge.types import Assessment
from tests.fakes.vision import FakePortrait, FakeVision, Sitter, photo

ADA, BOB = 1, 2


def burst() -> Burst:
    return Burst(lambda a, b: similarity(a, b, "cosine"), FakeVision.thresholds.grey, 0.0)


def show(into: Burst, at_s: float, *sitters: Sitter) -> str:
    image = photo(*sitters)
    return into.feed(image, FakeVision().portraits(image), at_s)


def poor(reason: str) -> list[FakePortrait]:
    (one,) = FakeVision().portraits(photo(Sitter(ADA)))
    return [FakePortrait(one.face, one.crop, Assessment(0.5, (reason,)), one.template)]


def test_five_shots_that_differ_are_enough() -> None:
    shots = burst()
    told = [show(shots, pose, Sitter(ADA, pose)) for pose in range(5)]
    assert told == [f"good: {count} of 5" for count in range(1, 6)]
    assert shots.is_complete
    show(shots, 9, Sitter(ADA, 9))
    assert len(shots.kept) == 5


@pytest.mark.parametrize(
    ("reason", "hint"),
    [
        ("too small", "come closer"),
        ("turned away", "turn to the camera"),
        ("too dark", "more light"),
        ("over-exposed", "less light"),
        ("blurred", "hold still"),
    ],
)
def test_a_poor_picture_tells_what_to_do(reason: str, hint: str) -> None:
    shots = burst()
    assert shots.feed(photo(Sitter(ADA)), poor(reason), 0.0) == hint
    assert (shots.kept, shots.commonest) == ((), hint)


def test_nobody_and_a_crowd_are_told_apart() -> None:
    shots = burst()
    assert show(shots, 0) == NOBODY
    assert show(shots, 1, Sitter(ADA), Sitter(BOB)) == CROWD
    assert shots.kept == ()


def test_the_same_pixels_count_once_however_late() -> None:
    shots = burst()
    for at_s in range(20):
        show(shots, at_s, Sitter(ADA))
    assert len(shots.kept) == 1
    assert shots.commonest == STILL


def test_shots_too_close_in_time_are_one_and_the_better_one_stays() -> None:
    shots = burst()
    show(shots, 0.0, Sitter(ADA, 0, quality=0.7))
    show(shots, 0.1, Sitter(ADA, 1, quality=0.95))
    show(shots, 0.2, Sitter(ADA, 2, quality=0.8))
    assert [round(shot.portrait.assessment.quality, 2) for shot in shots.kept] == [0.95]


def test_another_pose_counts_a_little_later() -> None:
    shots = burst()
    (one,) = FakeVision().portraits(photo(Sitter(ADA, 0)))
    (two,) = FakeVision().portraits(photo(Sitter(ADA, 1)))
    shots.feed(photo(Sitter(ADA)), [one], 0.0)
    shots.feed(photo(Sitter(ADA)), [two], 0.3)
    assert len(shots.kept) == 1
    two.face.landmarks[2] += 8
    shots.feed(photo(Sitter(ADA)), [two], 0.3)
    assert len(shots.kept) == 2


def test_somebody_else_in_between_is_not_kept() -> None:
    shots = burst()
    show(shots, 0, Sitter(ADA, 0))
    assert show(shots, 1, Sitter(BOB, 0)) == CROWD
    assert show(shots, 2, Sitter(ADA, 1)) == "good: 2 of 5"
    assert all(
        similarity(shot.portrait.template, shots.kept[0].portrait.template, "cosine") > 0.6 for shot in shots.kept
    )


def test_the_time_is_over_after_the_limit_and_the_commonest_hint_is_known() -> None:
    shots = burst()
    show(shots, 0)
    for at_s in (1, 2, 3):
        shots.feed(photo(Sitter(ADA)), poor("too small"), at_s)
    assert not shots.is_late(LIMIT_S - 0.01)
    assert shots.is_late(LIMIT_S)
    assert shots.commonest == "come closer"
