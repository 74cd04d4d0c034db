"""The network loop of examples/micropython_door, unchanged, under CPython: a real broker, the real link, real time."""

from __future__ import annotations

import base64
import os
import pwd
import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

from faceedge.chaos.proxy import SwallowingProxy
from faceedge.config import Broker
from faceedge.door.broker import LocalBroker, local_broker
from faceedge.door.contract import Address, DoorKey, Status, unseal
from tests.door.certificates import write_certificates
from tests.door.conftest import ADDRESS, KEY
from tests.door.example_broker import example_broker, prepare
from tests.door.running import until
from tests.examples.site import Anyone, site
from tests.fakes.board import KEY_TEXT

pytestmark = pytest.mark.broker

AS_OURSELVES = f"user {pwd.getpwuid(os.getuid()).pw_name}"
"""Else mosquitto leaves root, and cannot read our files any more."""
OTHER = DoorKey(b"n" * 32)
OTHER_TEXT = base64.urlsafe_b64encode(OTHER.secret).decode()


def test_a_genuine_grant_pulls_the_relay_for_its_pulse(real_broker: LocalBroker) -> None:
    with site(real_broker) as scene:
        scene.open("one", pulse_ms=150)
        until(lambda: not scene.board.is_open)
        (pulled, _), (released, _) = scene.board.switched
        assert 140 <= released - pulled < 300
        scene.open("two")
        until(lambda: not scene.board.is_open)
        assert scene.board.opened == 2


def test_a_pulse_never_outlasts_the_maximum_of_the_board(real_broker: LocalBroker) -> None:
    with site(real_broker, MAX_PULSE_MS=150) as scene:
        scene.open("long", pulse_ms=30_000)
        until(lambda: not scene.board.is_open, 1.0)


def test_a_dead_broker_ends_the_pulse(real_broker: LocalBroker) -> None:
    with site(real_broker) as scene:
        scene.open("one", pulse_ms=4000)
        assert scene.board.is_open
        real_broker.kill()
        until(lambda: not scene.board.is_open, 1.0)


@pytest.mark.system
def test_the_return_of_the_broker_brings_the_door_back(real_broker: LocalBroker) -> None:
    with site(real_broker) as scene:
        scene.open("one")
        real_broker.kill()
        until(lambda: not scene.uplink.connected)
        real_broker.start()
        scene.open("two")


@pytest.mark.system
def test_a_half_open_link_is_noticed_and_given_up(real_broker: LocalBroker) -> None:
    with (
        SwallowingProxy(real_broker.host, real_broker.port) as proxy,
        site(real_broker, BROKER_PORT=proxy.port) as scene,
    ):
        scene.open("one")
        proxy.swallow()
        until(lambda: "broker: does not answer" in scene.board.console, 15.0)
        proxy.release()
        scene.open_again("two")


def test_a_reboot_voids_every_challenge_of_before(real_broker: LocalBroker) -> None:
    with Anyone(real_broker) as attacker, site(real_broker) as scene:
        scene.open("one")
        until(lambda: ADDRESS.topic("grant") in attacker.last)
        recorded = attacker.last[ADDRESS.topic("grant")]
        scene.board.reset()
        until(lambda: scene.board.console.count("connected") == 2)
        for _ in range(5):
            attacker.publish(ADDRESS.topic("grant"), recorded)
        until(lambda: "refused: unknown challenge" in scene.board.console)
        assert scene.board.opened == 1
        scene.open_again("after")


def test_a_board_with_another_key_stays_shut(real_broker: LocalBroker) -> None:
    with site(real_broker, KEYS=(OTHER_TEXT,)) as scene:
        until(lambda: "connected" in scene.board.console)
        until(lambda: scene.link.counts.get("challenge mac", 0) > 0)
        assert scene.send("one") == "no fresh challenge"
        assert scene.board.switched == []


@pytest.mark.parametrize("device", [(KEY,), (KEY, OTHER), (OTHER,)], ids=["before", "while", "after"])
def test_a_board_with_two_keys_opens_before_while_and_after_the_device_changes(
    real_broker: LocalBroker, device: tuple[DoorKey, ...]
) -> None:
    """The board signs with its first key, so that one is the key that the device has; it verifies with both."""
    keys = (OTHER_TEXT, KEY_TEXT) if device[0] is OTHER else (KEY_TEXT, OTHER_TEXT)
    with site(real_broker, *device, KEYS=keys) as scene:
        scene.open("one")


