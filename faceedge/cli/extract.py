"""`faceedge extract`: every face of every photo, as numbers and as a picture."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faceedge.cli import opening
from faceedge.errors import BadInput, DeviceLost, EngineError
from faceedge.jobs.drawing import check_target, paint, sheet, write_png
from faceedge.jobs.photos import photos_in, read_photo, shown
from faceedge.types import Assessment, Image

if TYPE_CHECKING:
    from faceedge.jobs.vision import Portrait, Vision

TILE_PX = 480
MAX_TILES = 64
BAD_INPUT = 2


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `extract`."""
    parser = commands.add_parser(
        "extract",
        help="boxes, landmarks, quality and embeddings of photos",
        description="Looks at every photo. Bad files are named and the others still shown; the exit code is then 2.",
        epilog="Example: faceedge extract photos/ --draw faces.png --json > faces.json",
    )
    parser.add_argument(
        "images", metavar="IMAGE", nargs="+", type=opening.a_path, help="JPEG, PNG or WebP file, or a folder"
    )
    parser.add_argument(
        "--draw", metavar="OUT.png", type=opening.a_path, help="paint the faces; several photos share one sheet"
    )
    opening.add_model_flags(parser)
    opening.add_common_flags(parser)
    parser.set_defaults(run=run)


@dataclass(frozen=True, slots=True, eq=False)
class _Look:
    """What was, or will be, seen in one photo. size: width, height in px; picture: painted, when one was asked for."""

    path: Path
    error: str | None = None
    size: tuple[int, int] | None = None
    portraits: Sequence[Portrait] = ()
    picture: Image | None = None


def run(args: argparse.Namespace) -> int:
    """Looks at every photo and prints what is in it."""
    looks = [look for path in args.images for look in _planned(path)]
    if args.draw is not None:
        check_target(args.draw, [look.path for look in looks])
    with opening.progress_bar() as progress, opening.open_vision(args, progress) as vision:
        for number, look in enumerate(looks):
            if look.error is None:
                looks[number] = _look(vision, look.path, args.draw is not None, len(looks))
            progress(look.path.name, (number + 1) / len(looks))
        builds = vision.builds
    if args.draw is not None:
        _draw(args.draw, looks)
    if args.json:
        opening.print_json({"models": builds, "images": [_document(look) for look in looks]})
    else:
        for look in looks:
            _print(look)
    return BAD_INPUT if any(look.error for look in looks) else 0


def _planned(path: Path) -> list[_Look]:
    """What is still to be looked at; a folder that cannot be used is told in its place, like a bad photo."""
    try:
        return [_Look(photo) for photo in photos_in([path])]
    except BadInput as error:
        return [_Look(path, error=str(error))]


def _look(vision: Vision, path: Path, is_drawn: bool, photos: int) -> _Look:
    try:
        image = read_photo(path)
        portraits = vision.portraits(image)
    except BadInput as error:
        return _Look(path, error=str(error))
    except DeviceLost:
        raise
    except EngineError as error:
        return _Look(path, error=f"{shown(path)}: {error}")
    height, width = image.shape[:2]
    picture = paint(image, portraits, TILE_PX if photos > 1 else None) if is_drawn else None
    return _Look(path, None, (width, height), portraits, picture)


def _draw(target: Path, looks: Sequence[_Look]) -> None:
    tiles = [(look.path.name, look.picture) for look in looks if look.picture is not None]
    if len(tiles) > MAX_TILES:
        print(f"faceedge: {target} shows the first {MAX_TILES} of {len(tiles)} photos", file=sys.stderr)
    if tiles:
        write_png(target, tiles[0][1] if len(looks) == 1 else sheet(tiles[:MAX_TILES], TILE_PX))


def _document(look: _Look) -> dict[str, Any]:
    width, height = look.size or (None, None)
    faces = [
        {
            "box": portrait.face.box.tolist(), "score": portrait.face.score,
            "landmarks": portrait.face.landmarks.tolist(), "quality": portrait.assessment.quality,
            "reasons": list(portrait.assessment.reasons), "embedding": portrait.template.embedding.tolist(),
            **_raw(portrait.assessment),
        }
        for portrait in look.portraits
    ]  # fmt: skip
    return {"path": str(look.path), "width": width, "height": height, "error": look.error, "faces": faces}


def _raw(assessment: Assessment) -> dict[str, float]:
    """What the quality network said, on its own scale, where there is one."""
    return {} if assessment.raw is None else {"raw_quality": assessment.raw}


def _print(look: _Look) -> None:
    if look.size is None:
        print(look.error)
        return
    faces = opening.counted(len(look.portraits), "face") if look.portraits else "no face"
    print(f"{shown(look.path)}: {look.size[0]}x{look.size[1]} px, {faces}")
    for portrait in look.portraits:
        box = " ".join(f"{edge:.0f}" for edge in portrait.face.box)
        reasons = f"  {', '.join(portrait.assessment.reasons)}" if portrait.assessment.reasons else ""
        print(f"  box {box}  score {portrait.face.score:.2f}  quality {portrait.assessment.quality:.2f}{reasons}")
