"""`faceedge model add`: a network from a file, a folder, a URL or the catalogue becomes a package."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from faceedge.cli import opening
from faceedge.cli.model_site import ROLES, open_site
from faceedge.errors import BadInput

if TYPE_CHECKING:
    from faceedge.fit import Fit, QualityFit
    from faceedge.jobs.add_model import Added


def add(actions: Any, action: Callable[..., argparse.ArgumentParser]) -> None:
    """Adds `add` to `model`."""
    parser = action(
        actions, "add", run, "make a package of a network, so that it can be activated",
        "faceedge model add edgeface_xs.onnx --recipe edgeface-xs     or from the catalogue: faceedge model add yunet",
        "SOURCE is an ONNX file, a folder with one, a package folder, an https:// address (with --sha256), or a name "
        "of `model list --catalogue`. What no recipe says is inferred from the graph, and printed. The graph is first "
        "looked at in a process of its own, and the package appears whole or not at all.",
    )  # fmt: skip
    parser.add_argument("source", metavar="SOURCE", help="file, folder, URL or catalogue name")
    parser.add_argument("--recipe", metavar="NAME", default="", help="a known network: how it is fed and read, licence")
    parser.add_argument("--role", choices=ROLES, default="", help="when the graph leaves a doubt")
    parser.add_argument("--family", metavar="F", default="", help="yunet, retinaface, scrfd, embedding or quality")
    parser.add_argument("--name", metavar="N", default="", help="what to call it (default: as the recipe, or the file)")
    parser.add_argument("--version", metavar="V", default="", help="default: of catalogue or recipe, else 1")
    parser.add_argument("--licence", metavar="SPDX", default="", help="of the weights, such as MIT")
    parser.add_argument(
        "--from", metavar="DIR", dest="folder", type=opening.a_path, help="take a catalogue's file from here, offline"
    )
    parser.add_argument("--sha256", metavar="HEX", default="", help="refuse any other file; a URL needs it")
    parser.add_argument(
        "--thresholds", metavar="GREY,MATCH,STRICT", help="of a recogniser: similarities, measured on pairs of photos"
    )
    parser.add_argument(
        "--knots", metavar="RAW:QUALITY,…", help="of a quality network: which of its numbers is which quality, 0..1"
    )
    parser.add_argument("--evidence", metavar="TEXT", help="how --thresholds or --knots were measured, in words")
    parser.add_argument("--replace", action="store_true", help="also when there is one of that name and version")


def run(args: argparse.Namespace) -> int:
    """Adds it, and says what was assumed."""
    from faceedge.cli import noting
    from faceedge.jobs.add_model import add_model
    from faceedge.jobs.describe_model import Wish

    wish = Wish(
        source=args.source, role=args.role, family=args.family, recipe=args.recipe, name=args.name,
        version=args.version, licence=args.licence, sha256=args.sha256, from_folder=args.folder,
        replace=args.replace, fit=_fit(args),
    )  # fmt: skip
    site = open_site(args)
    with opening.progress_bar() as progress:
        added = add_model(wish, site, progress)
    document = _document(added)
    body = {"done": "added"} | {key: document[key] for key in ("package", "role", "space", "build")}
    noting.note(site.state, "model", body)
    if args.json:
        opening.print_json(document)
    else:
        _print(added)
    return 0


def _fit(args: argparse.Namespace) -> Fit | QualityFit | None:
    """The numbers of the command line. Raises BadInput: not numbers, or without evidence."""
    from faceedge.fit import Fit, QualityFit, QualityHead, Thresholds

    if args.thresholds is None and args.knots is None:
        if args.evidence is not None:
            raise BadInput("--evidence: of which numbers? add --thresholds or --knots")
        return None
    if args.thresholds is not None and args.knots is not None:
        raise BadInput("--knots: a network is a recogniser or a quality network; leave one of the two out")
    if not args.evidence:
        raise BadInput("--evidence TEXT: say how the numbers were measured; they decide who passes")
    try:
        if args.thresholds is not None:
            grey, match, strict = (float(word) for word in args.thresholds.split(","))
            return Fit(thresholds=Thresholds(grey=grey, match=match, strict=strict), evidence=args.evidence)
        pairs = [pair.split(":") for pair in args.knots.split(",")]
        knots = tuple((float(raw), float(quality)) for raw, quality in pairs)
        return QualityFit(quality=QualityHead(knots=knots), evidence=args.evidence)
    except ValueError as error:
        flag, form = ("--thresholds", "0.3,0.4,0.5") if args.thresholds is not None else ("--knots", "0.4:0,0.6:1")
        raise BadInput(f"{flag}: {_fault(error)}; write it as in {form}, rising") from error


def _fault(error: ValueError) -> str:
    """One line of what pydantic or float() says."""
    found = getattr(error, "errors", None)
    text = str(found()[0]["msg"]) if found else str(error)
    return text.removeprefix("Value error, ")


def _document(added: Added) -> dict[str, Any]:
    package, manifest = added.package, added.package.manifest
    return {
        "package": package.label, "name": manifest.name, "version": manifest.version, "role": manifest.role,
        "family": manifest.family, "space": package.space, "build": package.build, "max_batch": manifest.max_batch,
        "licence": manifest.source.licence, "changes": _changes(added), "assumed": list(added.assumed),
        "warnings": list(added.warnings), "path": str(package.folder),
    }  # fmt: skip


def _changes(added: Added) -> dict[str, list[str]]:
    graphs = {"plain": added.package.manifest.plain, "fast": added.package.manifest.fast}
    return {name: list(graph.changes) for name, graph in graphs.items() if graph is not None}


def _print(added: Added) -> None:
    from faceedge.jobs.site import SPOKEN

    package, manifest = added.package, added.package.manifest
    print(f"added {package.label}: {SPOKEN[manifest.role]}, family {manifest.family}, space {package.space}")
    for line in added.assumed:
        print(f"  {line}")
    for name, changes in _changes(added).items():
        for change in changes:
            print(f"  {'for ONNX Runtime: ' if name == 'fast' else ''}{change}")
    print(f"  at most {opening.counted(manifest.max_batch, 'picture')} at once; in {package.folder}")
    for line in added.warnings:
        print(f"! {line}")
    print(f"it serves after: faceedge model activate {package.label}")
