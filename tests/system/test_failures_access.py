"""Rows of the table of failures in docs/door.md: certificates, passwords and rights at the broker."""

from __future__ import annotations

import os
import pwd
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from faceedge.door.broker import LocalBroker, local_broker, mosquitto
from tests.system.authority import Authority
from tests.system.entrance import Entrance, at, lost
from tests.system.failure_table import Row, executes

pytestmark = [
    pytest.mark.system,
    pytest.mark.broker,
    pytest.mark.skipif(mosquitto() is None, reason="mosquitto is not installed"),
]
CHALLENGE = "faceedge/dev/door/main/main/challenge"
AS_US = f"user {pwd.getpwuid(os.getuid()).pw_name}"
"""Mosquitto would leave root, and could not read our files any more."""


def logged(text: str, caplog: pytest.LogCaptureFixture) -> str:
    """That text, if the log has it."""
    return text if text in caplog.text else f"nothing like {text!r} in: {caplog.text}"


@contextmanager
def tls_broker(authority: Authority) -> Iterator[LocalBroker]:
    with local_broker(kind="mosquitto", extra=authority.settings()) as running:
        yield running


@executes("certificate-expired")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # paho drops a socket it could not shake
def test_an_expired_certificate_is_not_believed(row: Row, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    authority = Authority(tmp_path)
    authority.issue(days=-1)
    with tls_broker(authority) as broker:
        trusting = at(broker, host="localhost", tls=True, ca_file=authority.file)
        with Entrance(tmp_path, trusting) as entrance:
            entrance.guard(trusting)
            entrance.until(lambda: "no broker at" in caplog.text)
            told = entrance.decide()
            row.shows(told.verdict or "", told.why, logged("certificate has expired", caplog))
            authority.issue()
            broker.stop()
            broker.start()
            entrance.opens(row.within_s)


@executes("pin-differs")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_broker_with_another_certificate_than_the_pinned_one_is_told_nothing(
    row: Row, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    authority = Authority(tmp_path)
    pin = authority.issue()
    kept = {name: (tmp_path / name).read_bytes() for name in ("server.pem", "server.key")}
    authority.issue()
    with tls_broker(authority) as broker:
        pinned = at(broker, tls=True, pin=pin)
        with Entrance(tmp_path, pinned) as entrance:
            entrance.guard(pinned)
            entrance.until(lambda: "no broker at" in caplog.text)
            told = entrance.decide()
            row.shows(told.verdict or "", told.why, logged("is not broker.pin", caplog))
            for name, content in kept.items():
                (tmp_path / name).write_bytes(content)
            broker.stop()
            broker.start()
            entrance.opens(row.within_s)


@executes("password-wrong")
def test_a_wrong_password_keeps_the_device_out(row: Row, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    passwords = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-b", "-c", str(passwords), "dev", "right"], check=True, capture_output=True)
    passwords.chmod(0o644)
    files = {}
    for word in ("right", "wrong"):
        files[word] = tmp_path / word
        files[word].write_text(word + "\n")
        files[word].chmod(0o600)
    with local_broker(kind="mosquitto", extra=f"{AS_US}\npassword_file {passwords}") as broker:
        with Entrance(tmp_path, at(broker, username="dev", password_file=files["wrong"])) as entrance:
            entrance.until(lambda: "no broker at" in caplog.text)
            told = entrance.decide()
            row.shows(told.verdict or "", told.why, logged("it refuses us", caplog))
        with Entrance(tmp_path, at(broker, username="dev", password_file=files["right"])) as entrance:
            entrance.guard(at(broker))
            entrance.opens(row.within_s)


@executes("rights-missing")
def test_a_list_of_rights_without_the_challenges_keeps_the_door_shut(row: Row, tmp_path: Path) -> None:
    rights = tmp_path / "rights"
    rights.write_text(f"topic readwrite faceedge/#\ntopic deny {CHALLENGE}\n")
    rights.chmod(0o644)
    broker_with_rights = local_broker(kind="mosquitto", extra=f"{AS_US}\nacl_file {rights}")
    with broker_with_rights as broker, Entrance(tmp_path, at(broker)) as entrance:
        guard = entrance.guard(at(broker))
        entrance.until(lambda: guard.count("connected"))
        time.sleep(1.2)  # it has asked twice by then
        row.shows(lost(entrance, "no fresh challenge"))
        rights.write_text("topic readwrite faceedge/#\n")
        broker.stop()
        broker.start()
        entrance.opens(row.within_s)
