"""`faceedge model activate`, `rollback` and `remove`: which packages serve."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from faceedge.cli import model_swap, opening
from faceedge.cli.model_site import ROLES, open_site

LATER = "A daemon that runs takes it over while the door goes on; where none runs, it counts from the next start on."
LONGEST_MIN = 1440.0


def add(actions: Any, action: Callable[..., argparse.ArgumentParser]) -> None:
    """Adds `activate`, `rollback` and `remove` to `model`."""
    activating = action(
        actions, "activate", run_activate, "let a package serve its role",
        "faceedge model activate yunet@2023mar --shadow 30 --canary 0.1",
        f"In five steps: stage, verify, prepare, switch, retire; if one fails, what served before serves. {LATER}",
    )  # fmt: skip
    activating.add_argument("name", metavar="NAME", help="name (the highest version) or name@version")
    activating.add_argument(
        "--shadow", type=_minutes, default=0.0, metavar="MIN", help="minutes for which it only looks on first, and "
        "is not taken when it disagrees, is slow or fails",
    )  # fmt: skip
    activating.add_argument(
        "--canary", type=_share, default=0.0, metavar="SHARE", help="then share of the tracks, 0 to 1, that it decides "
        "together with what serves: a door opens only where both agree",
    )  # fmt: skip
    activating.add_argument(
        "--dual", action="store_true", help="let the old recogniser still know the people whom the new one cannot "
        "know, until they are enrolled again",
    )  # fmt: skip
    back = action(
        actions, "rollback", run_rollback, "go back to the package that served a role before",
        "faceedge model rollback detector", LATER,
    )  # fmt: skip
    back.add_argument("role", metavar="ROLE", choices=ROLES, help="detector, recognizer or quality")
    for parser in (activating, back):
        parser.add_argument(
            "--yes", action="store_true", help="also when people are enrolled whom the new recogniser does not know"
        )
        parser.add_argument(
            "--accept-worse", metavar="REASON", help="let an INT8 package serve whose gates did not pass; journalled"
        )
    removing = action(
        actions, "remove", run_remove, "delete a package that does not serve", "faceedge model remove yunet@2023mar"
    )
    removing.add_argument("name", metavar="NAME@VERSION", help="as `model list` shows it")


def run_activate(args: argparse.Namespace) -> int:
    """Activates a package."""
    from faceedge.jobs.swap_order import Order

    order = Order(
        name=args.name, shadow_s=60 * args.shadow, canary=args.canary, dual=args.dual, agreed=args.yes,
        accept_worse=_reason(args),
    )  # fmt: skip
    with opening.progress_bar() as progress:
        document = model_swap.carry_out(args, order, progress)
    return _tell(document, args)


def run_rollback(args: argparse.Namespace) -> int:
    """Goes back to the previous package of a role."""
    from faceedge.jobs.swap_order import Order

    order = Order(args.role, agreed=args.yes, accept_worse=_reason(args))
    with opening.progress_bar() as progress:
        document = model_swap.carry_out(args, order, progress)
    return _tell(document, args)


def run_remove(args: argparse.Namespace) -> int:
    """Deletes a package."""
    from faceedge.cli import noting
    from faceedge.jobs.choose_model import remove

    site = open_site(args)
    remove(args.name, site)
    noting.note(site.state, "model", {"done": "removed", "package": args.name})
    if args.json:
        opening.print_json({"removed": args.name})
    else:
        print(f"removed {args.name}")
    return 0


def _reason(args: argparse.Namespace) -> str:
    """Why a worse network is to serve; empty where nobody said so."""
    if args.accept_worse is None:
        return ""
    from faceedge.jobs.proof import reason

    return reason(args.accept_worse)


def _tell(document: dict[str, Any], args: argparse.Namespace) -> int:
    from faceedge.manifest import SPOKEN

    spoken, label = SPOKEN[document["role"]], document["package"]
    if args.json:
        opening.print_json(document)
        return 0
    if not document["changed"]:
        print(f"{label} is the {spoken} already")
        return 0
    since = "now" if document["live"] else "from the next start on"
    print(f"{label} is the {spoken} {since}, in place of {document['before']}")
    if document["embedded"]:
        print(f"{opening.counted(document['embedded'], 'person').replace('persons', 'people')} got templates of it")
    if document["unknown"]:
        print(
            f"{document['unknown']} of the people enrolled must be enrolled again: it does not know them; "
            "faceedge people list names them"
        )
    if document["unknown"] and getattr(args, "dual", False):
        print(f"until then {document['before']} is asked about them")
    for line in document.get("why", ""), *model_swap.shown(document.get("report")):
        if line:
            print(line)
    return 0


def _minutes(text: str) -> float:
    return _number(text, LONGEST_MIN, "minutes")


def _share(text: str) -> float:
    return _number(text, 1.0, "as a share of the tracks")


def _number(text: str, most: float, what: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= most:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 to {most:g}, {what}")
    return number
