"""The thread that builds engines: one after the other, told, ended at once; made-up builds in place of TensorRT."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from faceedge.errors import EngineError
from faceedge.jobs.build_engines import Builder, Ending, Share, Wish
from faceedge.manifest import Role

Build = Callable[[Share, Ending], Mapping[str, Any]]


class Listener:
    """What a builder told. `wait(n)` returns when it has told n things."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self._more = threading.Condition()

    def __call__(self, body: dict[str, Any]) -> None:
        with self._more:
            self.told.append(body)
            self._more.notify_all()

    def wait(self, count: int) -> list[dict[str, Any]]:
        with self._more:
            assert self._more.wait_for(lambda: len(self.told) >= count, 10)
        return self.told


def wish(build: Build, role: Role = "detector") -> Wish:
    return Wish(role, f"{role}@1", "no engine has been built yet", {"precision": "fp16"}, build)


def test_what_was_wished_is_built_in_order_one_at_a_time_and_told() -> None:
    listener, running, seen = Listener(), [0], []

    def build(name: str) -> Build:
        def run(share: Share, ending: Ending) -> Mapping[str, Any]:
            running[0] += 1
            assert running[0] == 1
            share(0.5)
            seen.append((name, threading.current_thread().name))
            running[0] -= 1
            return {"notes": [name]}

        return run

    builder = Builder(listener, clock=lambda: 7.0)
    builder.wish(wish(build("a")))
    builder.wish(wish(build("b"), "recognizer"))
    builder.start()
    told = listener.wait(4)
    builder.stop()
    assert seen == [("a", "engine builds"), ("b", "engine builds")]
    assert [(one["role"], one["done"]) for one in told] == [
        ("detector", "begun"), ("detector", "serves"), ("recognizer", "begun"), ("recognizer", "serves"),
    ]  # fmt: skip
    assert told[1] == {
        "role": "detector", "package": "detector@1", "precision": "fp16", "done": "serves", "why": "", "notes": ["a"],
        "seconds": 0.0,
    }  # fmt: skip
    assert builder.notices() == []


def test_a_notice_says_how_far_a_build_is_and_why_it_failed() -> None:
    listener, halfway, go_on = Listener(), threading.Event(), threading.Event()

    def build(share: Share, ending: Ending) -> Mapping[str, Any]:
        share(0.42)
        halfway.set()
        assert go_on.wait(10)
        raise EngineError("no memory; stop cameras")

    builder = Builder(listener)
    builder.wish(wish(build))
    assert builder.notices() == ["detector@1 runs on ONNX Runtime until its engine is built"]
    builder.start()
    assert halfway.wait(10)
    assert builder.notices() == ["detector@1 runs on ONNX Runtime until its engine is built (42%)"]
    go_on.set()
    assert listener.wait(2)[1]["why"] == "no memory; stop cameras"
    assert builder.notices() == [
        "detector@1 runs on ONNX Runtime as no engine could be built: no memory; stop cameras"
    ]  # fmt: skip
    builder.stop()


def test_one_failure_even_an_unforeseen_one_does_not_keep_the_next_from_being_built() -> None:
    def fails(share: Share, ending: Ending) -> Mapping[str, Any]:
        raise ZeroDivisionError

    listener = Listener()
    builder = Builder(listener)
    builder.wish(wish(fails))
    builder.wish(wish(lambda share, ending: {}, "recognizer"))
    builder.start()
    told = listener.wait(4)
    builder.stop()
    assert [one["done"] for one in told] == ["begun", "failed", "begun", "serves"]
    assert told[1]["why"] == "internal fault: ZeroDivisionError"


def test_stop_calls_off_the_build_under_way_and_begins_no_other() -> None:
    listener, begun, called_off = Listener(), threading.Event(), threading.Event()

    def build(share: Share, ending: Ending) -> Mapping[str, Any]:
        with ending.calls(called_off.set):
            begun.set()
            assert called_off.wait(10)
        raise EngineError("cancelled")

    builder = Builder(listener)
    builder.wish(wish(build))
    builder.wish(wish(build, "recognizer"))
    builder.start()
    assert begun.wait(10)
    builder.stop()
    assert [one["done"] for one in listener.told] == ["begun"], "an end that was asked for is no failure"
    assert "engine builds" not in [thread.name for thread in threading.enumerate()]


def test_an_ending_that_was_set_before_is_heard_at_once_and_not_after_the_block() -> None:
    ending, calls = Ending(), []
    with ending.calls(lambda: calls.append("early")):
        pass
    ending.set()
    assert calls == []
    with ending.calls(lambda: calls.append("late")):
        pass
    assert calls == ["late"]


def test_a_builder_without_wishes_starts_no_thread_and_stops() -> None:
    builder = Builder(Listener())
    builder.start()
    builder.stop()
    assert builder.notices() == []


def test_a_chore_comes_first_and_one_that_fails_ends_the_thread() -> None:
    listener, told_before, failed = Listener(), [], threading.Event()

    def fail() -> None:
        failed.set()
        raise EngineError("the device is lost")

    builder = Builder(listener)
    builder.wish(wish(lambda share, ending: {}))
    builder.first(lambda: told_before.append(len(listener.told)))
    builder.start()
    listener.wait(2)
    assert told_before == [0]
    builder.stop()

    other = Builder(listener := Listener())
    other.wish(wish(lambda share, ending: {}))
    other.first(fail)
    other.start()
    assert failed.wait(10)
    other.stop()
    assert listener.told == []


