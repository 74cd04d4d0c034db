"""The page says what is served: every family with its labels, and its commands get an answer."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from faceedge.health.metrics import ASKED, Metrics, Sources
from faceedge.health.scrape import MetricsServer

PAGE = Path(__file__).parents[2] / "docs" / "monitoring.md"
SECTION = re.compile(r"^## Metrics\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
COUNTERS = ("frames_passed", "late_detect_old", "decision_deny", "judged_deny_unknown", "grant_opened",
            "detect_faults", "governor_less_batch", "commands")  # fmt: skip


SHOWN = {"camera": "entry", "queue": "frames", "state": "locked", "version": "1.0"}


def section() -> str:
    found = SECTION.search(PAGE.read_text(encoding="utf-8"))
    assert found is not None
    return found[1]


def full() -> Metrics:
    """One sample of everything."""
    metrics = Metrics()
    metrics.waited("frames", 0.01)
    metrics.worked("detect", 0.01, 1)
    metrics.decided("deny", 0.1)
    metrics.hearing(lambda _: None)({"event": "decision", "verdict": "opened", "latency_ms": 100.0})
    metrics.sources = Sources(
        lambda: dict.fromkeys(COUNTERS, 1),
        lambda: {name: {tuple(SHOWN.get(each, "main") for each in labels): 1.0} for name, (_, labels) in ASKED.items()},
    )  # fmt: skip
    return metrics


def rows(metrics: Metrics) -> Iterator[str]:
    """The table of the page as it should be."""
    for family in text_string_to_metric_families(generate_latest(metrics.registry).decode()):
        if family.name.startswith("faceedge_"):
            names = {name: None for sample in family.samples for name in sample.labels if name != "le"}
            name = f"{family.name}_total" if family.type == "counter" else family.name
            labels = ", ".join(f"`{label}`" for label in names)
            yield f"| `{name}` | {family.type} | {labels} | {family.documentation} |"


def test_the_table_of_the_page_is_what_is_served() -> None:
    assert re.findall(r"^\| `faceedge_.*$", section(), re.MULTILINE) == list(rows(full()))


@contextmanager
def served(where: str) -> Iterator[MetricsServer]:
    server = MetricsServer(where, full().registry)
    server.start()
    try:
        yield server
    finally:
        assert server.stop()


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl here")
def test_the_commands_of_the_page_get_an_answer(tmp_path: Path) -> None:
    commands = [line for line in section().splitlines() if line.startswith("curl ")]
    path = tmp_path / "metrics.sock"
    with served("127.0.0.1:0") as on_port, served(f"unix:{path}"):
        for command in commands:
            here = command.replace("9108", str(on_port.port)).replace("/run/faceedge/metrics.sock", str(path))
            answer = subprocess.run(["bash", "-c", here], check=True, capture_output=True, text=True, timeout=10).stdout
            assert 'faceedge_camera_ok{camera="entry"} 1.0' in answer, command
    assert len(commands) == 2
