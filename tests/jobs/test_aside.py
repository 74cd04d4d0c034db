"""Work beside the door: after it, and in a thread that ends."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from faceedge.jobs.aside import NICE, aside

ASK = "import os; print(os.getpriority(os.PRIO_PROCESS, 0))"


def niceness() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


def test_it_comes_after_the_door_with_what_it_starts_and_the_door_stays_where_it_was() -> None:
    before = niceness()
    answered = aside(lambda: (niceness(), int(subprocess.check_output([sys.executable, "-c", ASK]))))
    assert answered == (max(NICE, before), max(NICE, before))
    assert niceness() == before


def test_what_it_raises_is_raised_and_its_thread_is_gone() -> None:
    def fails() -> None:
        raise ZeroDivisionError

    count = threading.active_count()
    with pytest.raises(ZeroDivisionError):
        aside(fails)
    assert threading.active_count() == count
