"""`faceedge model verify`: are the packages still what they were when they were added?"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from faceedge.cli import opening
from faceedge.cli.model_site import open_site
from faceedge.errors import BadInput

if TYPE_CHECKING:
    from faceedge.jobs.check_model import Verdict
    from faceedge.models.store import Found

BROKEN = 1


def add(actions: Any, action: Callable[..., argparse.ArgumentParser]) -> None:
    """Adds `verify` to `model`."""
    parser = action(
        actions, "verify", run, "check packages: digests, manifest against graph, and what they answer",
        "faceedge model verify yunet",
        "Every graph is run in a process of its own on a picture that a formula makes, and its answers are held "
        "against those noted when it was added. Exit code 1 when a package is broken.",
    )  # fmt: skip
    parser.add_argument("names", metavar="NAME", nargs="*", help="name or name@version (default: all)")


def run(args: argparse.Namespace) -> int:
    """Checks one package after the other."""
    from faceedge.jobs.check_model import verify
    from faceedge.models.store import every_package
    from faceedge.models.workshop import Workshop

    site = open_site(args)
    packages = _named(args.names, every_package(site.state, site.cache))
    verdicts = []
    with opening.progress_bar() as progress, Workshop() as shop:
        for number, found in enumerate(packages):
            progress(found.label, number / len(packages))
            verdicts.append(verify(found, shop))
    if args.json:
        opening.print_json({"packages": [_document(one) for one in verdicts]})
    else:
        for one in verdicts:
            _print(one)
    return BROKEN if any(one.fault for one in verdicts) else 0


def _named(names: Sequence[str], packages: Sequence[Found]) -> list[Found]:
    """Every version of a bare name. Raises BadInput for a name that is of none."""
    chosen: list[Found] = []
    for name in names:
        found = [one for one in packages if name in (one.label, one.label.partition("@")[0])]
        if not found:
            raise BadInput(f"no model package {name!r}; `faceedge model list` shows them")
        chosen += [one for one in found if one not in chosen]
    return chosen if names else list(packages)


def _document(one: Verdict) -> dict[str, Any]:
    deviation = one.deviation if one.deviation is not None and math.isfinite(one.deviation) else None
    return {
        "package": one.label, "ok": not one.fault, "fault": one.fault or None, "deviation": deviation,
        "note": one.note or None, "doubt": one.doubt or None,
    }  # fmt: skip


def _print(one: Verdict) -> None:
    if one.fault:
        print(f"BROKEN  {one.label}: {one.fault}")
    elif one.deviation is not None:
        print(f"ok      {one.label}: answers differ by {one.deviation:.1g} from those noted when it was added")
    else:
        print(f"ok      {one.label}: {one.note}")
    if one.doubt:
        print(f"!       {one.label} {one.doubt}")
