"""Rules changed from a terminal while the astronaut stands at a real door with a real broker."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from faceedge.door.broker import local_broker
from tests.system.at_the_door import FACEEDGE, Process, door, opened, wait_for

pytestmark = [pytest.mark.system, pytest.mark.broker]


def test_the_door_follows_the_rules_within_seconds(tmp_path: Path, standing: Path) -> None:
    def operator(*command: str) -> None:
        environ = os.environ | {"FACEEDGE_STATE": str(tmp_path / "state")}
        subprocess.run([*FACEEDGE, *command], env=environ, check=True, capture_output=True)

    def refused_for(daemon: Process, reason: str) -> None:
        since = time.monotonic()
        wait_for(lambda: daemon.at(lambda event: event.get("reason") == reason, since), 15)

    def opens(controller: Process) -> None:
        since = time.monotonic()
        wait_for(lambda: controller.at(opened, since), 15)

    with local_broker() as broker, door(tmp_path, standing, broker.port, broker.port) as (daemon, controller):
        wait_for(lambda: controller.at(opened), 60)
        for command, reason in (
            (("rules", "add", "staff", "main"), "not_here"),
            (("people", "set", "Astronaut", "--group", "staff"), ""),
            (("people", "set", "Astronaut", "--valid-until", "2000-01-01"), "expired"),
            (("people", "set", "Astronaut", "--valid-until", "none", "--block"), "blocked"),
        ):
            operator(*command)
            if not reason:
                opens(controller)
                continue
            refused_for(daemon, reason)
            shut = time.monotonic()
            time.sleep(2)
            assert controller.at(opened, shut) == []
