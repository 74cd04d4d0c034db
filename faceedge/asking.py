"""The recogniser before, asked about people whom the one that serves does not know: begun, ended, begun again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from faceedge.bundle import Bundle
from faceedge.dual import Dual, Opinion
from faceedge.errors import FaceedgeError
from faceedge.flow import Flow
from faceedge.gallery.store import Gallery
from faceedge.jobs.second import forget, keep, kept
from faceedge.jobs.sighting_keeper import SightingKeeper


class Asking:
    """gallery: of `state`, the main thread's. The thread that swaps networks calls the rest."""

    def __init__(self, flow: Flow, state: Path, gallery: Gallery) -> None:
        self._flow = flow
        self._state = state
        self._before: Bundle | None = None
        self.notices: tuple[str, ...] = ()
        """What somebody should know of it; any thread reads it."""
        self._keeper = SightingKeeper(state)
        if gallery.sightings.all():
            self._keeper.start()  # they are to grow old all the same

    @property
    def is_on(self) -> bool:
        """Whether it is asked."""
        return self._before is not None

    def wanted(self) -> str:
        """Label of the recogniser that was asked when the daemon ended; empty where none was."""
        return kept(self._flow.serving.vision.recognizer_package.label, self._state)

    def begin(self, before: Bundle) -> None:
        """Whoever `before` knows and what serves does not is let in by it, until enrolled again; also after a restart.
        Its roster must be followed. Raises StoreError, and then it is not asked."""
        serving = self._flow.serving
        labels = serving.vision.recognizer_package.label, before.vision.recognizer_package.label
        keep(*labels, self._state)
        self._keeper.start()
        self._before = before
        serving.roster.elder = before.roster
        self._flow.detect.shows = True
        self._flow.recognise.second = Dual(Opinion(serving, before, self._keeper.offer))

    def unasked(self, error: FaceedgeError) -> str:
        """It was to be asked, and cannot be: a sentence for everybody who should know."""
        why = f"the recogniser before is not asked, and whom only it knows is let in by nobody: {error}"
        self.notices = (why,)
        return why

    @contextmanager
    def silent(self) -> Iterator[None]:
        """In the block others take over, beside whom it has no say; when they do not, it is asked on."""
        before = self._flow.detect.shows, self._flow.recognise.second
        self._flow.detect.shows, self._flow.recognise.second = False, None
        try:
            yield
        except BaseException:
            self._flow.detect.shows, self._flow.recognise.second = before
            raise

    def end(self) -> None:
        """It is asked no more."""
        self._before, self.notices = None, ()
        self._flow.detect.shows, self._flow.recognise.second = False, None
        forget(self._state)

    def close(self) -> None:
        """Ends what it has started."""
        self._keeper.stop()
