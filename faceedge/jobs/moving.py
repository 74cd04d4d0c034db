"""People to another door: names, templates, pictures and validity in one encrypted file, and back into a gallery.

Inside the parcel: one line of JSON a person. Groups stay behind: those of another door mean something else.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Base64Bytes, BaseModel, ConfigDict, Field, ValidationError

from faceedge.database import one_at_a_time, told
from faceedge.errors import BadInput
from faceedge.gallery import ledger, parcel, rows
from faceedge.gallery.access_rows import standing_from, standing_to
from faceedge.gallery.base import Entry, Origin, Person
from faceedge.gallery.parcel import Opener
from faceedge.gallery.search import Index
from faceedge.gallery.store import Gallery
from faceedge.jobs import look_alikes
from faceedge.jobs.look_alikes import Measure
from faceedge.types import Template

Progress = Callable[[str, float], None]
Id = Annotated[str, Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
LINE_MOST = 1 << 28


@dataclass(frozen=True, slots=True)
class Exported:
    """id: of the parcel. people: their names."""

    id: str
    path: Path
    people: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Arrived:
    """One person who was imported. templates: how many were new here. unchecked: of them in spaces not in use here.
    look_alikes: ids of whom they look like, who was not flagged before."""

    person: Person
    is_new: bool
    templates: int
    unchecked: int
    look_alikes: tuple[str, ...] = ()


class _Sheet(BaseModel):
    """A template on its way. vector: norm and embedding, float32, little-endian. crop: PNG."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Id
    created: int
    space: str = Field(pattern=r"^[0-9a-z]{1,32}$")
    build: str = Field(max_length=64)
    quality: float = Field(ge=0, le=1)
    source: str = Field(max_length=1000)
    vector: Base64Bytes
    crop: Base64Bytes | None


