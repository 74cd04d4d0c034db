"""All parts of a running daemon in, the JSON of `…/state` out. The daemon says when."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

from faceedge import __version__
from faceedge.config import Capture, Door
from faceedge.door.contract import DoorState
from faceedge.door.watch import UNKNOWN
from faceedge.exchange import Exchange
from faceedge.health.cameras import CameraHealth
from faceedge.health.keeper import Keeper
from faceedge.health.metrics import Readings
from faceedge.jobs.collector import Collector
from faceedge.jobs.enrol_mode import EnrolMode
from faceedge.jobs.vision import Vision
from faceedge.journal.writer import Journal
from faceedge.lockdown import Lockdown
from faceedge.pipeline import Pipeline
from faceedge.publish import Publisher
from faceedge.safe_mode import SafeMode

EVERY_S = 10.0
APART_S = 1.0
"""News are told at once, but not more often than this."""
STATES = (*get_args(DoorState), UNKNOWN.state)
"""What a controller can be shown as."""


@dataclass(slots=True)
class Report:
    """What the device says about itself. exchange: None without a door."""

    doors: Sequence[Door]
    vision: Vision
    pipeline: Pipeline
    publisher: Publisher
    journal: Journal
    cameras: CameraHealth
    collector: Collector
    enrolment: EnrolMode
    lockdown: Lockdown
    keeper: Keeper
    exchange: Exchange | None
    safe: SafeMode | None = None
    own_numbers: Sequence[str] = ()
    """Sentences about doors whose numbers are looser than usual."""
    of_people: Callable[[], Sequence[str]] = tuple
    """Sentences about who is enrolled."""
    swap: Callable[[], dict[str, Any] | None] = lambda: None
    """How far the newest order for other networks is."""

    def state(self) -> dict[str, Any]:
        """As documented in docs/mqtt.md."""
        head = self.journal.head()
        return {
            "version": __version__,
            "builds": dict(self.vision.builds),
            "notices": self.notices(),
            "cameras": self.cameras.as_json(),
            "doors": self._doors(),
            "stages": self.pipeline.stages(),
            "queues": self.pipeline.queues(),
            "counters": self.counters(),
            "governor": self.keeper.as_json(),
            "journal": {"ok": self.journal.trouble is None, "head": head.as_json() if head else None},
            "capture": self.collector.as_json(),
            "enrolment": self.enrolment.as_json(),
            "swap": self.swap(),
            "lockdown": self.lockdown.is_on,
            "safe_mode": self.safe.as_json() if self.safe is not None else {"on": False},
            **(self.exchange.as_json() if self.exchange is not None else {}),
        }

    def status(self) -> str:
        """One line for whoever asks the service manager."""
        troubled = [name for name, ok in self.cameras_ok().items() if not ok]
        said = [f"cameras: {len(self.cameras.names) - len(troubled)} of {len(self.cameras.names)}"]
        said += [f"in trouble: {', '.join(troubled)}"] if troubled else []
        said += [f"doors: {len(self.doors)}"]
        said += ["the journal cannot be written"] if self.journal.trouble is not None else []
        said += ["lockdown"] if self.lockdown.is_on else []
        return "; ".join([*said, "safe mode"] if self.safe is not None else said)

    def standing(self, device: str, capture: Capture) -> dict[str, Any]:
        """What the journal notes of a start, and compares with the start before."""
        return {
            "device": device,
            "cameras": list(self.cameras.names),
            "doors": [
                {"name": door.name, "liveness": door.liveness, **_wary(door), **self._own_limits(door)}
                for door in self.doors
            ],
            "builds": dict(self.vision.builds),
            "limits": dict(self.publisher.limits),
            "keys": self.exchange.kids if self.exchange is not None else {},
            "capture": capture.model_dump(exclude={"on"}) if capture.on else None,
        }

    def notices(self) -> list[str]:
        """What somebody should know or bring to an end."""
        return [
            *(self.safe.notices() if self.safe is not None else ()),
            *self.pipeline.notices,
            *self.vision.notices,
            *self.own_numbers,
            *self.of_people(),
            *(self.exchange.notices if self.exchange is not None else ()),
        ]

    def counters(self) -> dict[str, int]:
        """What has passed, what was dropped, what was decided, since the start."""
        steps = {f"governor_{step}": count for step, count in dict(self.keeper.counters).items()}
        return self.pipeline.counters() | dict(self.publisher.counters) | steps

    def cameras_ok(self) -> dict[str, bool]:
        """Whether each camera delivers, by name."""
        return {camera["name"]: camera["ok"] for camera in self.cameras.as_json()}

    def readings(self) -> Readings:
        """For the metrics; numbers of the whole device have no label."""
        device = {
            **self.keeper.readings(),
            **(self.exchange.readings() if self.exchange is not None else {}),
            "journal_ok": self.journal.trouble is None,
            "lockdown": self.lockdown.is_on,
            "safe_mode": self.safe is not None,
            "too_slow": bool(self.pipeline.notices),
        }
        return {
            "build_info": {(__version__,): 1.0},
            "queue_items": {(queue,): items for queue, items in self.pipeline.queues().items()},
            "camera_ok": {(camera,): ok for camera, ok in self.cameras_ok().items()},
            "camera_poor": {(camera["name"],): camera["low"] for camera in self.cameras.as_json()},
            **_controllers(self._doors()),
            **{name: {(): reading} for name, reading in device.items()},
        }

    def _own_limits(self, door: Door) -> dict[str, Any]:
        own = self.publisher.own_limits.get(door.name)
        return {"limits": dict(own)} if own else {}

    def _doors(self) -> list[dict[str, Any]]:
        views = self.exchange.link.views() if self.exchange is not None else {}
        return [
            {"name": door.name, "liveness": door.liveness, "look_alikes": door.look_alikes,
             "controllers": [
                {"name": name, **views.get(door.name, {}).get(name, UNKNOWN)._asdict()} for name in door.controllers
             ]}
            for door in self.doors
        ]  # fmt: skip


def _controllers(doors: Sequence[dict[str, Any]]) -> Readings:
    """Every controller by door and name; doors as in `…/state`."""
    views = {(door["name"], each["name"]): each for door in doors for each in door["controllers"]}
    return {
        "controller_answering": {at: each["answering"] for at, each in views.items()},
        "controller_state": {(*at, state): each["state"] == state for at, each in views.items() for state in STATES},
    }


def _wary(door: Door) -> dict[str, Any]:
    """What is not as usual is written down, so that a start after an update is no change."""
    return {"look_alikes": door.look_alikes} if door.look_alikes != "allow" else {}


@dataclass(slots=True)
class StateFeed:
    """Publishes the state every 10 s, and soon after `hurry`, which any thread may call. clock: monotonic."""

    state: Callable[[], dict[str, Any]]
    retain: Callable[[bytes], None]
    clock: Callable[[], float] = time.monotonic
    _at: float = field(default=float("-inf"))
    _news: threading.Event = field(default_factory=threading.Event)

    def hurry(self) -> None:
        """Something changed that others wait for."""
        self._news.set()

    def tick(self) -> None:
        """Call it every 50 ms or so."""
        since_s = self.clock() - self._at
        if since_s >= EVERY_S or (self._news.is_set() and since_s >= APART_S):
            self._news.clear()
            self._at = self.clock()
            self.retain(json.dumps(self.state(), separators=(",", ":"), allow_nan=False).encode("ascii"))
