"""Queues between stages: bounded, the newest wins, and what is dropped is counted."""

from __future__ import annotations

import threading
from collections import Counter

import pytest

from faceedge.batching import Batching
from faceedge.channel import Channel, Closed


def test_the_newest_frame_wins_and_the_drop_is_counted() -> None:
    channel: Channel[int] = Channel("frames", 2)
    for item in range(5):
        channel.put("entry", item)
    assert channel.take(9, 0) == [3, 4]
    assert (channel.dropped, channel.passed) == (3, 2)


def test_a_busy_camera_does_not_push_out_the_frames_of_another() -> None:
    channel: Channel[str] = Channel("frames", 1)
    channel.put("yard", "yard-0")
    for item in range(9):
        channel.put("entry", f"entry-{item}")
    assert channel.take(9, 0) == ["yard-0", "entry-8"]


def test_a_lossless_channel_makes_the_giver_wait_and_loses_nothing() -> None:
    channel: Channel[int] = Channel("frames", 2, lossless=True)
    giver = threading.Thread(target=lambda: [channel.put("entry", item) for item in range(50)])
    giver.start()
    taken: list[int] = []
    while len(taken) < 50:
        taken += channel.take(3, 5)
    giver.join(5)
    assert taken == list(range(50))
    assert channel.dropped == 0


def test_closing_lets_the_rest_out_and_then_says_so() -> None:
    channel: Channel[int] = Channel("frames", 4)
    channel.put("entry", 1)
    channel.close()
    channel.put("entry", 2)
    assert channel.take(9, 0) == [1]
    with pytest.raises(Closed):
        channel.take(9, 0)


def test_a_giver_that_waits_is_released_by_a_discarding_close() -> None:
    channel: Channel[int] = Channel("frames", 1, lossless=True)
    channel.put("entry", 1)
    giver = threading.Thread(target=channel.put, args=("entry", 2))
    giver.start()
    channel.close(discard=True)
    giver.join(5)
    assert not giver.is_alive()
    assert len(channel) == 0


def test_cameras_take_turns_also_when_one_comes_at_a_time_and_all_are_faster() -> None:
    channel: Channel[str] = Channel("frames", 1)
    served: Counter[str] = Counter()
    for _ in range(100):
        for camera in ("entry", "yard", "gate", "hall"):  # always in this order: the first would be the oldest for ever
            channel.put(camera, camera)
        served.update(channel.take(1, 0))
    assert set(served.values()) == {25}


def test_of_a_crowd_before_one_camera_every_track_is_served_and_with_its_newest_shots() -> None:
    channel: Channel[tuple[int, int]] = Channel("shots", 2)
    taken: list[tuple[int, int]] = []
    for seq in range(80):
        for track in range(8):
            channel.put(("entry", track), (track, seq))
        now = channel.take(2, 0)
        assert all(seq - old <= 5 for _, old in now)
        taken += now
    shares = Counter(track for track, _ in taken)
    assert set(shares) == set(range(8))
    assert max(shares.values()) - min(shares.values()) <= 1


def test_all_keys_together_are_bounded_and_who_has_most_loses_first() -> None:
    channel: Channel[str] = Channel("shots", 3, most=4)
    for item in ("a1", "a2", "a3"):
        channel.put("a", item)
    for item in ("b", "c", "d"):
        channel.put(item, item)
    assert len(channel) == 4
    assert channel.take(9, 0) == ["a3", "b", "c", "d"]
    assert channel.dropped == 2


def test_whoever_loses_the_only_item_that_waited_is_told_of_and_nobody_else() -> None:
    lost: list[str] = []
    channel: Channel[str] = Channel("shots", 2, most=3, lost=lost.append)
    for item in ("a1", "a2", "a3"):
        channel.put("a", item)
    for item in ("b", "c"):
        channel.put(item, item)
    assert lost == []
    channel.put("d", "d")
    assert lost == ["a3"]
    assert channel.take(9, 0) == ["b", "c", "d"]
    assert channel.dropped == 3


def test_a_camera_faster_than_the_wait_is_not_held_back_for_ever_by_a_busy_device() -> None:
    clock = [0.0]
    channel: Channel[int] = Channel("frames", 1, batching=Batching(0.02, lambda: False), clock=lambda: clock[0])
    taken: list[int] = []
    channel.put("entry", 0)
    taker = threading.Thread(target=lambda: taken.extend(channel.take(9, 5)))
    taker.start()
    for number in range(1, 6):  # each takes the place of the one before it, which has not waited long enough
        taker.join(0.02)
        clock[0] += 0.01
        channel.put("entry", number)
    taker.join(0.5)
    channel.close(discard=True)
    taker.join(5)
    assert taken
    assert taken[0] >= 1


def test_what_a_full_batch_leaves_behind_waits_from_its_own_coming_on() -> None:
    clock = [0.0]
    channel: Channel[str] = Channel("frames", 1, batching=Batching(0.02, lambda: False), clock=lambda: clock[0])
    channel.put("entry", "entry")
    clock[0] = 0.015
    channel.put("yard", "yard")
    assert channel.take(1, 0) == ["entry"]
    clock[0] = 0.025
    assert not channel._leaves(2)
    clock[0] = 0.036
    assert channel._leaves(2)


def test_without_loss_items_leave_in_the_order_they_came() -> None:
    channel: Channel[int] = Channel("shots", 9, lossless=True)
    for number in range(9):
        channel.put(("entry", number % 4), number)
    assert channel.take(4, 0) + channel.take(9, 0) == list(range(9))


def test_keys_that_have_nothing_leave_nothing_behind() -> None:
    channel: Channel[int] = Channel("shots", 2, most=8)
    for track in range(1000):
        channel.put(("entry", track), track)
        channel.put(("entry", track), track)
    assert len(channel._queues) <= 8
    channel.take(99, 0)
    assert not channel._queues