class _Traveller(BaseModel):
    """A person on the way. standing: validity and block list."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Id
    name: str
    created: int
    standing: Base64Bytes
    templates: tuple[_Sheet, ...]


def export(gallery: Gallery, target: Path, people: Sequence[Person], passphrase: str, progress: Progress) -> Exported:
    """Writes these people into a parcel, whole or not at all. Raises BadInput about the target, StoreError."""
    state = gallery.path.parent
    with parcel.sealed(target, "people", passphrase) as (sealer, head):
        for number, person in enumerate(people, start=1):
            sealer.write(_packed(gallery, person).encode() + b"\n")
            progress(f"{number} of {len(people)}", number / len(people))
    with told(state), one_at_a_time(state):
        ledger.note(state, gallery.vault, head, target, [person.id for person in people])
    return Exported(head.id, target, tuple(person.name for person in people))


def bring_in(
    gallery: Gallery, source: Path, passphrase: str, gate: Measure, *, allow_duplicate: bool = False
) -> tuple[Arrived, ...]:
    """Everybody of a parcel into the gallery under their own ids, or nobody. Who is here already gets what is missing.

    Raises BadInput: the file or the passphrase is wrong; a name is taken by somebody else; an id was removed here; a
    face is somebody else's here (unless allowed).
    """
    with parcel.opened(source, "people", passphrase) as opener, gallery.transaction():
        everyone = Index.of(gallery.templates(gate.space), gate.metric)
        clerk = _Clerk(gallery, everyone, gate, allow_duplicate)
        arrived = [clerk.admit(_unpacked(line, source)) for line in _lines(opener, source)]
        return tuple(_flagged(gallery, gate, arrived))


def _flagged(gallery: Gallery, gate: Measure, arrived: Sequence[Arrived]) -> Iterator[Arrived]:
    """Once everybody is in: those of one file may look like each other, too."""
    everyone, gate = Index.of(gallery.templates(gate.space), gate.metric), look_alikes.as_before(gallery, gate)
    for one in arrived:
        near = look_alikes.near(everyone, gallery.templates(gate.space, (one.person.id,)), gate.grey)
        found = look_alikes.flag(gallery, gate, one.person.id, near - {one.person.id}, "import")
        yield replace(one, look_alikes=tuple(other for other, is_new in found.items() if is_new))


@dataclass(frozen=True, slots=True, eq=False)
class _Clerk:
    """Lives inside one transaction. everyone: who was here before."""

    gallery: Gallery
    everyone: Index
    gate: Measure
    allow_duplicate: bool

    def admit(self, traveller: _Traveller) -> Arrived:
        known = self.gallery.find(traveller.id)
        person = known or self._new(traveller)
        fresh = [sheet for sheet in traveller.templates if not self.gallery.was_here(sheet.id)]
        for sheet in fresh:
            self._store(person, sheet)
        stored = self.gallery.find(person.id)
        assert stored is not None, "it was written in this transaction"
        unchecked = sum(sheet.space != self.gate.space for sheet in fresh)
        return Arrived(stored, known is None, len(fresh), unchecked)

    def _new(self, traveller: _Traveller) -> Person:
        if self.gallery.was_here(traveller.id):
            raise BadInput(f"{traveller.name!r} was removed from this gallery; enrol them anew from photos")
        person = self.gallery.add_person(traveller.name, traveller.id, traveller.created)
        self.gallery.access.set_standing(person.id, standing_from(traveller.standing, person.id))
        return person

    def _store(self, person: Person, sheet: _Sheet) -> None:
        norms, vectors = rows.unpack([sheet.vector])
        template = Template(vectors[0], float(norms[0]), sheet.space)
        self._check(person, template)
        crop = None if sheet.crop is None else rows.png_to_crop(sheet.crop)
        origin = Origin(sheet.quality, sheet.source, sheet.build)
        self.gallery.add_template(person.id, template, origin, crop, sheet.id, sheet.created)

    def _check(self, person: Person, template: Template) -> None:
        if template.space != self.gate.space or self.allow_duplicate:
            return
        for key, score in self.everyone.nearest(template, 2):
            if key != person.id and score >= self.gate.match:
                other = self.gallery.find(key)
                raise BadInput(
                    f"{person.name!r} looks like {other.name if other else key!r} of this gallery (similarity"
                    f" {score:.2f}); --allow-duplicate if they are two people"
                )


def _packed(gallery: Gallery, person: Person) -> str:
    sheets = [_sheet(gallery, person, entry, template) for entry, template in gallery.portfolio(person.id)]
    standing = _text(standing_to(gallery.access.standing(person.id)))
    line = {"id": person.id, "name": person.name, "created": person.created, "standing": standing, "templates": sheets}
    return json.dumps(line)


def _sheet(gallery: Gallery, person: Person, entry: Entry, template: Template) -> dict[str, object]:
    crop = gallery.crop(person.id, entry)
    return {
        "id": entry.id, "created": entry.created, "space": entry.space, "build": entry.origin.build,
        "quality": entry.origin.quality, "source": entry.origin.source, "vector": _text(rows.pack(template)),
        "crop": None if crop is None else _text(rows.crop_to_png(np.asarray(crop))),
    }  # fmt: skip


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _lines(opener: Opener, source: Path) -> Iterator[bytes]:
    waiting = b""
    while part := opener.read(parcel.CHUNK):
        waiting += part
        *lines, waiting = waiting.split(b"\n")
        yield from lines
        if len(waiting) > LINE_MOST:
            raise BadInput(f"{source}: holds a person of more than {LINE_MOST >> 20} MB; take another copy")
    if waiting:
        raise BadInput(f"{source}: ends in the middle of a person; take another copy")


def _unpacked(line: bytes, source: Path) -> _Traveller:
    try:
        return _Traveller.model_validate_json(line)
    except ValidationError as error:
        place = ".".join(map(str, error.errors()[0]["loc"]))
        raise BadInput(f"{source}: was written by a later version of faceedge ({place}); update this one") from error
