"""One thread writes what many append: in order, in batches, soon; and trouble with the disk refuses, not crashes."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from faceedge.database import told
from faceedge.errors import BadInput, StoreError
from faceedge.journal.chain import Chain, Keep
from faceedge.journal.entry import Entry
from faceedge.journal.reading import entries, reading
from faceedge.journal.signing import public_path, read_public
from faceedge.journal.verify import verify
from faceedge.journal.waiting import BATCH_MOST, BATCH_S, RETRY_S, WAITING_MOST, Ticket, Waiting
from faceedge.journal.writer import SILENCE_S, Journal
from tests.fakes.clock import FakeClock
from tests.journal.made_up import draft, stamp

SOON_S = 20.0


class Disk:
    """Opens chains on a disk that can be full."""

    def __init__(self, state: Path) -> None:
        self.state, self.is_full, self.told = state, False, []
        self.heard = threading.Event()

    def __call__(self) -> Chain:
        disk = self

        class Full(Chain):
            def append(self, drafts: Any, *, seal: bool = False) -> Any:
                if disk.is_full:
                    with told(self.path):
                        raise sqlite3.OperationalError("database or disk is full")
                return super().append(drafts, seal=seal)

        return Full.open(self.state)

    def on_trouble(self, why: str | None) -> None:
        self.told.append(why)
        if why is None:
            self.heard.set()


@pytest.fixture
def disk(state: Path) -> Disk:
    return Disk(state)


@pytest.fixture
def journal(disk: Disk) -> Iterator[Journal]:
    opened = Journal(disk, on_trouble=disk.on_trouble)
    opened.start()
    yield opened
    assert opened.stop()


def read(state: Path, kind: str | None = None) -> list[Entry]:
    with reading(state / "journal.db") as connection:
        return [entry for entry in entries(connection) if kind in (None, entry.draft.kind)]


def problem(state: Path) -> str | None:
    return verify(state / "journal.db", read_public(public_path(state))).problem


def test_what_is_waited_for_is_on_disk_with_all_before_it(journal: Journal, state: Path) -> None:
    journal.append("decision", {"number": 1})
    assert journal.append_now("grant", {"number": 2}, SOON_S) == 2
    assert [entry.body["number"] for entry in read(state)] == [1, 2]


def test_the_ticket_tells_when_an_entry_is_on_disk(journal: Journal, state: Path) -> None:
    assert journal.append("decision", {}).wait(SOON_S) == 1
    assert len(read(state)) == 1


def test_eight_threads_each_keep_their_order(journal: Journal, state: Path) -> None:
    def append(thread: int) -> None:
        for number in range(50):
            if number % 10 == 9:
                journal.append_now("grant", {"thread": thread, "number": number}, SOON_S)
            else:
                journal.append("decision", {"thread": thread, "number": number})

    threads = [threading.Thread(target=append, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    found = [entry.body for entry in read(state)]
    assert len(found) == 400
    for thread in range(8):
        assert [body["number"] for body in found if body["thread"] == thread] == list(range(50))
    times = [entry.draft.monotonic_ms for entry in read(state)]
    assert times == sorted(times)
    assert problem(state) is None


def test_the_end_writes_what_waits_and_signs_it(disk: Disk, state: Path) -> None:
    journal = Journal(disk)
    journal.start()
    for number in range(BATCH_MOST + 10):
        journal.append("decision", {"number": number})
    started = time.monotonic()
    assert journal.stop()
    assert time.monotonic() - started < 2
    assert [entry.draft.kind for entry in read(state)][-2:] == ["decision", "checkpoint"]
    assert len(read(state, "decision")) == BATCH_MOST + 10
    with pytest.raises(StoreError, match="stopped"):
        journal.append_now("grant", {}, SOON_S)


def test_the_thread_has_a_name_and_ends(disk: Disk) -> None:
    journal = Journal(disk)
    journal.start()
    assert "journal" in {thread.name for thread in threading.enumerate()}
    assert journal.stop()
    assert "journal" not in {thread.name for thread in threading.enumerate()}


def test_the_head_is_signed_and_proves_the_newest_entry(journal: Journal, state: Path) -> None:
    journal.append_now("start", {}, SOON_S)
    head = journal.head()
    assert head is not None
    assert head.seq == 1
    report = verify(state / "journal.db", read_public(public_path(state)), head)
    assert (report.problem, report.head) == (None, "entry 1 is as it was published")


def test_before_the_first_entry_there_is_no_head(disk: Disk) -> None:
    assert Journal(disk).head() is None


def test_a_full_disk_refuses_whoever_waits_says_so_once_and_recovers(journal: Journal, disk: Disk, state: Path) -> None:
    journal.append_now("start", {}, SOON_S)
    disk.is_full = True
    for _ in range(3):
        with pytest.raises(StoreError, match="full"):
            journal.append_now("grant", {"never": True}, SOON_S)
    later = journal.append("decision", {"number": 7})
    assert (len(disk.told), journal.trouble is None) == (1, False)
    disk.is_full = False
    assert later.wait(SOON_S) > 0
    assert disk.heard.wait(SOON_S)
    assert (disk.told[1:], journal.trouble) == ([None], None)
    assert [entry.draft.kind for entry in read(state)] == ["start", "fault", "decision"]
    assert "full" in read(state, "fault")[0].body["why"]
    assert problem(state) is None


def test_a_waiting_grant_tries_the_disk_at_once_and_not_in_a_second(journal: Journal, disk: Disk) -> None:
    disk.is_full = True
    with pytest.raises(StoreError):
        journal.append_now("grant", {}, SOON_S)
    disk.is_full = False
    assert journal.append_now("grant", {}, SOON_S) == 2


def test_a_state_directory_that_cannot_be_used_is_trouble_and_no_crash(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    heard: list[str | None] = []
    journal = Journal.of(tmp_path / "file" / "state", Keep(), heard.append)
    journal.start()
    with pytest.raises(StoreError):
        journal.append_now("grant", {}, SOON_S)
    assert journal.stop()
    assert len(heard) == 1


def test_a_damaged_database_refuses_until_it_is_moved_away(state: Path) -> None:
    state.mkdir()
    (state / "journal.db").write_bytes(b"rubbish " * 2000)
    journal = Journal.of(state, Keep(), lambda _: None)
    journal.start()
    with pytest.raises(StoreError, match="evidence"):
        journal.append_now("grant", {}, SOON_S)
    (state / "journal.db").rename(state / "evidence.db")
    assert journal.append_now("grant", {}, SOON_S) > 0
    assert journal.stop()
    assert problem(state) is None


def test_a_journal_that_is_cut_behind_our_back_says_so_itself(journal: Journal, state: Path) -> None:
    for number in range(5):
        journal.append_now("decision", {"number": number}, SOON_S)
    head = journal.head()
    connection = sqlite3.connect(state / "journal.db", isolation_level=None)
    connection.execute("DELETE FROM entries WHERE seq > 3")
    connection.close()
    journal.append_now("decision", {"number": 5}, SOON_S)
    fault = read(state, "fault")[0].body
    assert head is not None
    assert (fault["why"], fault["seq"], fault["hash"]) == ("changed from outside", 5, head.hash.hex())


def test_a_journal_that_is_deleted_while_open_is_begun_anew_and_says_so(journal: Journal, state: Path) -> None:
    journal.append_now("decision", {}, SOON_S)
    for path in state.glob("journal.db*"):
        path.unlink()
    journal.append_now("decision", {}, SOON_S)
    assert [entry.draft.kind for entry in read(state)] == ["fault", "decision"]


def test_a_slow_disk_refuses_in_time_and_the_entry_is_withdrawn(state: Path) -> None:
    go = threading.Event()

    def slow() -> Chain:
        go.wait(SOON_S)
        return Chain.open(state)

    journal = Journal(slow)
    journal.start()
    with pytest.raises(StoreError, match="not on disk within 10 ms"):
        journal.append_now("grant", {"sent": False}, 0.01)
    go.set()
    journal.append_now("decision", {}, SOON_S)
    assert journal.stop()
    assert read(state, "grant") == []


def test_a_body_that_cannot_be_written_is_refused_to_the_caller(journal: Journal) -> None:
    with pytest.raises(BadInput):
        journal.append("decision", {"similarity": float("nan")})


def test_old_entries_go_while_the_journal_runs(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Chain.open(state) as chain:
        chain.append([draft(number) for number in range(50)])
    journal = Journal(lambda: Chain.open(state), Keep(entries=10), stamp=stamp())
    journal.start()
    journal.append("decision", {}).wait(SOON_S)
    assert journal.stop()
    assert verify(state / "journal.db", read_public(public_path(state))).first > 30
    assert problem(state) is None


@pytest.mark.system
def test_a_disk_that_is_really_full_is_survived(tmp_path: Path) -> None:
    script = """
