"""The chain on disk: it grows, keeps its order under many hands, survives a kill, and forgets by age alone."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from faceedge.errors import StoreError
from faceedge.journal import chain as chains
from faceedge.journal.chain import Chain, Keep, Place
from faceedge.journal.entry import Draft
from faceedge.journal.reading import entries, reading
from faceedge.journal.signing import key_path, public_path, read_public
from faceedge.journal.verify import Report, verify
from tests.journal.made_up import DAY_S, NOW, draft, grow, stamp

WRITER = """
import sys
from pathlib import Path
from faceedge.journal.chain import Chain
from faceedge.journal.entry import Stamp
with Chain.open(Path(sys.argv[1])) as chain:
    for number in range(int(sys.argv[2])):
        _, numbers = chain.append([Stamp().draft("decision", {"writer": sys.argv[3], "number": number})] * 3)
        print(numbers[-1], flush=True)
"""


def checked(state: Path) -> Report:
    return verify(state / "journal.db", read_public(public_path(state)))


def bodies(state: Path) -> list[dict[str, Any]]:
    with reading(state / "journal.db") as connection:
        return [entry.body for entry in entries(connection) if entry.draft.kind == "decision"]


def test_entries_come_back_in_order_and_the_chain_holds(chain: Chain, state: Path) -> None:
    grow(chain, 250)
    assert [body["number"] for body in bodies(state)] == list(range(250))
    report = checked(state)
    assert (report.problem, report.entries, report.first, report.last) == (None, 250, 1, 250)


def test_a_chain_goes_on_where_it_stopped(state: Path) -> None:
    for _ in range(3):
        with Chain.open(state) as chain:
            grow(chain, 2)
    assert checked(state).entries == 6


def test_an_empty_journal_is_whole(chain: Chain, state: Path) -> None:
    assert (checked(state).problem, checked(state).entries) == (None, 0)


def test_a_signature_comes_at_least_every_thousand_entries(chain: Chain, state: Path) -> None:
    grow(chain, 2500, batch=700)
    report = checked(state)
    assert (report.problem, report.checkpoints) == (None, 2)
    chain.append([], seal=True)
    assert (checked(state).checkpoints, checked(state).unsigned) == (3, 0)


def test_nothing_new_is_not_signed_again(chain: Chain, state: Path) -> None:
    grow(chain, 3)
    for _ in range(3):
        chain.append([], seal=True)
    assert checked(state).entries == 4


def test_files_are_for_the_owner_only(chain: Chain, state: Path) -> None:
    grow(chain, 1)
    for path in (state / "journal.db", state / "journal.db-wal", key_path(state)):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert public_path(state).read_bytes().startswith(b"-----BEGIN PUBLIC KEY-----")


def test_a_lost_key_is_not_made_anew_behind_the_public_one(chain: Chain, state: Path) -> None:
    key_path(state).unlink()
    with pytest.raises(StoreError, match="begin a new journal"):
        Chain.open(state)


def test_a_lost_public_key_comes_back(chain: Chain, state: Path) -> None:
    public_path(state).unlink()
    Chain.open(state).close()
    assert read_public(public_path(state)).name == chain.signer.public.name


def test_an_entry_cannot_be_changed_by_mistake(chain: Chain, state: Path) -> None:
    grow(chain, 3)
    with sqlite3.connect(state / "journal.db") as connection, pytest.raises(sqlite3.IntegrityError, match="only grows"):
        connection.execute("UPDATE entries SET kind = 'grant' WHERE seq = 2")
    connection.close()


def test_a_damaged_file_is_refused_by_name(state: Path) -> None:
    state.mkdir()
    (state / "journal.db").write_bytes(b"not a database, but long enough to be looked at" * 100)
    with pytest.raises(StoreError, match=r"journal\.db.*keep it as evidence"):
        Chain.open(state)


def test_a_file_of_a_later_version_is_refused(chain: Chain, state: Path) -> None:
    connection = sqlite3.connect(state / "journal.db")
    connection.execute(f"PRAGMA user_version = {len(chains.MIGRATIONS) + 2}")
    connection.close()
    with pytest.raises(StoreError, match="later version"):
        Chain.open(state)


def test_a_file_of_the_next_version_is_read(chain: Chain, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    grow(chain, 3)
    monkeypatch.setattr(chains, "MIGRATIONS", (*chains.MIGRATIONS, "ALTER TABLE entries ADD COLUMN later TEXT;"))
    Chain.open(state).close()
    monkeypatch.undo()
    with Chain.open(state) as before:
        grow(before, 3)
    assert (checked(state).problem, checked(state).entries) == (None, 6)


def test_a_file_that_was_swapped_while_open_takes_no_entry(chain: Chain, state: Path) -> None:
    (state / "journal.db").rename(state / "elsewhere.db")
    (state / "journal.db").touch()
    with pytest.raises(StoreError, match="replaced"):
        grow(chain, 1)


def test_eight_threads_of_their_own_keep_one_order(state: Path) -> None:
    def write(writer: int) -> None:
        with Chain.open(state) as chain:
            for number in range(20):
                chain.append([draft(number, writer=writer)])

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert checked(state).problem is None
    for writer in range(8):
        assert [body["number"] for body in bodies(state) if body["writer"] == writer] == list(range(20))


@pytest.mark.system
def test_processes_write_one_chain(state: Path) -> None:
    arguments = [sys.executable, "-c", WRITER, str(state), "15"]
    writers = [subprocess.Popen([*arguments, name], stdout=subprocess.DEVNULL) for name in "abc"]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    report = checked(state)
    assert (report.problem, report.entries) == (None, 3 * 15 * 3)


def test_what_was_acknowledged_survives_a_kill(state: Path) -> None:
    arguments = [sys.executable, "-c", WRITER, str(state), "100000", "a"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        acknowledged = [int(writer.stdout.readline()) for _ in range(40)]
        os.kill(writer.pid, signal.SIGKILL)
    report = checked(state)
    assert report.problem is None
    assert report.last >= acknowledged[-1]
    assert report.entries - report.checkpoints == len(bodies(state))
    assert len(bodies(state)) % 3 == 0, "a batch is whole or not there"


def aged(chain: Chain, days: list[float]) -> None:
    """One entry of another boot at each of these ages."""
    for age in days:
        old = draft(at=stamp(NOW - age * DAY_S))
        chain.append([Draft(old.kind, old.body, old.time_ms, old.monotonic_ms, "0" * 32)])


def test_retention_erases_by_age_and_the_rest_verifies(chain: Chain, state: Path) -> None:
    aged(chain, [100, 99, 98, 5, 4])
    assert chain.trim(Keep(days=90), stamp()) == 3
    report = checked(state)
    assert (report.problem, report.first) == (None, 4)
    assert report.unsigned == 0
    assert chain.trim(Keep(days=90), stamp()) == 0
    grow(chain, 10)
    assert chain.trim(Keep(days=4.5), stamp()) == 1
    assert (checked(state).problem, checked(state).first) == (None, 5)


def test_retention_bounds_the_number_of_entries(chain: Chain, state: Path) -> None:
    grow(chain, 300)
    assert chain.trim(Keep(entries=100), stamp()) == 200
    assert (checked(state).problem, checked(state).first) == (None, 201)


def test_retention_erases_in_small_steps(chain: Chain, state: Path) -> None:
    grow(chain, chains.CUT_MOST + 500, batch=1000)
    assert chain.trim(Keep(entries=1), stamp()) == chains.CUT_MOST
    assert checked(state).problem is None
    assert 0 < chain.trim(Keep(entries=1), stamp()) < chains.CUT_MOST
    assert checked(state).problem is None


def test_a_leap_of_the_wall_clock_erases_nothing_of_this_boot(chain: Chain) -> None:
    grow(chain, 5, at=stamp(NOW, monotonic=100.0))
    assert chain.trim(Keep(days=90), stamp(NOW + 1000 * DAY_S, monotonic=200.0)) == 0


def test_without_a_clock_nothing_is_too_old(chain: Chain) -> None:
    aged(chain, [100, 99])
    assert chain.trim(Keep(days=90), stamp(wall=5.0)) == 0


@pytest.mark.parametrize(("after", "erased"), [(99, 3), (1, 1)])
def test_an_entry_without_a_time_goes_with_its_neighbours(chain: Chain, after: float, erased: int) -> None:
    aged(chain, [100])
    timeless = draft(at=stamp(wall=5.0))
    chain.append([Draft(timeless.kind, timeless.body, None, 0, "1" * 32)])
    aged(chain, [after, 1])
    assert chain.trim(Keep(days=90), stamp()) == erased


def test_an_entry_is_known_again_or_not(chain: Chain) -> None:
    grow(chain, 3)
    place = chain.last()
    assert chain.holds(place)
    assert not chain.holds(Place(place.seq, bytes(32)))
    assert not chain.holds(Place(place.seq + 1, place.hash))
    chain.trim(Keep(entries=1), stamp())
    assert chain.holds(Place(1, bytes(32))), "erased by retention is no sign of a foreign hand"
