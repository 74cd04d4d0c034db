"""How `faceedge door simulate` shows what its controller does: JSON lines, plain lines, or a panel on a terminal."""

from __future__ import annotations

import dataclasses
import logging
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from rich.align import Align
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from faceedge.cli.lines import JsonLines
from faceedge.door.contract import Address
from faceedge.door.controller import Controller, DoorEvent, Sight

REDRAWN_HZ = 10
LAST_EVENTS = 8
_STYLES = {
    "opened": "bold green", "refused": "bold red", "fault": "bold red", "disconnected": "yellow", "ignored": "yellow",
}  # fmt: skip
_SIGNS = {
    "locked": ("LOCKED", "bold white on red"),
    "unlocked": ("OPEN", "bold black on green"),
    "held_open": ("HELD OPEN", "bold black on yellow"),
}
_FAULT_SIGN = ("FAULT", "bold black on yellow")


class JsonFace:
    """Events as JSON lines, always with all keys. lines: a reader that stalls must not hold the relay."""

    def __init__(self, address: Address, lines: JsonLines) -> None:
        self._where = {"door": address.door, "controller": address.controller}
        self._lines = lines

    def __call__(self, event: DoorEvent) -> None:
        """Gives one line."""
        self._lines.tell({"time": datetime.now().astimezone().isoformat(), **self._where, **dataclasses.asdict(event)})


class PlainFace:
    """Events as one line each, coloured where there is a terminal. lines: as for `JsonFace`."""

    def __init__(self, address: Address, lines: JsonLines) -> None:
        self._where = f"{address.door}/{address.controller}"
        self._console = Console(soft_wrap=True)
        self._lines = lines

    def __call__(self, event: DoorEvent) -> None:
        """Gives one line."""
        line = Text(f"{datetime.now():%H:%M:%S}  {self._where}  ")
        with self._console.capture() as drawn:
            self._console.print(line.append(_told(event)))
        self._lines.say(drawn.get())


class PanelFace:
    """The door itself: shut or open with what is left of the pulse, and what happened last."""

    def __init__(self, address: Address) -> None:
        self._title = f"door {address.door} · controller {address.controller} · device {address.device}"
        self._events: deque[Text] = deque(maxlen=LAST_EVENTS)
        self._pulse_s = 1.0

    def __call__(self, event: DoorEvent) -> None:
        """Remembers it for the next picture."""
        if event.event == "opened":
            self._pulse_s = event.pulse_ms / 1000
        if event.event != "ignored":  # they are counted in the picture
            self._events.append(Text(f"{datetime.now():%H:%M:%S}  ").append(_told(event)))

    @contextmanager
    def shown(self, controller: Controller) -> Iterator[None]:
        """Draws until the block ends. What the log would say stands in the picture."""
        logging.getLogger().setLevel(logging.ERROR)
        with Live(get_renderable=lambda: self.picture(controller.sight()), refresh_per_second=REDRAWN_HZ):
            yield

    def picture(self, sight: Sight) -> RenderableType:
        """The door at this moment."""
        word, style = _SIGNS.get(sight.state, _FAULT_SIGN)
        sign = Panel(Align.center(Text(f"\n{' '.join(word)}\n")), style=style, padding=(1, 2))
        left = Table.grid(expand=True)
        left.add_column(ratio=1)
        left.add_column(width=8, justify="right")
        left.add_row(
            ProgressBar(total=self._pulse_s, completed=sight.left_s, complete_style="green", finished_style="green"),
            f"{sight.left_s:.1f} s" if sight.left_s else "",
        )
        return Panel(Group(sign, left, _link(sight), "", *self._events), title=self._title, padding=(0, 1))


def _link(sight: Sight) -> Text:
    line = Text("connected" if sight.is_connected else "NO BROKER", "green" if sight.is_connected else "bold yellow")
    line.append(f" · {sight.asked} challenges", "default")
    opened = sight.counts.get("opened", 0)
    line.append(f" · {opened} genuine", "default")
    if ignored := {why: count for why, count in sorted(sight.counts.items()) if why != "opened"}:
        line.append(" · ignored: " + ", ".join(f"{count} × {why}" for why, count in ignored.items()), "yellow")
    return line


def _told(event: DoorEvent) -> Text:
    """An event in words, without its time."""
    return Text.assemble((f"{event.event:<12}", _STYLES.get(event.event, "")), _detail(event))


def _detail(event: DoorEvent) -> str:
    if event.event == "opened":
        return f"for {event.pulse_ms / 1000:g} s: {event.reason}, {event.sub or 'nobody named'}"
    if event.event == "ignored":
        return f"{event.count} messages so far opened nothing"
    return event.why
