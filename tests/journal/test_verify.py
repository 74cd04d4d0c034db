"""Whatever is done to the file afterwards shows: by the chain, by a signature, or by a head that was published."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from faceedge.errors import StoreError
from faceedge.journal.chain import COLUMNS, EVERY, Chain, Keep
from faceedge.journal.entry import GENESIS, hashed
from faceedge.journal.signing import Head, PublicKey, Signer
from faceedge.journal.verify import verify
from tests.journal.made_up import draft, grow, stamp

Row = list[Any]
TAMPERINGS = 1000
ENTRIES = 60


class Case:
    """A small journal with a head that was published, as rows that can be written anew."""

    def __init__(self, chain: Chain, path: Path) -> None:
        grow(chain, ENTRIES // 2, batch=7)
        chain.append([], seal=True)
        grow(chain, ENTRIES // 2, batch=7)
        last = chain.last()
        self.head: Head = chain.signer.head(last.seq, last.hash)
        self.key: PublicKey = chain.signer.public
        self.path = path / "tampered.db"
        with sqlite3.connect(chain.path) as source, sqlite3.connect(self.path) as copy:
            source.backup(copy)
            copy.execute("DROP TRIGGER entries_are_never_changed")
            copy.execute("PRAGMA journal_mode = DELETE")
            self.rows: list[Row] = [list(row) for row in copy.execute(f"SELECT {COLUMNS} FROM entries ORDER BY seq")]
        source.close()
        copy.close()

    def problem(self, rows: list[Row], head: Head | None = None) -> str | None:
        """What `verify` says of these rows."""
        connection = sqlite3.connect(self.path)
        connection.execute("PRAGMA synchronous = OFF")  # a thousand times to the disk takes long
        with connection:
            connection.execute("DELETE FROM entries")
            connection.executemany(f"INSERT INTO entries ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        connection.close()
        return verify(self.path, self.key, head).problem


@pytest.fixture
def case(chain: Chain, tmp_path: Path) -> Case:
    return Case(chain, tmp_path)


def edit(rows: list[Row], dice: random.Random) -> None:
    row, column = dice.choice(rows), dice.randrange(1, 7)
    old = row[column]
    if isinstance(old, bytes):
        at = dice.randrange(len(old))
        row[column] = old[:at] + bytes([old[at] ^ (1 << dice.randrange(8))]) + old[at + 1 :]
    elif isinstance(old, int):
        row[column] = None if column == 1 and dice.random() < 0.2 else old + dice.choice([-1000, -1, 1, 7])
    else:
        row[column] = dice.choice(["grant", "removal", "0" * 32])


def insert(rows: list[Row], dice: random.Random) -> None:
    at = dice.randrange(len(rows))
    new = list(rows[at])
    if dice.random() < 0.5:
        new[5] = b'{"number":-1}'
        new[6] = hashed(rows[at - 1][6] if at else GENESIS, *new[:6])
    for row in rows[at:]:
        row[0] += 1
    rows.insert(at, new)


def delete(rows: list[Row], dice: random.Random) -> None:
    at = dice.randrange(len(rows) - 1)
    del rows[at]
    if dice.random() < 0.5:  # numbered anew, to hide the gap
        for row in rows[at:]:
            row[0] -= 1


def reorder(rows: list[Row], dice: random.Random) -> None:
    a, b = dice.sample(range(len(rows)), 2)
    rows[a][1:], rows[b][1:] = rows[b][1:], rows[a][1:]


def truncate(rows: list[Row], dice: random.Random) -> None:
    del rows[dice.randrange(len(rows)) :]


def test_random_tampering_is_found(case: Case) -> None:
    dice = random.Random(7)
    assert case.problem(case.rows, case.head) is None
    missed = []
    for number in range(TAMPERINGS):
        how = (edit, insert, delete, reorder, truncate)[number % 5]
        rows = [list(row) for row in case.rows]
        how(rows, dice)
        if rows == case.rows:  # two equal rows swapped
            continue
        if case.problem(rows, case.head if how is truncate else None) is None:
            missed.append((number, how.__name__))
    assert missed == []


def rehashed(rows: list[Row], start: int = 0) -> list[Row]:
    """What somebody does who knows the format but has no key: every hash is made to fit again."""
    before = rows[start - 1][6] if start else GENESIS
    for row in rows[start:]:
        row[6] = before = hashed(before, *row[:6])
    return rows


def test_a_chain_that_was_hashed_anew_shows_by_its_signature(case: Case) -> None:
    case.rows[3][5] = b'{"number":99}'
    assert "signature" in str(case.problem(rehashed(case.rows, 3)))


def test_a_chain_that_was_hashed_anew_after_its_last_signature_shows_by_the_published_head(case: Case) -> None:
    case.rows[-3][5] = b'{"number":99}'
    rows = rehashed(case.rows, len(case.rows) - 3)
    assert case.problem(rows) is None, "nobody has signed this part: that is what heads are published for"
    assert "the given head has seen" in str(case.problem(rows, case.head))


def test_a_truncated_tail_shows_by_the_published_head(case: Case) -> None:
    assert case.problem(case.rows[:-1]) is None
    assert "ends with entry" in str(case.problem(case.rows[:-1], case.head))
    assert "ends with entry 0" in str(case.problem([], case.head))


def test_a_journal_that_went_on_still_fits_an_earlier_head(case: Case, chain: Chain) -> None:
    grow(chain, 10)
    report = verify(chain.path, case.key, case.head)
    assert (report.problem, report.head) == (None, f"entry {case.head.seq} is as it was published")


def test_a_head_from_before_the_cut_is_no_contradiction(case: Case, chain: Chain) -> None:
    early = chain.signer.head(5, case.rows[4][6])
    at_the_cut = chain.signer.head(20, case.rows[19][6])
    chain.trim(Keep(entries=case.head.seq - 20), stamp())
    assert "erased by retention" in verify(chain.path, case.key, early).head
    assert verify(chain.path, case.key, at_the_cut).problem is None
    wrong = chain.signer.head(20, bytes(32))
    assert verify(chain.path, case.key, wrong).problem is not None


def test_a_beginning_that_nobody_cut_shows(case: Case) -> None:
    assert "no signed cut" in str(case.problem(case.rows[5:]))


def test_more_than_was_cut_shows(case: Case, chain: Chain) -> None:
    chain.trim(Keep(entries=case.head.seq - 20), stamp())
    connection = sqlite3.connect(chain.path, isolation_level=None)
    connection.execute("DELETE FROM entries WHERE seq < 24")
    connection.close()
    assert "no signed cut" in str(verify(chain.path, case.key).problem)


def test_a_forged_head_proves_nothing(case: Case) -> None:
    forged = replace(case.head, seq=case.head.seq - 1)
    assert "not signed" in str(case.problem(case.rows, forged))
    stranger = Signer(bytes(range(32)))
    assert "not signed" in str(case.problem(case.rows, stranger.head(case.head.seq, case.head.hash)))


def test_another_key_signs_nothing_here(case: Case) -> None:
    case.key = Signer(bytes(range(32))).public
    assert "signature" in str(case.problem(case.rows))


def test_a_long_chain_without_signatures_is_a_forgery(case: Case) -> None:
    pattern = draft()
    rows: list[Row] = [
        [n, pattern.time_ms, pattern.monotonic_ms, pattern.boot, "decision", pattern.body, b""]
        for n in range(1, EVERY + 10)
    ]
    assert "nobody signed" in str(case.problem(rehashed(rows)))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda row: row.__setitem__(5, "text"),
        lambda row: row.__setitem__(6, b"short"),
        lambda row: row.__setitem__(3, ""),
        lambda row: row.__setitem__(2, "not a number"),
    ],
)
def test_columns_of_a_wrong_kind_are_a_finding_and_no_crash(case: Case, spoil: Callable[[Row], None]) -> None:
    spoil(case.rows[7])
    assert "entry 8" in str(case.problem(case.rows))


def test_a_damaged_page_is_a_finding_and_no_crash(case: Case) -> None:
    with closing(sqlite3.connect(case.path)) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'entries'").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with case.path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    assert verify(case.path, case.key).problem is not None


def test_no_file_is_no_broken_journal(tmp_path: Path, case: Case) -> None:
    with pytest.raises(StoreError, match="no journal yet"):
        verify(tmp_path / "nowhere.db", case.key)
