"""A `Search` that is not ours: a float64 product of all with all, as an engine of a fleet might answer."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from faceedge.errors import FaceedgeError
from faceedge.gallery.base import Templates
from faceedge.types import Template


@dataclass(frozen=True, slots=True, eq=False)
class PlainSearch:
    """Cosine only."""

    rows: Templates

    @classmethod
    def of(cls, templates: Templates, metric: str) -> PlainSearch:
        """A `BuildSearch`."""
        if metric != "cosine":
            raise FaceedgeError(f"this engine knows no {metric}")
        return cls(templates)

    def __len__(self) -> int:
        return len(self.rows.persons)

    def nearest(self, template: Template, count: int | None = None) -> list[tuple[str, float]]:
        if template.space != self.rows.space:
            raise FaceedgeError("another space")
        best: dict[str, float] = {}
        for person, row in zip(self.rows.persons, self.rows.embeddings.astype(np.float64), strict=True):
            best[person] = max(best.get(person, -1.0), float(row @ template.embedding.astype(np.float64)))
        return sorted(best.items(), key=lambda one: (-one[1], one[0]))[:count]

    def nearest_of_each(self, templates: Sequence[Template], count: int | None = None) -> list[list[tuple[str, float]]]:
        return [self.nearest(template, count) for template in templates]

    def replaced(self, persons: Collection[str], templates: Templates) -> PlainSearch:
        stays = [at for at, person in enumerate(self.rows.persons) if person not in persons]
        rows = replace(
            templates,
            persons=(*(self.rows.persons[at] for at in stays), *templates.persons),
            embeddings=np.concatenate([one for one in (self.rows.embeddings[stays], templates.embeddings) if len(one)]),
            norms=np.concatenate([self.rows.norms[stays], templates.norms]),
        )
        return PlainSearch(rows)
