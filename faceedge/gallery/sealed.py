"""Every sealed column of gallery.db, and sealing them all anew under another data key."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

from faceedge.errors import StoreError
from faceedge.gallery.access_rows import body_context, group_context, membership_context, standing_context
from faceedge.gallery.rows import capture_context, name_context, sighting_context, template_context
from faceedge.gallery.vault import Vault


@dataclass(frozen=True, slots=True)
class Sealed:
    """A sealed column. beside: columns its context needs; context: of the row's id and those.

    tag: what the column `<name>_tag` is made from, for a column that is searched.
    """

    table: str
    name: str
    context: Callable[..., str]
    beside: tuple[str, ...] = ()
    tag: Callable[[str], str] | None = None


def _of_template(column: str) -> Sealed:
    return Sealed(
        "templates", column, lambda key, *owner: template_context(key, column, *owner), ("person_id", "space")
    )


SEALED = (
    Sealed("people", "name", name_context, tag=lambda name: name),
    Sealed("people", "standing", standing_context),
    _of_template("source"),
    _of_template("vector"),
    _of_template("crop"),
    Sealed("groups", "name", lambda key, always: group_context(key, bool(always)), ("is_always",), "group/{}".format),
    Sealed("memberships", "proof", membership_context, ("person_id", "group_id")),
    Sealed("rules", "body", lambda key, *ids: body_context("rules", key, *ids), ("group_id", "escort_id")),
    Sealed("days_off", "body", lambda key: body_context("days_off", key)),
    Sealed("captures", "crop", capture_context, ("person_id", "alignment")),
    Sealed("sightings", "crop", sighting_context, ("person_id",)),
    Sealed("look_alikes", "body", lambda key, *ids: body_context("look_alikes", key, *ids), ("person_id", "other_id")),
    Sealed("compared", "body", lambda space: body_context("compared", space)),
)
NOT_SEALED = {("data_keys", "wrapped")}


def reseal(connection: sqlite3.Connection, old: Vault, new: Vault, progress: Callable[[str, float], None]) -> int:
    """Opens every sealed column and seals it with `new`; inside the caller's transaction. How many there were.

    Raises StoreError when one does not open, or when the database has sealed columns of a later version.
    """
    _check_known(connection)
    cells = [(column, key) for column in SEALED for key in _ids(connection, column)]
    for number, (column, key) in enumerate(cells, start=1):
        _reseal(connection, column, key, old, new)
        progress("sealing anew", number / len(cells))
    return len(cells)


def _ids(connection: sqlite3.Connection, column: Sealed) -> list[str]:
    query = f"SELECT id FROM {column.table} WHERE {column.name} IS NOT NULL"  # noqa: S608, constants
    return [key for (key,) in connection.execute(query)]


def _reseal(connection: sqlite3.Connection, column: Sealed, key: str, old: Vault, new: Vault) -> None:
    wanted = ", ".join((column.name, *column.beside))
    sealed, *beside = connection.execute(
        f"SELECT {wanted} FROM {column.table} WHERE id = ?",  # noqa: S608, constants
        (key,),
    ).fetchone()
    context = column.context(key, *beside)
    plain = old.open(sealed, context)
    written: dict[str, bytes] = {column.name: new.seal(plain, context)}
    if column.tag is not None:
        written[f"{column.name}_tag"] = new.tag(column.tag(plain.decode()))
    places = ", ".join(f"{name} = ?" for name in written)
    connection.execute(f"UPDATE {column.table} SET {places} WHERE id = ?", (*written.values(), key))  # noqa: S608, constants


def _check_known(connection: sqlite3.Connection) -> None:
    known = NOT_SEALED | {(column.table, column.name) for column in SEALED}
    known |= {(column.table, f"{column.name}_tag") for column in SEALED if column.tag}
    strange = sorted(set(blob_columns(connection)) - known)
    if strange:
        names = ", ".join(".".join(place) for place in strange)
        raise StoreError(f"gallery.db: {names} is of a later version of faceedge; update this one before a rotation")


def blob_columns(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    """Table and name of every column declared BLOB."""
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    return [
        (table, column[1])
        for (table,) in tables
        for column in connection.execute("SELECT * FROM pragma_table_info(?)", (table,))
        if column[2] == "BLOB"
    ]
