"""The whole product at work: broker, a network camera, a clip, the daemon, a controller; and samples of all of them."""

from __future__ import annotations

import json
import queue
import signal
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from faceedge.chaos import reel
from faceedge.chaos.camera import FilmCamera
from faceedge.config import cache_dir
from faceedge.demo import stand
from faceedge.demo.children import STOP_S, Child, faceedge
from faceedge.demo.clip import cached
from faceedge.door.broker import local_broker
from faceedge.models.defaults import default_models
from tests.soak.samples import children_of, held_by, held_together, on_disk
from tests.system.at_the_door import wait_for
from tests.system.test_ballast import scrape

SCRAPE_S = 10.0
COOLDOWN_S = 1.0
"""People are decided about more often than in a quiet house."""
START_S = 90.0

Sample = dict[str, Any]
"""at: monotonic seconds. daemon, cameras, controller: `samples.Held`. disk: bytes by file. queues: waiting items by
name. decisions, frames: since the start; dropped: frames that were left out."""


class House:
    """Use it in a `with` block: it ends daemon and controller. folder: empty; everything is in it."""

    daemon: Child
    controller: Child

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.orders = folder / "orders"
        self.opened = 0
        """Times the relay was told to open."""
        self._heard: queue.Queue[tuple[str, str]] = queue.Queue()
        self._metrics: dict[str, float] = {}
        self._scraped = 0.0
        self._parts = ExitStack()

    def __enter__(self) -> House:
        with ExitStack() as parts:
            self._build(parts)
            self._parts = parts.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._parts.close()

    def order(self, name: str) -> None:
        """`trace` or `leak`, see `traced_run`."""
        (self.orders / name).touch()

    def sample(self) -> Sample:
        """Of this moment. Fails when one of the processes has ended."""
        self._assert_running()
        self._hear()
        self._scrape()
        return {
            "at": time.monotonic(),
            "daemon": held_by(self.daemon.process.pid),
            "cameras": held_together(children_of(self.daemon.process.pid)),
            "controller": held_by(self.controller.process.pid),
            "disk": on_disk(self.folder / "state"),
            "queues": self._by_name('faceedge_queue_items{queue="'),
            "decisions": self._sum("faceedge_decisions_total"),
            "frames": self._sum('faceedge_items_total{fate="passed",queue="frames"}'),
            "dropped": self._sum('faceedge_items_total{fate="dropped",queue="frames"}'),
            "opened": self.opened,
        }

    def traces(self) -> list[tuple[float, dict[str, float]]]:
        """What the daemon has told of its lines of code."""
        told = self.orders / "traces.jsonl"
        whole = told.read_text(encoding="utf-8").rpartition("\n")[0] if told.exists() else ""  # the last may be half
        return [(one["at"], one["lines"]) for one in map(json.loads, whole.splitlines())]

    def _build(self, parts: ExitStack) -> None:
        self.orders.mkdir()
        default_models(cache_dir())
        clip = cached(cache_dir())[0]
        broker = parts.enter_context(local_broker())
        film = parts.enter_context(FilmCamera(reel.cut(clip)))
        place = stand.build(self.folder, film.uri, broker.port, {
            "camera": [
                {"name": "entry", "uri": film.uri, "loop": True},
                {"name": "yard", "uri": f"file:{clip}", "loop": True},
            ],
            "door": [{"name": stand.DOOR, "cameras": ["entry", "yard"], "pulse_ms": 200}],
            # The film's people stand still, and a grant goes further than a refusal.
            "decide": {"cooldown_s": COOLDOWN_S, "motion": False},
            "health": {"metrics": f"unix:{self.folder}/metrics.sock"},
        })  # fmt: skip
        run = [sys.executable, "-m", "tests.soak.traced_run", *faceedge("run")[3:]]
        told = ["--config", str(place.config), "--json"]
        self.controller = self._start(parts, "controller", [*faceedge("door", "simulate"), *told])
        self.daemon = self._start(parts, "daemon", [*run, *told])
        try:
            wait_for(self._has_opened, START_S)
        except AssertionError as error:
            raise AssertionError(f"nobody was let in within {START_S:g} s: {self.daemon.last_words()}") from error

    def _start(self, parts: ExitStack, name: str, command: list[str]) -> Child:
        child = Child(name, command, self.folder, self._heard, {"FACEEDGE_SOAK_ORDERS": str(self.orders)})
        parts.callback(_end, child)
        return child

    def _has_opened(self) -> bool:
        self._hear()
        return self.opened > 0

    def _assert_running(self) -> None:
        for child in (self.daemon, self.controller):
            assert child.is_running, f"the {child.name} ended by itself: {child.last_words()}"

    def _hear(self) -> None:
        with suppress(queue.Empty):
            while True:
                _, line = self._heard.get_nowait()
                self.opened += json.loads(line)["event"] == "opened"

    def _scrape(self) -> None:
        if time.monotonic() - self._scraped >= SCRAPE_S:
            self._scraped = time.monotonic()
            self._metrics = scrape(self.folder / "metrics.sock")

    def _sum(self, start: str) -> float:
        return sum(value for name, value in self._metrics.items() if name.startswith(start))

    def _by_name(self, start: str) -> dict[str, float]:
        found = {name: value for name, value in self._metrics.items() if name.startswith(start)}
        return {name.removeprefix(start).partition('"')[0]: value for name, value in found.items()}


def _end(child: Child) -> None:
    child.signal_group(signal.SIGTERM)
    child.wait(time.monotonic() + 2 * STOP_S)
    child.signal_group(signal.SIGKILL)
    child.process.wait()
    child.finish()
