"""How `faceedge door simulate` shows what its controller does: JSON lines, plain lines, or a panel on a terminal."""

from __future__ import annotations

import dataclasses
import json
from datetime import datetime

from rich.console import Console
from rich.text import Text

from faceedge.door.contract import Address
from faceedge.door.controller import DoorEvent

_STYLES = {
    "opened": "bold green", "refused": "bold red", "fault": "bold red", "disconnected": "yellow", "ignored": "yellow",
}  # fmt: skip


class JsonFace:
    """Events as JSON lines, always with all keys."""

    def __init__(self, address: Address) -> None:
        self._where = {"door": address.door, "controller": address.controller}

    def __call__(self, event: DoorEvent) -> None:
        line = {"time": datetime.now().astimezone().isoformat(), **self._where, **dataclasses.asdict(event)}
        print(json.dumps(line), flush=True)


class PlainFace:
    """Events as one line each, coloured where there is a terminal."""

    def __init__(self, address: Address) -> None:
        self._where = f"{address.door}/{address.controller}"
        self._console = Console(soft_wrap=True)

    def __call__(self, event: DoorEvent) -> None:
        line = Text(f"{datetime.now():%H:%M:%S}  {self._where}  ")
        self._console.print(line.append(told(event)))


def told(event: DoorEvent) -> Text:
    """An event in words, without its time."""
    return Text(f"{event.event:<12}", _STYLES.get(event.event, "")).append(_detail(event), "not bold default")


def _detail(event: DoorEvent) -> str:
    if event.event == "opened":
        return f"for {event.pulse_ms / 1000:g} s: {event.reason}, {event.sub or 'nobody named'}"
    if event.event == "ignored":
        return f"{event.count} messages so far opened nothing"
    return event.why
