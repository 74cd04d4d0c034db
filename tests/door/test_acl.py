"""The example broker: everybody may do what is theirs and nothing else; what its rights do not protect, keys do."""

from __future__ import annotations

import itertools
import logging
import re
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import paho.mqtt.client as paho
import pytest

from faceedge.config import load
from faceedge.door.broker import mosquitto
from faceedge.door.channels import CHANNELS
from faceedge.door.connection import Access, Message
from faceedge.door.contract import Address, Grant, fresh_token, seal
from faceedge.door.transport import tls_of
from faceedge.door.uplink import Uplink
from tests.door.conftest import KEY
from tests.door.example_broker import ACCOUNTS, EXAMPLE, OBSERVER, ExampleBroker, commands, example_broker, prepare
from tests.door.running import Running, until

pytestmark = pytest.mark.broker

NOT_AUTHORISED = "Not authorized"
DEVICES, DOORS, CONTROLLERS = ("faceedge", "other"), ("main", "rear"), ("main", "inner", "outer")
OTHER_NAMES = {"name": "ping", "kind": "door", "component": "sensor", "object": "faceedge_state"}
MAY_READ = {
    "faceedge": r"faceedge/faceedge/(cmd/\w+|button/refresh|door/\w+/\w+/(challenge|verdict|status))",
    "faceedge.main.main": r"faceedge/faceedge/door/main/main/grant",
    "faceedge.main.inner": r"faceedge/faceedge/door/main/inner/grant",
    "site": r"faceedge/\w+/(availability|state|event/\w+|cmd/\w+/result)",
    "home": r"faceedge/\w+/(availability|state|decision|event/\w+)|homeassistant/.*",
    OBSERVER: r".*",
}


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExampleBroker]:
    if mosquitto() is None:
        pytest.skip("mosquitto is not installed")
    folder = tmp_path_factory.mktemp("broker")
    prepare(folder)
    with example_broker(folder) as running:
        yield running


class Client:
    """A raw client of one account, which subscribes to everything. Use it in a `with` block."""

    def __init__(self, broker: ExampleBroker, account: str, client_id: str = "") -> None:
        access = Access.of(broker.settings(account))
        assert access.tls is not None
        self.got: list[tuple[str, bytes]] = []
        self.answers: dict[int, str] = {}
        self.connects = 0
        self.client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id or account, protocol=paho.MQTTv5)
        self.client.tls_set_context(access.tls)
        self.client.username_pw_set(account, access.password)
        self.client.max_inflight_messages_set(1000)
        self.client.on_connect = self._on_connect
        self.client.on_subscribe = lambda *_: self._ready.release()
        self.client.on_message = lambda _client, _userdata, message: self.got.append((message.topic, message.payload))
        self.client.on_publish = lambda _client, _userdata, mid, reason, _more: self.answers.update({mid: str(reason)})
        self._ready = threading.Semaphore(0)
        self.client.connect(access.broker.host, access.broker.port)

    def __enter__(self) -> Client:
        self.client.loop_start()
        assert self._ready.acquire(timeout=5)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def publish(self, topics: list[str], payload: bytes = b"x", *, retain: bool = False) -> dict[str, str]:
        """What the broker answered, by topic."""
        sent = {self.client.publish(topic, payload, 1, retain).mid: topic for topic in topics}
        until(lambda: sent.keys() <= self.answers.keys())
        return {topic: self.answers[mid] for mid, topic in sent.items()}

    def catch_up(self) -> None:
        """Everything that the broker had for us before now has arrived: its answer comes behind that."""
        self.client.subscribe("#", 0)
        assert self._ready.acquire(timeout=5)

    def _on_connect(
        self, client: paho.Client, _userdata: object, _flags: object, reason: object, _more: object
    ) -> None:
        self.connects += 1
        client.subscribe("#", 0)


def topics() -> dict[str, str]:
    """One topic of every kind for every device, door and controller: who alone may publish it."""
    owners = {}
    for channel, device, door, controller in itertools.product(CHANNELS, DEVICES, DOORS, CONTROLLERS):
        names = {"device": device, "door": door, "controller": controller, **OTHER_NAMES}
        below = "" if channel.topic.startswith("homeassistant/") else "faceedge/<device>/"
        topic = re.sub(r"<(\w+)>", lambda match, names=names: names[match[1]], below + channel.topic)
        senders = {"device": device, "controller": f"{device}.{door}.{controller}", "site": "site", "anyone": "home"}
        owners[topic] = senders[channel.sender]
    return owners


@pytest.mark.parametrize("account", [*ACCOUNTS, OBSERVER])
def test_everybody_may_publish_what_is_theirs_and_nothing_else(broker: ExampleBroker, account: str) -> None:
    owners = topics()
    with Client(broker, account) as client:
        answers = client.publish(list(owners))
    allowed = {topic for topic, answer in answers.items() if answer != NOT_AUTHORISED}
    assert allowed == {topic for topic, owner in owners.items() if owner == account}
    assert bool(allowed) == (account != OBSERVER)


def test_nobody_but_the_device_may_publish_a_grant_retained_or_not(broker: ExampleBroker) -> None:
    grants = [topic for topic in topics() if topic.endswith("/grant")]
    for account in {*ACCOUNTS, OBSERVER} - {"faceedge"}:
        with Client(broker, account) as client:
            assert set(client.publish(grants, retain=True).values()) == {NOT_AUTHORISED}


