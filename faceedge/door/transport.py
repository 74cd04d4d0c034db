"""How the broker may be reached: TLS and password from the configuration, and no plain text off this machine."""

from __future__ import annotations

import ipaddress
import ssl

from faceedge.config import Broker
from faceedge.door.keys import read_secret
from faceedge.errors import ConfigError


def tls_of(broker: Broker) -> ssl.SSLContext | None:
    """The TLS context, None without TLS. Raises ConfigError when a file is bad or plain text is not allowed."""
    if not broker.tls:
        _check_plain(broker)
        return None
    try:
        context = ssl.create_default_context(cafile=broker.ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if broker.cert_file is not None:
            context.load_cert_chain(broker.cert_file, broker.key_file)
    except OSError as error:  # SSLError is one
        raise ConfigError(f"broker: ca_file, cert_file or key_file cannot be used ({error}); mend the file") from error
    return context


def password_of(broker: Broker) -> str | None:
    """The broker's password, None without one. Raises StoreError when its file cannot be used."""
    if broker.password_file is None:
        return None
    return read_secret(broker.password_file).decode("utf-8", "surrogateescape")


def _check_plain(broker: Broker) -> None:
    if not broker.insecure and not is_loopback(broker.host):
        raise ConfigError(
            f"broker.host: {broker.host} is not this machine and broker.tls is off; set tls = true, "
            "or insecure = true to accept that anyone on the way can listen"
        )


def is_loopback(host: str) -> bool:
    """Whether a host, by its text alone, is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
