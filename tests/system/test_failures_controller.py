"""Rows of the table of failures in docs/door.md: controllers, their keys and relays; clock and rules of the device."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from paho.mqtt import publish

from faceedge.door.broker import LocalBroker, mosquitto
from faceedge.door.contract import DoorKey
from faceedge.door.relays import NoRelay, Order
from faceedge.rules.book import Book, Group, Rule, Standing
from faceedge.rules.schedule import Schedule, Window
from tests.system.at_the_door import Process, opened
from tests.system.entrance import ANNA, Entrance, Listener, at, lost
from tests.system.failure_table import Row, executes

pytestmark = [
    pytest.mark.system,
    pytest.mark.broker,
    pytest.mark.skipif(mosquitto() is None, reason="mosquitto is not installed"),
]
GRANT = "faceedge/dev/door/main/main/grant"
HOURS = Schedule((Window(frozenset(range(8)), 0, 24 * 60),), "UTC")


def simulated(folder: Path, port: int) -> Process:
    """The reference controller as a process, beside the keys of an entrance."""
    config = folder / "controller.toml"
    config.write_text(f'device = "dev"\nstate_dir = "{folder / "state"}"\n[broker]\nport = {port}\n')
    return Process(["door", "simulate", "--config", str(config)], {})


@executes("controller-restarted")
def test_a_controller_that_starts_anew_honours_nothing_from_before(
    row: Row, broker: LocalBroker, tmp_path: Path
) -> None:
    with Entrance(tmp_path, at(broker), ttl_ms=400) as entrance, Listener(broker.port, GRANT) as listener:
        first = simulated(tmp_path, broker.port)
        entrance.opens()
        entrance.until_ready()
        first.stop(signal.SIGKILL)
        row.shows(entrance.decide().why, lost(entrance, "no fresh challenge"))
        second = simulated(tmp_path, broker.port)
        try:
            entrance.until(lambda: second.at(lambda event: event["event"] == "connected"))
            publish.single(GRANT, listener.last[GRANT], hostname=broker.host, port=broker.port)
            entrance.until(lambda: second.at(lambda event: event["event"] == "refused"))
            assert second.at(opened) == []
            entrance.opens(row.within_s)
        finally:
            second.stop()


@executes("controller-off")
def test_a_controller_that_is_off_is_shown_as_off(row: Row, broker: LocalBroker, tmp_path: Path) -> None:
    with Entrance(tmp_path, at(broker), ttl_ms=400) as entrance:
        guard = entrance.guard(at(broker))
        entrance.opens()
        guard.stop()
        why = lost(entrance, "no fresh challenge")
        entrance.until(lambda: not entrance.view()["answering"])
        row.shows(why, "state", entrance.view()["state"], "answering", entrance.view()["answering"])
        entrance.guard(at(broker))
        entrance.opens(row.within_s)


@executes("wrong-key")
def test_a_controller_with_another_key_is_a_stranger(row: Row, broker: LocalBroker, tmp_path: Path) -> None:
    with Entrance(tmp_path, at(broker)) as entrance:
        guard = entrance.guard(at(broker), key=DoorKey(bytes(32)))
        entrance.until(lambda: entrance.exchange.as_json()["ignored"].get("challenge mac"))
        why = entrance.decide().why
        (counted,) = [name for name in entrance.exchange.as_json()["ignored"] if name.startswith("challenge")]
        row.shows(why, "ignored", counted, "state", entrance.view()["state"])
        guard.stop()
        entrance.guard(at(broker))
        entrance.opens(row.within_s)


@executes("one-of-two-off")
def test_of_two_controllers_the_living_one_opens(row: Row, broker: LocalBroker, tmp_path: Path) -> None:
    with Entrance(tmp_path, at(broker), "main", "inner") as entrance:
        entrance.guard(at(broker))
        inner = entrance.guard(at(broker), "inner")
        entrance.until(lambda: entrance.view("inner")["answering"])
        inner.stop()
        entrance.until(lambda: entrance.view("inner")["state"] == "offline")
        entrance.until_ready()
        row.shows(entrance.decide().verdict or "", entrance.view("inner")["state"], "state")


class Stubborn(NoRelay):
    """A relay that does not obey until it is mended."""

    why = "stuck"

    def on(self, _pulse_ms: int) -> Order:
        return Order(self.why)

    def off(self) -> Order:
        return Order(self.why)


@executes("relay-fails")
def test_a_relay_that_does_not_obey_is_no_open_door(row: Row, broker: LocalBroker, tmp_path: Path) -> None:
    relay = Stubborn()
    with Entrance(tmp_path, at(broker)) as entrance:
        guard = entrance.guard(at(broker), relay=relay)
        entrance.until_ready()
        told = entrance.decide()
        entrance.until(lambda: entrance.view()["state"] == "fault")
        row.shows(told.verdict or "", told.why, "state", entrance.view()["state"])
        assert guard.count("opened") == 0
        relay.why = ""
        entrance.opens(row.within_s)
        assert entrance.view()["state"] != "fault"


@executes("clock-unknown")
def test_without_a_clock_only_those_pass_who_always_may(row: Row, broker: LocalBroker, tmp_path: Path) -> None:
    staff = Standing(groups=frozenset({"s"}))
    with Entrance(tmp_path, at(broker)) as entrance:
        entrance.guard(at(broker))
        entrance.book = Book({ANNA: staff}, {"s": Group("s", "staff")}, (Rule("1", "s", "main", HOURS),))
        entrance.opens()
        known, entrance.now = entrance.now, None
        told = entrance.decide()
        row.shows(told.outcome, told.reason)
        entrance.book = Book({ANNA: staff}, {"s": Group("s", "staff", is_always=True)}, (Rule("1", "s", "main"),))
        entrance.opens(1)
        entrance.book = Book({ANNA: staff}, {"s": Group("s", "staff")}, (Rule("1", "s", "main", HOURS),))
        entrance.now = known
        entrance.opens(2)


@executes("rules-unreadable")
def test_without_rules_that_can_be_read_nobody_passes(row: Row, broker: LocalBroker, tmp_path: Path) -> None:
    with Entrance(tmp_path, at(broker)) as entrance:
        entrance.guard(at(broker))
        entrance.opens()
        book, entrance.book = entrance.book, None
        told = entrance.decide()
        row.shows(told.outcome, told.reason)
        entrance.book = book
        entrance.opens(2)
