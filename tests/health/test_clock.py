"""The wall clock: believed, or not there."""

from __future__ import annotations

import sys
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from faceedge.health.clock import ANSWER_WITHIN_S, ASK_EVERY_S, SyncWatch, WallClock, system_zone
from faceedge.rules.clock import RELEASED

NOWHERE = Path("/nonexistent/mark")


def says(text: str) -> tuple[str, ...]:
    return (sys.executable, "-c", f"print({text!r})")


@pytest.mark.parametrize(("said", "known"), [("yes", True), ("no", False), ("", None), ("what?", None)])
def test_what_the_system_says_is_taken_over(said: str, known: bool | None) -> None:
    watch = SyncWatch(NOWHERE, says(said))
    watch.settle(10)
    assert watch.is_synchronised is known


def test_the_mark_of_timesyncd_is_enough_and_stays_known(tmp_path: Path) -> None:
    mark = tmp_path / "synchronized"
    watch = SyncWatch(mark, ("/nonexistent/program",))
    watch.look()
    assert watch.is_synchronised is None, "no program to ask: nobody can tell"
    mark.touch()
    watch.look()
    mark.unlink()
    watch.look()
    assert watch.is_synchronised is True


def test_looking_never_waits_and_a_question_without_an_answer_is_given_up() -> None:
    now = 0.0
    watch = SyncWatch(NOWHERE, (sys.executable, "-c", "import time; time.sleep(60)"), lambda: now)
    started = time.monotonic()
    watch.look()
    watch.look()
    assert time.monotonic() - started < 5
    now = ANSWER_WITHIN_S + 1
    watch.look()
    watch.close()
    assert watch.is_synchronised is None


def test_it_asks_again_only_after_a_while(tmp_path: Path) -> None:
    now = 0.0
    asked = tmp_path / "asked"
    program = f"open({str(asked)!r}, 'a').write('x'); print('no')"
    watch = SyncWatch(NOWHERE, (sys.executable, "-c", program), lambda: now)

    def answered() -> int:
        while watch._child is not None:
            time.sleep(0.01)
            watch.look()
        return len(asked.read_text())

    watch.look()
    assert answered() == 1
    watch.look()
    assert watch._child is None
    now = ASK_EVERY_S
    watch.look()
    assert answered() == 2
    assert watch.is_synchronised is False


def test_an_unbelievable_clock_tells_no_time() -> None:
    now = RELEASED + timedelta(days=1)
    sync = SyncWatch(NOWHERE, ("/nonexistent/program",))
    wall = WallClock(sync, "if_known", clock=now.timestamp)
    assert wall.now() == now
    sync.is_synchronised = False
    assert wall.now() is None
    sync.is_synchronised = True
    assert wall.now() == now
    unknown = SyncWatch(NOWHERE, ("/nonexistent/program",))
    later = WallClock(unknown, "if_known", now + timedelta(seconds=1), now.timestamp)
    assert later.now() is None
    fresh_board = WallClock(sync, "never", clock=lambda: 0.0)
    assert fresh_board.now() is None


def test_the_zone_of_the_system_has_a_name(tmp_path: Path) -> None:
    zone = tmp_path / "usr/share/zoneinfo/Europe/Berlin"
    zone.parent.mkdir(parents=True)
    zone.touch()
    (tmp_path / "localtime").symlink_to(zone)
    assert system_zone(tmp_path / "localtime") == "Europe/Berlin"
    assert system_zone(tmp_path / "none") == "UTC"
    assert datetime.now(timezone.utc) > RELEASED
