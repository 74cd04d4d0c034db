"""`faceedge` with places that hang or fail for ever as soon as a file of that name lies in $FACEEDGE_TEST_TAMPER.

Whoever hangs removes the file first, so the next process is well.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from faceedge import __main__ as program
from faceedge.cli import run as command
from faceedge.door.link import DoorLink
from faceedge.jobs.roster import Roster
from faceedge.journal.chain import Chain
from faceedge.lookout import Lookout
from faceedge.seams import Seams, Stage

FOLDER = Path(os.environ["FACEEDGE_TEST_TAMPER"])


def hang_when_told(place: str) -> None:
    if (FOLDER / place).exists():
        (FOLDER / place).unlink(missing_ok=True)
        while True:
            time.sleep(60)


def raise_when_told(place: str) -> None:
    if (FOLDER / f"{place}-raises").exists():
        raise RuntimeError("told to")


def before(where: type, name: str, place: str) -> None:
    """Puts the look at the file before a method."""
    plain = getattr(where, name)

    def tampered(self: Any, *args: Any, **kwargs: Any) -> Any:
        hang_when_told(place)
        return plain(self, *args, **kwargs)

    setattr(where, name, tampered)


def stage(name: str, work: Stage) -> Stage:
    def tampered(items: Sequence[Any]) -> list[Any]:
        if items:
            hang_when_told(name)
            raise_when_told(name)
        return work(items)

    return tampered


def capture() -> None:
    plain = Lookout.sources

    def source(frames: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
        def tampered(stop: Any) -> Iterator[Any]:
            for frame in frames(stop):
                hang_when_told("capture")
                yield frame

        return tampered

    Lookout.sources = lambda self: {  # type: ignore[method-assign]
        name: source(frames) for name, frames in plain(self).items()
    }


def main() -> int:
    capture()
    before(Chain, "append", "journal")
    before(Roster, "follow", "main")
    before(DoorLink, "_on_challenge", "mqtt")
    plain = command.run
    command.run = lambda args: plain(args, Seams(stage=stage))  # type: ignore[assignment]
    return program.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
