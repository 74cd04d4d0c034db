"""`faceedge people remove`: erases a person, prints a receipt, and looks again whenever it is asked to."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from faceedge import config
from faceedge.cli import noting, opening
from faceedge.errors import BadInput
from faceedge.gallery.base import Person
from faceedge.gallery.proof import Scan
from faceedge.gallery.store import Gallery
from faceedge.jobs import removal
from faceedge.jobs.removal import Receipt


def add_action(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `remove` to `people`."""
    parser = actions.add_parser(
        "remove",
        help="erase a person, with a receipt: name, templates, pictures, local backups",
        description="Erases name, templates and pictures from the database and its log, deletes the backups and "
        "exports in the state directory that may hold the person, names those that lie elsewhere, and then reads every "
        "file of the state directory for what was erased. The receipt says what was found, and holds fingerprints of "
        "the erased bytes, from which no template can be had: keep it, and look again with --verify. Exit code 1 when "
        "something is left.",
        epilog="Example: faceedge people remove Ada     and later: faceedge people remove --verify ID",
    )
    parser.add_argument("name", metavar="NAME", nargs="?", help="exact name, or id")
    parser.add_argument(
        "--vacuum", action="store_true",
        help="rebuild the database in any case, which also makes it smaller; erased bytes are overwritten without it, "
        "and if a copy is found in it, it is rebuilt unasked",
    )  # fmt: skip
    parser.add_argument(
        "--verify", metavar="ID|RECEIPT", help="erase nothing: look again for what a receipt says was erased"
    )
    opening.add_common_flags(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Erases a person, or looks again."""
    if (args.name is None) == (args.verify is None):
        raise BadInput("name somebody to remove, or a receipt with --verify; see faceedge people remove --help")
    if args.verify is not None:
        return _verify(args)
    with opening.open_gallery(args) as gallery:
        person = find_person(gallery, args.name)
        receipt, looked = erase(gallery, person, vacuum=args.vacuum)
    if args.json:
        removed = {"id": person.id, "templates": receipt.templates, "crops": receipt.crops}
        opening.print_json({"removed": removed, "clean": looked.is_clean, "receipt": receipt.as_json()})
    else:
        _print_receipt(person.name, receipt, gallery.path.parent / "receipts" / f"{person.id}.json")
        _print_scan(looked)
    return 0 if looked.is_clean else 1


def erase(gallery: Gallery, person: Person, *, vacuum: bool = False) -> tuple[Receipt, Scan]:
    """Removes a person, with a receipt and an entry in the journal; what was left of them."""
    with opening.progress_bar() as progress:
        receipt = removal.remove(gallery, person, progress, vacuum=vacuum)
    assert receipt.scan is not None, "the removal has come to its end"
    body = {"person": person.id, "templates": receipt.templates, "clean": receipt.scan.is_clean}
    noting.note(gallery.path.parent, "removal", body)
    return receipt, receipt.scan


def _verify(args: argparse.Namespace) -> int:
    state = config.state_dir(config.load(args.config))
    receipt, looked = removal.verify(state, args.verify)
    if args.json:
        opening.print_json({"person": receipt.person, "clean": looked.is_clean, "scan": _scan(looked)})
    else:
        print(f"removed {receipt.time}: {receipt.person}")
        _print_scan(looked)
    return 0 if looked.is_clean else 1


def find_person(gallery: Gallery, name: str) -> Person:
    """Raises BadInput when there is nobody of that name or id."""
    person = gallery.find(name)
    if person is None:
        raise BadInput(f"nobody called {name!r} in the gallery; `faceedge people list` shows who is")
    return person


def _scan(looked: Scan) -> dict[str, Any]:
    found = [{"path": one.path, "offset": one.offset} for one in looked.found]
    return {
        "files": looked.files, "bytes": looked.bytes, "digest": looked.digest, "found": found, "unread": looked.unread,
    }  # fmt: skip


def _print_receipt(name: str, receipt: Receipt, kept: Path) -> None:
    erased = f"{opening.counted(receipt.templates, 'template')} and {opening.counted(receipt.crops, 'picture')} erased"
    print(f"removed {name}: {erased}")
    for path in receipt.backups:
        print(f"deleted with them: {path}")
    for path in receipt.elsewhere:
        print(f"out of reach, delete it yourself: {path}")
    if receipt.vacuumed:
        print("the database was rebuilt")
    print(f"receipt: {kept}")


def _print_scan(looked: Scan) -> None:
    for one in looked.found:
        print(f"FOUND in {one.path} at byte {one.offset}")
    for name in looked.unread:
        print(f"could not be read: {name}")
    verdict = "nothing left" if looked.is_clean else "NOT clean"
    files = opening.counted(looked.files, "file")
    print(f"{verdict} in {files} ({looked.bytes / 1e6:.1f} MB), digest {looked.digest[:16]}")
