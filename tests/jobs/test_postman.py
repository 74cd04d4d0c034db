"""Events reach the broker at least once and in order per kind, whatever the connection does, and leave few traces."""

from __future__ import annotations

import itertools
import json
import logging
import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from faceedge.database import told
from faceedge.door.events import DeviceEvent, Letter, LockdownEvent, letter
from faceedge.jobs import postbag, postman
from faceedge.jobs.postman import Postman
from faceedge.journal.chain import Chain
from faceedge.journal.entry import Stamp
from faceedge.journal.outbox import Bounds, Outbox
from tests.fakes.clock import FakeClock
from tests.fakes.post_office import PostOffice, kind_of
from tests.journal.made_up import NOW

TOPIC = "faceedge/test/event"
KINDS = ("decision", "door", "camera")
STEP_S = 0.25
COUNT_TURNS = round(postman.COUNT_S / STEP_S)


class Yard:
    """A postman without a thread between a real outbox and an office, at times of one's choice."""

    def __init__(self, state: Path, bounds: Bounds | None = None) -> None:
        self.state = state
        self.clock = FakeClock()
        self.office = PostOffice()
        self.stamp = Stamp(lambda: NOW + self.clock.now, self.clock)
        self.chain = Chain.open(state)
        self.made: list[Letter] = []
        self.bounds = bounds
        self.postman = self.hire()

    def hire(self) -> Postman:
        return Postman(self.state, self.office, TOPIC, self.bounds, self.clock, self.stamp)

    def write(self, *kinds: str) -> list[Letter]:
        fresh = []
        for kind in kinds:
            name = f"{len(self.made) + len(fresh):022d}"
            fresh.append(Letter(name, kind, json.dumps({"id": name}).encode()))  # type: ignore[arg-type]
        self.chain.append([replace(self.stamp.draft("decision", {}), letters=tuple(fresh))])
        self.made += fresh
        return fresh

    def turn(self, turns: int = 1, step_s: float = STEP_S) -> None:
        for _ in range(turns):
            self.postman.turn()
            self.office.work()
            self.clock.advance(step_s)

    def arrived(self, kind: str = "") -> list[str]:
        """Ids at the broker in order, each once."""
        taken = [message for message in self.office.taken if kind in ("", kind_of(message))]
        return list(dict.fromkeys(json.loads(message.payload)["id"] for message in taken))

    def written(self, kind: str = "") -> list[str]:
        return [one.id for one in self.made if kind in ("", one.kind)]

    def left(self) -> list[Any]:
        with closing(Outbox.open(self.state)) as outbox:
            return [row.letter for row in outbox.waiting(100_000)]

    def told(self) -> list[dict[str, Any]]:
        """What `dropped` events have said, the last of each id."""
        bodies = [json.loads(message.payload) for message in self.office.taken if kind_of(message) == "dropped"]
        return list({body["id"]: body for body in bodies}.values())


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    made = Yard(tmp_path / "state")
    yield made
    made.postman.close()
    made.chain.close()


def assert_all_arrived_in_order(yard: Yard) -> None:
    for kind in {one.kind for one in yard.made}:
        assert yard.arrived(kind) == yard.written(kind)
    assert yard.left() == []


def test_events_arrive_on_the_topic_of_their_kind_and_leave_the_outbox(yard: Yard) -> None:
    yard.write("decision", "door")
    yard.turn(10)
    assert [message.topic for message in yard.office.taken] == [f"{TOPIC}/decision", f"{TOPIC}/door"]
    assert all(message.qos == 1 and not message.retain for message in yard.office.taken)
    assert_all_arrived_in_order(yard)


def test_nothing_is_deleted_before_the_broker_has_acknowledged_it(yard: Yard) -> None:
    yard.write("decision", "decision")
    yard.postman.turn()
    yard.clock.advance(10)
    yard.postman.turn()
    assert len(yard.left()) == 2
    yard.office.work(1)
    yard.turn(1)
    yard.clock.advance(10)
    yard.postman.turn()
    assert len(yard.left()) < 2


def test_what_a_lost_connection_took_with_it_is_sent_again_from_the_oldest(yard: Yard) -> None:
    yard.write(*["decision"] * 5)
    yard.postman.turn()
    yard.office.work(2)
    yard.office.cut(arrived=1)
    yard.turn(3)
    yard.office.back()
    yard.turn(10)
    assert_all_arrived_in_order(yard)
    assert len(yard.office.taken) == 6, "one came twice: its answer was lost"


