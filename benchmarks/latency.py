"""From the moment a picture was taken to the controller's verdict: real daemon, broker and controller processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles
from typing import Any

from benchmarks.measure import Row, quartiles
from faceedge.config import cache_dir
from faceedge.decide import DEADLINE_S
from faceedge.demo.clip import cached
from faceedge.demo.photos import astronaut_path
from faceedge.door.broker import local_broker

CONFIG = """
device = "bench"
[broker]
port = {port}
[decide]
cooldown_s = 0
motion = false
[[camera]]
name = "entry"
uri = "file:{clip}"
[[door]]
name = "main"
pulse_ms = 100
"""
FACEEDGE = [sys.executable, "-m", "faceedge"]


def rows() -> list[Row]:
    """p50, p95 and p99 in ms against the 500 ms deadline of a decision. Every shot after the votes decides anew."""
    with tempfile.TemporaryDirectory() as scratch:
        latencies = sorted(_run(Path(scratch)))
    cuts = quantiles(latencies, n=100)
    deadline_ms = 1000 * DEADLINE_S
    spread = {"ours": quartiles(latencies), "theirs": [deadline_ms] * 2}
    name = f"capture to verdict, {len(latencies)} grants, against the deadline, p"
    return [
        Row(f"{name}{p}", round(cuts[p - 1], 1), deadline_ms, "ms", round(deadline_ms / cuts[p - 1], 2), 1.0, spread)
        for p in (50, 95, 99)
    ]


def _run(scratch: Path) -> list[float]:
    """Latencies of the grants that opened, while the demo clip plays twice in real time."""
    clip, _ = cached(cache_dir())
    environ = os.environ | {"FACEEDGE_STATE": str(scratch / "state")}
    config = scratch / "faceedge.toml"
    with local_broker() as broker:
        config.write_text(CONFIG.format(port=broker.port, clip=clip), encoding="utf-8")
        for command in (["door", "add", "main"], ["enroll", "Astronaut", str(astronaut_path())]):
            subprocess.run([*FACEEDGE, *command, "--config", str(config)], env=environ, check=True, capture_output=True)
        with _process(["door", "simulate", "--config", str(config), "--json"], environ):
            return [latency for _ in range(2) for latency in _daemon(config, environ)]


def _daemon(config: Path, environ: dict[str, str]) -> Iterator[float]:
    with _process(["run", "--config", str(config), "--json"], environ) as daemon:
        assert daemon.stdout is not None
        for line in daemon.stdout:
            event: dict[str, Any] = json.loads(line)
            if event["event"] == "ended":
                return
            if event.get("verdict") == "opened":
                yield event["latency_ms"]


@contextmanager
def _process(command: list[str], environ: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen([*FACEEDGE, *command], env=environ, stdout=subprocess.PIPE, text=True) as child:
        try:
            yield child
        finally:
            child.send_signal(signal.SIGTERM)
            child.wait(5)
