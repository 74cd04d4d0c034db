"""The thread that carries orders out: one at a time, from the broker or the command line, and each is told of."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from faceedge.errors import BadInput, StoreError
from faceedge.health.starts import Moment
from faceedge.jobs import swap_line
from faceedge.jobs.on_trial import read_trials
from faceedge.jobs.site import Site
from faceedge.jobs.swap_line import (
    PROGRESS,
    WANTED,
    Progress,
    ask,
    follow,
    held,
    is_running,
    read_progress,
    take,
    write_progress,
)
from faceedge.jobs.swap_order import Order
from faceedge.jobs.swapper import BUSY, ENDED, Swapper
from faceedge.models.active import standing
from tests.jobs.swap_site import NEW, OLD, START, FakeHost, made, site

__all__ = ["made", "site"]
WAIT_S = 20


class Desk:
    """A swapper whose rounds the test makes. noted: for the journal."""

    def __init__(self, site: Site, failing: str = "", verdict: str = "") -> None:
        self.site = site
        self.host = FakeHost(site, failing, verdict)
        self.noted: list[dict[str, Any]] = []
        self.has_ended = threading.Event()
        self.news = 0
        self.seconds = 0.0
        self.swapper = Swapper(
            site, self.host, self._note, self._hear, clock=lambda: self.seconds,
            moment=lambda: Moment("boot", START.seconds + self.seconds),
        )  # fmt: skip

    def _note(self, body: dict[str, Any]) -> None:
        self.noted.append(body)
        self.has_ended.set()

    def _hear(self) -> None:
        self.news += 1


@pytest.fixture
def desk(site: Site) -> Iterator[Desk]:
    made = Desk(site)
    yield made
    made.swapper.stop()
    made.host.close()


def test_an_order_is_carried_out_told_and_noted_with_whoever_gave_it(desk: Desk) -> None:
    name = desk.swapper.submit(Order(name=NEW, by="mqtt:k1"))
    desk.swapper.turn()
    assert standing("recognizer", desk.site.state).active == NEW
    (body,) = desk.noted
    assert (body["done"], body["package"], body["before"], body["by"]) == ("activated", NEW, OLD, "mqtt:k1")
    told = desk.swapper.as_json()
    assert told is not None
    assert (told["id"], told["step"], told["done"], told["ok"], told["role"]) == (
        name, "retire", True, True, "recognizer",
    )  # fmt: skip
    assert desk.news >= 5, "each step is news"


def test_a_failure_is_noted_with_its_step_and_the_old_one_serves(site: Site) -> None:
    desk = Desk(site, failing="switch")
    desk.swapper.submit(Order(name=NEW))
    desk.swapper.turn()
    (body,) = desk.noted
    assert (body["done"], body["step"], body["why"]) == ("failed", "switch", "switch fails")
    told = desk.swapper.as_json()
    assert told is not None
    assert (told["done"], told["ok"], told["why"]) == (True, False, "switch fails")
    assert standing("recognizer", site.state).active == OLD
    desk.host.close()


def test_what_a_trial_has_shown_is_noted_for_whoever_is_refused_and_whoever_serves(site: Site) -> None:
    desk = Desk(site, verdict="too slow")
    for _ in range(2):
        desk.swapper.submit(Order(name=NEW, shadow_s=60))
        desk.swapper.turn()
        desk.host.verdict = ""
    assert [(body["done"], body["report"]) for body in desk.noted] == [
        ("failed", {"shadow": {"agreement": 0.98}}), ("activated", {"shadow": {"agreement": 0.98}}),
    ]  # fmt: skip
    desk.host.close()


def test_a_fault_of_ours_ends_one_order_and_not_the_thread(desk: Desk) -> None:
    def fault(call: str) -> None:
        raise ZeroDivisionError(call)

    desk.host.at = fault
    desk.swapper.submit(Order(name=NEW))
    desk.swapper.turn()
    assert "internal fault: ZeroDivisionError" in desk.noted[0]["why"]
    desk.host.at = lambda call: None
    desk.swapper.submit(Order(name=NEW))
    desk.swapper.turn()
    assert desk.noted[1]["done"] == "activated"


def test_what_cannot_be_noted_is_not_done_again(desk: Desk) -> None:
    def refuse(body: dict[str, Any]) -> None:
        raise BadInput("too long for the journal")

    desk.swapper._note = refuse
    desk.swapper.submit(Order(name=NEW))
    with pytest.raises(BadInput):
        desk.swapper.turn()
    calls = list(desk.host.calls)
    desk.swapper.turn()
    assert desk.host.calls == calls
    told = desk.swapper.as_json()
    assert told is not None
    assert (told["done"], told["ok"]) == (True, True)


def test_there_is_one_order_at_a_time(desk: Desk) -> None:
    desk.swapper.submit(Order(name=NEW))
    with pytest.raises(BadInput, match="under way"):
        desk.swapper.submit(Order(name=OLD))
    assert desk.swapper.accept(Order(name=OLD)) == BUSY


def test_who_asks_over_the_broker_is_answered_once_it_is_verified_and_not_at_the_end(desk: Desk) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def wait(call: str) -> None:
        begun.set()
        assert go_on.wait(WAIT_S)

    desk.host.at = wait
    desk.swapper.start()
    assert desk.swapper.accept(Order(name=NEW)) == ""
    assert begun.wait(WAIT_S)
    told = desk.swapper.as_json()
    assert told is not None
    assert (told["step"], told["done"]) == ("prepare", False)
    go_on.set()
    assert desk.has_ended.wait(WAIT_S)
    assert desk.noted[0]["done"] == "activated"


def test_who_asks_for_what_may_not_serve_is_told_why(desk: Desk) -> None:
    desk.swapper.start()
    assert "no model package 'nobody'" in desk.swapper.accept(Order(name="nobody"))
    assert desk.swapper.accept(Order(name=OLD)) == "", "it serves already"
    desk.swapper.stop()
    assert desk.swapper.accept(Order(name=NEW)) == BUSY


def test_who_waits_when_the_daemon_ends_is_told_so(desk: Desk) -> None:
    answers: list[str] = []
    thread = threading.Thread(target=lambda: answers.append(desk.swapper.accept(Order(name=NEW))))
    thread.start()
    while desk.swapper.as_json() is None:
        thread.join(0.01)
    desk.swapper.stop()
    thread.join(WAIT_S)
    assert answers == [ENDED]


def test_after_ten_minutes_nobody_is_on_trial_and_what_nobody_needs_goes(site: Site) -> None:
    desk = Desk(replace(site, models=site.models.model_copy(update={"keep": 1})))
    for name in (NEW, OLD, NEW):
        desk.swapper.submit(Order(name=name))
        desk.swapper.turn()
    desk.seconds = 599
    desk.swapper.turn()
    assert read_trials(site.state).roles
    desk.seconds = 600
    desk.swapper.turn()
    assert read_trials(site.state).roles == {}
    assert len(desk.noted) == 3, "the one before is kept"
    desk.host.close()


def test_a_wish_of_the_command_line_is_carried_out_and_followed_to_its_end(desk: Desk) -> None:
    with held(desk.site.state):
        name = ask(Order(name=NEW), desk.site.state)
        desk.swapper.turn()
        seen: list[Progress] = []
        end = follow(name, desk.site.state, seen.append)
    assert (end.ok, end.outcome["package"], end.outcome["changed"]) == (True, NEW, True)
    assert not (desk.site.state / "models" / WANTED).exists()
    assert (desk.site.state / "models" / PROGRESS).stat().st_mode & 0o777 == 0o600
    assert desk.noted[0]["by"] == "cli"


def test_a_second_wish_waits_for_the_end_of_the_first(desk: Desk) -> None:
    ask(Order(name=NEW), desk.site.state)
    with pytest.raises(BadInput, match="another swap is under way"):
        ask(Order(name=OLD), desk.site.state)
    take(desk.site.state)
    write_progress(Progress(id="0" * 16, step="prepare"), desk.site.state)
    with pytest.raises(BadInput, match="another swap is under way"):
        ask(Order(name=OLD), desk.site.state)


def test_a_swap_that_a_daemon_did_not_live_to_end_is_told_by_the_next(desk: Desk) -> None:
    write_progress(Progress(id="0" * 16, name=NEW, step="prepare"), desk.site.state)
    ask_for(desk.site.state, {"id": "1" * 16, "name": OLD})
    desk.swapper.start()
    left = read_progress(desk.site.state)
    assert left is not None
    assert (left.done, left.ok, left.why) == (True, False, ENDED)
    desk.swapper.stop()
    told = [(one["done"], one["role"], one["package"], one["step"], one["why"]) for one in desk.noted]
    assert told == [("failed", "recognizer", NEW, "prepare", ENDED)], "and no old wish is taken up"


def test_whoever_follows_learns_that_the_daemon_has_gone(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="the daemon has ended before the swap has"):
        follow("0" * 16, tmp_path, lambda _: None)


@pytest.mark.parametrize(
    "wish",
    [
        b"{", b"[]", b"\xff" * (1 << 17), b'{"id": "x", "name": "y"}',
        json.dumps({"id": "1" * 16, "name": NEW, "canary": 2}).encode(),
        json.dumps({"id": "1" * 16, "name": NEW, "by": "mqtt:k1"}).encode(),
        json.dumps({"id": "1" * 16}).encode(),
    ],
)  # fmt: skip
def test_what_is_no_order_is_deleted_and_nothing_else_happens(desk: Desk, wish: bytes) -> None:
    path = desk.site.state / "models" / WANTED
    path.write_bytes(wish)
    desk.swapper.turn()
    assert not path.exists()
    assert desk.swapper.as_json() is None


def test_a_link_is_no_wish(desk: Desk, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text(json.dumps({"id": "1" * 16, "name": NEW}))
    (desk.site.state / "models" / WANTED).symlink_to(other)
    desk.swapper.turn()
    assert desk.swapper.as_json() is None
    assert other.exists()
    assert not (desk.site.state / "models" / WANTED).is_symlink(), "nor is it looked at every second"


def test_a_daemon_is_known_by_its_lock_and_a_second_one_runs_all_the_same(tmp_path: Path) -> None:
    assert not is_running(tmp_path)
    with held(tmp_path):
        assert is_running(tmp_path)
        with held(tmp_path):
            assert is_running(tmp_path)
        assert is_running(tmp_path)
    assert not is_running(tmp_path)
    assert (tmp_path / swap_line.LOCK).stat().st_mode & 0o777 == 0o600


def ask_for(state: Path, wish: dict[str, Any]) -> None:
    (state / "models" / WANTED).write_text(json.dumps(wish))
