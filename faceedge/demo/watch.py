"""Runs the controller and the daemon and listens to them until the film, the camera or the person has had enough."""

from __future__ import annotations

import time

from rich.console import Console

from faceedge.demo import show, told
from faceedge.demo.children import Child, Children, faceedge
from faceedge.demo.preview import Preview
from faceedge.demo.script import Timeline
from faceedge.demo.stand import DOOR, Stand
from faceedge.demo.told import Event, Record
from faceedge.errors import CameraError, FaceedgeError

START_LIMIT_S = 60.0
LATE_S = 30.0
"""How much longer than its film the daemon may take before it counts as hung."""
LINGER_S = 1.5
"""After the last picture: time for tracks to end and verdicts to come."""
LISTEN_S = 0.1
CONTROLLER, DAEMON = "controller", "daemon"


class Watch:
    """One run, told on `console`.

    story: the film's, None with a camera of one's own. seconds: how long to watch a camera, None: until Ctrl-C.
    """

    def __init__(
        self,
        console: Console,
        place: Stand,
        story: Timeline | None,
        seconds: float | None = None,
        preview: Preview | None = None,
    ) -> None:
        self._console = console
        self._place = place
        self._story = story
        self._seconds = seconds
        self._preview = preview
        self._record = Record()
        self._fault = ""

    def run(self) -> Record:
        """Everything that was told until the end.

        Raises CameraError when the camera never gave a picture, FaceedgeError when a process fails or hangs.
        """
        config = ["--config", str(self._place.config), "--json"]
        with Children(self._place.folder) as children:
            controller = children.start(CONTROLLER, faceedge("door", "simulate", "--door", DOOR, *config))
            self._await(children, controller, "connected")
            daemon = children.start(DAEMON, faceedge("run", *config))
            self._await(children, daemon, "ready")
            try:
                self._listen(children)
            except KeyboardInterrupt:
                if self._story is not None:
                    raise
        self._file(children.rest())
        if self._fault and not self._record.counters.get("frames_passed"):
            raise CameraError(self._fault)
        return self._record

    def _await(self, children: Children, child: Child, kind: str) -> None:
        deadline = time.monotonic() + START_LIMIT_S
        while time.monotonic() < deadline:
            if kind in self._file(children.hear(LISTEN_S)):
                return
        raise FaceedgeError(f"the {child.name} did not start within {START_LIMIT_S:.0f} s: {child.last_words()}")

    def _listen(self, children: Children) -> None:
        """Until the end of the film or the time is up."""
        limit_s = self._story.seconds + LATE_S if self._story else self._seconds
        deadline = None if limit_s is None else time.monotonic() + limit_s
        has_ended = False
        if self._preview is not None:
            self._preview.start()
        while deadline is None or time.monotonic() < deadline:
            if self._preview is not None:
                self._preview.tick()
            if "ended" in self._file(children.hear(LISTEN_S)):
                has_ended = True
                deadline = time.monotonic() + LINGER_S
        if self._story is not None and not has_ended:
            raise FaceedgeError(
                f"the film did not end within {limit_s:.0f} s; try again when this machine is less busy"
            )

    def _file(self, heard: list[tuple[str, str]]) -> set[str]:
        """Records and prints what was heard; returns the kinds of events."""
        kinds = set()
        for name, line in heard:
            event = told.parse(line)
            if event is None:
                continue
            kinds.add(str(event["event"]))
            if name == CONTROLLER:
                self._take_from_door(event)
            else:
                self._take(event)
        return kinds

    def _take_from_door(self, event: Event) -> None:
        self._record.take_from_door(event)
        if self._preview is not None and event["event"] in ("opened", "closed"):
            self._preview.door_is_open = event["event"] == "opened"

    def _take(self, event: Event) -> None:
        ruling = self._record.take(event)
        if ruling is not None:
            self._console.print(show.decision_line(ruling, self._place.names))
        elif event["event"] == "camera_fault":
            self._tell_fault(str(event["why"]))

    def _tell_fault(self, why: str) -> None:
        """Once, although the daemon tries again and again."""
        if why != self._fault:
            self._fault = why
            self._console.print(f"camera: {why}", style="yellow", markup=False)
