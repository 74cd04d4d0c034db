"""Rows of the table of failures in docs/door.md: the broker, and the network on either side of it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from faceedge.chaos.proxy import SwallowingProxy
from faceedge.door.broker import LocalBroker, mosquitto
from tests.system.entrance import Entrance, Listener, at, lost
from tests.system.failure_table import Row, executes

pytestmark = [
    pytest.mark.system,
    pytest.mark.broker,
    pytest.mark.skipif(mosquitto() is None, reason="mosquitto is not installed"),
]


@executes("broker-killed")
def test_a_killed_broker_gets_nothing_later(row: Row, broker: LocalBroker, tmp_path: Path) -> None:
    with Entrance(tmp_path, at(broker)) as entrance:
        guard = entrance.guard(at(broker))
        entrance.opens()
        broker.kill()
        lost(entrance, "offline")
        row.shows(entrance.told[-1].verdict or "", entrance.told[-1].why)
        shut = guard.count("opened")
        broker.start()
        entrance.until_ready(row.within_s)
        assert guard.count("opened") == shut, "what was decided in the dark stays in the dark"
        entrance.opens(row.within_s)


@executes("broker-killed-open")
def test_an_open_door_shuts_without_a_broker(row: Row, broker: LocalBroker, tmp_path: Path) -> None:
    with Entrance(tmp_path, at(broker), pulse_ms=700) as entrance:
        guard = entrance.guard(at(broker))
        entrance.opens()
        broker.kill()
        assert guard.count("closed") == 0
        entrance.until(lambda: guard.count("closed"), 1.5)
        row.shows("closed")
        broker.start()
        entrance.opens(row.within_s)


@executes("broker-restarted")
def test_a_broker_without_memory_is_told_anew(row: Row, broker: LocalBroker, tmp_path: Path) -> None:
    with Entrance(tmp_path, at(broker)) as entrance:
        entrance.guard(at(broker))
        entrance.exchange.retain_state(b'{"a":1}')
        entrance.opens()
        broker.stop()
        broker.start()
        entrance.opens(row.within_s)
        with Listener(broker.port) as listener:
            entrance.until(lambda: listener.json("faceedge/dev/state") == {"a": 1})
            entrance.until(lambda: listener.last.get("faceedge/dev/availability") == b"online")
            row.shows("availability", "state", listener.last["faceedge/dev/availability"].decode())


@executes("device-half-open")
def test_a_device_whose_bytes_vanish_loses_grants_and_says_so(row: Row, broker: LocalBroker, tmp_path: Path) -> None:
    with (
        SwallowingProxy(broker.host, broker.port) as proxy,
        Entrance(tmp_path, at(proxy), ttl_ms=400) as entrance,
        Listener(broker.port) as listener,
    ):
        guard = entrance.guard(at(broker))
        entrance.opens()
        shut = guard.count("opened")
        entrance.until_ready()
        proxy.swallow()
        seen = [entrance.decide().why, lost(entrance, "no fresh challenge")]
        entrance.until(lambda: listener.last.get("faceedge/dev/availability") == b"offline")
        row.shows(*seen, listener.last["faceedge/dev/availability"].decode())
        proxy.release()
        entrance.until_ready(row.within_s)
        assert guard.count("opened") == shut
        entrance.opens(row.within_s)


@executes("controller-half-open")
def test_a_controller_whose_bytes_vanish_is_missed(row: Row, broker: LocalBroker, tmp_path: Path) -> None:
    with (
        SwallowingProxy(broker.host, broker.port) as proxy,
        Entrance(tmp_path, at(broker), ttl_ms=400) as entrance,
    ):
        guard = entrance.guard(at(proxy))
        entrance.opens()
        shut = guard.count("opened")
        entrance.until_ready()
        proxy.swallow()
        seen = [entrance.decide().why, lost(entrance, "no fresh challenge")]
        entrance.until(lambda: not entrance.view()["answering"])
        row.shows(*seen, "answering", entrance.view()["answering"], "state")
        proxy.release()
        entrance.until_ready(row.within_s)
        assert guard.count("opened") == shut
        entrance.opens(row.within_s)


@executes("network-late")
def test_a_grant_that_was_held_back_opens_nothing(row: Row, broker: LocalBroker, tmp_path: Path) -> None:
    with (
        SwallowingProxy(broker.host, broker.port) as proxy,
        Entrance(tmp_path, at(broker, keepalive_s=10), ttl_ms=400) as entrance,
    ):
        guard = entrance.guard(at(proxy, keepalive_s=10))
        entrance.opens()
        shut = guard.count("opened")
        entrance.until_ready()
        proxy.hold()
        why = entrance.decide().why
        time.sleep(3)
        proxy.release()
        entrance.until(lambda: guard.count("refused"))
        row.shows(why, "refused", guard.whys("refused")[0])
        assert guard.count("opened") == shut
        entrance.opens(row.within_s)


@executes("way-too-slow")
def test_a_way_slower_than_the_time_to_live_opens_nothing(row: Row, broker: LocalBroker, tmp_path: Path) -> None:
    with (
        SwallowingProxy(broker.host, broker.port) as proxy,
        Entrance(tmp_path, at(broker), ttl_ms=200) as entrance,
    ):
        guard = entrance.guard(at(proxy))
        entrance.opens()
        shut = guard.count("opened")
        while not guard.count("refused"):
            entrance.until_ready()
            proxy.hold()
            told = entrance.decide()
            time.sleep(0.2)
            proxy.release()
            time.sleep(0.2)
        row.shows(told.verdict or "", told.why, "refused", guard.whys("refused")[0])
        assert guard.count("opened") == shut
        entrance.opens(row.within_s)
