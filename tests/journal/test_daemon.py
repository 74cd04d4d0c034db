"""A real daemon writes its journal from start to stop, and opens nothing when it cannot."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import pytest

from faceedge.demo.photos import astronaut
from faceedge.journal.reading import entries, reading
from faceedge.journal.signing import public_path, read_public
from faceedge.journal.verify import verify

CONFIG = """
state_dir = "{state}"
[decide]
votes = {votes}
[[camera]]
uri = "images:{pictures}"
"""
FACEEDGE = [sys.executable, "-m", "faceedge"]


@pytest.fixture
def config(tmp_path: Path, state: Path) -> Path:
    """A camera that shows a stranger, a little differently in every picture."""
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number in range(6):
        cv2.imwrite(str(pictures / f"{number}.png"), astronaut() - number)
    return configured(tmp_path, state, 3)


def configured(tmp_path: Path, state: Path, votes: int) -> Path:
    file = tmp_path / "faceedge.toml"
    file.write_text(CONFIG.format(state=state, pictures=tmp_path / "pictures", votes=votes), encoding="utf-8")
    return file


def run(config: Path) -> list[dict[str, Any]]:
    command = [*FACEEDGE, "run", "--once", "--json", "--config", str(config)]
    environ = {key: text for key, text in os.environ.items() if key != "FACEEDGE_CONFIG"}
    ran = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=90, check=False)
    assert ran.returncode == 0, ran.stderr
    return [json.loads(line) for line in ran.stdout.splitlines()]


@pytest.mark.usefixtures("default_models")
@pytest.mark.system
def test_a_daemon_writes_down_start_decisions_and_stop(config: Path, state: Path, tmp_path: Path) -> None:
    told = [event for event in run(config) if event["event"] == "decision"]
    with reading(state / "journal.db") as connection:
        found = list(entries(connection))
    assert [entry.draft.kind for entry in found] == ["start", *["decision"] * len(told), "stop", "checkpoint"]
    assert [entry.body["id"] for entry in found[1:-2]] == [event["id"] for event in told] != []
    assert found[0].body["limits"] == found[1].body["limits"]
    assert verify(state / "journal.db", read_public(public_path(state))).problem is None

    run(configured(tmp_path, state, 4))
    with reading(state / "journal.db") as connection:
        changed = [entry.body for entry in entries(connection, "kind = 'change'")]
    assert [(body["what"], body["before"]["votes"], body["after"]["votes"]) for body in changed] == [("limits", 3, 4)]


@pytest.mark.usefixtures("default_models")
@pytest.mark.system
def test_a_damaged_journal_is_told_once_and_keeps_no_daemon_from_running(config: Path, state: Path) -> None:
    state.mkdir()
    (state / "journal.db").write_bytes(b"rubbish " * 2000)
    told = [event for event in run(config) if event["event"] == "journal"]
    assert [(event["ok"], "journal.db" in event["why"]) for event in told] == [(False, True)]
