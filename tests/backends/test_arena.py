"""The arena holds what the neediest network asks, in one block, and no more than one block at a time."""

from __future__ import annotations

import gc
from typing import Any, cast

import pytest

from faceedge.backends.arena import Arena
from faceedge.backends.cuda import Gpu
from faceedge.errors import NoDeviceMemory

KIB = 1024


class _Memory:
    def __init__(self, address: int, size: int) -> None:
        self.address, self.size = address, size


class _Device:
    """Counts what is held. Refuses what is beyond `room`."""

    def __init__(self) -> None:
        self.room = 1024 * KIB
        self.held: list[Any] = []
        self.most = 0
        self.allocations = 0

    def alloc(self, size: int) -> Any:
        if sum(memory.size for memory in self.held) + size > self.room:
            raise NoDeviceMemory("no")
        self.allocations += 1
        self.held.append(_Memory(0x10000 * self.allocations, size))
        self.most = max(self.most, len(self.held))
        return self.held[-1]

    def free(self, *blocks: Any) -> None:
        for block in blocks:
            self.held.remove(block)


class _User:
    pass


@pytest.fixture
def device() -> _Device:
    return _Device()


@pytest.fixture
def arena(device: _Device) -> Arena:
    return Arena(cast(Gpu, device))


DETECTOR, RECOGNISER = _User(), _User()


def test_two_networks_share_one_block_of_the_larger_need(arena: Arena, device: _Device) -> None:
    first = arena.hold(DETECTOR, 300 * KIB)
    assert arena.hold(RECOGNISER, 100 * KIB) is first
    assert first.size >= 300 * KIB
    assert arena.size == first.size
    assert device.allocations == 1


def test_a_block_that_grows_moves_and_the_old_one_goes_first(arena: Arena, device: _Device) -> None:
    small = arena.hold(DETECTOR, 64 * KIB)
    large = arena.hold(RECOGNISER, 200 * KIB)
    assert large is not small
    assert arena.hold(DETECTOR, 64 * KIB) is large, "whoever held the small one learns of the large one"
    assert device.most == 1


def test_shapes_that_take_turns_allocate_nothing(arena: Arena, device: _Device) -> None:
    for _ in range(5):
        arena.hold(DETECTOR, 300 * KIB)
        arena.hold(DETECTOR, 10 * KIB)
        arena.hold(RECOGNISER, 100 * KIB)
    assert device.allocations == 1


def test_a_network_that_needs_no_memory_gets_some_all_the_same(arena: Arena) -> None:
    assert arena.hold(DETECTOR, 0).size > 0, "a null address is nothing to hand around"


def test_the_need_of_a_network_is_the_most_it_asked_for_until_it_is_trimmed(arena: Arena) -> None:
    arena.hold(DETECTOR, 300 * KIB)
    arena.hold(DETECTOR, 10 * KIB)
    assert arena.need_of(DETECTOR) == 300 * KIB
    arena.trim(DETECTOR, 10 * KIB)
    assert arena.need_of(DETECTOR) == 10 * KIB
    assert arena.need_of(RECOGNISER) == 0


def test_a_trim_gives_back_only_what_no_other_network_needs(arena: Arena) -> None:
    arena.hold(DETECTOR, 300 * KIB)
    arena.hold(RECOGNISER, 200 * KIB)
    assert arena.trim(DETECTOR, 10 * KIB).size < 300 * KIB
    assert arena.size >= 200 * KIB
    arena.trim(RECOGNISER, 20 * KIB)
    assert arena.size < 200 * KIB


def test_the_last_to_leave_takes_the_block_along(arena: Arena, device: _Device) -> None:
    arena.hold(DETECTOR, 300 * KIB)
    arena.hold(RECOGNISER, 100 * KIB)
    arena.leave(DETECTOR)
    assert 100 * KIB <= arena.size < 300 * KIB
    arena.leave(RECOGNISER)
    arena.leave(RECOGNISER)
    assert arena.size == 0
    assert device.held == []


def test_a_network_that_was_forgotten_needs_nothing(arena: Arena) -> None:
    gone = _User()
    arena.hold(gone, 900 * KIB)
    del gone
    gc.collect()
    assert arena.trim(DETECTOR, 10 * KIB).size < 900 * KIB


def test_without_room_the_arena_says_so_and_serves_who_asks_for_less(arena: Arena, device: _Device) -> None:
    arena.hold(DETECTOR, 300 * KIB)
    with pytest.raises(NoDeviceMemory):
        arena.hold(RECOGNISER, 2000 * KIB)
    assert arena.hold(DETECTOR, 300 * KIB).size >= 300 * KIB
    assert arena.hold(RECOGNISER, 100 * KIB).size < 2000 * KIB
    assert len(device.held) == 1


def test_without_room_for_a_larger_shape_the_smaller_one_of_the_same_network_goes_on(arena: Arena) -> None:
    arena.hold(DETECTOR, 300 * KIB)
    with pytest.raises(NoDeviceMemory):
        arena.hold(DETECTOR, 2000 * KIB)
    assert arena.hold(DETECTOR, 300 * KIB).size >= 300 * KIB
    assert arena.need_of(DETECTOR) == 300 * KIB
