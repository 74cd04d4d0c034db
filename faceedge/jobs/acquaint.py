"""Who of the people enrolled is known to a recogniser that is to serve, and how the others get known to it.

Used by `jobs/swap.py`; every call opens the gallery for itself, so that any thread may make it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from faceedge.errors import BadInput, EngineError, StoreError
from faceedge.gallery.base import Levels
from faceedge.gallery.store import Gallery
from faceedge.jobs.aside import aside
from faceedge.jobs.vision import Vision

ACQUAINTING = "making templates of the pictures that were kept"


@dataclass(frozen=True, slots=True)
class Acquaintance:
    """The people of a state directory and what is to recognise them. pace, ending, levels: as `reembed` takes them.
    is_beside: a door works meanwhile, and comes first."""

    vision: Vision
    state: Path
    pace: Callable[[], None]
    ending: Callable[[], bool]
    levels: Levels | None
    is_beside: bool

    def make(self, share: Callable[[float], None]) -> int:
        """Everybody gets templates of the pictures that were kept; how many people did just now.

        Raises EngineError, also when it was ended before all was done, and StoreError.
        """
        if not _has_gallery(self.state):
            return 0
        return aside(lambda: self._make(share)) if self.is_beside else self._make(share)

    def _make(self, share: Callable[[float], None]) -> int:
        from faceedge.jobs.reembed import reembed  # half of what a start would import for a swap, and rarely needed

        with Gallery.open(self.state) as gallery:
            done = reembed(gallery, self.vision, share, self.pace, self.ending, self.levels)
        if not done.is_whole:
            raise EngineError("not everybody is known to it yet, and the daemon ends; order it again to go on")
        return done.people

    def unknown(self) -> int:
        """How many have no template of it. Raises StoreError."""
        from faceedge.jobs.reembed import without

        if not _has_gallery(self.state):
            return 0
        with Gallery.open(self.state) as gallery:
            return len(without(gallery, self.vision.space))


def beyond_help(space: str, state: Path) -> int:
    """How many have no template in a space, and no picture that one could be made of. Raises StoreError."""
    from faceedge.jobs.reembed import without

    if not _has_gallery(state):
        return 0
    try:
        with Gallery.open(state) as gallery:
            lacking = without(gallery, space)
            return sum(not any(entry.crop for entry in gallery.entries(person.id)) for person in lacking)
    except StoreError as error:
        raise StoreError(f"whom the new recogniser would know cannot be told: {error}") from error


def check_known(unknown: int, *, can_ask: bool = True) -> None:
    """Raises BadInput when people would be unknown. can_ask: the recogniser before may be asked about them."""
    if not unknown:
        return
    asking = "; with --dual (dual=1) the old recogniser still knows them until then" if can_ask else ""
    raise BadInput(
        f"{unknown} of the people enrolled have no template of that recogniser, and no picture that one can be made of:"
        " no door will know them until they are enrolled again. If that is meant, add --yes (to a command over MQTT: "
        f"yes=1){asking}"
    )


def _has_gallery(state: Path) -> bool:
    return (state / "gallery.db").exists()
