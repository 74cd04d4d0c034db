"""Enrolment by the daemon itself: a command begins it, shots of one camera feed it, its end is journalled and told.

`begin` and `end` are called by the thread of commands, `see` and `shut` by the recogniser. A thread of its own waits
for the end and writes the gallery, in one transaction: whoever stops in between has enrolled nobody.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from faceedge.door.events import EnrolmentEvent, Letter, letter
from faceedge.errors import FaceedgeError, StoreError
from faceedge.gallery.rows import clean_name
from faceedge.gallery.store import Gallery
from faceedge.jobs.before_camera import LonePerson, Shade
from faceedge.jobs.burst import WANTED
from faceedge.jobs.enroll import Enrolled, Eyes, Sitting, Wish, WrongFace, admit
from faceedge.journal.entry import unix_ms
from faceedge.types import Decision, Shot, Template

log = logging.getLogger(__name__)

ENROLLING = "enrolling"
"""Reason of every refusal at the camera meanwhile."""
SECONDS, SHORTEST_S, LONGEST_S = 20, 5, 120
LOOK_S = 0.05
STOP_WITHIN_S = 1.0

RUNNING, NOTHING_RUNS = "an enrolment is running; end it with enrol_stop, or wait", "no enrolment is running"
NOBODY, KNOWN = "nobody of the gallery has this id", "somebody of the gallery has this name; give their id as person"
STOPPED, LEAVING = "stopped by a command", "the daemon was stopped"
FAULT = "internal fault; see the log"


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
    """One enrolment. person: id, empty for somebody new with this name."""

    camera: str
    person: str
    name: str
    until_s: float
    sitter: LonePerson
    over: threading.Event = field(default_factory=threading.Event)
    why: str = ""


class EnrolMode:
    """eyes: of the recogniser that makes the templates. open_gallery: in whichever thread needs it, closed there.

    tell: receives each as a dictionary of JSON types. hurry: what `as_json` says has changed.
    """

    def __init__(
        self,
        cameras: Collection[str],
        eyes: Eyes,
        open_gallery: Callable[[], AbstractContextManager[Gallery]],
        journal: Diary,
        tell: Callable[[dict[str, Any]], None] = lambda _: None,
        *,
        hurry: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cameras = cameras
        self._eyes = eyes
        self._open_gallery = open_gallery
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
        person, name = str(args.get("person", "")), str(args.get("name", ""))
        if why := self._objection(camera, seconds, person, name):
            return why
        with self._lock:
            if self._run is not None or self._is_leaving:
                return RUNNING
            start_s = self._clock()
            run = _Run(camera, person, name, start_s + seconds, LonePerson(self._eyes, start_s))
            self._run = run
            self._shades[camera] = Shade(self._shades.get(camera, Shade()).through)
            self._thread = threading.Thread(target=self._work, args=(run,), name="enrol", daemon=True)
            self._thread.start()
        self._tell({"event": "enrolling", "camera": camera, "seconds": seconds})
        self._hurry()
        return ""

    def end(self, _args: Mapping[str, str | int] | None = None) -> str:
        """Command `enrol_stop`: why not, or nothing."""
        with self._lock:
            if self._run is None or self._run.over.is_set():
                return NOTHING_RUNS
            self._run.why = STOPPED
            self._run.over.set()
        return ""

    def stop(self) -> None:
        """The daemon ends. What is being stored is stored as a whole or not at all."""
        with self._lock:
            self._is_leaving = True
            if self._run is not None and not self._run.over.is_set():
                self._run.why = LEAVING
                self._run.over.set()
        if self._thread is not None:
            self._thread.join(STOP_WITHIN_S)

    def see(self, shot: Shot, template: Template | None) -> None:
        """Every shot of every camera; never waits long."""
        with self._lock:
            if shade := self._shades.get(shot.camera):
                shade.see(shot)
            run = self._run
            if run is None or run.camera != shot.camera or run.over.is_set():
                return
            before = run.sitter.burst.guidance
            run.sitter.see(shot, template)
            burst = run.sitter.burst
            if burst.is_complete:
                run.over.set()
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

    def _objection(self, camera: str, seconds: int, person: str, name: str) -> str:
        if camera not in self._cameras:
            return "no such camera"
        if not SHORTEST_S <= seconds <= LONGEST_S:
            return f"seconds: {SHORTEST_S} to {LONGEST_S}"
        if bool(person) == bool(name):
            return "give either a name, for somebody new, or the id of a person"
        if self._journal.trouble is not None:
            return "the journal cannot be written, and nobody is enrolled who is not written down"
        try:
            with self._open_gallery() as gallery:
                _who(gallery, person, name)
        except WrongFace as error:
            return error.plain
        except StoreError as error:
            log.error("enrolment: %s", error)
            return "the gallery cannot be read; see the log"
        except FaceedgeError:  # its text may hold the name
            return "name: is no name"
        return ""

    def _work(self, run: _Run) -> None:
        while not run.over.wait(LOOK_S) and self._clock() < run.until_s:
            pass
        with self._lock:  # from here on nothing is collected, and enrol_stop comes too late
            run.over.set()
        why, enrolled = self._outcome(run)
        with self._lock:
            self._shades[run.camera].end(self._clock())
            self._run = None
        self._note(run, why, enrolled)
        self._hurry()

    def _outcome(self, run: _Run) -> tuple[str, Enrolled | None]:
        burst = run.sitter.burst
        if run.why:
            return run.why, None
        if not burst.is_complete:
            return f"{len(burst.kept)} of {WANTED} good shots in time; most often it was: {burst.commonest}", None
        sittings = [Sitting(Path(f"shot {number}"), shot.portrait) for number, shot in enumerate(burst.kept, start=1)]
        try:
            with self._open_gallery() as gallery, gallery.transaction():
                return "", admit(gallery, self._eyes, Wish(_who(gallery, run.person, run.name)), sittings)
        except WrongFace as error:
            return error.plain, None
        except StoreError as error:
            log.error("enrolment: %s", error)
            return "the gallery cannot be written; see the log", None
        except Exception as error:  # thread top; a text of ours may hold a name
            log.error("enrolment: %s", type(error).__name__, exc_info=not isinstance(error, FaceedgeError))
            return FAULT, None

    def _note(self, run: _Run, why: str, enrolled: Enrolled | None) -> None:
        person = enrolled.person.id if enrolled is not None else ""
        photos = sum(photo.added for photo in enrolled.photos) if enrolled is not None else 0
        event = EnrolmentEvent(
            time_ms=unix_ms(), camera=run.camera, ok=enrolled is not None, why=why, sub=person, photos=photos
        )
        about = enrolled.entry() if enrolled is not None else {"person": run.person or None, "why": why}
        self._journal.append("enrolment", {"camera": run.camera, "ok": event.ok, **about}, [letter(event)])
        self._tell({"event": "enrolment", "camera": run.camera, "ok": event.ok, "why": why, "person": person or None})
        log.info("enrolment at camera %s: %s", run.camera, why or person)


def _who(gallery: Gallery, person: str, name: str) -> str:
    """The name under which they are enrolled. Raises WrongFace for an id of nobody, and a name of somebody."""
    found = gallery.find(person or clean_name(name))
    if not person:
        if found is not None:
            raise WrongFace(KNOWN, KNOWN)
        return name
    if found is None or found.id != person:
        raise WrongFace(NOBODY, NOBODY)
    return found.name
