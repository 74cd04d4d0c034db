"""A small gallery of made-up people for whoever needs one whole audit, without networks or packages on disk."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from faceedge.fit import Fit, Thresholds
from faceedge.gallery.base import Origin
from faceedge.gallery.store import Gallery
from faceedge.jobs.audit.findings import Audit
from faceedge.jobs.audit.run import Asked, audit_gallery
from faceedge.types import Template

SPACE = "0123456789ab"
NOW = 1_790_000_000
PACKAGE = cast(
    Any,
    SimpleNamespace(
        fit=Fit(thresholds=Thresholds(grey=0.4, match=0.55, strict=0.7), evidence="made up"), space=SPACE,
        label="made-up@1", manifest=SimpleNamespace(metric="cosine"),
    ),
)  # fmt: skip


def face(person: int, picture: int, spread: float = 0.4) -> Template:
    """Pictures of one person have a similarity of about 1 / (1 + spread²), of two of about none."""
    centre, noise = (np.random.default_rng(seed).normal(size=512) for seed in ((person,), (person, picture)))
    vector = (centre + spread * noise).astype(np.float32)
    return Template(vector / np.linalg.norm(vector), 1.0, SPACE)


def add(gallery: Gallery, key: str, template: Template, source: str = "photo.jpg") -> str:
    return gallery.add_template(key, template, Origin(0.9, source, "build"))


def fill(gallery: Gallery, people: int = 4, pictures: int = 3) -> dict[str, str]:
    """So many people called p1, p2 …; their ids by name."""
    with gallery.transaction():
        ids = {f"p{number}": gallery.add_person(f"p{number}").id for number in range(1, people + 1)}
        for number, key in enumerate(ids.values(), start=1):
            for picture in range(pictures):
                add(gallery, key, face(number, picture))
    return ids


def looked_at(gallery: Gallery) -> Audit:
    return audit_gallery(gallery, PACKAGE, Asked(crops=False), NOW, lambda _text, _done: None)
