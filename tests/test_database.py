"""A database file in several hands: what one process has open, another one must not take away."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from faceedge.database import open_database

TABLE = ("CREATE TABLE t (n INTEGER);",)
PASSER_BY = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
print(connection.execute("SELECT sum(n) FROM t").fetchone()[0])
connection.close()
"""


def test_a_process_that_comes_and_goes_leaves_the_log_to_those_who_write(tmp_path: Path) -> None:
    """The second connection of a process must not drop the locks of the first."""
    path = tmp_path / "t.db"
    with closing(open_database(path, TABLE)) as first, closing(open_database(path, TABLE)) as second:
        first.execute("INSERT INTO t VALUES (1)")
        assert sum_seen_by_another(path) == 1
        second.execute("INSERT INTO t VALUES (2)")
        assert sum_seen_by_another(path) == 3, "what was written later is in the file, not in one that was deleted"
        assert (tmp_path / "t.db-wal").stat().st_size > 0


def sum_seen_by_another(path: Path) -> int:
    ran = subprocess.run([sys.executable, "-c", PASSER_BY, str(path)], capture_output=True, text=True, check=True)
    return int(ran.stdout)


def test_a_new_file_is_private(tmp_path: Path) -> None:
    with closing(open_database(tmp_path / "t.db", TABLE)) as connection:
        assert isinstance(connection, sqlite3.Connection)
    assert (tmp_path / "t.db").stat().st_mode & 0o777 == 0o600