def test_the_device_learns_the_state_of_the_door_and_only_locked_is_retained(real_broker: LocalBroker) -> None:
    with site(real_broker) as scene:
        until(lambda: scene.state == "locked")
        scene.open("one", pulse_ms=400)
        until(lambda: scene.state == "unlocked")
        with Anyone(real_broker) as late:  # only what is retained, if anything, comes to who listens now
            until(lambda: scene.state == "locked")
            until(lambda: ADDRESS.topic("status") in late.last)
            assert unseal(Status, late.last[ADDRESS.topic("status")], [KEY])[0].state == "locked"


def test_a_board_without_power_is_told_as_offline(real_broker: LocalBroker) -> None:
    with site(real_broker) as scene:
        scene.open("one")
    with Anyone(real_broker) as late:
        until(lambda: ADDRESS.topic("status") in late.last)
        assert unseal(Status, late.last[ADDRESS.topic("status")], [KEY])[0].state == "offline"


def test_a_flood_of_nonsense_and_of_huge_messages_does_not_keep_the_door_shut(real_broker: LocalBroker) -> None:
    with Anyone(real_broker) as attacker, site(real_broker) as scene:
        until(lambda: scene.is_ready)
        for size in [0, 1, 100, 900, 1100, 20_000] * 40 + [1_000_000]:
            attacker.publish(ADDRESS.topic("grant"), b"x" * size)
        scene.open_again("one")
        until(lambda: any("too long: 81" in line for line in scene.board.console))
        assert scene.board.opened == 1


def test_a_retained_message_on_the_grant_topic_does_no_harm(real_broker: LocalBroker) -> None:
    with Anyone(real_broker) as attacker:
        attacker.publish(ADDRESS.topic("grant"), b"x" * 100_000, retain=True)
        until(lambda: ADDRESS.topic("grant") in attacker.last)
        with site(real_broker) as scene:
            scene.open("one")
            scene.board.reset()
            until(lambda: scene.board.console.count("connected") == 2)
            scene.open_again("two")


@pytest.mark.parametrize("password", ["right", "wrong"])
def test_the_board_gets_in_with_its_password_only(tmp_path: Path, password: str) -> None:
    passwords = tmp_path / "passwords"
    program = shutil.which("mosquitto_passwd")
    if program is None:
        pytest.skip("mosquitto_passwd is not installed")
    subprocess.run([program, "-b", "-c", passwords, "board", "right"], check=True, capture_output=True)
    extra = f"allow_anonymous false\npassword_file {passwords}\n{AS_OURSELVES}"
    with (
        local_broker(kind="mosquitto", extra=extra) as broker,
        site(broker, BROKER_USER="board", BROKER_PASSWORD=password) as scene,
    ):
        said = "connected" if password == "right" else "broker: refuses us: check name and password"
        until(lambda: bool(scene.board.console[1:]))
        assert scene.board.console[1] == said


@pytest.mark.parametrize("authority", ["authority", "stranger"])
def test_over_tls_the_board_speaks_only_to_a_broker_of_its_authority(tmp_path: Path, authority: str) -> None:
    files = write_certificates(tmp_path)
    der = tmp_path / "ca.der"
    der.write_bytes(ssl.PEM_cert_to_DER_cert(getattr(files, authority).read_text()))
    extra = f"cafile {files.authority}\ncertfile {files.certificate}\nkeyfile {files.key}\n{AS_OURSELVES}"
    with local_broker(kind="mosquitto", extra=extra) as broker:
        device = Broker(host="localhost", port=broker.port, tls=True, ca_file=files.authority)
        with site(broker, device=device, BROKER_HOST="localhost", BROKER_CA=str(der)) as scene:
            if authority == "authority":
                scene.open("one")
            else:
                until(lambda: any("broker:" in line for line in scene.board.console))
                assert "connected" not in scene.board.console


@pytest.mark.system
def test_under_the_rights_of_the_example_broker_the_board_opens_and_tells_its_state(tmp_path: Path) -> None:
    prepare(tmp_path)
    der = tmp_path / "ca.der"
    der.write_bytes(ssl.PEM_cert_to_DER_cert((tmp_path / "ca.crt").read_text()))
    account = "faceedge.main.inner"
    with (
        example_broker(tmp_path) as broker,
        site(
            broker, device=broker.settings("faceedge"), address=Address("faceedge", "main", "inner"),
            BROKER_HOST="localhost", BROKER_CA=str(der), BROKER_USER=account,
            BROKER_PASSWORD=(tmp_path / f"{account}.password").read_text().strip(),
        ) as scene,
    ):  # fmt: skip
        scene.open("one")
        until(lambda: scene.state == "locked")
