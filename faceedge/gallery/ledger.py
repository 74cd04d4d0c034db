"""Which backups and exports were made of a gallery, where they went, and who is in them (sealed): `backups.jsonl`.

Read when a person is removed: copies in the state directory go too, the others are named.
"""

from __future__ import annotations

import base64
import json
import os
import uuid
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from faceedge.errors import StoreError
from faceedge.files import write_whole
from faceedge.gallery import parcel
from faceedge.gallery.parcel import Head
from faceedge.gallery.vault import Vault


@dataclass(frozen=True, slots=True)
class Copy:
    """One parcel. made: unix seconds. people: base64 of the sealed ids."""

    id: str
    path: str
    made: int
    people: str

    def may_hold(self, person_id: str, vault: Vault) -> bool:
        """Whether the person is in it. Under keys that have been rotated since, nobody can tell: then yes."""
        try:
            ids = vault.open(base64.b64decode(self.people), _context(self.id))
        except (StoreError, ValueError):
            return True
        return uuid.UUID(person_id).bytes in {ids[at : at + 16] for at in range(0, len(ids), 16)}


def note(state: Path, vault: Vault, head: Head, path: Path, people: Iterable[str]) -> None:
    """Remembers a parcel that was made. Call it inside `one_at_a_time`."""
    ids = b"".join(uuid.UUID(key).bytes for key in people)
    people_sealed = base64.b64encode(vault.seal(ids, _context(head.id))).decode("ascii")
    target = os.path.abspath(path)
    kept = [copy for copy in read(state) if copy.path != target]
    _write(state, [*kept, Copy(head.id, target, head.made, people_sealed)])


def forget(state: Path, gone: Iterable[Path]) -> None:
    """Strikes out parcels that were deleted. Call it inside `one_at_a_time`."""
    names = {os.path.abspath(path) for path in gone}
    _write(state, [copy for copy in read(state) if copy.path not in names])


def read(state: Path) -> list[Copy]:
    """All of them, oldest first. A line that is damaged is passed over: the file itself is looked for on disk."""
    copies = []
    try:
        lines = (state / "backups.jsonl").read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []
    for line in lines:
        try:
            copies.append(Copy(**json.loads(line)))
        except (ValueError, TypeError):
            continue
    return copies


def within(state: Path) -> list[tuple[Path, Head]]:
    """Every parcel that lies in the state directory, wherever and under whatever name."""
    files = (Path(folder) / name for folder, _, names in os.walk(state) for name in names)
    heads = ((path, parcel.peek(path)) for path in sorted(files) if path.is_file() and not path.is_symlink())
    return [(path, head) for path, head in heads if head is not None]


def _write(state: Path, copies: Iterable[Copy]) -> None:
    lines = "".join(json.dumps(asdict(copy)) + "\n" for copy in copies)
    write_whole(state / "backups.jsonl", lines.encode(), 0o600)


def _context(parcel_id: str) -> str:
    return f"backups/{parcel_id}/people"
