"""Made-up sequences of crops: whatever comes most often, nobody and nothing is crowded out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import pytest

from faceedge.gallery.captured import Kept
from faceedge.jobs.strata import Limits, light_band, plan, quality_band

LIMITS = Limits(100, "arcface_112")


def crops(
    count: int, person: str | None = None, *, light: float = 120.0, quality: float = 0.7,
    alignment: str = "arcface_112", start: int = 0,
) -> list[Kept]:  # fmt: skip
    ranks = np.random.default_rng((start, count, int(light), int(100 * quality), *map(ord, person or "-")))
    place = f"{person}-{light}-{quality}-{alignment}"
    return [
        Kept(f"{place}-{number}", person, number, alignment, "build", quality, light, float(ranks.random()))
        for number in range(start, start + count)
    ]


def kept_of(offered: Iterable[Kept], limits: Limits = LIMITS, batch: int = 1) -> list[Kept]:
    """What is left when crops are offered a few at a time, as the daemon does."""
    kept: list[Kept] = []
    waiting = list(offered)
    for at in range(0, len(waiting), batch):
        now = waiting[at : at + batch]
        chosen = plan(kept, now, limits)
        kept = [one for one in kept if one.id not in chosen.dropped] + [one for one in now if one.id in chosen.added]
        assert len(kept) <= limits.most
    return kept


def mixed(*groups: Sequence[Kept]) -> list[Kept]:
    together = [one for group in groups for one in group]
    return [together[at] for at in np.random.default_rng(0).permutation(len(together))]


@pytest.mark.parametrize(
    ("value", "name"), [(0.0, "fair"), (0.59, "fair"), (0.6, "good"), (0.79, "good"), (0.8, "best"), (1.0, "best")]
)
def test_quality_has_three_bands(value: float, name: str) -> None:
    assert quality_band(value) == name


@pytest.mark.parametrize(
    ("value", "name"),
    [(0.0, "dark"), (79.9, "dark"), (80.0, "even"), (159.9, "even"), (160.0, "bright"), (255, "bright")],
)
def test_light_has_three_bands(value: float, name: str) -> None:
    assert light_band(value) == name


def test_what_fits_is_kept() -> None:
    assert len(kept_of(mixed(crops(20, "ada"), crops(20, "bob"), crops(50)))) == 90


def test_one_person_alone_fills_no_more_than_the_share_of_one() -> None:
    assert len(kept_of(crops(500, "ada"))) == LIMITS.most_of_one == 20
    assert Limits(2000, "").most_of_one == 100


def test_who_comes_daily_does_not_crowd_out_who_comes_once() -> None:
    regulars = [crops(300, f"regular {number}") for number in range(10)]
    guests = [crops(2, f"guest {number}") for number in range(10)]
    people = Counter(one.person for one in kept_of(mixed(*regulars, *guests)))
    assert all(people[f"guest {number}"] == 2 for number in range(10))
    assert {people[f"regular {number}"] for number in range(10)} == {8}


def test_strangers_and_people_share_by_halves_when_there_are_enough_of_both() -> None:
    people = [crops(300, f"person {number}") for number in range(10)]
    kept = kept_of(mixed(crops(2000), *people))
    assert sum(one.person is None for one in kept) == 50


def test_the_rare_light_and_the_rare_quality_stay() -> None:
    common, dark, fair = crops(2000), crops(12, light=40.0), crops(9, quality=0.45)
    kept = kept_of(mixed(common, dark, fair))
    assert sum(one.light == 40.0 for one in kept) == 12
    assert sum(one.quality == 0.45 for one in kept) == 9


def test_within_a_stratum_early_and_late_crops_are_kept_alike() -> None:
    """A sample, not the newest nor the oldest: of 20 runs the mean place is the middle."""
    places = [
        one.created for run in range(20) for one in kept_of(crops(400, start=1000 * run), Limits(20, "arcface_112"), 8)
    ]
    assert 170 < np.mean([place % 1000 for place in places]) < 230


def test_the_same_crops_are_kept_in_whatever_order_and_batches_they_come() -> None:
    offered = mixed(crops(80, "ada"), crops(200), crops(30, "bob", light=200.0), crops(30, quality=0.9))
    assert plan([], offered, LIMITS).added == plan([], list(reversed(offered)), LIMITS).added
    assert kept_of(offered, batch=7) == kept_of(offered, batch=7)


def test_crops_for_a_recogniser_that_is_gone_give_way_first() -> None:
    old = crops(100, alignment="dlib_150")
    kept = kept_of([*old, *crops(60)])
    assert Counter(one.alignment for one in kept) == {"arcface_112": 60, "dlib_150": 40}


def test_lowered_limits_thin_out_what_is_there() -> None:
    kept = kept_of(mixed(crops(90), crops(10, "ada")))
    chosen = plan(kept, (), Limits(20, "arcface_112"))
    left = [one for one in kept if one.id not in chosen.dropped]
    assert (len(left), sum(one.person == "ada" for one in left)) == (20, 10)
    assert not chosen.added


def test_a_crop_that_would_go_at_once_is_not_stored_at_all() -> None:
    kept = [Kept(str(number), None, 0, "arcface_112", "b", 0.7, 120.0, 0.5) for number in range(100)]
    low = Kept("low", None, 0, "arcface_112", "b", 0.7, 120.0, 0.1)
    high = Kept("high", None, 0, "arcface_112", "b", 0.7, 120.0, 0.9)
    assert plan(kept, [low], LIMITS) == plan([], [], LIMITS)
    chosen = plan(kept, [high], LIMITS)
    assert (chosen.added, len(chosen.dropped)) == (frozenset({"high"}), 1)
