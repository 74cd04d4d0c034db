"""How a broker may be reached, checked before the first byte is sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from faceedge.config import Broker
from faceedge.door.transport import is_loopback, password_of, tls_of
from faceedge.errors import ConfigError, StoreError


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


def test_the_password_is_read_from_a_private_file_without_its_line_end(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("open sesame\n")
    path.chmod(0o644)
    with pytest.raises(StoreError, match="chmod 600"):
        password_of(Broker(password_file=path))
    path.chmod(0o600)
    assert password_of(Broker(password_file=path)) == "open sesame"
    assert password_of(Broker()) is None
