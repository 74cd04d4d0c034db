"""The real daemon and the real controller as processes over a real broker, which then fails."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path

import pytest

from faceedge.chaos.proxy import SwallowingProxy
from faceedge.door.broker import LocalBroker, local_broker
from tests.system.at_the_door import TTL_S, Process, door, granted, opened, wait_for

pytestmark = [pytest.mark.system, pytest.mark.broker]


def assert_no_late_open(daemon: Process, controller: Process) -> None:
    """Every pulse of the door follows a decision of the daemon by less than the grant's time to live."""
    decided = sorted(datetime.fromisoformat(event["time"]).timestamp() for _, event in daemon.events if granted(event))
    pulses = [datetime.fromisoformat(event["time"]).timestamp() for _, event in controller.events if opened(event)]
    assert pulses
    for pulse in pulses:
        assert any(-TTL_S <= told - pulse <= TTL_S for told in decided), "a pulse without a decision of its time"


def test_a_killed_broker_opens_nothing_late_and_decisions_resume_within_five_seconds(
    tmp_path: Path, standing: Path
) -> None:
    with local_broker() as broker, door(tmp_path, standing, broker.port, broker.port) as (daemon, controller):
        wait_for(lambda: controller.at(opened), 30)
        down = kill(broker)
        wait_for(lambda: len(daemon.at(lambda event: event.get("verdict") == "lost", down)) >= 3, 10)
        dark = controller.at(opened, down + 0.2)
        assert dark == []
        broker.start()
        wait_for(lambda: daemon.at(granted, down + 0.5), 5)
    assert_no_late_open(daemon, controller)


def kill(broker: LocalBroker) -> float:
    broker.kill()
    return time.monotonic()


@pytest.mark.parametrize("fault", ["swallow", "hold"])
def test_a_half_open_link_of_ten_seconds_opens_nothing_late(tmp_path: Path, standing: Path, fault: str) -> None:
    """The daemon's link stays connected while bytes vanish, or arrive ten seconds later all at once."""
    with local_broker() as broker, SwallowingProxy(broker.host, broker.port) as proxy:
        with door(tmp_path, standing, proxy.port, broker.port) as (daemon, controller):
            wait_for(lambda: controller.at(opened), 30)
            getattr(proxy, fault)()
            began = time.monotonic()
            while time.monotonic() - began < 10:
                time.sleep(0.1)
            released = time.monotonic()
            assert controller.at(opened, began + 0.3) == []
            proxy.release()
            wait_for(lambda: daemon.at(granted, released), 5)
        assert proxy.swallowed > 0
        assert_no_late_open(daemon, controller)
