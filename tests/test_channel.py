"""Queues between stages: bounded, the newest wins, and what is dropped is counted."""

from __future__ import annotations

import threading

import pytest

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
