"""Another network in the real daemon, by signed command and by the command line, while somebody stands at the door."""

from __future__ import annotations

import json
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from faceedge.config import cache_dir
from faceedge.door.broker import local_broker
from faceedge.models.defaults import default_models
from faceedge.package import as_toml, read_package
from tests.system.at_the_door import Process, opened, wait_for
from tests.system.test_commands import Site, listening, ready, run

pytestmark = [pytest.mark.system, pytest.mark.broker]
OURS = "our-resnet@1"


def bring(state: Path) -> None:
    """The built-in recogniser under a name of our own: the same people are known to it."""
    folder = shutil.copytree(default_models(cache_dir()) / "dlib-resnet" / "1", state / "models" / "our-resnet" / "1")
    (folder / "model.toml").write_text(as_toml(read_package(folder).manifest.model_copy(update={"name": "our-resnet"})))


def did(daemon: Process, done: str, since: float = 0.0) -> list[float]:
    return daemon.at(lambda event: event["event"] == "model" and event["done"] == done, since)


def opens_again(controller: Process) -> None:
    since = time.monotonic()
    wait_for(lambda: controller.at(opened, since), 60)


def test_networks_change_while_the_door_works_and_a_kill_brings_the_one_before(tmp_path: Path, standing: Path) -> None:
    with local_broker() as broker, listening(broker) as listener:
        site = Site(tmp_path, standing, broker)
        bring(tmp_path / "state")
        controller = site.porch.controller()

        def call(*words: str) -> Any:
            answer = site.porch.call("model", *words, "--json")
            assert answer.returncode == 0, answer.stderr
            return json.loads(answer.stdout)

        daemon = site.porch.daemon()
        try:
            wait_for(lambda: controller.at(opened), 60)
            ok, why = site("model_activate", name="nothing@1")
            assert (ok, "no model package 'nothing@1'" in why) == (False, True)
            assert site("model_activate", name=OURS) == (True, "")
            wait_for(lambda: did(daemon, "activated"), 60)
            opens_again(controller)
            rows = {row["package"]: row for row in call("list")["models"]}
            assert (rows[OURS]["standing"], rows[OURS]["on_trial"]) == ("active", True)
            assert site("model_rollback", role="recognizer") == (True, "")
            wait_for(lambda: did(daemon, "rolled_back"), 60)
            answer = call("activate", OURS)
            assert (answer["live"], answer["changed"], answer["before"]) == (True, True, "dlib-resnet")
            assert len(daemon.at(ready)) == 1, "nothing began anew"
            opens_again(controller)
            told = [json.loads(payload) for _, payload in listener.on("/event/model")]
            by = f"mqtt:{site.secret.public.kid}"
            assert [(one["what"], one["by"]) for one in told[:2]] == [("failed", by), ("activated", by)]
            daemon.stop(signal.SIGKILL)
            with run(site.porch) as daemon:
                opens_again(controller)
                (newest, *_) = call("history")["history"]
                assert (newest["done"], newest["package"], newest["before"]) == ("went_back", "", OURS)
                rows = {row["package"]: row for row in call("list")["models"]}
                assert rows["dlib-resnet@1"]["standing"] == "active"
        finally:
            if daemon.child.returncode is None:
                daemon.stop()
            controller.stop()
