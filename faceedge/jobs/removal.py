"""A person out of the gallery, its log and the local backups, with a receipt; and looking again, whenever.

The receipt is written before anything is erased, so that after a crash the proof can still be made.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from faceedge.database import one_at_a_time, told
from faceedge.errors import BadInput
from faceedge.files import write_whole
from faceedge.gallery import ledger
from faceedge.gallery.base import Person
from faceedge.gallery.captured import Kept
from faceedge.gallery.proof import Found, Prints, Scan, fingerprint, scan
from faceedge.gallery.rows import crop_to_png, png_to_crop
from faceedge.gallery.store import Gallery
from faceedge.gallery.vault import Vault
from faceedge.types import Image

Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was erased of whom. time: UTC. backups: local ones that were deleted; elsewhere: out of reach.

    crops: of templates, captured ones and sightings. vacuumed: the database was rebuilt. scan: None while the removal
    has not come to its end.
    """

    person: str
    time: str
    templates: int
    crops: int
    prints: Prints
    backups: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()
    vacuumed: bool = False
    scan: Scan | None = None

    def as_json(self) -> dict[str, Any]:
        """As it is printed and kept."""
        return {**asdict(self), "prints": self.prints.as_json()}

    @classmethod
    def from_json(cls, body: Any) -> Receipt:
        """Raises BadInput when it is none."""
        try:
            body = dict(body.get("receipt", body))
            prints = Prints.from_json(body.pop("prints"))
            looked = body.pop("scan")
            if looked is not None:
                found = tuple(Found(**one) for one in looked.pop("found"))
                looked = Scan(found=found, unread=tuple(looked.pop("unread")), **looked)
            gone, elsewhere = tuple(body.pop("backups")), tuple(body.pop("elsewhere"))
            return cls(**body, backups=gone, elsewhere=elsewhere, prints=prints, scan=looked)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise BadInput("that is no receipt of people remove; name its file or the id of the person") from error


def remove(gallery: Gallery, person: Person, progress: Progress, *, vacuum: bool = False) -> Receipt:
    """Erases a person and everything local that holds them, and looks into every file of the state directory.

    secure_delete overwrites what is erased. Only when a page still holds a copy, left when its rows were moved, or when
    `vacuum` is asked for, the database is rebuilt, in which time others read but do not write. Raises StoreError.
    """
    state = gallery.path.parent
    with gallery.transaction():
        entries, captured = gallery.entries(person.id), gallery.captured.of(person.id)
        receipt = Receipt(
            person.id, datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"), len(entries),
            sum(entry.crop for entry in entries) + len(captured) + len(gallery.sightings.of(person.id)),
            fingerprint(_values(gallery, person), _captured(gallery, captured)),
        )  # fmt: skip
        _keep(state, receipt)
        gallery.remove(person)
    gallery.empty_log()
    gone, elsewhere = _forget_backups(state, person, gallery.vault)
    progress("looking", 0.2)
    looked = scan(state, receipt.prints)
    if vacuum or any(found.path.startswith("gallery.db") for found in looked.found):
        progress("rebuilding", 0.5)
        gallery.vacuum()
        vacuum, looked = True, scan(state, receipt.prints)
    receipt = replace(receipt, backups=gone, elsewhere=elsewhere, vacuumed=vacuum, scan=looked)
    _keep(state, receipt)
    return receipt


def verify(state: Path, name: str) -> tuple[Receipt, Scan]:
    """Looks again for what a receipt says was erased. name: of the receipt's file, or id of the person."""
    receipt = find(state, name)
    return receipt, scan(state, receipt.prints)


def find(state: Path, name: str) -> Receipt:
    """The receipt in a file, or the one kept of a person. Raises BadInput when there is none."""
    kept = receipt_path(state, name)
    path = kept if os.sep not in name and kept.is_file() else Path(name)
    if not path.is_file():
        raise BadInput(f"{name}: neither a receipt nor the id of somebody removed; see {state / 'receipts'}")
    try:
        return Receipt.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise BadInput(f"{path}: {error}") from error


def receipt_path(state: Path, person: str) -> Path:
    """Where the receipt about a person, by id, is kept."""
    return state / "receipts" / f"{person}.json"


def _values(gallery: Gallery, person: Person) -> Iterator[bytes]:
    """Everything by which the person could be found on disk: sealed as it lies there, and plain as it never should."""
    yield from gallery.sealed_cells(person.id)
    for entry, template in gallery.portfolio(person.id):
        yield template.embedding.astype("<f4").tobytes()
        crop = gallery.crop(person.id, entry)
        if crop is not None:
            yield from _pixels(crop)
    for one in gallery.sightings.of(person.id):
        if (seen := gallery.sightings.crop(one)) is not None:
            yield from _pixels(seen)


def _pixels(crop: Image) -> Iterator[bytes]:
    yield crop_to_png(crop)
    yield np.ascontiguousarray(crop).tobytes()


def _captured(gallery: Gallery, captured: Sequence[Kept]) -> Iterator[bytes]:
    for one in captured:
        yield from gallery.captured.cells(one)
        if (png := gallery.captured.png(one)) is not None:
            yield png
            yield png_to_crop(png).tobytes()


def _keep(state: Path, receipt: Receipt) -> None:
    path = receipt_path(state, receipt.person)
    with told(path.parent):
        path.parent.mkdir(mode=0o700, exist_ok=True)
        write_whole(path, json.dumps(receipt.as_json()).encode(), 0o600)


def _forget_backups(state: Path, person: Person, vault: Vault) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Deletes the parcels of the state directory that may hold the person; names those deleted, and those elsewhere."""
    with told(state), one_at_a_time(state):
        known = {copy.id: copy for copy in ledger.read(state)}
        local = ledger.within(state)
        gone = [path for path, head in local if head.id not in known or known[head.id].may_hold(person.id, vault)]
        for path in gone:
            path.unlink()
        ledger.forget(state, gone)
        here = {head.id for _, head in local}
        elsewhere = [copy.path for key, copy in known.items() if key not in here and copy.may_hold(person.id, vault)]
    return tuple(str(path) for path in gone), tuple(elsewhere)
