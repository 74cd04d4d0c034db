"""The running daemon, as others see it: what systemd says of its unit, and the metrics that it serves."""

from __future__ import annotations

import http.client
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from faceedge.environment import for_others

if TYPE_CHECKING:
    from prometheus_client import Metric

ASK_S = 5.0
READ_S = 2.0
MOST_BYTES = 4 << 20
ASKED = ("LoadState", "ActiveState", "SubState", "NRestarts", "Result", "ExecMainCode", "ExecMainStatus")
PREFIX = "faceedge_"
Page = Literal["served", "strange", "silent", "off"]


@dataclass(frozen=True, slots=True)
class Daemon:
    """unit: what systemd says, empty where there is no systemd or no such unit. page: what answers where the metrics
    should be. samples: by name and labels, without the prefix."""

    unit: Mapping[str, str]
    page: Page
    samples: Mapping[tuple[str, frozenset[tuple[str, str]]], float]

    @property
    def runs(self) -> bool:
        return self.page == "served" or self.unit.get("ActiveState") in ("active", "reloading", "deactivating")

    def reading(self, name: str, **labels: str) -> float | None:
        """None where it is not told."""
        return self.samples.get((name, frozenset(labels.items())))

    def all_of(self, name: str) -> Iterator[tuple[dict[str, str], float]]:
        """Every sample of a name."""
        return ((dict(labels), value) for (found, labels), value in self.samples.items() if found == name)


def look_at(unit: str, metrics: str, environ: Mapping[str, str]) -> Daemon:
    """metrics: as in [health], empty for none. Takes seconds at most."""
    page, samples = scraped(metrics)
    return Daemon(unit_of(unit, environ), page, samples)


def unit_of(unit: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Empty without systemd, and where it does not know the unit."""
    command = ["systemctl", "show", unit, f"--property={','.join(ASKED)}"]
    try:
        done = subprocess.run(
            command, env=for_others(environ), capture_output=True, text=True, timeout=ASK_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return {}
    said = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    return said if done.returncode == 0 and said.get("LoadState") not in (None, "", "not-found") else {}


def scraped(where: str) -> tuple[Page, Mapping[tuple[str, frozenset[tuple[str, str]]], float]]:
    """One scrape, and whether it was ours."""
    if not where:
        return "off", {}
    try:
        text = _get(where)
    except (ConnectionRefusedError, FileNotFoundError):
        return "silent", {}
    except (OSError, http.client.HTTPException):
        return "strange", {}
    try:
        families = list(_families(text))
    except ValueError:
        return "strange", {}
    samples = {
        (sample.name.removeprefix(PREFIX), frozenset(sample.labels.items())): sample.value
        for family in families for sample in family.samples if sample.name.startswith(PREFIX)
    }  # fmt: skip
    return ("served" if samples else "strange"), samples


def _families(text: str) -> Iterator[Metric]:
    from prometheus_client.parser import text_string_to_metric_families

    return iter(text_string_to_metric_families(text))


def _get(where: str) -> str:
    """Raises OSError, HTTPException."""
    with _connected(where) as link:
        link.sendall(b"GET / HTTP/1.0\r\nHost: localhost\r\nAccept: text/plain\r\n\r\n")
        ends, held = time.monotonic() + READ_S, b""
        while (left_s := ends - time.monotonic()) > 0 and len(held) < MOST_BYTES:
            link.settimeout(left_s)
            if not (some := link.recv(1 << 16)):
                break
            held += some
    head, _, body = held.partition(b"\r\n\r\n")
    if b" 200 " not in head.split(b"\r\n", 1)[0]:
        raise http.client.HTTPException("no page")
    return body.decode("utf-8", "replace")


def _connected(where: str) -> socket.socket:
    if where.startswith("unix:"):
        link = socket.socket(socket.AF_UNIX)
        try:
            link.settimeout(READ_S)
            link.connect(where.removeprefix("unix:"))
        except OSError:
            link.close()
            raise
        return link
    host, _, port = where.rpartition(":")
    return socket.create_connection((host.strip("[]"), int(port)), timeout=READ_S)
