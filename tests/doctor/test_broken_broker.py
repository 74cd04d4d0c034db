"""Brokers and controllers that are wrong for real: a mosquitto with certificates, passwords and rights, and what doctor
says of it.
"""

from __future__ import annotations

import os
import pwd
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from faceedge.checks.doctor.base import Finding
from faceedge.checks.doctor.examine import is_green
from faceedge.config import Broker
from faceedge.door.broker import LocalBroker, local_broker, mosquitto
from faceedge.door.contract import Address, DoorKey
from faceedge.door.controller import Controller, DoorEvent
from faceedge.door.keys import key_path, make_key, read_key
from tests.doctor.breaks import unit
from tests.doctor.ward import CONTROLLER, Ward
from tests.system.authority import Authority

pytestmark = [
    pytest.mark.broker,
    pytest.mark.skipif(mosquitto() is None, reason="mosquitto is not installed"),
]
DEVICE = "faceedge"
RIGHTS = """user faceedge
topic write faceedge/faceedge/event/+
topic write faceedge/faceedge/door/+/+/grant
topic read faceedge/faceedge/#
user newcomer
topic read faceedge/faceedge/#
user faceedge.main.main
topic readwrite faceedge/faceedge/#
"""


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def no_listening(monkeypatch: pytest.MonkeyPatch) -> None:
    """To controllers that are not there."""
    monkeypatch.setattr("faceedge.checks.doctor.broker.LISTEN_S", 0.05)


def locked(folder: Path) -> str:
    """Lines for mosquitto: accounts with the password `right`, and what they may do. It must not leave root."""
    passwords, rights = folder / "passwords", folder / "acl"
    passwords.touch()
    for account in ("faceedge", "newcomer", "faceedge.main.main"):
        tool = mosquitto()
        assert tool is not None
        maker = next(
            path for path in (Path("/usr/bin/mosquitto_passwd"), tool.with_name("mosquitto_passwd")) if path.exists()
        )
        subprocess.run([maker, "-b", passwords, account, "right"], check=True, capture_output=True)
    rights.write_text(RIGHTS)
    for path in (passwords, rights):
        path.chmod(0o600)
    user = pwd.getpwuid(os.getuid()).pw_name
    return f"user {user}\nallow_anonymous false\npassword_file {passwords}\nacl_file {rights}"


@contextmanager
def running(extra: str) -> Iterator[LocalBroker]:
    with local_broker(kind="mosquitto", extra=extra) as broker:
        yield broker


def points_at(ward: Ward, port: int, **more: Any) -> None:
    ward.settings["broker"] = {"host": "localhost", "port": port} | more
    ward.write()


def by_id(ward: Ward) -> dict[str, Finding]:
    return {finding.id: finding for finding in ward.findings("broker.reach")}


def password(ward: Ward, word: str) -> dict[str, str]:
    path = ward.folder / "broker.password"
    path.write_text(word)
    path.chmod(0o600)
    return {"username": "faceedge", "password_file": str(path)}


def test_a_broker_that_is_down_is_named(ward: Ward) -> None:
    points_at(ward, 1)
    findings = by_id(ward)
    assert findings["broker.reach"].status == "fail"
    assert "Connection refused" in findings["broker.reach"].what
    assert "[broker] host and port" in findings["broker.reach"].remedy
    assert findings["controller.main.main"].status == "skip"


@pytest.mark.parametrize(
    ("days", "settings", "said", "remedy"),
    [
        (-1, {}, "certificate has expired", "renew the certificate at the broker"),
        (2, {"ca_file": "other"}, "unable to get local issuer", "name the authority that signed it"),
        (2, {"host": "127.0.0.1"}, "IP address mismatch", "as its certificate does"),
    ],
    ids=["expired", "another authority", "another host"],
)
def test_a_certificate_that_is_not_believed_is_named(
    ward: Ward, authority: Authority, days: int, settings: dict[str, str], said: str, remedy: str
) -> None:
    authority.issue(days)
    if "ca_file" in settings:
        settings = {"ca_file": str(Authority(ward.folder).file)}
    with running(authority.settings()) as broker:
        points_at(ward, broker.port, **{"tls": True, "ca_file": str(authority.file), **settings})
        finding = by_id(ward)["broker.tls"]
    assert (finding.status, said in finding.what) == ("fail", True), finding
    assert remedy in finding.remedy


