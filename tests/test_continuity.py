"""Pictures between which a face has moved count as several; photos, slideshows and cross-fades do not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TypeAlias

import cv2
import numpy as np
import pytest

from faceedge import motion
from faceedge.config import Decide
from faceedge.continuity import SETTLES_S, Continuity
from faceedge.decide import Judge
from faceedge.types import Assessment, Decision, Face, Image, Match, Shot, Template
from tests.test_decide import ANNA, THRESHOLDS, cosine, outcomes
from tests.test_motion import crop, moved

BOX = Face(np.array([0, 0, 120, 120], np.float32), 1.0, np.zeros((5, 2), np.float32))
Change: TypeAlias = Callable[[Image, Image, float], Image]
TEMPLATE = Template(np.eye(4, dtype=np.float32)[0], 1.0, "space")


def shown(pictures: Sequence[Image], similarity: float = 0.9, every_s: float = 0.11) -> list[Decision]:
    """What the judge says of these, one after another, each with noise of its own, and when they have gone."""
    judge = Judge(Decide(cooldown_s=600), THRESHOLDS, cosine, continuity=Continuity())
    rng, now, said = np.random.default_rng(1), 100.0, list[Decision]()
    for number, picture in enumerate(pictures):
        now += every_s
        loud = np.clip(picture + rng.normal(0, 3, picture.shape), 0, 255).astype(np.uint8)
        shot = Shot("entry", 1, number, now, BOX, loud, Assessment(0.9))
        said += judge.vote(shot, TEMPLATE, Match(ANNA, similarity, 0.3), now)
    return [*said, *judge.sweep(now, everything=True)]


def alive(seed: int, frames: int, pace: float = 0.6, px: float = 1.0) -> list[Image]:
    """Parts of it move to and fro, each in its own time."""
    down, right = np.mgrid[0:112, 0:112].astype(np.float32)
    picture, made = crop(seed), []
    for t in (pace * number for number in range(frames)):
        across = right + np.float32(px * np.sin(t)) * np.sin(down / 9)
        across += np.float32(px * np.cos(1.7 * t) * 2 / 3) * np.sin(right / 7)
        along = down + np.float32(px * np.cos(2.3 * t)) * np.sin(right / 11 + down / 15)
        made.append(np.asarray(cv2.remap(picture, across, along, cv2.INTER_LINEAR), np.uint8))
    return made


def slides(change: Change, stays: int, steps: int, pans: float = 0.0) -> list[Image]:
    """Photos one after another. change: makes the picture in between, of two and a share. pans: degrees and px a shot,
    all the time."""
    made: list[Image] = []
    for seed in range(4):
        for number in range(stays + steps):
            share = max(0, number - stays + 1) / (steps + 1)
            one, other = (
                moved(crop(seed + later), pans * at, 1 + pans * at / 200, pans * at / 2, 0)
                for later, at in ((0, number), (1, number - stays - steps))
            )
            made.append(change(one, other, share) if share else one)
    return made


def faded(one: Image, other: Image, share: float) -> Image:
    return np.asarray(cv2.addWeighted(one, 1 - share, other, share, 0), np.uint8)


def through_black(one: Image, other: Image, share: float) -> Image:
    return np.asarray(one * (1 - 2 * share) if share < 0.5 else other * (2 * share - 1), np.uint8)


def wiped(one: Image, other: Image, share: float) -> Image:
    return np.hstack([other[:, : round(112 * share)], one[:, round(112 * share) :]])


def pushed(one: Image, other: Image, share: float) -> Image:
    return np.hstack([one, other])[:, round(112 * share) :][:, :112]


@pytest.mark.parametrize("seed", range(3))
def test_a_living_face_is_let_in_within_two_seconds(seed: int) -> None:
    said = shown(alive(seed, 16))
    assert outcomes(said) == [("grant", "match")]


@pytest.mark.parametrize("seed", range(3))
def test_a_photo_that_stands_still_is_not_let_in_and_told_so(seed: int) -> None:
    assert outcomes(shown([crop(seed)] * 40)) == [("deny", "not_moving")]


def test_a_photo_in_a_hand_is_not_let_in() -> None:
    rng = np.random.default_rng(2)
    held = [moved(crop(1), *rng.normal((0, 1, 0, 0), (1.0, 0.01, 1.0, 1.0))) for _ in range(40)]
    assert outcomes(shown(held)) == [("deny", "not_moving")]


@pytest.mark.parametrize("frames", [3, 6, 18])
def test_photos_one_after_another_are_not_let_in(frames: int) -> None:
    slides = [crop(seed) for seed in range(8) for _ in range(frames)]
    assert [outcome for outcome, _ in outcomes(shown(slides))] == ["deny"]


@pytest.mark.parametrize("frames", [3, 6])
def test_photos_that_resemble_each_other_are_not_let_in_either(frames: int) -> None:
    """None is a jump from the one before, as of one sitting; but each step has standstill before and after it."""
    sitting = [picture for picture in alive(1, 8, pace=0.4, px=3.0) for _ in range(frames)]
    assert [outcome for outcome, _ in outcomes(shown(sitting))] == ["deny"]


@pytest.mark.parametrize("steps", [1, 9])
@pytest.mark.parametrize("change", [faded, through_black, wiped, pushed])
def test_photos_that_are_led_over_into_each_other_are_not_let_in(change: Change, steps: int) -> None:
    assert [outcome for outcome, _ in outcomes(shown(slides(change, 5, steps)))] == ["deny"]


@pytest.mark.parametrize("steps", [3, 18])
def test_nor_are_they_when_they_drift_all_the_while(steps: int) -> None:
    drifting = slides(faded, 12, steps, pans=0.3)
    assert [outcome for outcome, _ in outcomes(shown(drifting))] == ["deny"]


@pytest.mark.parametrize("steps", [3, 9])
def test_a_slow_machine_that_sees_every_other_picture_lets_them_in_no_more(steps: int) -> None:
    seldom = slides(faded, 12, steps)[::2]
    assert [outcome for outcome, _ in outcomes(shown(seldom, every_s=0.22))] == ["deny"]


def test_after_a_cut_nothing_counts_for_a_while_and_then_a_living_face_does() -> None:
    after = alive(2, 40)
    (grant,) = shown([*alive(1, 2), *after])
    assert grant.outcome == "grant"
    assert grant.evidence.captured >= 100.0 + 0.11 * 3 + SETTLES_S


def test_a_stranger_is_refused_as_unknown_however_still() -> None:
    assert outcomes(shown([crop(1)] * 10, similarity=0.1)) == [("deny", "unknown")]


def test_slow_movement_adds_up() -> None:
    slow = alive(1, 40, pace=0.24)
    assert max(motion.change(motion.look(one), motion.look(other)) for one, other in pairwise(slow[:12])) < motion.STILL
    assert outcomes(shown(slow)) == [("grant", "match")]


def test_a_person_in_doubt_who_stands_still_may_give_a_second_factor_meanwhile() -> None:
    judge = Judge(Decide(), THRESHOLDS, cosine, continuity=Continuity())
    pictures = [*alive(1, 16), *[alive(1, 16)[-1]] * 20]
    rng, now, said = np.random.default_rng(1), 100.0, list[Decision]()
    for number, picture in enumerate(pictures):
        now += 0.11
        loud = np.clip(picture + rng.normal(0, 3, picture.shape), 0, 255).astype(np.uint8)
        said += judge.vote(
            Shot("entry", 1, number, now, BOX, loud, Assessment(0.9)), TEMPLATE, Match(ANNA, 0.55, 0.3), now
        )
    assert outcomes(said) == [("review", "grey_zone")]
    assert isinstance(judge.confirm(said[0], now), Decision)


def test_a_photo_wiped_over_one_that_is_much_like_it_is_not_let_in() -> None:
    one, other = (alive(1, 6, pace=1.0, px=1.5)[number] for number in (0, 5))
    wipe = [wiped(one, other, share) for share in (0.25, 0.5, 0.75)]
    assert outcomes(shown([*[one] * 8, *wipe, *[other] * 8])) == [("deny", "not_moving")]
