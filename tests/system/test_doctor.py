"""Doctor beside the real daemon: it finds nothing wrong with a house that works, and nothing of it is disturbed."""

from __future__ import annotations

import json
import tarfile
import time
from pathlib import Path

import pytest

from faceedge.door.broker import local_broker
from tests.system.at_the_door import Porch, opened, wait_for

pytestmark = [pytest.mark.system, pytest.mark.broker]


def test_a_door_that_works_is_green_and_goes_on_working_while_it_is_looked_at(tmp_path: Path, standing: Path) -> None:
    with local_broker(kind="mosquitto") as broker:
        porch = Porch.built(tmp_path, standing, broker.port, broker.port)
        metrics = f'[health]\nmetrics = "unix:{tmp_path / "metrics.sock"}"\n'
        porch.config("daemon").write_text(porch.config("daemon").read_text() + metrics)
        controller, daemon = porch.controller(), porch.daemon()
        try:
            wait_for(lambda: controller.at(opened), 60)
            archive = tmp_path / "support.tar.gz"
            looked = porch.call("doctor", "--json", "--bundle", str(archive))
            after = time.monotonic()
            wait_for(lambda: controller.at(opened, after), 30)
        finally:
            daemon.stop()
            controller.stop()
        assert daemon.child.returncode == 0
    findings = {one["id"]: one for one in json.loads(looked.stdout)["findings"]}
    wanted = (
        "camera.entry", "broker.login", "broker.rights", "controller.main.main", "keys.main.main", "gallery.file",
        "gallery.key", "gallery.people", "journal.file", "journal.chain", "service.metrics",
    )  # fmt: skip
    assert {id: findings[id]["what"] for id in wanted if findings[id]["status"] != "ok"} == {}
    with tarfile.open(archive) as members:
        samples = members.extractfile("faceedge-support/metrics.json")
        assert samples is not None
        assert b"faceedge_camera_ok camera=entry" in samples.read()
    assert porch.call("journal", "verify").returncode == 0