def test_a_pin_of_another_certificate_and_one_that_ends_soon_are_told(
    ward: Ward, authority: Authority, no_listening: None
) -> None:
    authority.issue(5)
    with running(authority.settings()) as broker:
        points_at(ward, broker.port, tls=True, pin="ab" * 32)
        wrong = by_id(ward)["broker.tls"]
        points_at(ward, broker.port, tls=True, ca_file=str(authority.file))
        soon = by_id(ward)["broker.tls"]
    assert (wrong.status, "not broker.pin" in wrong.what, "change the pin only" in wrong.remedy) == ("fail", True, True)
    assert (soon.status, soon.remedy) == ("warn", "renew it at the broker")


def test_a_port_without_tls_is_named(ward: Ward) -> None:
    with running("") as broker:
        points_at(ward, broker.port, tls=True)
        finding = by_id(ward)
    named = finding.get("broker.tls") or finding["broker.reach"]
    assert named.status == "fail"
    assert "does not answer in TLS" in named.what


def test_a_wrong_password_and_missing_rights_are_named(ward: Ward, tmp_path: Path, no_listening: None) -> None:
    with running(locked(tmp_path)) as broker:
        points_at(ward, broker.port, **password(ward, "wrong"))
        refused = by_id(ward)["broker.login"]
        points_at(ward, broker.port, **password(ward, "right") | {"username": "newcomer"})
        poor = by_id(ward)["broker.rights"]
        points_at(ward, broker.port, **password(ward, "right"))
        rich = by_id(ward)["broker.rights"]
    assert (refused.status, "user 'faceedge' and its password" in refused.remedy) == ("fail", True)
    assert poor.status == "fail"
    assert "faceedge/faceedge/door/main/main/grant" in poor.what
    assert "examples/mosquitto/acl" in poor.remedy
    assert rich.status == "ok"


@contextmanager
def answering(
    broker: LocalBroker, controllers: dict[str, DoorKey], tell: Callable[[DoorEvent], None] = lambda _event: None
) -> Iterator[None]:
    """Controllers of the door `main`, with these keys. tell: hears what they do."""
    stop = threading.Event()
    settings = Broker(host=broker.host, port=broker.port)
    threads = [
        threading.Thread(target=Controller(settings, Address(DEVICE, "main", name), [key], tell).run, args=(stop,))
        for name, key in controllers.items()
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_controllers_are_heard_and_a_silent_one_and_one_with_another_key_are_named(ward: Ward) -> None:
    for name in ("inner", "silent"):
        make_key(ward.state, "main", name)
    ward.settings["door"][0]["controllers"] = [CONTROLLER, "inner", "silent"]
    keys = {CONTROLLER: read_key(key_path(ward.state, "main", CONTROLLER)), "inner": DoorKey(os.urandom(32))}
    with running("") as broker, answering(broker, keys):
        points_at(ward, broker.port)
        findings = by_id(ward)
    good, inner, silent = (findings[f"controller.main.{name}"] for name in (CONTROLLER, "inner", "silent"))
    assert (good.status, good.what.startswith("it answers under key")) == ("ok", True)
    assert (inner.status, "another key" in inner.what, "door key rotate main" in inner.remedy) == ("fail", True, True)
    assert (silent.status, "nothing heard" in silent.what, "check its power" in silent.remedy) == ("fail", True, True)
    assert findings["broker.rights"].status == "ok"


def test_a_healthy_house_with_broker_and_controller_is_all_green_and_its_door_stays_shut(ward: Ward) -> None:
    unit()(ward)
    events: list[DoorEvent] = []
    keys = {CONTROLLER: read_key(key_path(ward.state, "main", CONTROLLER))}
    with running("") as broker, answering(broker, keys, events.append):
        points_at(ward, broker.port)
        findings = ward.findings()
    assert is_green(findings)
    assert [one.id for one in findings if one.status == "warn"] == ["liveness.main"]
    assert {one.id for one in findings if one.status == "ok"} >= {
        "broker.reach", "broker.login", "broker.rights", "controller.main.main", "camera.entry", "service.unit",
    }  # fmt: skip
    assert "opened" not in {event.event for event in events}
