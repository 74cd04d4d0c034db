"""The real daemon, a real controller and commands over a real broker, while somebody stands at the door."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from faceedge.demo.photos import admiral_path
from faceedge.door.broker import local_broker
from faceedge.door.signed import SecondFactor, unsign
from faceedge.journal.signing import public_path, read_public
from tests.system.at_the_door import Porch, Process, opened, wait_for
from tests.system.test_commands import Site, listening

pytestmark = [pytest.mark.system, pytest.mark.broker]
SETTLE_S = 3.0


@contextmanager
def running(porch: Porch) -> Iterator[tuple[Process, Process]]:
    daemon, controller = porch.daemon(), porch.controller()
    try:
        yield daemon, controller
    finally:
        for process in (daemon, controller):
            if process.child.returncode is None:
                process.stop()


def told(**wanted: Any) -> Callable[[dict[str, Any]], bool]:
    return lambda event: all(event.get(key) == value for key, value in wanted.items())


def test_a_face_in_doubt_opens_the_door_once_it_is_confirmed_and_once_only(tmp_path: Path, standing: Path) -> None:
    with local_broker() as broker:
        site = Site(tmp_path, standing, broker)
        porch = site.porch
        assert porch.call("enroll", "Admiral", str(admiral_path())).returncode == 0
        config = porch.config("daemon")  # no two people differ by so much: whoever comes is in doubt
        config.write_text(config.read_text().replace("cooldown_s = 0", "cooldown_s = 5\nmargin = 1"))
        with listening(broker) as listener, running(porch) as (daemon, controller):
            wait_for(lambda: listener.on("/event/second_factor"), 60)
            wait_for(lambda: daemon.at(told(event="door", answering=True)), 10)
            assert controller.at(opened) == []
            ((_, wire),) = listener.on("/event/second_factor")
            asked, _ = unsign(SecondFactor, wire, [read_public(public_path(tmp_path / "state"))])
            assert (asked.camera, asked.doors, asked.reason) == ("entry", ["main"], "ambiguous")

            assert site("confirm", decision="0" * 16) == (False, "unknown decision")
            assert site("confirm", decision=asked.decision) == (True, "")
            wait_for(lambda: controller.at(opened), 5)
            assert site("confirm", decision=asked.decision) == (False, "used")
            time.sleep(SETTLE_S)
            assert len(controller.at(opened)) == 1
            (grant,) = [event for _, event in daemon.events if told(outcome="grant")(event)]
            assert (grant["reason"], grant["band"], grant["person"]) == ("second_factor", "grey", asked.sub)
    story = porch.call("why", asked.decision).stdout
    for part in ("opened after a second factor", "It was confirmed by site key", "in vain: used", "controller opened"):
        assert part in story


def test_somebody_is_enrolled_at_the_door_which_stays_shut_until_they_come_again(
    tmp_path: Path, standing: Path
) -> None:
    with local_broker() as broker:
        site = Site(tmp_path, standing, broker)
        porch = site.porch
        assert porch.call("people", "remove", "Astronaut").returncode == 0

        with running(porch) as (daemon, controller):  # killed in the middle
            wait_for(lambda: daemon.at(told(outcome="deny", reason="unknown")), 60)
            assert site("enrol", camera="entry", name="Visitor", seconds=60) == (True, "")
            assert site("enrol", camera="entry", name="Visitor", seconds=60)[0] is False
            daemon.stop(signal.SIGKILL)
            assert '"people": []' in porch.call("people", "list", "--json").stdout

        with running(porch) as (daemon, controller):
            wait_for(lambda: daemon.at(told(outcome="deny", reason="unknown")), 60)
            assert site("enrol", camera="entry", name="Visitor", seconds=60) == (True, "")
            wait_for(lambda: daemon.at(told(event="enrolment")), 60)
            assert daemon.at(told(event="enrolment", ok=True))
            since = time.monotonic()
            wait_for(lambda: daemon.at(told(reason="enrolling"), since), 10)
            time.sleep(SETTLE_S)
            assert controller.at(opened) == [], "the visitor has not left since"
            daemon.stop()

        with running(porch) as (_, controller):  # to a daemon that begins everybody comes anew
            wait_for(lambda: controller.at(opened), 60)