def test_everybody_reads_what_is_meant_for_them_and_nothing_else(broker: ExampleBroker) -> None:
    owners = {topic: owner for topic, owner in topics().items() if owner in ACCOUNTS}
    clients = {account: Client(broker, account) for account in (*ACCOUNTS, OBSERVER)}
    for client in clients.values():
        client.__enter__()
    mark = fresh_token().encode()
    try:
        for account in ACCOUNTS:
            clients[account].publish([topic for topic, owner in owners.items() if owner == account], mark)
        for account, client in clients.items():
            client.catch_up()
            read = {topic for topic, payload in client.got if payload == mark}
            assert read == {topic for topic in owners if re.fullmatch(MAY_READ[account], topic)}, account
    finally:
        for client in clients.values():
            client.__exit__(None, None, None)


@pytest.mark.parametrize(
    ("account", "password"), [("", ""), ("faceedge", ""), ("faceedge", "guessed"), ("nobody", "guessed")]
)
def test_without_the_password_nobody_comes_in(broker: ExampleBroker, account: str, password: str) -> None:
    answers: list[str] = []
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
    context = tls_of(broker.settings("home"))
    assert context is not None
    client.tls_set_context(context)
    if account:
        client.username_pw_set(account, password)
    client.on_connect = lambda _client, _userdata, _flags, reason, _more: answers.append(str(reason))
    client.connect("localhost", broker.port)
    until(lambda: client.loop(0.1) != paho.MQTT_ERR_SUCCESS)
    assert answers == [NOT_AUTHORISED]


def test_nobody_can_throw_the_device_out_by_taking_its_client_id(broker: ExampleBroker) -> None:
    ups: list[None] = []
    uplink = Uplink(broker.settings("faceedge"), "faceedge")
    uplink.on_up(lambda: ups.append(None))
    uplink.start()
    assert uplink.wait_connected(5)
    for stolen in ("faceedge", "faceedge.faceedge"):
        with Client(broker, "faceedge.main.inner", stolen) as thief:
            thief.publish(["faceedge/faceedge/door/main/inner/verdict"])
    receipt = uplink.post(Message("faceedge/faceedge/state", b"{}", 1))
    assert receipt is not None
    until(receipt.is_done)
    uplink.stop()
    assert len(ups) == 1


def test_a_device_that_comes_back_ends_its_own_forgotten_connection(broker: ExampleBroker) -> None:
    """Else that one's will would say `offline` later, of a device that is there."""
    first, second = (Uplink(broker.settings("faceedge"), "faceedge") for _ in range(2))
    first.start()
    assert first.wait_connected(5)
    second.start()
    until(lambda: not first.connected)
    first.stop()
    second.stop()


@pytest.mark.parametrize("controller", ["main", "inner"])
def test_device_and_controllers_work_and_a_retained_grant_opens_nothing(broker: ExampleBroker, controller: str) -> None:
    address = Address("faceedge", "main", controller)
    grant = Grant(
        id=fresh_token(), dev="faceedge", door="main", ctl=controller, kid=KEY.kid, n=fresh_token(), ttl_ms=5000,
        reason="match", sub="s", pulse_ms=100,
    )  # fmt: skip
    with Client(broker, "faceedge") as device:  # somebody has the device's password and an old grant
        device.publish([address.topic("grant")], seal(KEY, grant), retain=True)
    with Running(
        broker.settings("faceedge"), broker.settings(f"faceedge.main.{controller}"), address=address
    ) as running:
        running.open("genuine")
        assert running.opened == 1
        assert running.link.views()["main"][controller].answering


def test_rights_that_are_missing_are_said_once(broker: ExampleBroker, caplog: pytest.LogCaptureFixture) -> None:
    uplink = Uplink(broker.settings("home"), "faceedge")
    for turn in range(20):
        uplink.retain(f"faceedge/faceedge/state{turn}", b"{}")
    receipts = []
    uplink.on_up(lambda: receipts.append(uplink.post(Message("faceedge/faceedge/decision", b"{}", 1))))
    uplink.start()
    until(lambda: bool(receipts) and receipts[0].is_done())
    uplink.stop()
    assert receipts[0].refusal == NOT_AUTHORISED
    (line,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert "does not take all we publish: Not authorized; check its access list" in line


def test_the_pin_of_the_readme_is_the_pin_that_the_device_takes(broker: ExampleBroker, tmp_path: Path) -> None:
    folder = broker.settings("home").ca_file
    assert folder is not None
    pin = subprocess.run(
        ["bash", "-euc", commands()[-1]], cwd=folder.parent, check=True, capture_output=True, text=True
    ).stdout.strip()
    settings = broker.settings("faceedge").model_copy(update={"ca_file": None, "pin": pin, "host": "127.0.0.1"})
    with Running(
        settings, broker.settings("faceedge.main.main"), address=Address("faceedge", "main", "main")
    ) as running:
        running.open("pinned")


def test_the_configuration_that_the_readme_shows_is_accepted(tmp_path: Path) -> None:
    (block,) = re.findall(r"^```toml\n(.*?)^```", (EXAMPLE / "README.md").read_text(encoding="utf-8"), re.M | re.S)
    (tmp_path / "door.toml").write_text(block, encoding="utf-8")
    broker = load(tmp_path / "door.toml", {}).broker
    assert (broker.port, broker.tls, broker.username) == (8883, True, "faceedge")
