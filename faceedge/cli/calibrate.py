"""`faceedge calibrate`: an INT8 build of a network, with the proof that it is no worse, or the reason why not; and
the quality that predicts recognition (`calibrate_quality`), or a site's thresholds (`calibrate_thresholds`)."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from faceedge import config
from faceedge.cli import calibrate_quality, calibrate_thresholds, model_swap, noting, opening
from faceedge.cli.model_site import open_site
from faceedge.cli.model_table import print_table
from faceedge.errors import BadInput

if TYPE_CHECKING:
    from faceedge.jobs.calibrate import Calibrated
    from faceedge.jobs.calibration.case import Order
    from faceedge.jobs.choose_precision import Timing

Commands = argparse._SubParsersAction
FAILED = 1


def add(commands: Commands[argparse.ArgumentParser]) -> None:
    """Adds `calibrate`."""
    parser = commands.add_parser(
        "calibrate",
        help="make an INT8 build of a network and prove that it is no worse; fit the quality, or a site's thresholds",
        description="Quantises the network of a role to INT8 on photos of yours, holds it against its float source in "
        "terms of recognition, returns nodes to float where a gate fails, re-fits the thresholds, and times both. The "
        "new package lies beside its source with its report. An interrupted calibration goes on when it is started "
        "again. With `quality`, fits to the recogniser that serves what its answer says of a picture, on a folder of "
        "photos of people. With `thresholds`, fits grey, match and strict to the people enrolled, for a stated rate of "
        "false matches. Exit code 1 when a gate failed.",
        epilog="Example: faceedge calibrate recognizer --images photos/ --people people/ --activate",
    )
    parser.add_argument(
        "role",
        metavar="ROLE",
        choices=("detector", "recognizer", "quality", "thresholds"),
        help="detector, recognizer, quality, or thresholds",
    )
    parser.add_argument("photos", metavar="IMAGES", nargs="*", type=opening.a_path, help="of quality: as --images")
    _add_pictures(parser)
    _add_choices(parser)
    calibrate_thresholds.add_flags(parser)
    opening.add_common_flags(parser)
    parser.set_defaults(run=run)


def _add_pictures(parser: argparse.ArgumentParser) -> None:
    path = opening.a_path
    pictures = parser.add_mutually_exclusive_group()
    pictures.add_argument("--images", metavar="DIR", type=path, help="photos like those of the camera")
    pictures.add_argument(
        "--capture", action="store_true", help="the crops that the daemon has kept (see `faceedge capture --help`)"
    )
    parser.add_argument("--crops", action="store_true", help="all files are aligned crops already, not photos")
    parser.add_argument(
        "--people",
        metavar="DIR",
        type=path,
        help="labelled photos for the gates, a folder each (default: the enrolled)",
    )
    parser.add_argument("--pairs", metavar="CSV", type=path, help="or a list imgA,imgB,same, paths beside it")
    parser.add_argument(
        "--limit", metavar="N", type=_count, help="use at most N of the images (default: as the recipe says)"
    )
    parser.add_argument("--seed", metavar="N", type=_count, help="which are drawn (default: recipe)")


def _add_choices(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", metavar="NAME", default="", help="the float package (default: the one that serves)")
    parser.add_argument("--method", default="", choices=("error", "entropy", "percentile", "minmax"), help="only this")
    parser.add_argument("--budget-s", metavar="S", type=float, help="seconds that the search for float nodes may take")
    parser.add_argument("--most-float", metavar="SHARE", type=float, help="0..1 of the multiply-adds, left in float")
    parser.add_argument(
        "--precision", choices=("auto", "int8", "fp32"), default="auto", help="what serves: the fastest, or this"
    )
    parser.add_argument("--activate", action="store_true", help="let what was chosen serve from the next start on")
    parser.add_argument("--show-pairs", action="store_true", help="show the faces that moved most in the report")
    parser.add_argument(
        "--output", metavar="NAME", default="", help="of quality: scale this number of the recogniser's own, or norm"
    )
    parser.add_argument("--replace", action="store_true", help="also when there is an INT8 build already")


def run(args: argparse.Namespace) -> int:
    """Calibrates, and activates where that was asked for."""
    if args.role == "thresholds":
        return calibrate_thresholds.run(args)
    calibrate_thresholds.refuse_flags(args)
    if args.role == "quality":
        return calibrate_quality.run(args)
    from faceedge.jobs.calibrate import calibrate

    if args.photos or args.output:
        raise BadInput("IMAGES and --output are for quality; name the photos with --images")
    site, settings = open_site(args), config.load(args.config)
    order = _order(args, settings.capture if args.capture else None)
    with noting.noted(args) as note, opening.progress_bar() as progress:
        done = calibrate(order, site, settings.engine, progress)
        document = _document(done)
        note("model", {"done": "calibrated"} | {key: document[key] for key in _NOTED})
        activated = _activate(done, args, progress) if args.activate else None
    if args.json:
        opening.print_json(document | {"activated": activated})
    else:
        _print(done, activated)
    return 0 if done.passed else FAILED


_NOTED = ("role", "source", "package", "build", "verdict", "images", "kept_float", "chosen")


def _order(args: argparse.Namespace, capture: config.Capture | None) -> Order:
    from faceedge.jobs.calibration.case import Order

    return Order(
        role=args.role, images=args.images, capture=capture, model=args.model, crops=args.crops,
        people=args.people, pairs=args.pairs, limit=args.limit, seed=args.seed, budget_s=args.budget_s,
        most_float=args.most_float, method=args.method, precision=args.precision, replace=args.replace,
        show_pairs=args.show_pairs,
    )  # fmt: skip


def _activate(done: Calibrated, args: argparse.Namespace, progress: opening.Progress) -> str | None:
    """Label of what now serves; None when nothing may be activated."""
    from faceedge.jobs.swap_order import Order

    if done.choice is None:
        return None
    return str(model_swap.carry_out(args, Order(name=done.choice.package), progress)["package"])


def _document(done: Calibrated) -> dict[str, Any]:
    build, package = done.build, done.package
    choice = done.choice
    return {
        "role": package.manifest.role, "source": done.source.label, "package": package.label, "space": package.space,
        "build": package.build, "verdict": build.judged.verdict.outcome, "sentence": build.judged.verdict.sentence,
        "findings": [one.model_dump(mode="json") for one in build.judged.verdict.findings],
        "images": done.images, "remarks": list(done.looked.remarks), "gates_saw": done.shown, "method": build.method,
        "kept_float": round(build.made.kept_float, 6), "returned": [harm.node for harm in build.returned],
        "search_ended": build.ended or None,
        "weights_bytes": {"float": build.made.weights_before, "int8": build.made.weights_after},
        "chosen": choice.package if choice else None, "precision": choice.precision if choice else None,
        "why": choice.why if choice else None,
        "timings": [one.model_dump(mode="json") for one in choice.timings] if choice else [],
        "report": str(package.folder / "report.html"), "path": str(package.folder),
    }  # fmt: skip


def _print(done: Calibrated, activated: str | None) -> None:
    build, package = done.build, done.package
    verdict = build.judged.verdict
    print(f"{package.label}: {verdict.sentence}")
    print(f"  calibrated on {opening.counted(done.images, 'picture')}; the gates saw {done.shown}")
    for finding in verdict.findings:
        mark = {True: "ok", False: "FAILED", None: ""}[finding.passed]
        print(f"  {mark:<7} {finding.words}")
    for remark in done.looked.remarks:
        print(f"! {remark}")
    back = opening.counted(len(build.returned), "node")
    print(f"  {build.made.kept_float:.1%} of the multiply-adds stay in float ({back} returned by the search)")
    before, after = build.made.weights_before, build.made.weights_after
    print(f"  weights {after / 1e6:.2f} MB instead of {before / 1e6:.2f} MB")
    if build.ended:
        print(f"! {build.ended}")
    _print_choice(done, activated)
    print(f"report: {package.folder / 'report.html'}")


def _print_choice(done: Calibrated, activated: str | None) -> None:
    choice = done.choice
    if choice is None:
        print(
            f"it does not serve; to let it anyway: faceedge model activate {done.package.label} --accept-worse REASON"
        )
        return
    rows = [(one.package, one.precision, str(one.batch), f"{one.ms:.2f} ms", *_times(one)) for one in choice.timings]
    print_table(("package", "precision", "batch", "a picture", "as fast", "quartiles"), rows, folds="package")
    print(f"chosen: {choice.package} ({choice.precision}): {choice.why}")
    if activated:
        print(f"{activated} serves from the next start on")
    else:
        print(f"it serves after: faceedge model activate {choice.package}")


def _times(one: Timing) -> tuple[str, str]:
    return f"{one.times:.2f}x", f"{one.low:.2f} to {one.high:.2f}"


def _count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError("cannot be negative")
    return number
