"""gallery.db: its tables, step by step, and how it is opened.

A step only adds: the previous version of faceedge must still read what it makes.
"""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path

from faceedge.database import one_at_a_time, open_database, told
from faceedge.gallery import devicekey, vault
from faceedge.gallery.vault import Vault
from faceedge.keyfile import KEY_BYTES

# Every row has an id, the number of the change that wrote it last (`revision`) and a
# tombstone, so that a later mirror can ask for "everything since". What is NULL in a tombstone was erased.
# Sealed columns (BLOB): name, source, vector (embedding and its norm), crop. name_tag: keyed hash that finds a name.
MIGRATIONS = (
    """
    CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
    INSERT INTO counters VALUES ('changes', 0);
    CREATE TABLE data_keys (number INTEGER PRIMARY KEY, created INTEGER NOT NULL, wrapped BLOB NOT NULL);
    CREATE TABLE people (
        id TEXT PRIMARY KEY,
        revision INTEGER NOT NULL,
        tombstone INTEGER NOT NULL DEFAULT 0 CHECK (tombstone IN (0, 1)),
        created INTEGER NOT NULL,
        name BLOB,
        name_tag BLOB UNIQUE,
        CHECK ((name IS NULL) = tombstone AND (name_tag IS NULL) = tombstone)
    );
    CREATE TABLE templates (
        id TEXT PRIMARY KEY,
        person_id TEXT NOT NULL REFERENCES people (id),
        revision INTEGER NOT NULL,
        tombstone INTEGER NOT NULL DEFAULT 0 CHECK (tombstone IN (0, 1)),
        created INTEGER NOT NULL,
        space TEXT NOT NULL,
        build TEXT NOT NULL,
        dimension INTEGER NOT NULL,
        quality REAL,
        source BLOB,
        vector BLOB,
        crop BLOB,
        CHECK ((vector IS NULL) = tombstone)
    );
    CREATE INDEX people_revision ON people (revision);
    CREATE INDEX templates_revision ON templates (revision);
    CREATE INDEX templates_person ON templates (person_id);
    CREATE INDEX templates_space ON templates (space);
    """,
    # standing: validity and block list, sealed; NULL: none. proof: nothing, sealed for this row, so that a row that was
    # made or altered without the key does not open. body: what a rule or a holiday says, sealed.
    """
    ALTER TABLE people ADD COLUMN standing BLOB;
    CREATE TABLE groups (
        id TEXT PRIMARY KEY,
        revision INTEGER NOT NULL,
        tombstone INTEGER NOT NULL DEFAULT 0 CHECK (tombstone IN (0, 1)),
        created INTEGER NOT NULL,
        is_always INTEGER NOT NULL DEFAULT 0 CHECK (is_always IN (0, 1)),
        name BLOB,
        name_tag BLOB UNIQUE,
        CHECK ((name IS NULL) = tombstone AND (name_tag IS NULL) = tombstone)
    );
    CREATE TABLE memberships (
        id TEXT PRIMARY KEY,
        revision INTEGER NOT NULL,
        tombstone INTEGER NOT NULL DEFAULT 0 CHECK (tombstone IN (0, 1)),
        created INTEGER NOT NULL,
        person_id TEXT NOT NULL REFERENCES people (id),
        group_id TEXT NOT NULL REFERENCES groups (id),
        proof BLOB,
        CHECK ((proof IS NULL) = tombstone)
    );
    CREATE TABLE rules (
        id TEXT PRIMARY KEY,
        revision INTEGER NOT NULL,
        tombstone INTEGER NOT NULL DEFAULT 0 CHECK (tombstone IN (0, 1)),
        created INTEGER NOT NULL,
        group_id TEXT REFERENCES groups (id),
        escort_id TEXT REFERENCES groups (id),
        body BLOB,
        CHECK ((body IS NULL) = tombstone)
    );
    CREATE TABLE days_off (
        id TEXT PRIMARY KEY,
        revision INTEGER NOT NULL,
        tombstone INTEGER NOT NULL DEFAULT 0 CHECK (tombstone IN (0, 1)),
        created INTEGER NOT NULL,
        body BLOB,
        CHECK ((body IS NULL) = tombstone)
    );
    CREATE UNIQUE INDEX memberships_once ON memberships (person_id, group_id) WHERE NOT tombstone;
    CREATE INDEX groups_revision ON groups (revision);
    CREATE INDEX memberships_revision ON memberships (revision);
    CREATE INDEX rules_revision ON rules (revision);
    CREATE INDEX days_off_revision ON days_off (revision);
    """,
    # Crops for a calibration, of this device alone: erased, never mirrored, so without revision and tombstone. created:
    # midnight of the day, which is all that ageing needs. person_id NULL: a stranger, or nobody for certain; such crops
    # may show whoever is removed, so they go, too. A trigger, because the previous version removes people as well.
    """
    CREATE TABLE captures (
        id TEXT PRIMARY KEY,
        person_id TEXT REFERENCES people (id),
        created INTEGER NOT NULL,
        alignment TEXT NOT NULL,
        build TEXT NOT NULL,
        quality REAL NOT NULL,
        light REAL NOT NULL,
        rank REAL NOT NULL,
        crop BLOB NOT NULL
    );
    CREATE TRIGGER captures_removal AFTER UPDATE OF tombstone ON people WHEN NEW.tombstone
    BEGIN
        DELETE FROM captures WHERE person_id = NEW.id OR person_id IS NULL;
    END;
    """,
    # Two people who look alike, the smaller id first. body: how far, who says so, and whether it was cleared, sealed.
    # It goes with either of them; by a trigger, for the same reason as above.
    """
    CREATE TABLE look_alikes (
        id TEXT PRIMARY KEY,
        revision INTEGER NOT NULL,
        tombstone INTEGER NOT NULL DEFAULT 0 CHECK (tombstone IN (0, 1)),
        created INTEGER NOT NULL,
        person_id TEXT NOT NULL REFERENCES people (id),
        other_id TEXT NOT NULL REFERENCES people (id),
        body BLOB,
        CHECK (person_id < other_id AND (body IS NULL) = tombstone)
    );
    CREATE UNIQUE INDEX look_alikes_once ON look_alikes (person_id, other_id) WHERE NOT tombstone;
    CREATE INDEX look_alikes_revision ON look_alikes (revision);
    CREATE INDEX look_alikes_other ON look_alikes (other_id);
    CREATE TRIGGER look_alikes_removal AFTER UPDATE OF tombstone ON people WHEN NEW.tombstone
    BEGIN
        UPDATE look_alikes SET tombstone = 1, body = NULL, revision = NEW.revision
        WHERE NOT tombstone AND NEW.id IN (person_id, other_id);
    END;
    """,
    # By space: the scores at which everybody was compared for look-alikes, and up to which change; sealed. Of this
    # device alone, as captures are.
    """
    CREATE TABLE compared (id TEXT PRIMARY KEY, body BLOB NOT NULL);
    """,
    # Pictures of people whom only the recogniser before knows, until somebody says that it was them. Of this device
    # alone, and gone with the person, as captures are.
    """
    CREATE TABLE sightings (
        id TEXT PRIMARY KEY,
        person_id TEXT NOT NULL REFERENCES people (id),
        created INTEGER NOT NULL,
        quality REAL NOT NULL,
        crop BLOB NOT NULL
    );
    CREATE INDEX sightings_person ON sightings (person_id);
    CREATE TRIGGER sightings_removal AFTER UPDATE OF tombstone ON people WHEN NEW.tombstone
    BEGIN
        DELETE FROM sightings WHERE person_id = NEW.id;
    END;
    """,
)


