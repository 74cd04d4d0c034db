"""`faceedge calibrate quality`: the quality that predicts recognition, fitted to the recogniser that serves."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from faceedge import config
from faceedge.cli import noting, opening
from faceedge.cli.model_site import open_site
from faceedge.errors import BadInput

if TYPE_CHECKING:
    from faceedge.jobs.calibrate_quality import Fitted

FAILED = 1
ENOUGH_PHOTOS = 1000
"""So many and more are worth trying before a recogniser is given up."""
_ONLY_INT8 = ("capture", "crops", "people", "pairs", "budget_s", "most_float", "method", "show_pairs")


def run(args: argparse.Namespace) -> int:
    """Fits, and activates where that was asked for and the package is a new one."""
    from faceedge.jobs.calibrate_quality import MOST_PHOTOS, Order, calibrate_quality

    for name in _ONLY_INT8:
        if getattr(args, name):
            raise BadInput(f"--{name.replace('_', '-')} is not for quality, which takes photos of people; leave it out")
    folders = [*args.photos, *([args.images] if args.images else [])]
    if not folders:
        raise BadInput("which photos? faceedge calibrate quality photos/")
    order = Order(
        images=folders, model=args.model, output=args.output, limit=args.limit or MOST_PHOTOS,
        seed=1 if args.seed is None else args.seed,
    )  # fmt: skip
    site, settings = open_site(args), config.load(args.config)
    with noting.noted(args) as note, opening.progress_bar() as progress:
        done = calibrate_quality(order, site, settings.engine, progress)
        document = _document(done)
        note("model", {"done": "calibrated"} | {key: document[key] for key in ("role", "package", "build", "verdict")})
    if args.json:
        opening.print_json(document)
    else:
        _print(done, document)
    return 0 if done.package is not None else FAILED


def _document(done: Fitted) -> dict[str, Any]:
    placed = done.package or done.source
    head = done.quality.head
    return {
        "role": "quality", "source": done.source.label, "package": placed.label, "build": placed.build,
        "verdict": "passed" if done.package else "failed", "sentence": done.sentence, "output": done.quality.output,
        "photos": done.photos, "unreadable": done.unreadable, "judged": done.judged.model_dump(mode="json"),
        "knots": [list(knot) for knot in done.quality.knots], "bytes": len(head.table) if head else 0,
        "report": str(placed.folder / "quality.html") if done.package else None,
    }  # fmt: skip


def _print(done: Fitted, document: dict[str, Any]) -> None:
    print(f"{document['package']}: {done.sentence}")
    print(f"  fitted on {opening.counted(done.photos, 'photo')}; {document['bytes']} bytes of weights")
    for name in ("detector", "plain", "fitted"):
        print(f"  {name:<9} AUC {done.judged.auc[name]:.3f}, errors left {done.judged.area[name]:.3%}")
    print(f"  {done.judged.named} of {done.judged.no_faces} things that are no face get less than 0.3")
    if done.unreadable:
        print(f"! {opening.counted(done.unreadable, 'file')} could not be read")
    for fault in done.judged.faults:
        print(f"! not written: {fault}")
    if done.package is None:
        print(f"what judged pictures until now goes on doing so; {_advice(done)}")
    else:
        print(f"report: {document['report']}")
        same = done.package.label == done.source.label
        print(
            f"it counts {'from the next start on' if same else f'after: faceedge model activate {done.package.label}'}"
        )


def _advice(done: Fitted) -> str:
    """What to do when it did not pass."""
    if done.photos < ENOUGH_PHOTOS:
        return (
            f"give more than these {opening.counted(done.photos, 'photo')}: {ENOUGH_PHOTOS} or more, as the camera"
            " takes them, best several of a person, in a folder each"
        )
    return (
        "give photos as the camera takes them, several of a person, in a folder each; if that does not help, add a"
        " quality network: faceedge model add FILE --recipe lightqnet"
    )
