"""`faceedge model`: which networks there are, and which of them serve."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from faceedge import config
from faceedge.cli import model_add, model_choose, model_history, model_verify, opening
from faceedge.cli.model_site import open_site
from faceedge.cli.model_table import print_table

if TYPE_CHECKING:
    from faceedge.jobs.list_models import Row
    from faceedge.jobs.site import Site
    from faceedge.manifest import Manifest
    from faceedge.models.catalogue import Entry

Commands = argparse._SubParsersAction
Action = Callable[..., argparse.ArgumentParser]


def add(commands: Commands[argparse.ArgumentParser]) -> None:
    """Adds `model list|add|verify|activate|rollback|remove|history`."""
    parser = commands.add_parser(
        "model",
        help="add, check and choose the networks that find and tell apart faces",
        description="A model package is a network with all that is known of it. A detector finds faces, a recogniser "
        "tells them apart, a quality network says how far a picture can be trusted.",
        epilog="Example: faceedge model add yunet && faceedge model activate yunet",
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    listing = opening.add_action(
        actions, "list", list_models, "show the packages, or with --catalogue what can be added",
        "faceedge model list --catalogue",
    )  # fmt: skip
    listing.add_argument("--catalogue", action="store_true", help="networks that `model add NAME` knows where to get")
    model_add.add(actions, opening.add_action)
    model_verify.add(actions, opening.add_action)
    model_choose.add(actions, opening.add_action)
    model_history.add(actions, opening.add_action)


def list_models(args: argparse.Namespace) -> int:
    """Every package, or the catalogue."""
    if args.catalogue:
        from faceedge.models.catalogue import read_catalogue

        entries = read_catalogue(config.state_dir(config.load(args.config)))
        _show_catalogue([entries[name] for name in sorted(entries)], as_json=args.json)
        return 0
    from faceedge.jobs.list_models import list_rows

    site = open_site(args)
    rows, faults = list_rows(site)
    if args.json:
        opening.print_json({"models": [_document(row) for row in rows], "faults": faults, "swap": _under_way(site)})
        return 0
    _show(rows)
    for fault in faults:
        print(fault)
    if (swap := _under_way(site)) is not None:
        name = swap["name"] or f"back as {swap['role']}"
        print(f"a swap is under way, {name}, {swap['step']} ({swap['share']:.0%}): {swap['text']}")
    return 0


def _under_way(site: Site) -> dict[str, Any] | None:
    """What a daemon that runs is at; None when it is at nothing, or none runs."""
    from faceedge.jobs.swap_line import is_running, read_progress

    now = read_progress(site.state)
    if now is None or now.done or not is_running(site.state):
        return None
    return now.model_dump(mode="json", exclude={"outcome"})


def _show(rows: Sequence[Row]) -> None:
    head = ("", "role", "package", "family", "licence", "space", "build", "precision", "size")
    print_table(head, [_cells(row) for row in rows], folds="licence")
    for row in rows:
        if row.found.fault:
            print(f"{row.found.label} is broken: {row.found.fault}")
    for row in rows:
        if row.is_on_trial:
            print(
                f"{row.found.label} is on trial: after a bad end in its first ten minutes the one before serves again"
            )
    refused = [row for row in rows if row.found.package is not None and not row.is_allowed]
    if refused:
        print("! a start refuses this licence unless [models] accept_licences names it")


def _cells(row: Row) -> tuple[str, ...]:
    package = row.found.package
    if package is None:
        what = "broken" if row.found.fault else "on next use"
        return (row.standing, row.role, row.found.label, what, "", "", "", "", "")
    manifest = package.manifest
    licence = (manifest.source.licence or "none") + ("" if row.is_allowed else " !")
    return (
        row.standing, manifest.role, package.label, manifest.family, licence, package.space, package.build,
        _precision(manifest), f"{row.bytes / 1e6:.1f} MB",
    )  # fmt: skip


def _precision(manifest: Manifest) -> str:
    """With what its gates said, where it was calibrated."""
    if manifest.precision != "int8":
        return manifest.precision
    return f"int8, {manifest.calibration.verdict if manifest.calibration else 'unproven'}"


def _document(row: Row) -> dict[str, Any]:
    found, package = row.found, row.found.package
    document: dict[str, Any] = {
        "package": found.label, "standing": row.standing or None, "role": row.role or None,
        "built_in": found.is_built_in, "folder": str(found.folder), "fault": found.fault or None, "bytes": row.bytes,
        "on_trial": row.is_on_trial,
    }  # fmt: skip
    if package is not None:
        manifest = package.manifest
        document |= {
            "name": manifest.name, "version": manifest.version, "family": manifest.family,
            "licence": manifest.source.licence, "allowed": row.is_allowed, "space": package.space,
            "build": package.build, "precision": manifest.precision,
            "verdict": manifest.calibration.verdict if manifest.calibration else None, "max_batch": manifest.max_batch,
        }  # fmt: skip
    return document


def _show_catalogue(entries: Sequence[Entry], *, as_json: bool) -> None:
    if as_json:
        opening.print_json({"catalogue": [entry.model_dump(mode="json") for entry in entries]})
        return
    rows = [
        (entry.name, entry.version, entry.role, entry.licence, f"{entry.size / 1e6:.1f} MB", entry.good_for)
        for entry in entries
    ]
    print_table(("name", "version", "role", "licence", "size", "good for"), rows, folds="good for")
    print("add one with: faceedge model add NAME")
