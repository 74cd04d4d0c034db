"""Over real sockets: mosquitto, its death and return, half-open links, TLS, and the embedded 3.1.1 broker."""

from __future__ import annotations

import logging
import os
import pwd
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from faceedge.chaos.proxy import SwallowingProxy
from faceedge.config import Broker
from faceedge.door.broker import LocalBroker, local_broker
from faceedge.door.channels import channel_of
from faceedge.door.connection import Message, Session
from faceedge.door.mqtt import MqttClient
from faceedge.door.uplink import Uplink
from tests.door.certificates import Files, write_certificates
from tests.door.conftest import ADDRESS
from tests.door.running import Running, until
from tests.door.sniffer import Sniffer, check
from tests.fakes.clock import FakeClock

RETURN_S = 5.0
"""Decisions resume within this after the broker's return."""


def settings(broker: LocalBroker | SwallowingProxy) -> Broker:
    return Broker(host=broker.host, port=broker.port)


def uplink_of(broker: Broker) -> Uplink:
    return Uplink(broker, "dev")


def nothing(*_: object) -> None:
    """Takes what it is told."""


def tls_lines(files: Files) -> str:
    """For mosquitto's configuration. It would leave root, and could not read our files any more."""
    user = pwd.getpwuid(os.getuid()).pw_name
    return f"user {user}\ncafile {files.authority}\ncertfile {files.certificate}\nkeyfile {files.key}"


@pytest.mark.broker
def test_a_grant_crosses_mosquitto_and_its_verdict_returns(real_broker: LocalBroker) -> None:
    with Running(settings(real_broker), settings(real_broker)) as running:
        running.open("one")
        running.open("two")
        assert running.opened == 2
        assert running.uplink.protocol == running.controller.protocol == "5"
        until(lambda: "closed" in [event.event for event in running.events])


@pytest.mark.broker
def test_a_clean_leave_says_offline_and_is_quick(real_broker: LocalBroker) -> None:
    with Sniffer(settings(real_broker)) as sniffer:
        with Running(settings(real_broker), settings(real_broker)) as running:
            running.ready()
            until(lambda: sniffer.payloads("/availability") == [b"online"])
            start = time.monotonic()
        assert time.monotonic() - start < 2.0
        until(lambda: sniffer.payloads("/availability") == [b"online", b"offline"])
        until(lambda: b'"offline"' in sniffer.payloads("/status")[-1])
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("mqtt")]


@pytest.mark.broker
def test_offline_is_published_and_acknowledged_and_not_left_to_the_will(real_broker: LocalBroker) -> None:
    """Each last word is another one here, so that the two can be told apart."""
    words = (Message("farewell", word, qos=1, retain=True) for word in (b"the will", b"the last word"))
    with Sniffer(settings(real_broker)) as sniffer:
        client = MqttClient(settings(real_broker), Session("leaver", (), lambda: next(words), nothing, nothing))
        client.start()
        assert client.wait_connected(5)
        client.stop()
        until(lambda: bool(sniffer.payloads("farewell")))
    assert sniffer.payloads("farewell") == [b"the last word"]


@pytest.mark.broker
def test_what_is_retained_is_published_again_when_the_broker_has_lost_it(real_broker: LocalBroker) -> None:
    uplink = uplink_of(settings(real_broker))
    uplink.retain("faceedge/dev/state", b"early")  # not connected yet
    uplink.start()
    assert uplink.wait_connected(5)
    uplink.retain("faceedge/dev/state", b"late")
    real_broker.kill()
    until(lambda: not uplink.connected)
    real_broker.start()
    until(lambda: uplink.connected)
    with Sniffer(settings(real_broker)) as sniffer:
        until(lambda: sniffer.payloads("/state") == [b"late"])
        until(lambda: sniffer.payloads("/availability") == [b"online"])
        assert all(message.retain for message in sniffer.heard)
        uplink.stop()


@pytest.mark.broker
def test_what_the_broker_remembers_is_not_looked_at_but_for_a_status(real_broker: LocalBroker) -> None:
    heard: list[tuple[str, bytes]] = []
    names = ("challenge", "verdict", "status")
    topics = [ADDRESS.topic("challenge"), ADDRESS.topic("verdict"), ADDRESS.topic("status")]
    talker = MqttClient(settings(real_broker), Session("talker", (), lambda: None, nothing, nothing))
    talker.start()
    assert talker.wait_connected(5)
    for topic in topics:
        assert talker.publish(Message(topic, b"of the past", qos=1, retain=True))
    uplink = Uplink(settings(real_broker), ADDRESS.device)
    for name, topic in zip(names, topics, strict=True):
        uplink.subscribe(topic, 1, partial(lambda name, wire: heard.append((name, wire)), name))
    with Sniffer(settings(real_broker)) as sniffer:
        until(lambda: len(sniffer.heard) == len(topics))
        uplink.start()
        until(lambda: bool(heard))
        for topic in topics:
            talker.publish(Message(topic, b"of now", qos=1))
        until(lambda: len(heard) >= 4)
    uplink.stop()
    talker.stop()
    assert heard[0] == ("status", b"of the past")
    assert heard[1:] == [(name, b"of now") for name in names]


