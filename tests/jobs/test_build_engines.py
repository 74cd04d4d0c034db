"""The thread that builds engines: one after the other, told, ended at once; made-up builds in place of TensorRT."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

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
