"""The page about privacy is executed, and what it says of files, columns and times is what the code does."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import cv2
import pytest

from faceedge.cli.run import LOGGED
from faceedge.config import Capture, Events, JournalSettings
from faceedge.demo.photos import admiral, astronaut
from faceedge.gallery import sightings
from faceedge.gallery.schema import MIGRATIONS
from faceedge.lockout import REMEMBERED
from tests.guides import DOCS, blocks, ran

PAGE = DOCS / "privacy.md"
TEXT = PAGE.read_text(encoding="utf-8")
STORED = TEXT[TEXT.index("| what | of whom") : TEXT.index("Encrypted is with")]
CLEAR = TEXT[TEXT.index("In the clear are") : TEXT.index("What is **not** stored")]
WRAPPED = ("counters", "data_keys")
"""Tables about nobody: a number, and the key that only the device key opens."""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Two people's photos; the first of them is enrolled."""
    cv2.imwrite(str(tmp_path / "ada-1.jpg"), astronaut())
    cv2.imwrite(str(tmp_path / "grace-1.jpg"), admiral())
    ran('faceedge enroll "Ada Lovelace" ada-1.jpg', tmp_path)
    return tmp_path


@pytest.mark.system
@pytest.mark.timeout(300)
def test_every_block_of_the_page_runs_as_it_stands_and_leaves_only_files_that_it_names(
    site: Path, default_models: Path
) -> None:
    said = [ran(block.body, site) for block in blocks(PAGE, "sh")]
    assert "Ada Lovelace" in said[0]
    assert "enrolled" in said[1]
    assert "nothing left" in said[2]
    assert "Ada" not in (site / "entries.csv").read_text(encoding="utf-8"), "the journal knows ids only"
    left = {path.relative_to(site / "state") for path in (site / "state").rglob("*") if path.is_file()}
    named = re.findall(r"`([a-z]+(?:\.[a-z]+|/))`", STORED)
    hidden = [path for path in left if str(path).endswith((".lock", "-wal", "-shm"))]
    assert [path for path in left - set(hidden) if not str(path).startswith(tuple(named))] == []


def test_every_column_is_told_as_sealed_or_in_the_clear() -> None:
    connection = sqlite3.connect(":memory:")
    for step in MIGRATIONS:
        connection.executescript(step)
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    columns = {
        (column[1], column[2]) for table in tables if table not in WRAPPED
        for column in connection.execute(f"PRAGMA table_info({table})")
    }  # fmt: skip
    connection.close()
    told = set(re.findall("`(.+?)`", CLEAR))
    assert {name for name, kind in columns if kind != "BLOB"} - told == set()
    assert {name for name, kind in columns if kind == "BLOB"} & told == set()


def test_what_is_kept_outside_of_the_state_directory_is_told() -> None:
    assert "person" in LOGGED
    assert "similarity" not in LOGGED
    assert "the same of each decision without similarity" in STORED
    assert '"$OPT/.people"' in (DOCS.parent / "scripts" / "setup" / "people.sh").read_text(encoding="utf-8")
    assert "`/opt/faceedge/.people`" in STORED


def test_times_and_numbers_are_those_of_a_configuration_that_says_nothing() -> None:
    journal, events, capture = JournalSettings(), Events(), Capture()
    entries = f"{journal.keep_entries:,}".replace(",", " ")
    assert f"{journal.keep_days} days, at most {entries} entries" in STORED
    assert f"at most {events.keep_days} days" in STORED
    assert not capture.on
    assert f"{capture.days} days, at most {capture.crops}" in STORED
    assert f"{REMEMBERED} faces" in TEXT
    assert f"the newest {sightings.MOST} times" in STORED
    assert f"erased or removed, at most {sightings.DAYS} days" in STORED
    for settings in (JournalSettings, Events):
        assert settings.model_validate({"keep_days": 1}).keep_days == 1
