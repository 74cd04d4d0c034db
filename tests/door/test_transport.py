"""How a broker may be reached, checked before the first byte is sent."""

from __future__ import annotations

import hashlib
import logging
import ssl
from pathlib import Path

import pytest

from faceedge.config import Broker
from faceedge.door import mqtt
from faceedge.door.connection import Access, Message, Session
from faceedge.door.mqtt import MqttClient
from faceedge.door.transport import is_loopback, password_of, tls_of
from faceedge.errors import ConfigError, StoreError
from tests.door.certificates import Files, write_certificates
from tests.door.running import until
from tests.fakes.scripted_broker import ACCEPT_5, NOT_AUTHORISED_5, ScriptedBroker
from tests.fakes.tls_ear import TlsEar

CONNECT = 0x10
"""First byte of an MQTT connection."""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return write_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in (("RETRY_MIN_S", 0.0), ("RETRY_MAX_S", 0.02), ("CONNECT_S", 0.15), ("LOOP_S", 0.01)):
        monkeypatch.setattr(mqtt, name, seconds)


def pin_of(certificate: Path) -> str:
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate.read_text())).hexdigest()


def client_of(broker: Broker) -> MqttClient:
    session = Session("test", (), lambda: Message("t", b"bye"), lambda: None, lambda _topic, _payload: None)
    client = MqttClient(broker, session)
    client.start()
    return client


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_plain_text_is_fine_on_this_machine(host: str) -> None:
    assert is_loopback(host)
    assert tls_of(Broker(host=host)) is None


@pytest.mark.parametrize("host", ["192.168.1.2", "broker.local", "localhost.example.org", "127.0.0.1.example.org"])
def test_plain_text_off_this_machine_must_be_asked_for(host: str) -> None:
    with pytest.raises(ConfigError, match=f"{host} .*insecure = true"):
        tls_of(Broker(host=host))
    assert tls_of(Broker(host=host, insecure=True)) is None


def test_a_certificate_file_that_cannot_be_used_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nonsense")
    for name in ("ca.pem", "missing.pem"):
        with pytest.raises(ConfigError, match="ca_file"):
            tls_of(Broker(host="broker.local", tls=True, ca_file=tmp_path / name))


def test_a_private_key_that_everybody_can_read_or_that_has_a_passphrase_is_refused(
    tmp_path: Path, files: Files
) -> None:
    key = tmp_path / "client.key"
    key.write_bytes(files.key.read_bytes())
    broker = Broker(host="broker.local", tls=True, ca_file=files.authority, cert_file=files.certificate, key_file=key)
    key.chmod(0o604)
    with pytest.raises(ConfigError, match="everybody can read"):
        tls_of(broker)
    key.chmod(0o600)
    assert tls_of(broker) is not None
    key.write_bytes(files.locked_key.read_bytes())
    with pytest.raises(ConfigError, match="passphrase"):
        tls_of(broker)


def test_the_right_pin_needs_no_authority_and_no_host_name(files: Files) -> None:
    with TlsEar(files.certificate, files.key) as ear:
        client = client_of(Broker(host="127.0.0.1", port=ear.port, tls=True, pin=pin_of(files.certificate).upper()))
        until(lambda: ear.heard[:1] == bytes([CONNECT]))
        client.stop()


@pytest.mark.parametrize("pin", ["0" * 64, "authority"])
def test_with_a_wrong_pin_no_byte_is_sent_and_one_line_says_why(
    files: Files, pin: str, caplog: pytest.LogCaptureFixture
) -> None:
    pin = pin_of(files.authority) if pin == "authority" else pin
    with TlsEar(files.certificate, files.key) as ear:
        client = client_of(Broker(host="127.0.0.1", port=ear.port, tls=True, pin=pin))
        until(lambda: ear.handshakes > 3)
        client.stop()
    assert ear.heard == b""
    (line,) = warnings(caplog)
    assert f"has the SHA-256 {pin_of(files.certificate)}, which is not broker.pin" in line


