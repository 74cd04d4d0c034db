"""Commands to the real daemon over a real broker, while the astronaut stands at the door."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from faceedge.config import Broker
from faceedge.door import asking
from faceedge.door.asking import Device, ask
from faceedge.door.broker import LocalBroker, local_broker
from faceedge.door.connection import Message
from faceedge.door.contract import fresh_token
from faceedge.door.mqtt import MqttClient, Session
from faceedge.door.signed import Command, sign
from faceedge.door.site_key import SiteSecret, make_secret, read_site_secret
from faceedge.journal.signing import read_public
from tests.door.commanded import Commanded
from tests.door.running import until
from tests.system.at_the_door import Porch, Process, granted, opened, wait_for

pytestmark = [pytest.mark.system, pytest.mark.broker]


class Listener:
    """Hears everything on a broker, and may say anything: an attacker with full rights."""

    def __init__(self, broker: LocalBroker) -> None:
        self.heard: list[tuple[str, bytes]] = []
        session = Session(
            "listener", (("faceedge/#", 1),), lambda: None, lambda: None,
            lambda topic, payload: self.heard.append((topic, payload)),
        )  # fmt: skip
        self.client = MqttClient(Broker(port=broker.port), session)
        self.client.start()
        assert self.client.wait_connected(10)

    def on(self, ending: str) -> list[tuple[str, bytes]]:
        return [(topic, payload) for topic, payload in self.heard if topic.endswith(ending)]

    def say(self, topic: str, payload: bytes) -> None:
        until(lambda: self.client.publish(Message(topic, payload, qos=0)))


@contextmanager
def listening(broker: LocalBroker) -> Iterator[Listener]:
    listener = Listener(broker)
    try:
        yield listener
    finally:
        listener.client.stop()


class Site:
    """A porch whose device trusts a site key, and the commands of that site."""

    def __init__(self, folder: Path, clip: Path, broker: LocalBroker) -> None:
        self.porch = Porch.built(folder, clip, broker.port, broker.port)
        self._broker = Broker(port=broker.port)
        made = make_secret(folder / "site.key")
        assert self.porch.call("site-key", "trust", made.text).returncode == 0
        self.secret = read_site_secret(folder / "site.key")

    def __call__(self, cmd: str, **args: str | int) -> tuple[bool, str]:
        public = read_public(self.porch.folder / "state" / "keys" / "journal.pub")
        answer = ask(self._broker, Device("outage", public), self.secret, cmd, args, wait_s=20)
        assert answer.is_proven
        return answer.ok, answer.why


@contextmanager
def run(porch: Porch) -> Iterator[Process]:
    daemon = porch.daemon()
    try:
        yield daemon
    finally:
        daemon.stop()
    assert daemon.child.returncode == 0


def refused(event: dict[str, Any]) -> bool:
    return event.get("reason") == "lockdown"


def ready(event: dict[str, Any]) -> bool:
    return event["event"] == "ready"


def test_a_lockdown_shuts_the_door_outlasts_a_restart_and_old_commands_do_not_lift_it(
    tmp_path: Path, standing: Path
) -> None:
    with local_broker() as broker, listening(broker) as attacker:
        site = Site(tmp_path, standing, broker)
        controller = site.porch.controller()
        try:
            with run(site.porch) as daemon:
                wait_for(lambda: controller.at(opened), 60)
                assert site("lockdown", on=0) == (True, "")
                assert site("lockdown", on=1) == (True, "")
                shut = time.monotonic()
                wait_for(lambda: daemon.at(refused, shut), 15)
                assert controller.at(opened, shut + 0.5) == []
            said = site.porch.call("why", "--last").stdout
            assert "a lockdown kept every door shut, for Astronaut too" in said
            again = time.monotonic()
            with run(site.porch) as daemon:
                wait_for(lambda: daemon.at(refused), 60)
                for topic, wire in attacker.on("/cmd/lockdown"):
                    attacker.say(topic, wire)
                time.sleep(1)
                assert daemon.at(granted) == []
                assert controller.at(opened, again) == []
                assert site("lockdown", on=0) == (True, "")
                wait_for(lambda: controller.at(opened, again), 15)
        finally:
            controller.stop()


def test_a_reload_takes_a_good_configuration_and_leaves_a_bad_one(tmp_path: Path, standing: Path) -> None:
    with local_broker() as broker:
        site = Site(tmp_path, standing, broker)
        controller, file = site.porch.controller(), site.porch.config("daemon")
        good = file.read_text()
        try:
            with run(site.porch) as daemon:
                wait_for(lambda: controller.at(opened), 60)
                for spoilt, why in (
                    (good + "[nonsense]\n", "unknown key"),
                    (good.replace('name = "main"', 'name = "lab"'), "door-lab.main.key: missing"),
                    (good.replace("file:", "file:/nowhere"), "nowhere"),
                ):
                    file.write_text(spoilt)
                    ok, said = site("reload")
                    assert not ok
                    assert why in said
                assert len(daemon.at(ready)) == 1
                file.write_text(good.replace("pulse_ms = 100", "pulse_ms = 200"))
                assert site("reload") == (True, "")
                wait_for(lambda: len(daemon.at(ready)) == 2, 30)
                since = time.monotonic()
                wait_for(lambda: controller.at(lambda event: event.get("pulse_ms") == 200, since), 30)
                assert site("ping") == (True, "")
        finally:
            controller.stop()


def test_between_ten_thousand_false_commands_the_genuine_ones_are_obeyed(tmp_path: Path) -> None:
    with (
        local_broker() as broker,
        listening(broker) as attacker,
        Commanded(tmp_path, Broker(port=broker.port)) as device,
    ):
        secret, stranger = read_site_secret(device.key), SiteSecret(bytes(32))
        false = Command(id=fresh_token(), dev="dev", cmd="ping", n=fresh_token(), args={})
        wires = [sign(stranger, false), b"x" * 2000, b"", sign(secret, false)[:-1] + b" "]
        sent = [0]
        is_over = threading.Event()

        def flood() -> None:
            while not is_over.is_set():
                attacker.say("faceedge/dev/cmd/ping", wires[sent[0] % len(wires)])
                sent[0] += 1
                time.sleep(0.0005)  # in one interpreter with the device, it would take turns away from it

        flooder = threading.Thread(target=flood)
        flooder.start()
        pings = 0
        while sent[0] < 10_000 or pings < 5:
            where = Broker(port=broker.port)
            assert ask(where, Device("dev", read_public(device.public)), secret, "ping", {}, wait_s=60).ok
            pings += 1
        is_over.set()
        flooder.join()
        assert device.commands.counts["accepted"] == pings
        until(lambda: len({entry["id"] for entry in device.noted()}) == pings)
        results = [json.loads(wire[87:]) for _, wire in attacker.on("/ping/result")]
        assert sum(result["ok"] for result in results) == pings


def test_whatever_an_attacker_makes_of_genuine_commands_each_is_obeyed_once(tmp_path: Path) -> None:
    with local_broker() as broker, listening(broker) as attacker:
        with Commanded(tmp_path, Broker(port=broker.port)) as device:
            secret = read_site_secret(device.key)
            for on in (1, 0):
                assert ask(Broker(port=broker.port), Device("dev"), secret, "lockdown", {"on": on}).ok
            until(lambda: len(attacker.on("/cmd/lockdown")) >= 2)
            genuine = [wire for _, wire in attacker.on("/cmd/lockdown")]
            for wire in genuine:
                for topic in ("lockdown", "ping", "reload"):
                    attacker.say(f"faceedge/dev/cmd/{topic}", wire)
                attacker.say("faceedge/dev/cmd/lockdown", wire.replace(b'"on":0', b'"on":1'))
                attacker.say("faceedge/dev/cmd/lockdown", wire[:100] + bytes([wire[100] ^ 1]) + wire[101:])
            until(lambda: sum(device.commands.counts.values()) >= 2 + 5 * len(genuine))
            assert device.commands.counts["accepted"] == 2
            assert not device.lockdown.is_on
            assert len(device.noted()) == 2
        with Commanded(tmp_path, Broker(port=broker.port)) as device:
            assert ask(Broker(port=broker.port), Device("dev"), secret, "ping", {}).ok, "it listens by now"
            for wire in genuine:
                attacker.say("faceedge/dev/cmd/lockdown", wire)
            until(lambda: device.commands.counts.get("unknown nonce", 0) >= len(genuine))
            assert device.commands.counts["accepted"] == 1
            assert not device.lockdown.is_on


def test_the_same_bytes_are_sent_again_until_a_device_that_starts_late_answers(tmp_path: Path) -> None:
    with local_broker() as broker:
        with Commanded(tmp_path, Broker(port=broker.port)) as device:
            secret = read_site_secret(device.key)
        answers: list[asking.Answer] = []
        waiting = threading.Thread(
            target=lambda: answers.append(ask(Broker(port=broker.port), Device("dev"), secret, "ping", {}, wait_s=20))
        )
        waiting.start()
        time.sleep(1.5)
        with Commanded(tmp_path, Broker(port=broker.port)) as device:
            waiting.join()
            assert [answer.ok for answer in answers] == [True]
            assert device.commands.counts["accepted"] == 1