def connect(state: Path) -> tuple[sqlite3.Connection, Vault]:
    """Opens `<state>/gallery.db` and its vault; makes both where there is neither.

    Raises StoreError when the folder cannot be used, the file is no gallery or of a later version, or the key is wrong.
    """
    path = state / "gallery.db"
    with told(path), one_at_a_time(state):
        connection = open_database(path, MIGRATIONS)
        try:
            return connection, _open_vault(connection, state)
        except BaseException:
            connection.close()
            raise


def wrapped_key(connection: sqlite3.Connection) -> tuple[int, bytes]:
    """Number of the present data key, and the key as it lies in the database; 0 when there is none."""
    row = connection.execute("SELECT number, wrapped FROM data_keys ORDER BY number DESC LIMIT 1").fetchone()
    return (int(row[0]), bytes(row[1])) if row is not None else (0, b"")


def _open_vault(connection: sqlite3.Connection, state: Path) -> Vault:
    number, wrapped = wrapped_key(connection)
    if number:
        data_key, used = devicekey.unlock(state, wrapped)
        devicekey.settle(state, used)
        return Vault(data_key, number)
    data_key = os.urandom(KEY_BYTES)
    wrapped = vault.wrap(data_key, devicekey.first_key(state).secret)
    connection.execute("INSERT INTO data_keys VALUES (1, ?, ?)", (int(time.time()), wrapped))
    return Vault(data_key)
