"""What happens beside decisions, into the journal, as an event for the broker, and to whoever listens.

Any thread calls it: cameras their faults, the daemon the states of its controllers, the lockdown its switch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Literal

from faceedge.door.events import About, AlertEvent, CameraEvent, ControllerEvent, GovernorEvent, LockdownEvent, letter
from faceedge.door.watch import UNKNOWN, View
from faceedge.errors import StoreError
from faceedge.journal.bodies import model_letter
from faceedge.journal.entry import unix_ms
from faceedge.journal.writer import Journal

Views = Mapping[str, Mapping[str, View]]


class Notes:
    """tell: receives each as a dictionary of JSON types. hurry: what `…/state` says has changed."""

    def __init__(self, journal: Journal, tell: Callable[[dict[str, Any]], None], hurry: Callable[[], None]) -> None:
        self._journal = journal
        self._tell = tell
        self._hurry = hurry
        self._views: dict[tuple[str, str], View] = {}

    def camera(self, name: str, ok: bool, why: str, about: About = "away") -> None:
        """Something is wrong with a camera, or well again."""
        body = {"camera": name, "about": about, "ok": ok, "why": why}
        told = letter(CameraEvent(time_ms=unix_ms(), camera=name, about=about, ok=ok, why=why[:400]))
        self._journal.append("camera", body, [told])
        self._tell({"event": "camera" if ok else "camera_fault", **body})
        self._hurry()

    def lockdown(self, on: bool) -> None:
        """The lockdown was switched, by whomever."""
        self._journal.append("lockdown", {"on": on}, [letter(LockdownEvent(time_ms=unix_ms(), on=on))])
        self._tell({"event": "lockdown", "on": on})
        self._hurry()

    def governor(self, body: dict[str, Any]) -> None:
        """Less is done because something runs short, or more again; body: as in GovernorEvent."""
        self._journal.append("governor", body, [letter(GovernorEvent(time_ms=unix_ms(), **body))])
        self._tell({"event": "governor", **body})
        self._hurry()

    def safe_mode(self, on: bool, why: str) -> None:
        """The daemon began in safe mode, or without it after a run that was in it."""
        self._alert("safe_mode", on, why, self._journal.append)
        self._hurry()

    def hang(self, why: str, wait_s: float) -> None:
        """The last words of a daemon that hangs: they are on disk when this returns, or never will be."""
        with suppress(StoreError):
            self._alert("hang", True, why, partial(self._journal.append_now, wait_s=wait_s))

    def _alert(self, what: Literal["hang", "safe_mode"], on: bool, why: str, append: Callable[..., object]) -> None:
        body = {"what": what, "on": on, "why": why}
        told = letter(AlertEvent(time_ms=unix_ms(), what=what, on=on, why=why[:400]))
        self._tell({"event": "alert", **body})
        append("alert", body, letters=[told])

    def engine(self, body: dict[str, Any]) -> None:
        """An engine is built, serves, or could not be built. The begin of a build is not worth an entry."""
        if body["done"] != "begun":
            self._journal.append("engine", body)
        self._tell({"event": "engine", **body})
        self._hurry()

    def model(self, body: dict[str, Any]) -> None:
        """Another network serves, or was to; or a package was deleted, as nobody needs it."""
        told = model_letter(body)
        self._journal.append("model", body, [told] if told is not None else [])
        self._tell({"event": "model", **body})
        self._hurry()

    def doors(self, views: Views) -> None:
        """What can be believed of every controller; only what differs from the last call is noted. One thread.

        An open door is told by its decision, so `locked` and `unlocked` change only what is shown.
        """
        for door, controllers in views.items():
            for controller, view in controllers.items():
                before = self._views.get((door, controller), UNKNOWN)
                if before == view:
                    continue
                self._views[door, controller] = view
                self._hurry()
                if _worth(before) != _worth(view):
                    self._door(door, controller, view)

    def _door(self, door: str, controller: str, view: View) -> None:
        body = {"door": door, "controller": controller, **view._asdict()}
        event = ControllerEvent(time_ms=unix_ms(), door=door, controller=controller, **view._asdict())
        self._journal.append("door", body, [letter(event)])
        self._tell({"event": "door", **body})


def _worth(view: View) -> tuple[str, bool]:
    """What of a view is worth an event."""
    shut = "locked" if view.state in ("unlocked", "unknown") else view.state
    return shut, view.answering
