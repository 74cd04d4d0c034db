"""Letters are on disk with the entry they tell of, wait in order, and are given up only by count and by age."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from faceedge.database import open_database
from faceedge.door.events import DroppedEvent, Letter
from faceedge.errors import BadInput, StoreError
from faceedge.gallery.store import Gallery
from faceedge.jobs.backup import backup
from faceedge.jobs.restore import restore
from faceedge.journal import outbox as outboxes
from faceedge.journal.chain import Chain, Keep
from faceedge.journal.entry import MOST_LETTER_BYTES, Draft
from faceedge.journal.outbox import Bounds, Outbox
from faceedge.journal.schema import MIGRATIONS
from faceedge.journal.signing import public_path, read_public
from faceedge.journal.verify import verify
from faceedge.journal.waiting import BATCH_MOST, WAITING_MOST
from faceedge.journal.writer import Journal
from tests.journal.made_up import DAY_S, NOW, draft, stamp

SOON_S = 20.0


@pytest.fixture
def outbox(state: Path, chain: Chain) -> Iterator[Outbox]:
    opened = Outbox.open(state)
    yield opened
    opened.close()


def letter(number: int, kind: Any = "decision") -> Letter:
    return Letter(f"id-{number}", kind, json.dumps({"number": number}).encode())


def write(chain: Chain, *letters: Letter, at: Draft | None = None) -> None:
    chain.append([replace(at or draft(), letters=letters)])


def ids(outbox: Outbox, **query: Any) -> list[str]:
    return [row.letter.id for row in outbox.waiting(1000, **query)]


def dropped(outbox: Outbox) -> list[dict[str, Any]]:
    return [json.loads(row.letter.payload) for row in outbox.waiting(1000) if row.letter.kind == "dropped"]


def at(days: float, boot: str = "", wall: float | None = NOW) -> Draft:
    """Days after the first; without a wall clock when `wall` is None."""
    made = draft(at=stamp(NOW + days * DAY_S, 50_000 + days * DAY_S))
    made = replace(made, time_ms=None) if wall is None else made
    return replace(made, boot=boot * 32) if boot else made


def test_letters_come_back_in_order_and_as_they_were(chain: Chain, outbox: Outbox) -> None:
    write(chain, letter(1), letter(2, "door"))
    write(chain, letter(3))
    rows = outbox.waiting(10)
    assert [row.letter for row in rows] == [letter(1), letter(2, "door"), letter(3)]
    assert ids(outbox, after=rows[0].number) == ["id-2", "id-3"]
    assert ids(outbox, but=["decision"]) == ["id-2"]
    assert [row.letter.id for row in outbox.waiting(2)] == ["id-1", "id-2"]


def test_what_is_delivered_is_gone_and_its_number_is_never_given_again(chain: Chain, outbox: Outbox) -> None:
    write(chain, letter(1), letter(2))
    numbers = [row.number for row in outbox.waiting(10)]
    outbox.delivered(numbers)
    outbox.delivered(numbers)
    write(chain, letter(3))
    assert outbox.waiting(10)[0].number > max(numbers)
    assert outbox.count() == 1


def test_an_entry_that_is_not_written_leaves_no_letter(chain: Chain, outbox: Outbox) -> None:
    spoilt = replace(draft(), monotonic_ms=None, letters=(letter(2),))
    with pytest.raises(StoreError):
        chain.append([replace(draft(), letters=(letter(1),)), spoilt])
    assert outbox.count() == 0
    assert chain.last().seq == 0


def test_a_signature_between_entries_repeats_no_letter(chain: Chain, outbox: Outbox) -> None:
    chain.append([replace(draft(number), letters=(letter(number),)) for number in range(1005)], seal=True)
    assert len(ids(outbox)) == len(set(ids(outbox))) == 1000
    assert outbox.count() == 1005


def test_retention_of_the_journal_leaves_letters_alone(chain: Chain, outbox: Outbox, state: Path) -> None:
    for number in range(20):
        write(chain, letter(number))
    assert chain.trim(Keep(days=90, entries=5), stamp()) > 0
    assert outbox.count() == 20
    assert verify(state / "journal.db", read_public(public_path(state))).problem is None


def test_letters_wait_for_days_and_then_one_letter_counts_them(chain: Chain, outbox: Outbox) -> None:
    write(chain, letter(1), letter(2, "door"), at=at(0))
    write(chain, letter(3), at=at(3))
    assert outbox.bound(Bounds(days=5), at(4.9)) == 0
    assert outbox.bound(Bounds(days=5), at(5.1)) == 2
    assert ids(outbox)[0] == "id-3"
    (told,) = dropped(outbox)
    assert told["counts"] == {"decision": 1, "door": 1}
    assert (told["since_ms"], told["until_ms"]) == (at(0).time_ms, at(0).time_ms)
    assert told["time_ms"] == at(5.1).time_ms


def test_too_many_letters_push_out_the_oldest(chain: Chain, outbox: Outbox) -> None:
    for number in range(30):
        write(chain, letter(number), at=at(number / 100))
    assert outbox.bound(Bounds(most=10), at(1)) == 20
    assert ids(outbox)[:-1] == [f"id-{number}" for number in range(20, 30)]
    assert dropped(outbox)[0]["counts"] == {"decision": 20}
    assert outbox.bound(Bounds(most=10), at(1)) == 0


def test_a_long_outage_leaves_one_dropped_letter_that_counts_everything(chain: Chain, outbox: Outbox) -> None:
    first = ""
    for number in range(100):
        write(chain, letter(number), at=at(number / 1000))
        outbox.bound(Bounds(most=10), at(number / 1000))
        if dropped(outbox):
            first = first or dropped(outbox)[0]["id"]
    (told,) = dropped(outbox)
    assert (told["counts"], told["id"]) == ({"decision": 90}, first)
    assert (told["since_ms"], told["until_ms"]) == (at(0).time_ms, at(0.089).time_ms)
    assert outbox.count() == 11


def test_a_dropped_letter_on_its_way_is_not_changed(chain: Chain, outbox: Outbox) -> None:
    """It says what it says; what comes after is said by another one."""
    write(chain, letter(1), at=at(0))
    outbox.bound(Bounds(most=0), at(0))
    (sent,) = outbox.waiting(10)
    write(chain, letter(2, "door"), at=at(0))
    outbox.bound(Bounds(most=0), at(0), sent=[sent.number])
    assert [told["counts"] for told in dropped(outbox)] == [{"decision": 1}, {"door": 1}]
    assert len({told["id"] for told in dropped(outbox)}) == 2


def test_a_letter_on_its_way_is_not_dropped(chain: Chain, outbox: Outbox) -> None:
    write(chain, letter(1), letter(2))
    assert outbox.bound(Bounds(most=0), draft(), sent=[outbox.waiting(1)[0].number]) == 1
    assert ids(outbox)[0] == "id-1"


def test_a_dropped_letter_that_cannot_be_read_stays_as_it_is(chain: Chain, outbox: Outbox) -> None:
    write(chain, Letter("odd", "dropped", b"not json"), letter(1))
    outbox.bound(Bounds(most=0), draft())
    odd, told = outbox.waiting(10)
    assert odd.letter.payload == b"not json"
    assert json.loads(told.letter.payload)["counts"] == {"decision": 1}


def test_a_wall_clock_that_leaps_drops_nothing_of_this_boot(chain: Chain, outbox: Outbox) -> None:
    write(chain, letter(1), at=draft(at=stamp(NOW, 50_000)))
    leapt = draft(at=stamp(NOW + 4000 * DAY_S, 50_001))
    assert outbox.bound(Bounds(days=5), leapt) == 0


def test_letters_of_an_earlier_boot_go_by_the_wall_clock(chain: Chain, outbox: Outbox) -> None:
    write(chain, letter(1), at=at(0, boot="1"))
    write(chain, letter(2), at=at(4, boot="2"))
    assert outbox.bound(Bounds(days=5), at(4, boot="3")) == 0
    assert outbox.bound(Bounds(days=5), at(6, boot="3")) == 1


def test_a_letter_of_unknown_age_waits_until_a_younger_one_is_too_old(chain: Chain, outbox: Outbox) -> None:
    write(chain, letter(1), at=at(0, boot="1", wall=None))
    assert outbox.bound(Bounds(days=5), at(100, boot="2")) == 0
    write(chain, letter(2), at=at(1, boot="1"))
    assert outbox.bound(Bounds(days=5), at(2, boot="2")) == 0
    assert outbox.bound(Bounds(days=5), at(7, boot="2")) == 2


def test_a_device_whose_clock_was_never_set_is_bounded_by_number(chain: Chain, outbox: Outbox) -> None:
    for number in range(10):
        write(chain, letter(number), at=at(0, boot=str(number), wall=None))
    assert outbox.bound(Bounds(most=4), at(0, boot="a", wall=None)) == 6
    assert dropped(outbox)[0]["time_ms"] is None


def test_dropping_goes_in_parts(chain: Chain, outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outboxes, "DROP_MOST", 7)
    write(chain, *(letter(number) for number in range(20)))
    assert [outbox.bound(Bounds(most=0), draft()) for _ in range(4)] == [7, 7, 6, 0]
    assert dropped(outbox)[0]["counts"] == {"decision": 20}


def test_a_file_put_in_its_place_is_noticed(chain: Chain, outbox: Outbox, state: Path) -> None:
    write(chain, letter(1))
    (state / "journal.db").rename(state / "old.db")
    with pytest.raises(StoreError):
        outbox.delivered([1])
    with Chain.open(state), pytest.raises(StoreError, match="replaced"):
        outbox.delivered([1])


def test_a_version_that_knows_no_outbox_still_reads_and_writes(state: Path) -> None:
    with Chain.open(state) as chain:
        write(chain, letter(1))
    open_database(state / "journal.db", MIGRATIONS[:1]).close()
    with closing(sqlite3.connect(state / "journal.db")) as connection:
        assert connection.execute("SELECT count(*) FROM entries").fetchone() == (1,)


def test_a_journal_without_an_outbox_gets_one(state: Path) -> None:
    with Chain.open(state):
        pass
    (state / "journal.db").unlink()
    open_database(state / "journal.db", MIGRATIONS[:1]).close()
    with Chain.open(state) as chain:
        write(chain, letter(1))
    with closing(Outbox.open(state)) as outbox:
        assert ids(outbox) == ["id-1"]


def test_letters_survive_backup_and_restore_with_their_ids(state: Path, tmp_path: Path) -> None:
    """What was delivered after the backup is sent again, under the ids that the receiver knows."""
    Gallery.open(state).close()
    with Chain.open(state) as chain, closing(Outbox.open(state)) as outbox:
        write(chain, letter(1), letter(2))
        outbox.delivered([1])
        backup(state, tmp_path / "parcel", "a long passphrase", lambda what, done: None)
        outbox.delivered([2])
        write(chain, letter(3))
    restore(tmp_path / "parcel", tmp_path / "new", "a long passphrase", lambda what, done: None)
    with closing(Outbox.open(tmp_path / "new")) as outbox, Chain.open(tmp_path / "new") as chain:
        assert ids(outbox) == ["id-2"]
        write(chain, letter(4))
        assert [row.number for row in outbox.waiting(10)] == [2, 3]
    state = tmp_path / "new"
    assert verify(state / "journal.db", read_public(public_path(state))).problem is None


def test_a_letter_that_no_broker_takes_is_refused_at_once(state: Path) -> None:
    journal = Journal(lambda: Chain.open(state))
    with pytest.raises(BadInput, match="say it in"):
        journal.append("decision", {}, [Letter("big", "decision", b"x" * (MOST_LETTER_BYTES + 1))])


def test_the_journal_tells_when_letters_have_come(state: Path) -> None:
    calls: list[int] = []
    journal = Journal(lambda: Chain.open(state), on_letters=lambda: calls.append(1))
    journal.start()
    journal.append_now("grant", {}, SOON_S)
    assert calls == []
    journal.append_now("grant", {}, SOON_S, [letter(1)])
    assert journal.stop()
    assert calls == [1]


def test_a_letter_whose_entry_was_withdrawn_is_never_sent(state: Path) -> None:
    journal = Journal(lambda: Chain.open(state))
    with pytest.raises(StoreError):
        journal.append_now("grant", {}, 0.0, [letter(1)])
    journal.append("decision", {}, [letter(2)])
    journal.start()
    assert journal.stop()
    with closing(Outbox.open(state)) as outbox:
        assert ids(outbox) == ["id-2"]


def test_letters_lost_with_their_entries_are_counted_by_a_dropped_letter(state: Path) -> None:
    """The last of those that did not fit had to make room for the grant."""
    journal = Journal(lambda: Chain.open(state))
    for number in range(WAITING_MOST + 3):
        journal.append("decision", {}, [letter(number)])
    journal.start()
    assert journal.append_now("grant", {}, SOON_S)
    assert journal.stop()
    with closing(Outbox.open(state)) as outbox:
        told = [row for row in outbox.waiting(2 * BATCH_MOST) if row.letter.kind == "dropped"]
        assert [json.loads(row.letter.payload)["counts"] for row in told] == [{"decision": 4}]
        assert outbox.count() == WAITING_MOST


def test_a_dropped_letter_is_an_event_like_the_others(chain: Chain, outbox: Outbox) -> None:
    write(chain, letter(1))
    outbox.bound(Bounds(most=0), draft())
    body = dropped(outbox)[0]
    assert body.pop("kind") == "dropped"
    assert DroppedEvent.model_validate(body).counts == {"decision": 1}
