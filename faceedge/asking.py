"""The recogniser before, asked about people whom the one that serves does not know: begun, kept up to date, ended."""

from __future__ import annotations

import logging
from pathlib import Path

from faceedge.bundle import Bundle
from faceedge.dual import Dual, Opinion
from faceedge.errors import FaceedgeError
from faceedge.flow import Flow
from faceedge.gallery.remaining import Remaining
from faceedge.gallery.store import Gallery
from faceedge.jobs.roster import Roster
from faceedge.jobs.second import forget, keep, kept
from faceedge.jobs.sighting_keeper import SightingKeeper
from faceedge.jobs.vision import Vision

log = logging.getLogger(__name__)


class Asking:
    """gallery: of `state`, the main thread's; it calls `follow`, the thread that swaps networks the rest."""

    def __init__(self, flow: Flow, state: Path, gallery: Gallery) -> None:
        self._flow = flow
        self._state = state
        self._gallery = gallery
        self._roster: Roster | None = None
        self._keeper = SightingKeeper(state)
        if gallery.sightings.all():
            self._keeper.start()  # they are to grow old all the same

    @property
    def is_on(self) -> bool:
        """Whether it is asked."""
        return self._roster is not None

    def follow(self) -> None:
        """Loads what has changed in the gallery."""
        if (roster := self._roster) is not None:
            roster.follow()

    def wanted(self) -> str:
        """Label of the recogniser that was asked when the daemon ended; empty where none was."""
        return kept(self._flow.serving.vision.recognizer_package.label, self._state)

    def begin(self, before: Vision, number: int) -> None:
        """Whoever `before` knows and what serves does not is let in by it, until enrolled again; also after a restart.
        number: for a bundle. Raises FaceedgeError, and then it is not asked."""
        serving = self._flow.serving
        known = serving.vision.space
        with Gallery.open(self._state) as gallery:  # of this thread
            roster = Roster(Remaining(gallery, known), before.metric, before.space)
            former = self._flow.bundle(number, before, roster)
            roster.hand_to(Remaining(self._gallery, known))
        keep(serving.vision.recognizer_package.label, before.recognizer_package.label, self._state)
        self._keeper.start()
        self._roster = roster
        self._flow.detect.shows = True
        self._flow.recognise.second = Dual(Opinion(serving, former, self._keeper.offer))

    def tried(self, before: Bundle, number: int) -> None:
        """The same once others serve, which they go on doing when it fails."""
        try:
            self.begin(before.vision, number)
        except FaceedgeError as error:
            log.error("the recogniser before is not asked, and whom only it knows is let in by nobody: %s", error)

    def end(self) -> None:
        """It is asked no more."""
        forget(self._state)
        self.pause()

    def pause(self) -> None:
        """The same until the next start."""
        if self._roster is not None:
            self._roster = None
            self._flow.detect.shows, self._flow.recognise.second = False, None

    def close(self) -> None:
        """Ends what it has started."""
        self.pause()
        self._keeper.stop()
