"""`faceedge compare`: do two photos show the same person?"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faceedge.cli import opening
from faceedge.gallery.search import similarity
from faceedge.jobs.compare import largest_face, verdict
from faceedge.jobs.photos import check_photo, shown

if TYPE_CHECKING:
    from faceedge.jobs.vision import Portrait

MEANING = {
    "match": "the same person",
    "grey": "perhaps the same person, not sure enough for a door",
    "no_match": "not the same person",
    "untrusted": "the pictures are too poor to tell",
}


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `compare`."""
    parser = commands.add_parser(
        "compare",
        help="do two photos show the same person?",
        description="Compares the largest face of each photo. Exit code 0: match; 1: no_match, grey or untrusted.",
        epilog="Example: faceedge compare passport.jpg selfie.jpg && echo the same",
    )
    parser.add_argument("a", metavar="A", type=opening.a_path, help="JPEG, PNG or WebP file")
    parser.add_argument("b", metavar="B", type=opening.a_path, help="the other one")
    opening.add_model_flags(parser)
    opening.add_common_flags(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Compares and says how sure it is."""
    paths = (args.a, args.b)
    for path in paths:
        check_photo(path)  # before the networks are opened, which takes longer
    with opening.progress_bar() as progress, opening.open_vision(args, progress) as vision:
        a, b = (largest_face(vision, path) for path in paths)
        thresholds, metric = vision.thresholds, vision.metric
    alike = similarity(a.template, b.template, metric)
    word = verdict(alike, min(a.assessment.quality, b.assessment.quality), thresholds)
    if args.json:
        limits = {"grey": thresholds.grey, "match": thresholds.match, "strict": thresholds.strict}
        opening.print_json(
            {"similarity": alike, "thresholds": limits, "verdict": word, "a": _document(a), "b": _document(b)}
        )
    else:
        for path, portrait in zip(paths, (a, b), strict=True):
            print(_line(path, portrait))
        limits_line = f"grey {thresholds.grey:.3f}, match {thresholds.match:.3f}, strict {thresholds.strict:.3f}"
        print(f"similarity {alike:.3f} ({limits_line})")
        print(f"{word}: {MEANING[word]}")
    return 0 if word == "match" else 1


def _document(portrait: Portrait) -> dict[str, Any]:
    return {"quality": portrait.assessment.quality, "box": portrait.face.box.tolist()}


def _line(path: Path, portrait: Portrait) -> str:
    face, assessment = portrait.face, portrait.assessment
    reasons = f" ({', '.join(assessment.reasons)})" if assessment.reasons else ""
    return f"{shown(path)}: face {face.width_px:.0f}x{face.height_px:.0f} px, quality {assessment.quality:.2f}{reasons}"
