"""The audit of a gallery: everything stored in it in the space of one recogniser in, what was found out.

Run by `faceedge gallery audit` and `faceedge calibrate thresholds`. Reads only; no network is opened.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from faceedge.errors import BadInput
from faceedge.gallery.base import Entry, Person, Templates
from faceedge.gallery.store import Gallery
from faceedge.jobs.audit import people
from faceedge.jobs.audit.findings import LEVELS, Ages, Audit, LevelName, Record
from faceedge.jobs.audit.people import Inspected
from faceedge.jobs.audit.rates import Rates, rising
from faceedge.jobs.audit.scan import Faces, scan
from faceedge.jobs.audit.suspects import suspects
from faceedge.jobs.audit.words import claims, limits
from faceedge.measures import EDGE_PX, SIDE_PX, sharpness
from faceedge.package import Package
from faceedge.types import Image, Template

Progress = Callable[[str, float], None]
DAY_S = 86_400
READING, SCANNING = 0.3, 0.95
"""Shares of the time after which these are done."""


@dataclass(frozen=True, slots=True)
class Asked:
    """fmr: the false-match rate that a door may have in one comparison. confidence: of all bounds, one-sided.
    older_days: templates older than this are counted as old. crops: whether kept crops are looked at, too."""

    fmr: float = 1e-4
    confidence: float = 0.95
    older_days: int = 730
    crops: bool = True

    def __post_init__(self) -> None:
        if not 1e-9 <= self.fmr <= 0.1:
            raise BadInput(f"--fmr {self.fmr:g}: a false-match rate lies between 1e-9 and 0.1; 1e-4 is usual at a door")
        if not 0.5 <= self.confidence <= 0.9999:
            raise BadInput(f"--confidence {self.confidence:g}: lies between 0.5 and 0.9999; 0.95 is usual")


@dataclass(frozen=True, slots=True, eq=False)
class _Stock:
    """What was read, template by template. left_out: of other spaces; unknown: people with none of this one."""

    people: Sequence[Person]
    records: Sequence[Record]
    templates: Sequence[Template]
    left_out: int
    unknown: int


def audit_gallery(gallery: Gallery, package: Package, asked: Asked, now: int, tell: Progress) -> Audit:
    """package: the recogniser whose templates are looked at. now: unix seconds.

    Raises StoreError when the gallery cannot be read.
    """
    fit = package.fit
    assert fit is not None, "read_package refuses a recogniser without fit.toml"
    stock = _read(gallery, package.space, asked.crops, tell)
    faces = Faces.of(_table(stock, package.space), package.manifest.metric)
    scanned = scan(faces, lambda done: tell("comparing", READING + (SCANNING - READING) * done))
    tell("counting", SCANNING)
    levels = fit.thresholds
    records = [stock.records[row] for row in faces.order]
    norms = np.array([stock.templates[row].norm for row in faces.order], np.float32)
    seen = Inspected(scanned, records, norms, levels, fit.door_thresholds.match)
    rates = Rates(scanned, asked.confidence)
    facts = tuple(rates.level(name, getattr(levels, name)) for name in LEVELS)
    wanted = asked_rates(asked.fmr, fit.door)
    gate = max(getattr(levels, fit.door), getattr(fit.shipped, fit.door))  # either may have been in force
    advice = rising(lambda name: rates.advice(name, wanted[name], getattr(fit.shipped, name), gate), LEVELS)
    best = scanned.highest
    return Audit(
        made=now, recogniser=package.label, space=package.space, metric=package.manifest.metric,
        confidence=asked.confidence, people=people.person_facts(seen, {one.id: one.name for one in stock.people}),
        templates=len(faces), left_out=stock.left_out, unknown=stock.unknown, thresholds=levels, shipped=fit.shipped,
        demanded=fit.door, ceiling=float(best.scores[0]) if len(best.scores) else None,
        ceiling_pair=(records[best.one[0]].id, records[best.other[0]].id) if len(best.scores) else None,
        levels=facts, advice=advice, close_pairs=people.close_pairs(seen), suspects=suspects(seen),
        ages=_ages(records, now, asked.older_days), facts=tuple(seen.facts(row) for row in range(len(faces))),
        curve=rates.curve(), histogram=scanned.histogram, neighbours=people.neighbours(seen),
        claims=claims(facts, fit.door, asked.confidence),
        limits=limits(facts, advice, fit.door, len(faces.people), gate),
    )  # fmt: skip


def asked_rates(fmr: float, door: LevelName) -> dict[LevelName, float]:
    """The false-match rate of each level when a door demands `door` at `fmr`: each is ten times as strict as the one
    below."""
    place = LEVELS.index(door)
    return {name: min(fmr * 10.0 ** (place - at), 0.5) for at, name in enumerate(LEVELS)}


def _read(gallery: Gallery, space: str, crops: bool, tell: Progress) -> _Stock:
    everybody = gallery.people()
    records: list[Record] = []
    templates: list[Template] = []
    left_out = unknown = 0
    for number, person in enumerate(everybody):
        tell("reading the gallery", READING * number / len(everybody))
        portfolio = gallery.portfolio(person.id)
        ours = [(entry, template) for entry, template in portfolio if template.space == space]
        left_out += len(portfolio) - len(ours)
        unknown += not ours
        records += [_record(gallery, person, entry, crops) for entry, _ in ours]
        templates += [template for _, template in ours]
    return _Stock(everybody, records, templates, left_out, unknown)


def _record(gallery: Gallery, person: Person, entry: Entry, crops: bool) -> Record:
    crop = gallery.crop(person.id, entry) if crops and entry.crop else None
    origin = entry.origin
    sharp = None if crop is None else _sharpness(crop)
    return Record(entry.id, person.id, entry.created, origin.quality, origin.build, origin.source, sharp)


def _sharpness(crop: Image) -> float:
    """Of the heart of an aligned crop, as `measures.measure` looks at it."""
    grey = cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY)
    if grey.shape[0] != SIDE_PX:
        grey = cv2.resize(grey, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)
    return sharpness(np.ascontiguousarray(grey[EDGE_PX:-EDGE_PX, EDGE_PX:-EDGE_PX], np.uint8))


def _table(stock: _Stock, space: str) -> Templates:
    if not stock.templates:
        return Templates((), np.zeros((0, 1), np.float32), np.zeros(0, np.float32), space)
    embeddings = np.stack([template.embedding for template in stock.templates])
    norms = np.array([template.norm for template in stock.templates], np.float32)
    return Templates(tuple(record.person for record in stock.records), embeddings, norms, space)


def _ages(records: Sequence[Record], now: int, limit_days: int) -> Ages:
    created = sorted(record.created for record in records)
    if not created:
        return Ages(None, None, None, 0, limit_days)
    older = sum(now - moment > limit_days * DAY_S for moment in created)
    return Ages(created[0], created[len(created) // 2], created[-1], older, limit_days)
