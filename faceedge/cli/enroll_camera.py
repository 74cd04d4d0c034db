"""`faceedge enroll --camera`: a burst of whoever stands there, guided, shown, and stored after a yes."""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
from collections.abc import Generator, Sequence
from contextlib import closing
from itertools import count
from pathlib import Path

from faceedge import config
from faceedge.cameras import is_live, open_camera, open_live
from faceedge.capture import live, paced
from faceedge.cli import noting, opening
from faceedge.cli.enrolled import open_sheet, write_sheet
from faceedge.errors import BadInput, CameraError
from faceedge.gallery.rows import clean_name
from faceedge.gallery.search import similarity
from faceedge.jobs.burst import LIMIT_S, WANTED, Burst, Kept
from faceedge.jobs.contact import ContactSheet
from faceedge.jobs.enroll import Enrolled, Eyes, Sitting, Wish, admit
from faceedge.types import Frame

DECLINED = 1
LOOK_EVERY_S = 0.1


def run(args: argparse.Namespace) -> Enrolled | None:
    """Who was enrolled; None when the operator said no. Raises BadInput without enough good shots in time."""
    clean_name(args.name)
    if not args.yes and not sys.stdin.isatty():
        raise BadInput("nobody can be asked whether the shots are good; say --yes to enrol without asking")
    contact = open_sheet(args.sheet, ())
    wish = Wish(args.name, (), args.allow_duplicate, not args.no_crops)
    with noting.noted(args) as note, opening.open_gallery(args) as gallery:
        with opening.progress_bar() as progress, opening.open_vision(args, progress) as vision:
            kept = collect(_address(args), vision, progress)
            sittings = [Sitting(Path(f"shot {number}"), shot.portrait) for number, shot in enumerate(kept, start=1)]
        if contact is not None:
            _draw(contact, args.sheet, kept)
            print(f"the shots: {args.sheet}", file=sys.stderr)
        if not args.yes and not _is_agreed(args, kept):
            print("nothing was stored", file=sys.stderr)
            return None
        enrolled = admit(gallery, vision, wish, sittings)
        note("enrolment", enrolled.entry())
    return enrolled


def collect(uri: str, eyes: Eyes, progress: opening.Progress) -> tuple[Kept, ...]:
    """Shots of one person. Raises BadInput, with what stood in the way, when time or clip end too early."""
    burst: Burst | None = None
    end = "the clip ended"
    with closing(_frames(uri)) as frames:
        for frame in frames:
            if burst is None:
                burst = Burst(lambda a, b: similarity(a, b, eyes.metric), eyes.thresholds.grey, frame.captured)
            if burst.is_late(frame.captured):
                end = f"{LIMIT_S:.0f} s have passed"
                break
            guidance = burst.feed(frame.image, eyes.portraits(frame.image), frame.captured)
            progress(guidance, len(burst.kept) / WANTED)
            if burst.is_complete:
                return burst.kept
    if burst is None:
        raise CameraError("the camera showed nothing; check it and try again")
    raise BadInput(
        f"{end} with {len(burst.kept)} of {WANTED} good shots, and nothing was stored;"
        f" most often it was: {burst.commonest}"
    )


def _address(args: argparse.Namespace) -> str:
    """Of a camera that the configuration names, so that its password stands in no list of processes; else as given."""
    given: str = args.camera
    return next((camera.uri for camera in config.load(args.config).camera if camera.name == given), given)


def _frames(uri: str) -> Generator[Frame, None, None]:
    """A clip by its own clock, ten pictures a second; of a live camera always the newest picture."""
    stop = threading.Event()
    if is_live(uri):
        with closing(live("enrol", lambda: open_live(uri), stop, count())) as pictures:
            yield from (frame for frame in pictures if frame is not None)
        return
    due = 0.0
    for frame in paced("enrol", lambda: open_camera(uri), stop, realtime=False):
        if frame.captured >= due:
            due = frame.captured + LOOK_EVERY_S
            yield frame


def _draw(contact: ContactSheet, path: Path, kept: Sequence[Kept]) -> None:
    for number, shot in enumerate(kept, start=1):
        contact.see(Path(f"shot {number}"), shot.image, [shot.portrait])
    write_sheet(contact, path)


def _is_agreed(args: argparse.Namespace, kept: Sequence[Kept]) -> bool:
    """Asks on the terminal. A sheet that nobody asked for is seen by this user only, and gone after the answer."""
    with tempfile.TemporaryDirectory(prefix="faceedge-") as folder:
        if args.sheet is None:
            path = Path(folder) / "shots.png"
            _draw(ContactSheet(), path, kept)
            print(f"the shots, until you answer: {path}", file=sys.stderr)
        print(f"enrol these {len(kept)} shots as {args.name}? [y/N] ", end="", file=sys.stderr, flush=True)
        return sys.stdin.readline().strip().lower() in ("y", "yes")