@pytest.mark.broker
def test_a_device_that_cannot_say_its_last_word_leaves_it_to_its_will(
    real_broker: LocalBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[bytes] = []
    topics = (("faceedge/dev/availability", 1),)
    listener = MqttClient(
        settings(real_broker), Session("ear", topics, lambda: None, nothing, lambda _, word: heard.append(word))
    )
    listener.start()
    uplink = uplink_of(settings(real_broker))
    uplink.start()
    until(lambda: heard[-1:] == [b"online"])
    monkeypatch.setattr(uplink._mqtt, "_send", lambda *_: None)  # as a link does that takes no more bytes
    start = time.monotonic()
    uplink.stop()
    assert time.monotonic() - start < 2.0
    until(lambda: heard[-1:] == [b"offline"], within_s=3)
    listener.stop()


@pytest.mark.broker
def test_a_huge_message_does_not_even_reach_the_device(real_broker: LocalBroker) -> None:
    heard: list[int] = []
    uplink = uplink_of(settings(real_broker))
    uplink.subscribe("faceedge/dev/cmd/ping", 1, lambda wire: heard.append(len(wire)))
    uplink.start()
    talker = MqttClient(settings(real_broker), Session("talker", (), lambda: None, nothing, nothing))
    talker.start()
    assert talker.wait_connected(5)
    assert uplink.wait_connected(5)
    for size in (1_000_000, 5_000, 1111):
        until(lambda size=size: talker.publish(Message("faceedge/dev/cmd/ping", bytes(size), qos=1)))  # type: ignore[misc]
    until(lambda: bool(heard))
    assert heard == [1111]
    assert uplink.connected
    uplink.stop()
    talker.stop()


@pytest.mark.broker
def test_a_huge_message_does_not_even_reach_the_controller(
    real_broker: LocalBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    genuine = MqttClient._on_message

    def heard(client: MqttClient, paho: Any, userdata: Any, message: Any) -> None:
        sizes.append(len(message.payload))
        genuine(client, paho, userdata, message)

    monkeypatch.setattr(MqttClient, "_on_message", heard)
    with Running(settings(real_broker), settings(real_broker)) as running:
        running.ready()
        for size in (1_000_000, 5_000):
            until(lambda size=size: running.uplink.publish(Message(ADDRESS.topic("grant"), bytes(size))))  # type: ignore[misc]
        running.open("one")
    assert max(sizes) < 600


@pytest.mark.broker
def test_all_that_passes_between_a_device_and_a_controller_is_as_the_contract_says(real_broker: LocalBroker) -> None:
    with Sniffer(settings(real_broker)) as sniffer:
        with Running(settings(real_broker), settings(real_broker)) as running:
            running.open("one")
            until(lambda: "closed" in [event.event for event in running.events])
            running.link.publish_decision({"outcome": "grant", "reason": "match", "band": "trusted"})
            until(lambda: bool(sniffer.payloads("/decision")))
        until(lambda: sniffer.payloads("/availability") == [b"online", b"offline"])
    check(sniffer.heard)
    kinds = {channel.topic for message in sniffer.heard if (channel := channel_of(message.topic))}
    door = {f"door/<door>/<controller>/{name}" for name in ("challenge", "grant", "verdict", "status")}
    assert kinds == door | {"availability", "decision"}


@pytest.mark.broker
def test_a_broken_connection_lets_the_broker_say_offline(real_broker: LocalBroker) -> None:
    with Sniffer(settings(real_broker)) as sniffer, SwallowingProxy(real_broker.host, real_broker.port) as proxy:
        uplink = uplink_of(settings(proxy))
        uplink.start()
        until(lambda: sniffer.payloads("/availability") == [b"online"])
        proxy.close()
        until(lambda: sniffer.payloads("/availability")[1:2] == [b"offline"])
        uplink.stop()


@pytest.mark.broker
@pytest.mark.system
def test_a_killed_broker_loses_grants_delivers_none_late_and_the_door_returns_within_five_seconds(
    real_broker: LocalBroker,
) -> None:
    with Running(settings(real_broker), settings(real_broker)) as running:
        running.open("before")
        running.ready()
        real_broker.kill()
        refusals = []
        for turn in range(25):  # a face stays before the door all the while
            refusals.append(running.send(f"outage {turn}", ttl_ms=200))
            running.link.sweep()
            time.sleep(0.04)
        assert refusals[-1] == "offline"
        real_broker.start()
        running.ready(within_s=RETURN_S)
        assert running.opened == 1
        running.open("after")
        running.link.sweep()
        late = [verdict for verdict in running.verdicts if verdict[0].startswith("outage") and verdict[1] != "lost"]
        assert late == []
        assert running.opened == 2


@pytest.mark.broker
def test_bytes_held_on_a_half_open_link_arrive_late_and_open_nothing(
    real_broker: LocalBroker, clock: FakeClock
) -> None:
    with (
        SwallowingProxy(real_broker.host, real_broker.port) as proxy,
        Running(settings(proxy), settings(real_broker), clock) as running,
    ):
        running.open("before")
        running.ready()
        proxy.hold()
        assert running.uplink.connected, "connected is no proof"
        assert running.send("held") is None
        until(lambda: proxy.swallowed > 0)
        clock.advance(10.0)
        running.link.sweep()
        assert running.verdicts[-1] == ("held", "lost", "no verdict")
        assert running.send("stale") == "no fresh challenge"
        proxy.release()
        until(lambda: "refused" in [event.event for event in running.events])
        assert running.opened == 1
        running.open("after")
        assert running.opened == 2


@pytest.mark.broker
def test_bytes_swallowed_on_a_half_open_link_are_gone_and_the_door_returns(
    real_broker: LocalBroker, clock: FakeClock
) -> None:
    with (
        SwallowingProxy(real_broker.host, real_broker.port) as proxy,
        Running(settings(proxy), settings(real_broker), clock) as running,
    ):
        running.ready()
        proxy.swallow()
        assert running.send("swallowed") is None
        until(lambda: proxy.swallowed > 0)
        clock.advance(10.0)
        running.link.sweep()
        assert running.verdicts == [("swallowed", "lost", "no verdict")]
        proxy.release()
        running.open("after")
        assert running.opened == 1


@pytest.mark.broker
def test_a_controller_on_a_half_open_link_opens_nothing_late_either(real_broker: LocalBroker, clock: FakeClock) -> None:
    with (
        SwallowingProxy(real_broker.host, real_broker.port) as proxy,
        Running(settings(real_broker), settings(proxy), clock) as running,
    ):
        running.ready()
        proxy.hold()
        assert running.send("held") is None
        until(lambda: proxy.swallowed > 0)
        clock.advance(10.0)
        running.link.sweep()
        proxy.release()
        until(lambda: "refused" in [event.event for event in running.events])
        assert running.opened == 0
        running.open("after")


@pytest.mark.broker
@pytest.mark.system
def test_a_link_that_takes_no_bytes_refuses_more_and_throws_its_queue_away(real_broker: LocalBroker) -> None:
    """A peer that stops reading: the socket fills, then nothing is queued to arrive when it reads again."""
    with SwallowingProxy(real_broker.host, real_broker.port) as proxy:
        session = Session("talker", (), lambda: Message("t", b"bye"), lambda: None, lambda topic, payload: None)
        client = MqttClient(settings(proxy), session)
        client.start()
        assert client.wait_connected(5)
        proxy.hold()
        until(lambda: not client.publish(Message("t", b"x" * 200_000)))
        until(lambda: not client.connected, within_s=5.0)
        client.stop()


@pytest.mark.broker
def test_a_door_opens_over_tls(tmp_path: Path) -> None:
    files = write_certificates(tmp_path)
    with local_broker(kind="mosquitto", extra=tls_lines(files)) as broker:
        trusting = Broker(host="localhost", port=broker.port, tls=True, ca_file=files.authority)
        with Running(trusting, trusting) as running:
            running.open("over TLS")


@pytest.mark.broker
def test_a_broker_that_wants_a_certificate_gets_ours_and_without_one_a_line_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = write_certificates(tmp_path)
    with local_broker(kind="mosquitto", extra=f"{tls_lines(files)}\nrequire_certificate true") as broker:
        bare = Broker(host="localhost", port=broker.port, tls=True, ca_file=files.authority)
        mutual = bare.model_copy(update={"cert_file": files.certificate, "key_file": files.key})
        with Running(mutual, mutual) as running:
            running.open("both sides known")
        caplog.clear()
        uplink = uplink_of(bare)
        uplink.start()
        until(lambda: bool(caplog.records))
        uplink.stop()
    assert "does it want another client certificate?" in caplog.records[0].getMessage()


@pytest.mark.system
def test_the_embedded_broker_refuses_version_5_and_is_spoken_to_in_3_1_1(caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("amqtt")
    caplog.set_level(logging.ERROR)
    with (
        local_broker(kind="amqtt") as broker,
        Running(settings(broker), settings(broker)) as running,
    ):
        running.open("one")
        assert running.uplink.protocol == running.controller.protocol == "3.1.1"
        running.open("two")
    assert caplog.records == []
