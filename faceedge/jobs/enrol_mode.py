"""Enrolment by the daemon itself: a command begins it, shots of one camera feed it, its end is journalled and told.

`begin` and `end` are called by the thread of commands, `see` and `shut` by the recogniser. A thread of its own waits
for the end and writes the gallery, in one transaction: whoever stops in between has enrolled nobody.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from faceedge.door.events import EnrolmentEvent, Letter, letter
from faceedge.jobs.before_camera import LonePerson, Shade
from faceedge.jobs.burst import WANTED
from faceedge.jobs.enroll import Enrolled
from faceedge.jobs.registrar import Meant, Registrar
from faceedge.journal.entry import unix_ms
from faceedge.types import Decision, Shot, Template

log = logging.getLogger(__name__)

ENROLLING = "enrolling"
"""Reason of every refusal at the camera meanwhile."""
SECONDS, SHORTEST_S, LONGEST_S = 20, 5, 120
LOOK_S = 0.05
STOP_WITHIN_S = 1.0

RUNNING, NOTHING_RUNS = "an enrolment is running; end it with enrol_stop, or wait", "no enrolment is running"
NO_JOURNAL = "the journal cannot be written, and nobody is enrolled who is not written down"
STOPPED, LEAVING = "stopped by a command", "the daemon was stopped"
CHANGED = "another recogniser began to serve meanwhile; enrol again"


class Diary(Protocol):
    """The part of the journal that an enrolment uses."""

    @property
    def trouble(self) -> str | None:
        """Why nothing can be written, or None."""
        ...

    def append(self, kind: str, body: Mapping[str, Any], letters: Sequence[Letter] = ()) -> object:
        """Written soon, and with it the letters that go to the broker."""
        ...


@dataclass(slots=True, eq=False)
class _Run:
    """One enrolment. registrar: of the networks that see it. over: nothing is collected any more; why: it was ended
    before its time."""

    camera: str
    meant: Meant
    registrar: Registrar
    until_s: float
    sitter: LonePerson
    over: threading.Event = field(default_factory=threading.Event)
    why: str = ""

    def end(self, why: str = "") -> bool:
        """False when it was over already."""
        if self.over.is_set():
            return False
        self.why = why
        self.over.set()
        return True


class EnrolMode:
    """tell: receives each as a dictionary of JSON types. hurry: what `as_json` says has changed."""

    def __init__(
        self,
        cameras: Collection[str],
        registrar: Registrar,
        journal: Diary,
        tell: Callable[[dict[str, Any]], None] = lambda _: None,
        hurry: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cameras = cameras
        self._registrar = registrar
        self._journal = journal
        self._tell = tell
        self._hurry = hurry
        self._clock = clock
        self._lock = threading.Lock()
        self._run: _Run | None = None
        self._shades: dict[str, Shade] = {}
        self._thread: threading.Thread | None = None
        self._is_leaving = False

    def begin(self, args: Mapping[str, str | int]) -> str:
        """Command `enrol`: why not, or nothing; then the camera opens no door until the end."""
        camera, seconds = str(args["camera"]), int(args.get("seconds", SECONDS))
        meant = Meant(str(args.get("person", "")), str(args.get("name", "")))
        if why := self._objection(camera, seconds) or self._registrar.objection(meant):
            return why
        with self._lock:
            if self._run is not None or self._is_leaving:
                return RUNNING
            start_s = self._clock()
            registrar = self._registrar
            run = _Run(camera, meant, registrar, start_s + seconds, LonePerson(registrar.eyes, start_s))
            thread = threading.Thread(target=self._work, args=(run,), name="enrol", daemon=True)
            thread.start()  # first of all: without it nobody would ever end what shuts the camera
            self._run, self._thread = run, thread
            self._shades[camera] = Shade(self._shades.get(camera, Shade()).through)
        self._tell({"event": "enrolling", "camera": camera, "seconds": seconds})
        self._hurry()
        return ""

    def end(self) -> str:
        """Command `enrol_stop`: why not, or nothing."""
        with self._lock:
            return "" if self._run is not None and self._run.end(STOPPED) else NOTHING_RUNS

    def look_through(self, registrar: Registrar) -> bool:
        """Other networks serve from now on; call it when they do. What is running is ended, for pictures of two
        recognisers do not compare; whether anything was."""
        with self._lock:
            self._registrar = registrar
            return self._run is not None and self._run.end(CHANGED)

    def stop(self) -> None:
        """The daemon ends. What is being stored is stored as a whole or not at all."""
        with self._lock:
            self._is_leaving = True
            if self._run is not None:
                self._run.end(LEAVING)
        if self._thread is not None:
            self._thread.join(STOP_WITHIN_S)

    def see(self, shot: Shot, template: Template | None) -> None:
        """Every shot of every camera; waits for no disk."""
        with self._lock:
            if shade := self._shades.get(shot.camera):
                shade.see(shot)
            run = self._run
            if run is None or run.camera != shot.camera or run.over.is_set():
                return
            burst, before = run.sitter.burst, run.sitter.burst.guidance
            run.sitter.see(shot, template)
            if burst.is_complete:
                run.end()
        if burst.guidance != before:
            self._hurry()

    def shut(self, decision: Decision) -> Decision:
        """A refusal, where somebody is being enrolled, or was and has not left since."""
        with self._lock:
            is_on = self._run is not None and self._run.camera == decision.camera
            shade = self._shades.get(decision.camera)
            is_shut = is_on or (shade is not None and shade.covers(decision.track))
        if decision.outcome == "deny" or not is_shut:
            return decision
        return replace(decision, outcome="deny", reason=ENROLLING, band="none", doors=())

    def as_json(self) -> dict[str, Any]:
        """For `…/state`: where, for how long at most, how far, and what the person is to be told."""
        with self._lock:
            run = self._run
            if run is None:
                return {"on": False}
            burst, left_s = run.sitter.burst, max(0.0, run.until_s - self._clock())
            shots = {"shots": len(burst.kept), "wanted": WANTED, "guidance": burst.guidance}
            return {"on": True, "camera": run.camera, "seconds": round(left_s), **shots}

    def _objection(self, camera: str, seconds: int) -> str:
        if camera not in self._cameras:
            return "no such camera"
        if not SHORTEST_S <= seconds <= LONGEST_S:
            return f"seconds: {SHORTEST_S} to {LONGEST_S}"
        return NO_JOURNAL if self._journal.trouble is not None else ""

    def _work(self, run: _Run) -> None:
        """The thread: waits for the end, stores what there is, and only then lets decisions pass again."""
        while not run.over.wait(LOOK_S) and self._clock() < run.until_s:
            pass
        with self._lock:
            run.end()
        made = self._made(run)
        with self._lock:
            self._shades[run.camera].end(self._clock())
            self._run = None
        self._note(run, made)
        self._hurry()

    def _made(self, run: _Run) -> Enrolled | str:
        """Who was enrolled, or why nobody."""
        burst = run.sitter.burst
        if run.why:
            return run.why
        if not burst.is_complete:
            return f"{len(burst.kept)} of {WANTED} good shots in time; most often it was: {burst.commonest}"
        if self._journal.trouble is not None:
            return NO_JOURNAL
        if run.registrar is not self._registrar:  # since the last picture
            return CHANGED
        return run.registrar.enrol(run.meant, burst.kept)

    def _note(self, run: _Run, made: Enrolled | str) -> None:
        why, sub, photos = (made, "", 0) if isinstance(made, str) else ("", made.person.id, made.added)
        alike = 0 if isinstance(made, str) else made.flagged
        event = EnrolmentEvent(
            time_ms=unix_ms(), camera=run.camera, ok=not why, why=why, sub=sub, photos=photos, look_alikes=alike
        )
        about = {"person": run.meant.person or None, "why": why} if isinstance(made, str) else made.entry()
        self._journal.append("enrolment", {"camera": run.camera, "ok": event.ok, **about}, [letter(event)])
        self._tell({"event": "enrolment", "camera": run.camera, "ok": event.ok, "why": why, "person": sub or None})
        log.info("enrolment at camera %s: %s", run.camera, why or sub)
