"""A whole house over real brokers: doors open, commands are obeyed, and every message is as the contract says."""

from __future__ import annotations

import ssl
from pathlib import Path

import paho.mqtt.client as paho
import pytest

from faceedge import house as houses
from faceedge.config import Broker
from faceedge.door.broker import local_broker, mosquitto
from faceedge.door.channels import CHANNELS, channel_of
from faceedge.door.transport import tls_of
from tests.door.example_broker import OBSERVER, example_broker, prepare
from tests.door.running import until
from tests.door.sniffer import Sniffer, check
from tests.fakes.version_gate import VersionGate
from tests.system.house import CONTROLLERS, House
from tests.test_daemon_capture import FakeNetworks

pytestmark = [pytest.mark.system, pytest.mark.broker]

PATIENCE_S = 30.0
"""An old broker is asked three times before it is spoken to."""


@pytest.fixture(autouse=True)
def _networks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(houses, "open_vision", lambda *_, **__: FakeNetworks())


def live(house: House, sniffer: Sniffer) -> None:
    """Both controllers open; somebody in doubt is let in; then the site locks the doors, and unlocks them."""
    until(lambda: all(house.opened(controller) for controller in CONTROLLERS), PATIENCE_S)
    obeyed(house, "ping")
    until(lambda: let_in(house, sniffer), PATIENCE_S)
    sniffer.wait_for("/event/decision", lambda body: (body["reason"], body["verdict"]) == ("second_factor", "opened"))
    house.refresh()
    obeyed(house, "lockdown", on=1)
    sniffer.wait_for("/decision", lambda body: body["reason"] == "lockdown")
    obeyed(house, "lockdown", on=0)
    sniffer.wait_for("/event/lockdown", lambda body: not body["on"])


def let_in(house: House, sniffer: Sniffer) -> bool:
    """Confirms the newest request; the other camera may just have used up the challenge, then the device asks anew."""
    requests = sniffer.payloads("/event/second_factor")
    return bool(requests) and house.command("confirm", decision=house.second_factor(requests[-1]).decision).ok


def obeyed(house: House, name: str, **args: str | int) -> None:
    answer = house.command(name, **args)
    assert (answer.ok, answer.why, answer.is_proven) == (True, "", True)


def test_over_tls_with_passwords_and_rights_all_is_as_the_contract_says(tmp_path: Path) -> None:
    with example(tmp_path) as broker, Sniffer(broker.settings(OBSERVER)) as sniffer:
        with House(tmp_path / "house", broker.settings) as house:
            live(house, sniffer)
            assert house.protocols == {"5"}
        until(
            lambda: (
                [message.payload for message in sniffer.heard if message.topic.endswith("/availability")][-1:]
                == [b"offline"]
            )
        )
    check(sniffer.heard)
    seen = {channel.topic for message in sniffer.heard if (channel := channel_of(message.topic))}
    assert seen == {channel.topic for channel in CHANNELS}


def test_behind_a_broker_that_refuses_version_5_all_is_the_same_with_3_1_1(tmp_path: Path) -> None:
    with example(tmp_path) as broker, Sniffer(broker.settings(OBSERVER)) as sniffer:
        facing = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        facing.load_cert_chain(tmp_path / "server.crt", tmp_path / "server.key")
        onward = tls_of(broker.settings(OBSERVER))
        assert onward is not None
        with VersionGate(broker.port, facing, onward) as gate:
            with House(tmp_path / "house", lambda account: broker.settings(account, gate.port)) as house:
                live(house, sniffer)
                assert house.protocols == {"3.1.1"}
            assert gate.refused >= 3
    check(sniffer.heard)
    assert {body["mqtt"] for body in sniffer.bodies("/state")} == {"3.1.1"}


def test_over_the_embedded_broker_too(tmp_path: Path) -> None:
    pytest.importorskip("amqtt")
    with local_broker(kind="amqtt") as broker:
        settings = Broker(host=broker.host, port=broker.port)
        with Sniffer(settings, paho.MQTTv311) as sniffer, House(tmp_path, lambda _account: settings) as house:
            live(house, sniffer)
            assert house.protocols == {"3.1.1"}
    check(sniffer.heard, with_flags=False)


def example(folder: Path):  # type: ignore[no-untyped-def]
    if mosquitto() is None:
        pytest.skip("mosquitto is not installed")
    (folder / "house").mkdir()
    prepare(folder)
    return example_broker(folder)
