"""Listening to a controller beside the daemon: what is genuine, how regular it is, and what is ignored."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from faceedge.config import Broker
from faceedge.door import probe as probe_module
from faceedge.door.broker import LocalBroker
from faceedge.door.contract import DoorKey
from faceedge.door.controller import Controller
from faceedge.door.probe import Probe
from faceedge.door.verifier import Verifier
from faceedge.errors import LinkError
from tests.door.conftest import ADDRESS, KEY
from tests.fakes.clock import FakeClock
from tests.fakes.memory_mqtt import MemoryBroker

NEW = DoorKey(b"n" * 32)


class Scene:
    """A probe over a broker in memory, and a controller's voice."""

    def __init__(self, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = clock
        self.broker = MemoryBroker()
        monkeypatch.setattr(probe_module, "MqttClient", self.broker.client)
        self.probe = Probe(Broker(), ADDRESS, [KEY, NEW], clock)
        (self.client,) = self.broker.clients
        self.client.start()
        self.voice = Verifier(ADDRESS, [KEY], clock)

    def say(self, topic: str, wire: bytes) -> None:
        self.client.session.on_message(ADDRESS.topic(topic), wire)  # type: ignore[arg-type]

    def ask(self, *gaps: float) -> None:
        for gap in gaps:
            self.clock.advance(gap)
            self.say("challenge", self.voice.challenge())


@pytest.fixture
def scene(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(clock, monkeypatch)


def test_silence_is_told_as_silence(scene: Scene) -> None:
    found = scene.probe.found()
    assert (found.answering, found.challenges, found.kid, found.state, found.rhythm_ms) == (
        False,
        0,
        "",
        "unknown",
        None,
    )


def test_rhythm_jitter_boot_key_and_state_are_told(scene: Scene) -> None:
    scene.say("status", scene.voice.status("locked"))
    scene.ask(0.2, 1.0, 1.04, 0.97, 1.0)
    found = scene.probe.found()
    assert (found.answering, found.challenges, found.boot) == (True, 5, scene.voice.boot)
    assert (found.rhythm_ms, found.jitter_ms) == (1000.0, 40.0)
    assert (found.kid, found.state, found.ignored) == (KEY.kid, "locked", {})


def test_one_challenge_is_an_answer_without_a_rhythm(scene: Scene) -> None:
    scene.ask(1.0)
    found = scene.probe.found()
    assert (found.answering, found.rhythm_ms, found.jitter_ms) == (True, None, None)


def test_a_controller_with_the_new_key_is_known_by_it(scene: Scene) -> None:
    scene.voice = Verifier(ADDRESS, [NEW, KEY], scene.clock)
    scene.ask(1.0)
    assert scene.probe.found().kid == NEW.kid


def test_a_controller_with_another_key_does_not_answer_and_is_counted(scene: Scene) -> None:
    scene.voice = Verifier(ADDRESS, [DoorKey(b"x" * 32)], scene.clock)
    scene.ask(1.0, 1.0)
    found = scene.probe.found()
    assert not found.answering
    assert found.ignored == {"challenge mac": 2}


def test_a_controller_that_has_fallen_silent_does_not_answer(scene: Scene) -> None:
    scene.ask(1.0, 1.0)
    scene.clock.advance(4.0)
    assert not scene.probe.found().answering


def test_a_recorded_status_of_an_earlier_start_is_not_the_state(scene: Scene) -> None:
    scene.say("status", Verifier(ADDRESS, [KEY], scene.clock).status("unlocked"))
    scene.ask(1.0)
    assert scene.probe.found().state == "unknown"


def test_without_a_broker_it_says_where_it_looked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe_module, "CONNECT_S", 0.2)
    with pytest.raises(LinkError, match=r"127\.0\.0\.1:1"), Probe(Broker(port=1), ADDRESS, [KEY]):
        pass


@contextmanager
def running(broker: LocalBroker, *keys: DoorKey) -> Iterator[Controller]:
    """The reference controller on a real broker."""
    controller = Controller(Broker(port=broker.port), ADDRESS, keys, lambda _: None)
    stop = threading.Event()
    thread = threading.Thread(target=controller.run, args=(stop,))
    thread.start()
    try:
        yield controller
    finally:
        stop.set()
        thread.join()


@pytest.mark.broker
def test_one_genuine_grant_opens_a_real_controller_and_the_verdict_is_timed(real_broker: LocalBroker) -> None:
    with running(real_broker, KEY) as controller, Probe(Broker(port=real_broker.port), ADDRESS, [KEY]) as probe:
        answer = probe.open(pulse_ms=100, ttl_ms=1500)
        assert (answer.verdict, answer.why) == ("opened", "")
        assert answer.latency_ms is not None
        assert 0 < answer.latency_ms < 1500
        assert controller.is_open


@pytest.mark.broker
def test_a_grant_to_nobody_is_lost(real_broker: LocalBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe_module, "FRESH_S", 0.1)
    with Probe(Broker(port=real_broker.port), ADDRESS, [KEY]) as probe:
        answer = probe.open(pulse_ms=100, ttl_ms=1500)
    assert (answer.verdict, answer.why, answer.latency_ms) == ("lost", "no fresh challenge", None)
