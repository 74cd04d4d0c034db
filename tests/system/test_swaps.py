"""Other networks while people come and go: nobody is let in for another, nobody is forgotten, and nothing stays behind.

`python -m benchmarks.swapping` is the same at full length.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from benchmarks.swapping import FAULTS, Scarce, World, furnished, held, refused, spoiled, swapped
from benchmarks.visits import Door
from faceedge.jobs.swap import Order
from tests.door.running import until

pytestmark = [pytest.mark.system, pytest.mark.assets]
MOST_GROWTH_MB = 40
"""A pair of networks that stayed behind every time would be more."""


@pytest.fixture(scope="module")
def world(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> World:
    return furnished(tmp_path_factory.mktemp("door"), 2, people=3, strangers=1)


@pytest.fixture
def scarce() -> Scarce:
    return Scarce()


@pytest.fixture
def door(world: World, scarce: Scarce) -> Iterator[Door]:
    """Whatever happens to it, nobody is taken for another or forgotten."""
    with Door(world.state, world.films, world.models, scarce) as opened:
        until(lambda: len(opened.seen.decided) > 0, 60)
        yield opened
    assert not opened.seen.wrong(world.cast)
    assert not opened.seen.undecided()
    assert {one.event["outcome"] for one in opened.seen.decided} >= {"grant"}


def test_networks_are_swapped_again_and_again_while_people_come_and_go(door: Door, world: World) -> None:
    for role, (first, other) in world.labels.items():
        for label in (other, first):
            swapped(door, Order(role=role, name=label))
    before = held()
    for role, (first, other) in world.labels.items():
        for label in (other, first):
            swapped(door, Order(role=role, name=label))
            count = len(door.seen.decided)
            until(lambda count=count: len(door.seen.decided) > count, 60)  # type: ignore[misc]
    after = held()
    assert (after.threads, after.descriptors, after.sessions) == (before.threads, before.descriptors, before.sessions)
    assert after.resident_mb - before.resident_mb < MOST_GROWTH_MB


def test_what_may_not_serve_leaves_nothing_and_disturbs_nothing(door: Door, world: World, scarce: Scarce) -> None:
    for role, (_, other) in world.labels.items():
        swapped(door, Order(role=role, name=other))
    before, whys, bad = held(), {}, spoiled(world)
    for number, (fault, package) in enumerate(islice(bad, 2 * len(FAULTS))):
        if number % 2 == number // 2 % 2:  # one role is enough, and both get their turn
            scarce.where = fault.scarce
            whys[fault.what], _ = refused(door, Order(name=package.label))
            scarce.where = ""
    bad.close()
    assert len(whys) == len(FAULTS)
    assert all(whys.values())
    after, count = held(), len(door.seen.decided)
    assert (after.threads, after.descriptors, after.sessions) == (before.threads, before.descriptors, before.sessions)
    until(lambda: len(door.seen.decided) > count, 60)
    for role, (first, _) in world.labels.items():
        start = time.monotonic()
        swapped(door, Order(role=role))
        assert time.monotonic() - start < 20, "the way back is short, two seconds where nothing else runs"
        assert first in {package.label for package in door.serving().packages.values() if package is not None}
