"""The client against brokers that refuse, keep silent or change their mind."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from faceedge.config import Broker
from faceedge.door import mqtt
from faceedge.door.connection import Message, Session
from faceedge.door.mqtt import MqttClient
from tests.door.running import until
from tests.fakes.scripted_broker import (
    ACCEPT_4,
    ACCEPT_5,
    NOT_AUTHORISED_5,
    REFUSE_5,
    REFUSE_OLD_STYLE,
    SILENCE,
    ScriptedBroker,
)


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in (("RETRY_MIN_S", 0.0), ("RETRY_MAX_S", 0.02), ("CONNECT_S", 0.15), ("LOOP_S", 0.01)):
        monkeypatch.setattr(mqtt, name, seconds)


def session(on_up: Callable[[], None] = lambda: None) -> Session:
    return Session("test", (("t", 0),), lambda: Message("will", b"offline", 1, True), on_up, lambda _topic, _wire: None)


@contextmanager
def client_of(script: Sequence[bytes]) -> Iterator[tuple[MqttClient, ScriptedBroker]]:
    with ScriptedBroker(script) as broker:
        client = MqttClient(Broker(host=broker.host, port=broker.port), session())
        client.start()
        try:
            yield client, broker
        finally:
            client.stop()


@pytest.mark.parametrize("refusal", [REFUSE_5, REFUSE_OLD_STYLE])
def test_a_broker_that_refuses_version_5_from_the_start_is_spoken_to_in_3_1_1(refusal: bytes) -> None:
    with client_of([refusal, ACCEPT_4]) as (client, broker):
        until(lambda: broker.levels[:3] == [5, 4, 4])
        assert client.protocol == "3.1.1"


@pytest.mark.parametrize("refusal", [REFUSE_5, REFUSE_OLD_STYLE])
def test_a_broker_that_has_spoken_version_5_is_never_asked_for_less(refusal: bytes) -> None:
    with client_of([ACCEPT_5, refusal]) as (client, broker):
        until(lambda: len(broker.levels) > 5)
        assert set(broker.levels) == {5}
        assert client.protocol == "5"


@pytest.mark.parametrize("script", [[NOT_AUTHORISED_5], [SILENCE], [SILENCE, NOT_AUTHORISED_5, SILENCE]])
def test_silence_or_another_refusal_never_lowers_the_version(script: list[bytes]) -> None:
    with client_of(script) as (client, broker):
        until(lambda: len(broker.levels) > 5)
        assert set(broker.levels) == {5}
        assert not client.connected


def test_a_broker_that_only_answers_a_bare_connect_is_asked_so_after_its_silence() -> None:
    with client_of([SILENCE, REFUSE_OLD_STYLE, ACCEPT_4]) as (_, broker):
        until(lambda: 4 in broker.levels)
        assert broker.levels[:2] == [5, 5]


def test_nothing_is_accepted_before_the_broker_has_answered() -> None:
    with client_of([SILENCE]) as (client, broker):
        until(lambda: len(broker.levels) > 0)
        assert not client.publish(Message("t", b"x"))


def test_a_handler_that_fails_costs_a_reconnect_and_not_the_thread(caplog: pytest.LogCaptureFixture) -> None:
    calls = threading.Semaphore(0)

    def broken() -> None:
        calls.release()
        raise RuntimeError("broken handler")

    with ScriptedBroker([ACCEPT_5]) as broker:
        client = MqttClient(Broker(host=broker.host, port=broker.port), session(broken))
        client.start()
        assert calls.acquire(timeout=5)
        assert calls.acquire(timeout=5)
        client.stop()


def test_a_birth_is_not_lost_when_the_machine_stalls_as_the_broker_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[bool] = []
    genuine = MqttClient._on_connect

    def late(client: MqttClient, *rest: Any) -> None:
        time.sleep(1.2 * mqtt.SLOW_S)
        genuine(client, *rest)

    monkeypatch.setattr(MqttClient, "_on_connect", late)
    birth = Message("availability", b"online", 1, True)
    with ScriptedBroker([ACCEPT_5]) as broker:
        client = MqttClient(
            Broker(host=broker.host, port=broker.port), session(lambda: taken.append(client.publish(birth)))
        )
        client.start()
        until(lambda: bool(taken))
        client.stop()
    assert taken[0]


def test_a_client_that_never_reaches_a_broker_stops_in_time() -> None:
    client = MqttClient(Broker(host="127.0.0.1", port=1), session())
    client.start()
    client.stop()
    assert not client._thread.is_alive()


def test_a_client_that_was_stopped_while_a_name_was_looked_up_says_nothing_any_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked, known, genuine = threading.Event(), threading.Event(), socket.getaddrinfo

    def slowly(_host: str, *rest: Any, **more: Any) -> Any:
        asked.set()
        assert known.wait(10)
        return genuine("127.0.0.1", *rest, **more)

    with ScriptedBroker([ACCEPT_5]) as broker:
        monkeypatch.setattr(socket, "getaddrinfo", slowly)
        client = MqttClient(Broker(host="broker.example", port=broker.port, insecure=True), session())
        client.start()
        assert asked.wait(10)
        client.stop()
        known.set()
        client._thread.join(10)
        assert not client._thread.is_alive()
    assert broker.levels == []


def test_pauses_are_random_and_stay_within_two_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    pauses = [mqtt._pause_s(failures) for failures in range(50)]
    assert all(0.25 <= pause <= 2.0 for pause in pauses)
    assert len(set(pauses)) > 40
