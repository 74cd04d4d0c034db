"""Over real sockets: mosquitto, its death and return, half-open links, TLS, and the embedded 3.1.1 broker."""

from __future__ import annotations

import logging
import os
import pwd
import threading
import time
from pathlib import Path

import paho.mqtt.client as paho
import pytest

from faceedge.config import Broker
from faceedge.door.broker import LocalBroker, local_broker
from faceedge.door.connection import Message, Session
from faceedge.door.mqtt import MqttClient
from faceedge.door.uplink import Uplink
from tests.door.certificates import write_certificates
from tests.door.running import Running, until
from tests.fakes.clock import FakeClock
from tests.fakes.swallowing_proxy import SwallowingProxy

RETURN_S = 5.0
"""Decisions resume within this after the broker's return."""


def settings(broker: LocalBroker | SwallowingProxy) -> Broker:
    return Broker(host=broker.host, port=broker.port)


class Listener:
    """Anyone on the broker: keeps the last payload of every topic."""

    def __init__(self, broker: LocalBroker) -> None:
        self.last: dict[str, bytes] = {}
        self.client = paho.Client(paho.CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        self.client.on_message = lambda _client, _userdata, message: self.last.update({message.topic: message.payload})
        self.client.on_connect = lambda client, *_: client.subscribe("#", 1)
        self.client.connect(broker.host, broker.port)
        self.client.loop_start()

    def stop(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


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
    listener = Listener(real_broker)
    with Running(settings(real_broker), settings(real_broker)) as running:
        running.ready()
        until(lambda: listener.last.get("faceedge/dev/availability") == b"online")
        start = time.monotonic()
    assert time.monotonic() - start < 2.0
    until(lambda: listener.last.get("faceedge/dev/availability") == b"offline")
    until(lambda: b'"offline"' in listener.last["faceedge/dev/door/main/inner/status"])
    listener.stop()
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("mqtt")]


@pytest.mark.broker
def test_a_broken_connection_lets_the_broker_say_offline(real_broker: LocalBroker) -> None:
    listener = Listener(real_broker)
    with SwallowingProxy(real_broker.host, real_broker.port) as proxy:
        link = Uplink(settings(proxy), "dev")
        link.start()
        until(lambda: listener.last.get("faceedge/dev/availability") == b"online")
        proxy.close()
        until(lambda: listener.last.get("faceedge/dev/availability") == b"offline")
        link.stop()
    listener.stop()


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
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # paho drops a socket it could not shake
def test_tls_is_spoken_and_a_broker_with_a_strange_certificate_is_not_believed(tmp_path: Path) -> None:
    files = write_certificates(tmp_path)
    user = pwd.getpwuid(os.getuid()).pw_name  # mosquitto would leave root, and could not read our files any more
    extra = f"user {user}\ncafile {files.authority}\ncertfile {files.certificate}\nkeyfile {files.key}"
    with local_broker(kind="mosquitto", extra=extra) as broker:
        trusting = Broker(host="localhost", port=broker.port, tls=True, ca_file=files.authority)
        with Running(trusting, trusting) as running:
            running.open("over TLS")
        doubting = Broker(host="localhost", port=broker.port, tls=True, ca_file=files.stranger)
        link = Uplink(doubting, "dev")
        link.start()
        assert not link.wait_connected(0.5)
        link.stop()


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
