"""Plays a film through the daemon as `faceedge run --once` does: every frame, by the clock of the film."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2

from faceedge.cameras.stream import ClipCamera
from faceedge.config import Config, cache_dir
from faceedge.daemon import Daemon
from faceedge.demo.clip import cached
from faceedge.demo.photos import astronaut_path
from faceedge.gallery.store import Gallery
from faceedge.jobs.enroll import Wish, enroll
from faceedge.jobs.open_vision import open_vision
from faceedge.models.store import make_package
from tests.replay.cases import DEMO, Case

FAST = {"detector": ("yunet_n", "yunet"), "recognizer": ("edgeface_xxs_512", "edgeface-xxs")}
"""Graph among the assets and its recipe."""
ENROLLED = (10, 25, 40)
"""Frames of a clip that a person is enrolled from."""


@dataclass(frozen=True)
class Row:
    """One decision. person: by label. None: there is no such number."""

    frame: int
    camera: str
    track: int
    segment: int
    outcome: str
    reason: str
    person: str
    band: str
    similarity: float | None
    margin: float | None
    quality: float
    votes: int
    shots: int


@dataclass(frozen=True)
class Played:
    """tracks: how many began. undecided: those of them that never had an outcome. reckoned: digest of the film and of
    what the networks make of who is enrolled; another kind of processor has another one."""

    film: str
    fps: float
    frames: int
    rule: str
    rows: tuple[Row, ...]
    tracks: int
    undecided: tuple[int, ...]
    reckoned: str = ""


def play(case: Case, shared: Callable[[], Path], folder: Path) -> Played:
    """shared: finds the assets. folder: empty, for state and packages."""
    film = cached(cache_dir())[0] if case.film == DEMO else shared() / "data" / "dev" / "video" / case.film
    models = _packages(shared() / "models", folder / "packages") if case.networks == "fast" else {}
    config = Config.model_validate(
        {
            "state_dir": str(folder / "state"),
            "camera": [{"name": "entry", "uri": f"file:{film}"}],
            "models": models,
            "decide": dict(case.decide),
            "clock": {"require_sync": "never"},
            "health": {"telemetry": "off"},
        }
    )
    labels, reckoned = _enrol(case, config, shared, folder)
    told: list[dict[str, Any]] = []
    daemon = Daemon(config, folder / "state", cache_dir(), told.append, once=True)
    assert daemon.run() == 0, "the film was not played to its end"
    rows = [_row(event, labels) for event in told if event["event"] == "decision"]
    begun = [event["track"] for event in told if event["event"] == "track"]
    fps, frames = _length(film)
    rule = f"{config.decide.votes} of {config.decide.of} votes, faces of {config.decide.min_face_px} px"
    rule += "" if config.decide.motion else ", photos count as living faces"
    rows.sort(key=lambda row: (row.frame, row.track, row.segment))  # those that end in one sweep have no order
    undecided = tuple(sorted(set(begun) - {row.track for row in rows}))
    called = "the demo's" if case.film == DEMO else f"`{film.name}`"
    reckoned = hashlib.sha256(film.read_bytes() + reckoned).hexdigest()[:12]
    return Played(called, fps, frames, rule, tuple(rows), len(begun), undecided, reckoned)


def _packages(graphs: Path, root: Path) -> dict[str, str]:
    return {
        role: str(make_package(graphs / f"{graph}.onnx", recipe, root).folder) for role, (graph, recipe) in FAST.items()
    }


def _enrol(case: Case, config: Config, shared: Callable[[], Path], folder: Path) -> tuple[dict[str, str], bytes]:
    """Enrols everybody of the case; label by id, and all templates as they are in memory."""
    (folder / "state").mkdir(mode=0o700)
    labels = {}
    with (
        open_vision(config.models, config.engine, folder / "state", cache_dir()) as vision,
        Gallery.open(folder / "state") as gallery,
    ):
        for label, clips in case.people.items():
            if case.film == DEMO:
                photos = [astronaut_path()]
            else:
                source = shared() / "data" / "dev" / "video" / "clips"
                photos = [photo for clip in clips for photo in _stills(source / clip, folder)]
            labels[enroll(gallery, vision, Wish(label, tuple(photos))).person.id] = label
        made = [template.embedding.tobytes() for person in labels for _, template in gallery.portfolio(person)]
    return labels, b"".join(made)


def _stills(clip: Path, folder: Path) -> list[Path]:
    """Some frames of a clip as photos, lossless."""
    written = []
    with closing(ClipCamera(clip)) as camera:
        for number in range(max(ENROLLED) + 1):
            image = camera.read()
            if number in ENROLLED:
                assert image is not None, f"{clip.name} is shorter than expected"
                written.append(folder / f"{clip.stem}-{number}.png")
                cv2.imwrite(os.fspath(written[-1]), image)
    return written


def _length(film: Path) -> tuple[float, int]:
    """Pictures a second, and how many."""
    source = cv2.VideoCapture(os.fspath(film), cv2.CAP_FFMPEG)
    try:
        return source.get(cv2.CAP_PROP_FPS), int(source.get(cv2.CAP_PROP_FRAME_COUNT))
    finally:
        source.release()


def _row(event: Mapping[str, Any], labels: Mapping[str, str]) -> Row:
    names: Sequence[str] = (
        "camera", "track", "segment", "outcome", "reason", "band", "similarity", "margin", "quality", "votes", "shots",
    )  # fmt: skip
    return Row(frame=event["seq"], person=labels.get(event["person"], ""), **{name: event[name] for name in names})
