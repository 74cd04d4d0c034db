"""An audit with a real network on real photos: bounds against people it has not seen, and faults planted in galleries.

A small form of `benchmarks.gallery_audit`, whose page of figures is in docs/measurements.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks.gallery_audit import BLUR, Eyes, Look, photos, plant, several, soft, split

pytestmark = [pytest.mark.assets, pytest.mark.system]
RICH, EACH, OTHERS = 24, 5, 136
"""People with five photos, and people with one."""
Looks = dict[str, Sequence[Look]]


@pytest.fixture(scope="module")
def eyes(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> Eyes:
    return Eyes(assets, tmp_path_factory.mktemp("state"))


@pytest.fixture(scope="module")
def rich(eyes: Eyes, assets: Path) -> Looks:
    everybody = photos(assets)
    looks = several(eyes, dict(list(everybody.items())[:RICH]), EACH)
    return {name: each for name, each in looks.items() if len(each) == EACH}


@pytest.fixture(scope="module")
def crowd(eyes: Eyes, assets: Path, rich: Looks) -> Looks:
    others = dict(list(photos(assets).items())[-OTHERS:])
    return {name: each[:1] for name, each in rich.items()} | several(eyes, others, 1)


def test_the_bounds_hold_on_people_it_has_not_seen(eyes: Eyes, crowd: Looks) -> None:
    """Those it sees come in by enrolment, which refuses who is nearest; the strangers do not."""
    splits = [split(eyes, crowd, len(crowd) // 2, seed, 1e-2) for seed in range(20)]
    assert sum(one.refused for one in splits) > 0
    assert all(all(one.assured) for one in splits)
    for level in range(3):
        assert sum(one.held[level] for one in splits) >= 19
        assert sum(one.advised[level] for one in splits) >= 19


def test_what_is_planted_is_found_in_every_gallery(eyes: Eyes, assets: Path, rich: Looks) -> None:
    blurred = soft(eyes, assets, rich, BLUR)
    found = [plant(eyes, rich, blurred, 16, seed) for seed in range(20)]
    assert [sum(getattr(one, fault) for one in found) for fault in ("wrong", "blurred", "twice")] == [20, 20, 20]
    blamed = sum(len(one.blamed) for one in found)
    assert blamed <= 0.02 * sum(one.templates for one in found)