def serves(share: Share, ending: Ending) -> Mapping[str, Any]:
    return {}


def waits_for(event: threading.Event) -> Build:
    def build(share: Share, ending: Ending) -> Mapping[str, Any]:
        called_off = threading.Event()
        with ending.calls(called_off.set):
            while not event.wait(0.01):
                if called_off.is_set():
                    raise EngineError("cancelled")
        return {}

    return build


def no_thread() -> bool:
    return "engine builds" not in [thread.name for thread in threading.enumerate()]


def test_a_wish_of_later_is_built_after_the_others_and_by_another_thread_when_the_first_has_ended() -> None:
    listener, go_on = Listener(), threading.Event()
    builder = Builder(listener)
    builder.start()
    assert no_thread(), "nothing to build yet"
    for label in ("a@1", "b@1"):
        builder.wish(Wish("recognizer", label, "", {}, waits_for(go_on)))
    listener.wait(1)
    builder.wish(Wish("detector", "c@1", "", {}, waits_for(go_on)))
    go_on.set()
    assert [one["package"] for one in listener.wait(6) if one["done"] == "serves"] == ["a@1", "b@1", "c@1"]
    while not no_thread():
        pass
    later = wish(serves)
    builder.wish(later)
    later.fate.wait(Ending(), lambda _share: None)
    assert len(listener.wait(8)) == 8
    builder.stop()


def test_a_wish_that_is_given_up_is_never_begun_and_one_under_way_ends_untold() -> None:
    listener, never = Listener(), threading.Event()
    builder = Builder(listener)
    wishes = [Wish("detector", label, "", {}, waits_for(never)) for label in ("first@1", "waits@1")]
    last = Wish("detector", "last@1", "", {}, serves)
    for one in (*wishes, last):
        builder.wish(one)
    builder.start()
    listener.wait(1)
    wishes[1].fate.give_up()
    assert [notice.split()[0] for notice in builder.notices()] == ["first@1", "last@1"]
    wishes[0].fate.give_up()
    last.fate.wait(Ending(), lambda _share: None)
    assert [(one["package"], one["done"]) for one in listener.told] == [
        ("first@1", "begun"), ("last@1", "begun"), ("last@1", "serves"),
    ]  # fmt: skip
    assert builder.notices() == []
    with pytest.raises(EngineError, match="called off"):
        wishes[1].fate.wait(Ending(), lambda _share: None)
    builder.stop()


def test_who_waits_hears_every_share_and_then_that_it_serves_or_why_not() -> None:
    heard: list[float] = []
    steps = [threading.Event() for _ in range(2)]

    def build(share: Share, ending: Ending) -> Mapping[str, Any]:
        for done, step in zip((0.3, 0.6), steps, strict=True):
            share(done)
            assert step.wait(10)
        return {}

    def told(share: float) -> None:
        heard.append(share)
        if share in (0.3, 0.6):
            steps[(0.3, 0.6).index(share)].set()

    def fails(share: Share, ending: Ending) -> Mapping[str, Any]:
        raise EngineError("no kernel for this layer")

    builder = Builder(Listener())
    good, bad = wish(build), wish(fails, "recognizer")
    builder.wish(good)
    builder.wish(bad)
    builder.start()
    good.fate.wait(Ending(), told)
    assert [share for share in heard if share] == [0.3, 0.6]
    with pytest.raises(EngineError, match="no kernel for this layer"):
        bad.fate.wait(Ending(), lambda _share: None)
    builder.stop()


def test_who_need_not_wait_any_longer_is_let_go_and_the_build_goes_on() -> None:
    listener, go_on, ending = Listener(), threading.Event(), Ending()
    builder = Builder(listener)
    slow = wish(waits_for(go_on))
    builder.wish(slow)
    builder.start()
    listener.wait(1)
    threading.Timer(0.01, ending.set).start()
    with pytest.raises(EngineError, match="not waited for"):
        slow.fate.wait(ending, lambda _share: None)
    go_on.set()
    assert listener.wait(2)[1]["done"] == "serves"
    builder.stop()


def test_a_stop_and_a_lost_device_let_nobody_wait_for_ever() -> None:
    def lose() -> None:
        raise EngineError("the device is lost")

    stopped, lost = Builder(Listener()), Builder(Listener())
    wishes = [wish(waits_for(threading.Event())) for _ in range(3)]
    stopped.wish(wishes[0])
    stopped.start()
    stopped.stop()
    stopped.wish(wishes[1])
    lost.wish(wishes[2])
    lost.first(lose)
    lost.start()
    for one, why in zip(wishes, ("called off", "called off", "the device is lost"), strict=True):
        with pytest.raises(EngineError, match=why):
            one.fate.wait(Ending(), lambda _share: None)
    assert lost.notices() == ["detector@1 runs on ONNX Runtime as no engine could be built: the device is lost"]
