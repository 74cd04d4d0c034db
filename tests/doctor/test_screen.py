"""What a person sees: one screen, remedies under what is not green, and the live view."""

from __future__ import annotations

import io
import json
import tarfile

import numpy as np
import pytest
from rich.console import Console

from faceedge.__main__ import main
from faceedge.checks.doctor.daemon import Daemon
from faceedge.cli.doctor_watch import decisions, screen, sparkline
from faceedge.demo.preview import Blocks
from faceedge.journal.chain import Chain
from tests.doctor.ward import WROTE, Ward
from tests.journal.made_up import draft, stamp


@pytest.fixture
def alone(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> Ward:
    """As the command line meets it; the broker is left out."""
    ward.settings.pop("door")
    ward.write()
    monkeypatch.setenv("FACEEDGE_CACHE", str(ward.folder / "cache"))
    monkeypatch.setenv("PATH", ward.environ()["PATH"])
    return ward


def test_all_green_is_exit_code_0_and_one_json_document(alone: Ward, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--config", str(alone.path), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["green"] is True
    by_id = {one["id"]: one for one in document["findings"]}
    assert set(by_id["camera.entry"]) == {"id", "status", "what", "remedy"}
    assert by_id["gallery.people"]["what"] == "1 enrolled"


def test_red_is_exit_code_1_and_the_remedy_stands_under_it(alone: Ward, capsys: pytest.CaptureFixture[str]) -> None:
    (alone.state / "keys" / "journal.key").chmod(0o644)
    assert main(["doctor", "--config", str(alone.path)]) == 1
    lines = capsys.readouterr().out.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("✗ keys.mode"))
    assert "→ chmod 600" in "".join(lines[at : at + 6])
    assert lines[-1].startswith("1 red")


def test_a_wrong_configuration_is_a_finding_and_the_rest_is_looked_at(
    alone: Ward, capsys: pytest.CaptureFixture[str]
) -> None:
    alone.write(f'state_dir = "{alone.state}"\ndeviec = "x"\n')
    assert main(["doctor", "--config", str(alone.path), "--json"]) == 1
    by_id = {one["id"]: one for one in json.loads(capsys.readouterr().out)["findings"]}
    assert by_id["config.file"]["remedy"] == "did you mean 'device'?"
    assert by_id["gallery.file"]["status"] == "ok"


def test_the_archive_is_written_beside_the_report(alone: Ward, capsys: pytest.CaptureFixture[str]) -> None:
    path = alone.folder / "support.tar.gz"
    assert main(["doctor", "--config", str(alone.path), "--json", "--bundle", str(path)]) == 0
    assert json.loads(capsys.readouterr().out)["green"]
    with tarfile.open(path) as archive:
        assert "faceedge-support/report.json" in archive.getnames()


def test_a_live_view_needs_a_terminal(alone: Ward, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--config", str(alone.path), "--watch"]) == 2
    assert "needs a terminal" in capsys.readouterr().err


def test_a_live_view_shows_cameras_stages_latencies_and_decisions_and_nobodys_id(ward: Ward) -> None:
    with Chain.open(ward.state) as chain:
        for age_ms in (80, 120, 400):
            body = {"camera": "entry", "outcome": "grant", "reason": "match", "age_ms": age_ms, "person": "0123-secret"}
            chain.append([draft(at=stamp(WROTE), **body)])
    samples = {
        ("camera_ok", frozenset({("camera", "entry")})): 1.0,
        ("stage_seconds_sum", frozenset({("stage", "detect")})): 3.0,
        ("stage_seconds_count", frozenset({("stage", "detect")})): 30.0,
        ("queue_items", frozenset({("queue", "frames")})): 2.0,
    }
    console = Console(file=io.StringIO(), width=100, color_system="truecolor", force_terminal=True)
    picture = Blocks(np.full((32, 32, 3), 200, np.uint8), 8, 4)
    console.print(screen(Daemon({"ActiveState": "active"}, "served", samples), decisions(ward.state), picture))
    shown = console.file.getvalue()
    for words in ("faceedge active", "▀", "entry", "100 ms a batch, 30 batches", "frames", "grant  match  400 ms"):
        assert words in shown
    assert "0123-secret" not in shown


def test_a_sparkline_rises_to_its_highest_value_and_leaves_gaps() -> None:
    assert sparkline([0.0, 50.0, None, 100.0]) == "▁▅ █"
    assert sparkline([]) == ""
    assert sparkline([0.0]) == "▁"
