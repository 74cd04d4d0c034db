"""The demo: a real daemon and a real controller, as processes of their own, at a door that is a film."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress as Bar

from faceedge import __version__, config
from faceedge.cameras import is_live
from faceedge.demo import clip, sheet, show, stand
from faceedge.demo.ending import stoppable
from faceedge.demo.preview import Preview, suits
from faceedge.demo.script import Timeline
from faceedge.demo.stand import Stand
from faceedge.demo.verdict import Verdict, judge
from faceedge.demo.watch import Watch
from faceedge.door.broker import local_broker
from faceedge.errors import BadInput
from faceedge.models.defaults import default_models

SHEET = Path("demo.png")

Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the command line asks for. camera: None plays the film. out: None is demo.png, unless headless."""

    camera: str | None = None
    headless: bool = False
    seconds: float | None = None
    out: Path | None = None
    keep: Path | None = None
    as_json: bool = False

    @property
    def sheet(self) -> Path | None:
        """Where the contact sheet goes, None for nowhere."""
        return None if self.camera is not None else self.out or (None if self.headless else SHEET)


@dataclass(frozen=True, slots=True)
class Film:
    """The rendered clip and its story."""

    path: Path
    story: Timeline


def run(wishes: Wishes) -> int:
    """Runs the demo and returns its exit code: 0 when the door did right, 1 when it did not.

    With a camera of one's own there is no right or wrong: 0. Raises FaceedgeError when it cannot be run at all.
    """
    _check(wishes)
    console = Console(stderr=wishes.as_json, highlight=False, soft_wrap=True)
    with stoppable(), ExitStack() as parts:
        folder = parts.enter_context(stand.workplace(wishes.keep))
        film = _prepare(wishes, console)
        broker = parts.enter_context(local_broker())
        uri, more = (_uri(wishes.camera), {}) if film is None else (f"file:{film.path}", stand.FILM)
        place = stand.build(folder, uri, broker.port, more)
        console.print(f"{stand.NAME} is enrolled, the broker is {broker.kind}; watching the door", style="dim")
        if film is None:
            record = Watch(console, place, None, wishes.seconds).run()
        else:
            with _preview(wishes, console, film) as preview:
                record = Watch(console, place, film.story, preview=preview).run()
    verdict = judge(film.story, record, place.known) if film else None
    if film is not None and verdict is not None:
        console.print(show.scene_table(verdict))
        if wishes.sheet is not None:
            _draw(wishes.sheet, film, verdict, _heading(film.story, place, broker.kind))
            console.print(f"contact sheet: {wishes.sheet}")
        console.print(show.last_line(verdict))
    if wishes.as_json:
        _print_json(show.document(verdict, record, place.names, wishes.sheet))
    return 0 if verdict is None or verdict.has_passed else 1


def _prepare(wishes: Wishes, console: Console) -> Film | None:
    """The networks and, unless a camera is named, the film; both are made once and then lie in the cache."""
    cache = config.cache_dir()
    with _progress(console, wishes.headless) as progress:
        default_models(cache, progress)
        return Film(*clip.cached(cache, progress=progress)) if wishes.camera is None else None


def _check(wishes: Wishes) -> None:
    """What would only be found out at the end of the run. Raises BadInput."""
    if wishes.sheet is not None and (wishes.sheet.is_dir() or not os.access(wishes.sheet.parent, os.W_OK)):
        raise BadInput(f"{wishes.sheet}: cannot be written; choose another file with --out")
    if wishes.camera is not None and not (_is_live(wishes.camera) or Path(wishes.camera).is_file()):
        raise BadInput(f"{wishes.camera}: no such file; use a video file, rtsp://…, /dev/videoN or a number")


def _is_live(camera: str) -> bool:
    return is_live(camera) or "://" in camera  # a misspelt address is for the daemon to explain, too


def _uri(camera: str | None) -> str:
    """What the daemon calls it; a path is made absolute."""
    assert camera is not None, "without a camera there is a film"
    return camera if _is_live(camera) else f"file:{Path(camera).resolve()}"


def _heading(story: Timeline, place: Stand, broker: str) -> sheet.Heading:
    subtitle = (
        f"A door, run for {story.seconds:.0f} s: real networks, signed grants over MQTT, a controller that verifies"
    )
    machine = f"faceedge {__version__} · {broker} · {os.cpu_count()} cores, no GPU"
    return sheet.Heading(place.names, stand.NAME, subtitle, machine)


def _draw(out: Path, film: Film, verdict: Verdict, heading: sheet.Heading) -> None:
    frames = sheet.read_frames(film.path, sheet.wanted(verdict))
    sheet.save(out, sheet.draw(film.story, verdict, heading, frames))


def _print_json(document: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(document, allow_nan=False) + "\n")
    sys.stdout.flush()


@contextmanager
def _progress(console: Console, headless: bool) -> Iterator[Progress]:
    """A bar that moves on a terminal and vanishes; nothing where it could not move."""
    if headless or not console.is_terminal:
        yield _silent
        return
    with Bar(console=console, transient=True) as bar:
        task = bar.add_task("", total=1.0)
        yield lambda words, share: bar.update(task, description=words, completed=share)


@contextmanager
def _preview(wishes: Wishes, console: Console, film: Film) -> Iterator[Preview | None]:
    if wishes.headless or not suits(console):
        yield None
        return
    with Preview(console, film.path, film.story) as preview:
        yield preview


def _silent(_task: str, _share: float) -> None:
    pass
