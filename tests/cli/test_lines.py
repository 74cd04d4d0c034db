"""Whoever tells an event goes on at once, whatever its reader does."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator

import pytest

from faceedge.cli.lines import JsonLines


@pytest.fixture
def pipe() -> Iterator[list[int]]:
    """Read end, write end; what is still open in the end is closed."""
    ends = list(os.pipe())
    yield ends
    for end in ends:
        os.close(end)


def test_every_event_is_one_line_in_order_even_from_several_threads(pipe: list[int]) -> None:
    with JsonLines(pipe[1]) as lines:
        tellers = [
            threading.Thread(target=lambda who=who: [lines.tell({"who": who, "n": n}) for n in range(100)])
            for who in range(3)
        ]
        for teller in tellers:
            teller.start()
        for teller in tellers:
            teller.join()
    told = [json.loads(line) for line in os.read(pipe[0], 1 << 20).splitlines()]
    for who in range(3):
        assert [event["n"] for event in told if event["who"] == who] == list(range(100))


def test_a_reader_that_sleeps_holds_nobody_up_and_loses_the_oldest(pipe: list[int]) -> None:
    def tell_much() -> None:
        with JsonLines(pipe[1], most=10) as lines:
            for number in range(300):
                lines.tell({"event": "x" * 1000, "n": number})
            dropped.append(lines.dropped)

    dropped: list[int] = []
    teller = threading.Thread(target=tell_much, daemon=True)
    teller.start()
    teller.join(5)
    assert not teller.is_alive()
    assert dropped[0] > 100
    while teller_left(pipe[0]):
        pass


def teller_left(end: int) -> bool:
    """Reads on so that the writing thread of the test above can end; False after the last event."""
    return b'"n": 299}' not in os.read(end, 1 << 16)


def test_a_reader_that_is_gone_is_noticed_once_and_nobody_raises(pipe: list[int]) -> None:
    gone = threading.Event()
    os.close(pipe.pop(0))
    with JsonLines(pipe[0], most=5) as lines:
        lines.on_gone = gone.set
        lines.tell({"event": "ready"})
        assert gone.wait(5)
        for _ in range(20):
            lines.tell({"event": "decision"})
