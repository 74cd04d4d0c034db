"""`faceedge licenses`: the licences of all that faceedge brings along, packages and networks, as installed here."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from faceedge import config
from faceedge.cli import opening


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `licenses`."""
    parser = commands.add_parser(
        "licenses",
        help="the licences of packages and networks of this installation",
        description="Lists what is installed: the Python packages that faceedge needs, with what they need, as their "
        "own metadata say; and the networks, as their manifests say. What a system brings by itself (Python, OpenSSL, "
        "GStreamer, CUDA, TensorRT) is not in the list.",
        epilog="Example: faceedge licenses --json | jq -r '.licences[].licence' | sort | uniq -c",
    )
    opening.add_common_flags(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Prints the table, and below it what must be known beside a licence."""
    from faceedge.cli.model_table import print_table
    from faceedge.jobs.licences import networks, packages
    from faceedge.models.store import every_package

    settings = config.load(args.config)
    rows = [*packages(), *networks(every_package(config.state_dir(settings), config.cache_dir()))]
    if args.json:
        opening.print_json({"licences": [asdict(row) for row in rows]})
        return 0
    cells = [(row.kind, row.name, row.version, row.licence, row.needed_by) for row in rows]
    print_table(("kind", "name", "version", "licence", "needed by"), cells, folds="licence")
    for row in rows:
        if row.note and row.kind == "package":
            print(f"! {row.name}: {row.note}")
    return 0
