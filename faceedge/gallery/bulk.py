"""Templates of a whole space out of the database: opened batch by batch into one array, so memory holds them once."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from typing import Any

import numpy as np

from faceedge.errors import StoreError
from faceedge.gallery.base import Templates
from faceedge.gallery.rows import template_context
from faceedge.gallery.tables import Tables
from faceedge.types import Floats

EVERYBODY = "space = ? AND NOT tombstone"
SOME = "+space = ? AND NOT tombstone AND person_id IN (SELECT value FROM json_each(?))"  # + keeps it off that index


def read(tables: Tables, space: str, persons: Collection[str] | None) -> Templates:
    """Everything of a space, or only the rows of these persons (ids), in the order in which they were stored.

    Raises StoreError when a row does not open, or is of another dimension than the first.
    """
    where, values = (EVERYBODY, (space,)) if persons is None else (SOME, (space, json.dumps(sorted(persons))))
    with tables.snapshot():
        ((count,),) = tables.rows(f"SELECT count(*) FROM templates WHERE {where}", *values)  # noqa: S608, constants
        query = f"SELECT id, person_id, vector FROM templates WHERE {where} ORDER BY rowid"  # noqa: S608, constants
        return _gathered(tables, space, int(count), tables.batches(query, *values))


def touched(tables: Tables, space: str, since: int) -> frozenset[str]:
    """Whose templates came or went after that change."""
    query = "SELECT DISTINCT person_id FROM templates WHERE revision > ? AND +space = ?"
    return frozenset(person for (person,) in tables.rows(query, since, space))


def _gathered(tables: Tables, space: str, count: int, batches: Iterator[list[Any]]) -> Templates:
    owners: list[str] = []
    names: dict[str, str] = {}  # one string a person, not one a row
    norms, embeddings = np.empty(count, np.float32), np.empty((count, 0), np.float32)
    for batch in batches:
        packed = [
            tables.vault.open(sealed, template_context(key, "vector", owner, space)) for key, owner, sealed in batch
        ]
        table = _table(packed, space)
        if not owners:
            embeddings = np.empty((count, table.shape[1] - 1), np.float32)
        if table.shape[1] != embeddings.shape[1] + 1:
            raise _uneven(space)
        part = slice(len(owners), len(owners) + len(batch))
        norms[part], embeddings[part] = table[:, 0], table[:, 1:]
        owners += [names.setdefault(owner, owner) for _, owner, _ in batch]
    return Templates(tuple(owners), embeddings, norms, space)


def _table(packed: list[bytes], space: str) -> Floats:
    """Norm and embedding in each line; see `rows.pack`."""
    if len(set(map(len, packed))) > 1:
        raise _uneven(space)
    return np.frombuffer(b"".join(packed), "<f4").reshape(len(packed), -1)


def _uneven(space: str) -> StoreError:
    return StoreError(f"gallery.db: templates of {space} have different lengths; restore a backup")
