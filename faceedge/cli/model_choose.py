"""`faceedge model activate`, `rollback` and `remove`: which packages serve from the next start on."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from faceedge.cli import noting, opening
from faceedge.cli.model_site import ROLES, open_site

if TYPE_CHECKING:
    from faceedge.jobs.choose_model import Chosen

LATER = "A running daemon goes on with what it has and takes it at its next start."


def add(actions: Any, action: Callable[..., argparse.ArgumentParser]) -> None:
    """Adds `activate`, `rollback` and `remove` to `model`."""
    activating = action(
        actions, "activate", run_activate, "let a package serve its role from the next start on",
        "faceedge model activate yunet@2023mar",
        f"The package is verified first, and must fit the other networks. {LATER}",
    )  # fmt: skip
    activating.add_argument("name", metavar="NAME", help="name (the highest version) or name@version")
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
    from faceedge.jobs.choose_model import activate

    site, worse = open_site(args), _reason(args)
    with noting.noted(args) as note, opening.progress_bar() as progress:
        chosen = activate(args.name, site, progress, agreed=args.yes, accept_worse=worse)
        _note(note, "activated", chosen, worse)
    return _tell(chosen, args)


def run_rollback(args: argparse.Namespace) -> int:
    """Goes back to the previous package of a role."""
    from faceedge.jobs.choose_model import rollback

    site, worse = open_site(args), _reason(args)
    with noting.noted(args) as note, opening.progress_bar() as progress:
        chosen = rollback(args.role, site, progress, agreed=args.yes, accept_worse=worse)
        _note(note, "rolled_back", chosen, worse)
    return _tell(chosen, args)


def run_remove(args: argparse.Namespace) -> int:
    """Deletes a package."""
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
    from faceedge.jobs.proof import reason

    return "" if args.accept_worse is None else reason(args.accept_worse)


def _note(note: noting.Note, done: str, chosen: Chosen, worse: str) -> None:
    if chosen.is_new:
        build = chosen.package.build if chosen.package else None
        body = {"done": done, "role": chosen.role, "package": chosen.label, "build": build}
        note("model", body | ({"accepted_worse": worse} if worse else {}))


def _tell(chosen: Chosen, args: argparse.Namespace) -> int:
    from faceedge.jobs.site import SPOKEN

    spoken = SPOKEN[chosen.role]
    if args.json:
        opening.print_json(
            {
                "role": chosen.role, "package": chosen.label, "before": chosen.before, "changed": chosen.is_new,
                "strangers": chosen.strangers,
            }
        )  # fmt: skip
    elif chosen.is_new:
        print(f"{chosen.label} is the {spoken} from the next start on, in place of {chosen.before}")
        if chosen.strangers:
            print(f"{chosen.strangers} of the people enrolled must be enrolled again: it does not know them")
    else:
        print(f"{chosen.label} is the {spoken} already")
    return 0