@pytest.mark.parametrize(
    ("host", "authority", "why"), [("localhost", "stranger", "local issuer"), ("127.0.0.1", "authority", "mismatch")]
)
def test_a_certificate_of_a_stranger_or_for_another_host_is_not_believed_and_one_line_says_why(
    files: Files, host: str, authority: str, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    with TlsEar(files.certificate, files.key) as ear:
        client = client_of(Broker(host=host, port=ear.port, tls=True, ca_file=getattr(files, authority)))
        until(lambda: ear.handshakes > 3)
        client.stop()
    assert ear.heard == b""
    (line,) = warnings(caplog)
    assert "its certificate is not believed" in line
    assert why in line
    assert "broker.ca_file" in line


def test_a_refused_password_is_one_line_that_names_the_user(caplog: pytest.LogCaptureFixture) -> None:
    with ScriptedBroker([NOT_AUTHORISED_5]) as broker:
        client = client_of(Broker(host=broker.host, port=broker.port, username="front"))
        until(lambda: len(broker.levels) > 3)
        client.stop()
    (line,) = warnings(caplog)
    assert "Not authorized; check user 'front' and its password" in line


def test_tls_to_a_port_that_speaks_none_and_plain_text_to_one_that_wants_it_are_told_apart(
    files: Files, caplog: pytest.LogCaptureFixture
) -> None:
    with ScriptedBroker([NOT_AUTHORISED_5]) as broker:
        client = client_of(Broker(host=broker.host, port=broker.port, tls=True, ca_file=files.authority))
        until(lambda: bool(warnings(caplog)))
        client.stop()
    with TlsEar(files.certificate, files.key) as ear:
        client = client_of(Broker(host=ear.host, port=ear.port))
        until(lambda: len(warnings(caplog)) > 1)
        client.stop()
    plain, wanted = warnings(caplog)
    assert "it does not answer in TLS" in plain
    assert "want TLS?" in wanted


def test_the_password_is_read_from_a_private_file_without_its_line_end(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("open sesame\n")
    path.chmod(0o644)
    with pytest.raises(StoreError, match="chmod 600"):
        password_of(Broker(password_file=path))
    path.chmod(0o600)
    assert password_of(Broker(password_file=path)) == b"open sesame"
    assert password_of(Broker()) is None


def test_a_missing_password_is_not_taken_for_the_key_of_a_door(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"password: missing; name the right file in broker\.password_file"):
        password_of(Broker(password_file=tmp_path / "password"))


def test_a_password_of_any_bytes_is_sent_as_it_is_and_shows_nowhere(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "password"
    path.write_bytes(b"s\xe9same\n")
    path.chmod(0o600)
    with ScriptedBroker([ACCEPT_5]) as broker:
        settings = Broker(host=broker.host, port=broker.port, username="front", password_file=path)
        client = client_of(settings)
        until(lambda: bool(broker.connects))
        client.stop()
    assert broker.connects[0].endswith(b"\x00\x06s\xe9same")
    assert "same" not in caplog.text
    assert "same" not in repr(Access.of(settings))


def test_the_password_is_taken_from_a_credential_of_the_service(tmp_path: Path) -> None:
    broker = Broker(password_credential="mqtt")
    (tmp_path / "mqtt").write_text("open sesame\n")
    (tmp_path / "mqtt").chmod(0o440)  # systemd lets the service's user in by an access list, which shows as group bits
    assert password_of(broker, {"CREDENTIALS_DIRECTORY": str(tmp_path)}) == b"open sesame"


@pytest.mark.parametrize("spoil", ["missing", "empty", "folder", "huge", "open to all"])
def test_a_credential_that_cannot_be_used_is_said_so(tmp_path: Path, spoil: str) -> None:
    path = tmp_path / "mqtt"
    if spoil == "folder":
        path.mkdir()
    elif spoil != "missing":
        path.write_text({"empty": "", "huge": "x" * 5000}.get(spoil, "secret"))
        path.chmod(0o444 if spoil == "open to all" else 0o400)
    with pytest.raises(StoreError, match="mqtt: "):
        password_of(Broker(password_credential="mqtt"), {"CREDENTIALS_DIRECTORY": str(tmp_path)})


def test_a_credential_outside_of_a_service_is_said_so() -> None:
    with pytest.raises(ConfigError, match="LoadCredential=mqtt"):
        password_of(Broker(password_credential="mqtt"), {})


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