def test_many_are_under_way_at_once_but_not_more_than_the_window(yard: Yard) -> None:
    yard.write(*["decision"] * 200)
    yard.turn(20)
    assert_all_arrived_in_order(yard)
    assert yard.office.most_under_way == postbag.WINDOW


def test_deleting_costs_one_write_for_many_events(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    deleted: list[int] = []
    real = Outbox.delivered

    def count(outbox: Outbox, numbers: list[int]) -> None:
        deleted.append(len(numbers))
        real(outbox, numbers)

    monkeypatch.setattr(Outbox, "delivered", count)
    yard.write(*["decision"] * 90)
    yard.turn(6, step_s=0.02)
    assert deleted == []
    yard.turn(3, step_s=postman.BATCH_S)
    assert deleted == [90]
    assert yard.left() == []


def test_a_hundred_outages_lose_nothing_and_keep_the_order(yard: Yard) -> None:
    """Of 1 to 60 s each, by the clock; half of them begin as a link that swallows everything."""
    dice = random.Random(6)
    for _ in range(100):
        for _ in range(dice.randint(1, 12)):
            yard.write(*dice.choices(KINDS, k=dice.randint(1, 8)))
            yard.postman.turn()
            yard.office.work(dice.randint(0, 40))
            yard.clock.advance(dice.uniform(0, 0.5))
        yard.office.is_half_open = dice.random() < 0.5
        yard.write(*dice.choices(KINDS, k=4))
        yard.turn(4)
        yard.office.cut(arrived=dice.randint(0, 5))
        outage_s = dice.uniform(1, 60)
        for _ in range(6):
            yard.write(*dice.choices(KINDS, k=2))
            yard.turn(1, outage_s / 6)
        yard.office.back()
    yard.turn(200)
    assert len(yard.made) > 2000
    assert sorted(yard.arrived()) == sorted(yard.written())
    assert_all_arrived_in_order(yard)


def test_a_postman_that_died_is_followed_by_one_who_knows_only_the_outbox(yard: Yard) -> None:
    dice = random.Random(7)
    for _ in range(30):
        yard.write(*dice.choices(KINDS, k=10))
        yard.turn(dice.randint(0, 3))
        yard.postman = yard.hire()
        yard.office.cut(arrived=dice.randint(0, 5))
        yard.office.back()
    yard.turn(100)
    assert_all_arrived_in_order(yard)


def test_a_kind_that_the_broker_refuses_waits_and_the_others_go_on(
    yard: Yard, caplog: pytest.LogCaptureFixture
) -> None:
    yard.office.refused["camera"] = "Not authorized"
    with caplog.at_level(logging.ERROR):
        for _ in range(50):
            yard.write("camera", "decision")
            yard.turn(20)
        yard.turn(2 * COUNT_TURNS)
    assert yard.arrived("decision") == yard.written("decision")
    assert yard.arrived("camera") == []
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert yard.postman.as_json() == {"ok": True, "waiting": 50, "refused": ["camera"]}
    yard.office.refused.clear()
    yard.turn(round(postbag.PAUSE_MAX_S / STEP_S) + 2 * COUNT_TURNS)
    assert_all_arrived_in_order(yard)
    assert yard.postman.as_json() == {"ok": True, "waiting": 0, "refused": []}


def test_a_refused_kind_is_tried_less_and_less_often(yard: Yard) -> None:
    tries: list[float] = []
    real = yard.office.post

    def post(message: Any) -> Any:
        tries.append(yard.clock.now)
        return real(message)

    yard.office.post = post  # type: ignore[method-assign]
    yard.office.refused["camera"] = "Quota exceeded"
    yard.write("camera", "camera")
    yard.turn(round(1200 / STEP_S))
    pauses = [later - earlier for earlier, later in itertools.pairwise(tries)]
    assert [round(pause / 5) for pause in pauses] == [0, 1, 2, 4, 8, 16, 32, 60, 60]


def test_a_refused_kind_that_is_allowed_again_keeps_its_order(yard: Yard) -> None:
    """It is tried with one letter: of two, the first could be refused and the second taken."""
    yard.office.refused["camera"] = "Not authorized"
    yard.write(*["camera", "door"] * 50)
    for _ in range(400):
        yard.postman.turn()
        yard.office.work(1)
        yard.clock.advance(STEP_S)
    sizes: list[int] = []
    real = yard.office.work

    def work(most: int = 1000) -> None:
        sizes.append(len(yard.office.under_way))
        real(1)
        yard.office.refused.clear()
        real(most)

    yard.office.work = work  # type: ignore[method-assign]
    yard.turn(2 * round(postbag.PAUSE_MAX_S / STEP_S))
    assert_all_arrived_in_order(yard)
    assert next(size for size in sizes if size) == 1


def test_a_refused_kind_that_is_free_again_while_offline_is_not_forgotten(yard: Yard) -> None:
    yard.office.refused["camera"] = "Not authorized"
    yard.write("camera")
    yard.turn(1)
    yard.office.refused.clear()
    yard.office.cut()
    yard.turn(100)
    yard.office.back()
    yard.turn(10)
    assert_all_arrived_in_order(yard)


def test_a_letter_that_ends_connections_is_given_up_and_holds_nobody_up(yard: Yard) -> None:
    (bad,) = yard.write("camera")
    yard.office.lethal = {bad.payload}
    for _ in range(100):
        yard.write("decision", "camera")
        yard.turn(32)
    yard.turn(round(postbag.PAUSE_MAX_S / STEP_S))
    assert yard.arrived("decision") == yard.written("decision")
    assert yard.arrived("camera") == [name for name in yard.written("camera") if name != bad.id]
    assert yard.office.hang_ups == 1 + postbag.GIVE_UP_AFTER
    assert [told["counts"] for told in yard.told()] == [{"camera": 1}]
    assert yard.left() == []


def test_a_broker_that_hangs_up_on_a_whole_kind_does_so_seldom(yard: Yard) -> None:
    """Some brokers answer a topic that is not allowed in this way. Each time no grant can go for a moment."""
    yard.office.lethal = {one.payload for one in yard.write(*["camera"] * 20)}
    for _ in range(120):
        yard.write("decision")
        yard.turn(120)
    assert yard.arrived("decision") == yard.written("decision")
    assert yard.office.hang_ups < postbag.GIVE_UP_AFTER + 3600 / postbag.PAUSE_MAX_S + 2


def test_a_letter_that_may_end_connections_is_sent_alone(yard: Yard) -> None:
    """Others are always under way when its turn comes."""
    (bad,) = yard.write("camera")
    yard.office.lethal = {bad.payload}
    companions: list[int] = []
    real = yard.office.post

    def post(message: Any) -> Any:
        posted = real(message)
        if bad.payload in yard.office.under_way and yard.office.connection > 1:
            companions.append(len(yard.office.under_way) - 1)
        return posted

    yard.office.post = post  # type: ignore[method-assign]
    for _ in range(400):
        yard.write("decision", "door")
        yard.postman.turn()
        yard.office.work(1)
        yard.clock.advance(0.1)
    assert len(companions) >= postbag.SUSPECT_AFTER
    assert set(companions) == {0}


def test_a_bad_network_is_not_blamed_on_a_letter(yard: Yard) -> None:
    """Connections that end with whatever is in them: nothing is given up."""
    yard.write("decision", "door", "camera")
    for _ in range(200):
        yard.postman.turn()
        yard.office.cut()
        yard.postman.turn()
        yard.office.back()
        yard.clock.advance(1)
    yard.turn(round(2 * postbag.PAUSE_MAX_S / STEP_S))
    assert_all_arrived_in_order(yard)
    assert yard.told() == []


def test_a_letter_whose_answer_never_comes_is_sent_again_on_the_same_connection(yard: Yard) -> None:
    yard.write("camera")
    yard.postman.turn()
    yard.office.lose()
    yard.turn(round((postbag.ANSWER_S - 1) / STEP_S))
    assert yard.office.taken == []
    yard.turn(20)
    assert_all_arrived_in_order(yard)


def test_a_broker_that_never_answers_one_letter_gets_the_others(yard: Yard) -> None:
    (bad,) = yard.write("camera")
    yard.office.ignored = {bad.payload}
    for _ in range(10):
        yard.write("decision", "door")
        yard.turn(round(postbag.ANSWER_S / STEP_S))
    assert yard.arrived("decision") == yard.written("decision")


def test_what_was_dropped_while_the_broker_was_away_is_told_when_it_is_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    yard = Yard(tmp_path / "state", Bounds(most=20))
    yard.office.cut()
    for _ in range(40):
        yard.write("decision", "door")
        yard.turn(4)
    yard.turn(COUNT_TURNS)
    yard.office.back()
    yard.turn(20)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    (told,) = yard.told()
    assert sum(told["counts"].values()) + len(yard.arrived()) - 1 == len(yard.made)
    assert yard.arrived("decision") == yard.written("decision")[-10:]
    assert yard.left() == []
    yard.postman.close()
    yard.chain.close()


def test_trouble_with_the_disk_is_told_once_and_passes(
    yard: Yard, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(outbox: Outbox, *_: object, **__: object) -> Any:
        with told(outbox.path):
            raise sqlite3.OperationalError("database or disk is full")

    yard.write("decision")
    with monkeypatch.context() as patch, caplog.at_level(logging.ERROR):
        patch.setattr(Outbox, "waiting", full)
        yard.turn(10)
        assert yard.postman.as_json()["ok"] is False
    assert len(caplog.records) == 1
    yard.turn(10)
    assert yard.postman.as_json()["ok"] is True
    assert_all_arrived_in_order(yard)


def test_answers_are_not_forgotten_when_deleting_fails(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(outbox: Outbox, *_: object) -> None:
        with told(outbox.path):
            raise sqlite3.OperationalError("database is locked")

    yard.write("decision", "decision")
    with monkeypatch.context() as patch:
        patch.setattr(Outbox, "delivered", locked)
        yard.turn(10)
    yard.turn(10)
    assert len(yard.office.taken) == 2
    assert yard.left() == []


def test_another_file_in_its_place_is_read_from_its_start(yard: Yard) -> None:
    yard.write("decision", "decision", "decision")
    yard.turn(1)
    yard.chain.close()
    for path in yard.state.glob("journal.db*"):
        path.unlink()
    yard.chain = Chain.open(yard.state)
    yard.made.clear()
    yard.office.taken.clear()
    yard.write("door", "door")
    yard.turn(20)
    assert yard.arrived("door") == yard.written("door")
    assert yard.left() == []


@pytest.fixture
def running(yard: Yard) -> Iterator[Yard]:
    """With a thread, and an office that answers at once."""
    real = yard.office.post

    def post(message: Any) -> Any:
        posted = real(message)
        yard.office.work()
        return posted

    yard.office.post = post  # type: ignore[method-assign]
    yard.postman = Postman(yard.state, yard.office, TOPIC)
    yard.postman.start()
    yield yard
    assert yard.postman.stop()


def test_the_thread_sends_as_soon_as_it_is_woken(running: Yard) -> None:
    time.sleep(0.1)
    running.write("decision")
    started = time.monotonic()
    running.postman.wake()
    while not running.office.taken:
        assert time.monotonic() - started < 5
        time.sleep(0.001)
    assert time.monotonic() - started < 0.5


def test_the_end_comes_soon_and_leaves_nothing_to_be_sent_twice(running: Yard) -> None:
    running.write(*["decision"] * 10)
    running.postman.wake()
    while len(running.office.taken) < 10:
        time.sleep(0.005)
    started = time.monotonic()
    assert running.postman.stop()
    assert time.monotonic() - started < 2
    assert running.left() == []


def test_the_end_comes_soon_without_answers_too(yard: Yard) -> None:
    yard.office.is_half_open = True
    yard.write("decision")
    worker = Postman(yard.state, yard.office, TOPIC)
    worker.start()
    while not yard.office.most_under_way:
        time.sleep(0.005)
    started = time.monotonic()
    assert worker.stop()
    assert time.monotonic() - started < 2
    assert len(yard.left()) == 1


def test_real_events_are_letters(yard: Yard) -> None:
    made = [letter(LockdownEvent(on=True)), letter(DeviceEvent(what="started", version="1"))]
    yard.chain.append([replace(yard.stamp.draft("start", {}), letters=tuple(made))])
    yard.turn(10)
    assert yard.arrived() == [one.id for one in made]
