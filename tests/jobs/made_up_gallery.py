"""Galleries of made-up vectors: people around points of a sphere, and an audit of them without any network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from faceedge.fit import Fit, Thresholds
from faceedge.gallery.base import Origin
from faceedge.gallery.store import Gallery
from faceedge.jobs.audit.findings import Audit
from faceedge.jobs.audit.run import Asked, audit_gallery
from faceedge.models.store import find_package, write_parts
from faceedge.package import Package, read_package
from faceedge.types import Floats, Template
from tests.jobs.made_up_calibration import quiet, site_with

LEVELS = Thresholds(grey=0.4, match=0.5, strict=0.6)
NOW = 1_800_000_000


def unit(values: np.ndarray) -> Floats:
    return np.asarray(values / np.linalg.norm(values, axis=-1, keepdims=True), np.float32)


def crowd(people: int, each: int, *, spread: float = 0.5, seed: int = 0, dimension: int = 64) -> list[Floats]:
    """Embeddings of each person, float32 (each, dimension). spread: of a person's, against 1 between people."""
    rng = np.random.default_rng(seed)
    middles = unit(rng.normal(size=(people, 1, dimension)))
    return list(unit(middles + spread * unit(rng.normal(size=(people, each, dimension)))))


def recogniser(state: Path, metric: str = "cosine", fit: Fit | None = None) -> Package:
    """The toy recogniser of a store, with thresholds for such vectors."""
    site = site_with(state)
    source = find_package("toy", state, site.cache)
    manifest = source.manifest.model_copy(update={"metric": metric})
    write_parts(source.folder, manifest, fit or Fit(thresholds=LEVELS, evidence="as shipped"))
    return read_package(source.folder)


def enrol(gallery: Gallery, space: str, name: str, vectors: Floats, norms: Sequence[float] | float = 1.0) -> list[str]:
    """One person with these templates, of good quality; their ids."""
    person, lengths = gallery.add_person(name), np.broadcast_to(norms, len(vectors))
    return [
        gallery.add_template(person.id, Template(vector, float(length), space), Origin(0.9, "a.jpg", "build"))
        for vector, length in zip(vectors, lengths, strict=True)
    ]


def filled(state: Path, package: Package, people: Sequence[Floats]) -> Gallery:
    """A gallery with these people, called p0, p1 and so on."""
    gallery = Gallery.open(state, lambda: NOW - 86_400)
    with gallery.transaction():
        for number, vectors in enumerate(people):
            enrol(gallery, package.space, f"p{number}", vectors)
    return gallery


def audited(gallery: Gallery, package: Package, asked: Asked | None = None) -> Audit:
    return audit_gallery(gallery, package, asked or Asked(), NOW, quiet)