import resource, signal, sys
from pathlib import Path
from faceedge.errors import StoreError
from faceedge.journal.chain import Keep
from faceedge.journal.writer import SILENCE_S, Journal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
state = Path(sys.argv[1])
journal = Journal.of(state, Keep(), lambda why: print("told", why is None, flush=True))
journal.start()
journal.append_now("grant", {}, 20)
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, hard))
refused = 0
for number in range(40):
    try:
        journal.append_now("grant", {"text": "x" * 12_000}, 20)
    except StoreError:
        refused += 1
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
journal.append_now("grant", {}, 20)
print("refused", refused > 0, journal.stop())
"""
    state = tmp_path / "state"
    ran = subprocess.run(
        [sys.executable, "-c", script, str(state)], capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.stdout.splitlines() == ["told False", "told True", "refused True True"], ran.stderr
    assert problem(state) is None


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def waiting_with(clock: FakeClock, count: int, *, is_urgent: bool = False) -> Waiting:
    waiting = Waiting(clock)
    for number in range(count):
        waiting.put(Ticket(draft(number), is_urgent, clock()))
    return waiting


def test_an_entry_waits_for_others_but_no_longer_than_half_of_200_ms(clock: FakeClock) -> None:
    waiting = waiting_with(clock, 1)
    assert waiting.due_in_s() == pytest.approx(BATCH_S)
    assert BATCH_S <= 0.1
    clock.advance(0.06)
    waiting.put(Ticket(draft(), False, clock()))
    assert waiting.due_in_s() == pytest.approx(BATCH_S - 0.06), "the oldest counts"
    clock.advance(1)
    assert waiting.due_in_s() == 0


def test_an_urgent_entry_and_a_full_batch_wait_for_nothing(clock: FakeClock) -> None:
    assert waiting_with(clock, 1, is_urgent=True).due_in_s() == 0
    assert waiting_with(clock, BATCH_MOST).due_in_s() == 0
    assert waiting_with(clock, 0).due_in_s() == float("inf")


def test_a_batch_is_bounded_and_in_order(clock: FakeClock) -> None:
    waiting = waiting_with(clock, BATCH_MOST + 5)
    first, second = waiting.take(), waiting.take()
    assert (len(first), len(second)) == (BATCH_MOST, 5)


def test_what_failed_comes_back_in_order_without_those_that_waited(clock: FakeClock) -> None:
    waiting = waiting_with(clock, 3)
    urgent = Ticket(draft(9), True, clock())
    waiting.put(urgent)
    batch = waiting.take()
    waiting.put(Ticket(draft(10), False, clock()))
    waiting.give_back(batch, StoreError("full"))
    assert [ticket.draft for ticket in waiting.tickets] == [draft(number) for number in (0, 1, 2, 10)]
    with pytest.raises(StoreError, match="full"):
        urgent.wait(0)
    assert waiting.due_in_s() == pytest.approx(RETRY_S)


def test_what_waits_too_long_is_lost_oldest_first_and_counted(clock: FakeClock) -> None:
    waiting = waiting_with(clock, WAITING_MOST + 3)
    assert (len(waiting.tickets), waiting.lost) == (WAITING_MOST, 3)
    assert waiting.tickets[0].draft == draft(3)


def test_a_journal_that_hangs_is_found_out_and_one_with_nothing_to_do_is_not(disk: Disk) -> None:
    hang, clock = threading.Event(), FakeClock()

    def opening() -> Chain:
        chain = disk()
        append = chain.append

        def slow(drafts: Any, *, seal: bool = False) -> Any:
            hang.wait(10)
            return append(drafts, seal=seal)

        chain.append = slow  # type: ignore[method-assign]
        return chain

    journal = Journal(opening, clock=clock)
    journal.start()
    clock.advance(3.0)
    assert journal.vital.ailment == ""
    ticket = journal.append("note", {})
    clock.advance(SILENCE_S)  # in steps of what one write may take, however late the thread looks
    deadline = time.monotonic() + SOON_S
    while not journal.vital.ailment and time.monotonic() < deadline:
        clock.advance(1.0)
        time.sleep(0.01)
    assert journal.vital.ailment == "journal makes no progress"
    hang.set()
    ticket.wait(SOON_S)
    journal.stop()
    assert journal.vital.ailment == "", "an end in order is no death"
