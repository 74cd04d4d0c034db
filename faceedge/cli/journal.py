"""`faceedge journal`: checks the journal, and writes it out for other programs."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from faceedge import config
from faceedge.cli import opening
from faceedge.errors import BadInput
from faceedge.journal import export as exporting
from faceedge.journal.signing import Head, public_path, read_public
from faceedge.journal.verify import Report, verify

Commands = argparse._SubParsersAction


def add(commands: Commands[argparse.ArgumentParser]) -> None:
    """Adds `journal verify|export`."""
    parser = commands.add_parser(
        "journal",
        help="check the journal, or export it",
        description="What happened at the door, as a chain of hashes with signatures. It holds ids, never names.",
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    _add_verify(actions)
    _add_export(actions)


def _add_verify(actions: Commands[argparse.ArgumentParser]) -> None:
    parser = actions.add_parser(
        "verify",
        help="is it whole and unchanged",
        description="Reads every entry: chain, order, signatures. With a head that was published earlier in …/state, "
        "a missing end shows as well. Exit code 1 when something is wrong.",
        epilog="Example: faceedge journal verify --head state.json",
    )
    parser.add_argument("--head", metavar="FILE|JSON", help="a head, or the whole …/state that holds one")
    parser.add_argument("--journal", metavar="FILE", type=Path, help="another file (default: that of this device)")
    parser.add_argument("--key", metavar="FILE", type=Path, help="public key (default: keys/journal.pub beside it)")
    opening.add_common_flags(parser)
    parser.set_defaults(run=run_verify)


def _add_export(actions: Commands[argparse.ArgumentParser]) -> None:
    parser = actions.add_parser(
        "export",
        help="write it to a file",
        description="Writes every entry to FILE, which appears whole or not at all and which only you can read.",
        epilog="Example: faceedge journal export june.csv --format csv",
    )
    parser.add_argument("file", metavar="FILE", type=Path, help="what to write; an existing file is replaced")
    parser.add_argument("--format", choices=exporting.FORMATS, help="default: by the ending of FILE, else jsonl")
    opening.add_common_flags(parser)
    parser.set_defaults(run=run_export)


def run_verify(args: argparse.Namespace) -> int:
    """Tells what was found; 1 when something does not hold."""
    path = args.journal or _path(args)
    key = read_public(args.key or public_path(path.parent))
    report = verify(path, key, read_head(args.head) if args.head else None)
    if args.json:
        opening.print_json(report.as_json())
    else:
        _print(path, report)
    return 0 if report.is_whole else 1


def run_export(args: argparse.Namespace) -> int:
    """Writes the file and says how much is in it."""
    form = args.format or ("csv" if args.file.suffix == ".csv" else "jsonl")
    written = exporting.export(_path(args), args.file, form)
    if args.json:
        opening.print_json({"file": str(args.file), "format": form, "entries": written})
    else:
        print(f"{args.file}: {written} {'entry' if written == 1 else 'entries'}")
    return 0


def read_head(text: str) -> Head:
    """A head from a JSON document or a file with one; …/state holds it under `journal`. Raises BadInput."""
    try:
        document = json.loads(text if text.lstrip().startswith("{") else Path(text).read_bytes())
    except OSError as error:
        raise BadInput(f"{text}: cannot be read ({error.strerror}); give a file or the JSON itself") from error
    except ValueError as error:
        raise BadInput("--head: not JSON; give what …/state said, or a file with it") from error
    return Head.from_json(_head_in(document))


def _head_in(document: Any) -> Mapping[str, Any]:
    if isinstance(document, dict) and isinstance(document.get("journal"), dict):
        document = document["journal"]
    if isinstance(document, dict) and isinstance(document.get("head"), dict):
        document = document["head"]
    return document if isinstance(document, dict) else {}


def _print(path: Path, report: Report) -> None:
    if report.problem is not None:
        print(f"{path}: BROKEN: {report.problem}")
        return
    print(
        f"{path}: whole, {report.entries} entries ({report.first} to {report.last}),"
        f" {opening.counted(report.checkpoints, 'signature')}, {report.unsigned} not signed yet"
    )
    print(f"published head: {report.head}")


def _path(args: argparse.Namespace) -> Path:
    return config.state_dir(config.load(args.config)) / "journal.db"
