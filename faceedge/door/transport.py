"""How the broker may be reached: TLS and password from the configuration, and no plain text off this machine.

Also says in words for an operator why a connection did not come about.
"""

from __future__ import annotations

import hashlib
import ipaddress
import os
import ssl
import stat
from collections.abc import Mapping
from pathlib import Path

from faceedge.config import Broker
from faceedge.door.keys import MAX_SECRET_BYTES, read_secret
from faceedge.errors import ConfigError, StoreError

NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE")
"""What OpenSSL says about an answer in plain text."""


class PinMismatch(ssl.SSLError):
    """Who answers does not have the certificate that `broker.pin` names."""


def tls_of(broker: Broker) -> ssl.SSLContext | None:
    """The TLS context, None without TLS. Raises ConfigError when a file is bad or plain text is not allowed."""
    if not broker.tls:
        _check_plain(broker)
        return None
    try:
        context = _believing_the_pin_alone() if broker.pin else ssl.create_default_context(cafile=broker.ca_file)
        context.sslsocket_class = _shaking(broker.pin)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if broker.cert_file is not None:
            _check_private(broker.key_file or broker.cert_file)
            context.load_cert_chain(broker.cert_file, broker.key_file, password=_refuse_passphrase)
    except OSError as error:  # SSLError is one
        raise ConfigError(f"broker: ca_file, cert_file or key_file cannot be used ({error}); mend the file") from error
    return context


def password_of(broker: Broker, environ: Mapping[str, str] = os.environ) -> bytes | None:
    """The broker's password, None without one. Raises ConfigError or StoreError when it cannot be read."""
    if broker.password_credential:
        return _credential(broker.password_credential, environ.get("CREDENTIALS_DIRECTORY", ""))
    if broker.password_file is not None:
        return read_secret(broker.password_file, "name the right file in broker.password_file")
    return None


def why_not(error: OSError, broker: Broker) -> str:
    """The reason of a failed connection, and what to look at."""
    if isinstance(error, PinMismatch):
        return str(error.args[-1])
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not believed: {error.verify_message}; check broker.ca_file and host, or set pin"
    hung_up = isinstance(error, ssl.SSLEOFError | ConnectionResetError) and broker.tls
    if hung_up or (isinstance(error, ssl.SSLError) and error.reason in NO_TLS):
        return f"it does not answer in TLS; does port {broker.port} speak it? 8883 is usual"
    return str(error)


def why_cut_off(broker: Broker) -> str:
    """The reason of a connection that ended before the broker had answered."""
    if broker.tls:
        return "it hung up without an answer; does it want another client certificate? see broker.cert_file, key_file"
    return f"it hung up without an answer; does port {broker.port} want TLS?"


def why_refused(reason: str, broker: Broker) -> str:
    """The broker's own words, and what to look at."""
    who = f"user {broker.username!r} and its password" if broker.username else "broker.username, which is empty"
    return f"it refuses us: {reason}; check {who}"


def _shaking(pin: str) -> type[ssl.SSLSocket]:
    """A socket whose handshake fails unless the other side has the pinned certificate, and that is closed then.

    So not a byte of MQTT leaves before the check. Without a pin the context has checked all by itself.
    """

    class Shaking(ssl.SSLSocket):
        def do_handshake(self, block: bool = False) -> None:
            try:
                super().do_handshake(block)
                found = hashlib.sha256(self.getpeercert(binary_form=True) or b"").hexdigest()
                if pin and found != pin.lower():
                    raise PinMismatch(
                        f"its certificate has the SHA-256 {found}, which is not broker.pin; "
                        "change the pin only if the certificate at the broker has exactly this one"
                    )
            except OSError:
                self.close()
                raise

    return Shaking


def _believing_the_pin_alone() -> ssl.SSLContext:
    """Neither who signed the certificate nor which host it names matters; and there is only one handshake."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.options |= ssl.OP_NO_RENEGOTIATION
    return context


def _check_private(key: Path) -> None:
    if key.stat().st_mode & stat.S_IROTH:
        raise ConfigError(f"{key}: everybody can read this private key; chmod 600 it, and replace it if others did")


def _refuse_passphrase() -> str:
    """A daemon has nobody to ask; without this OpenSSL would wait at the terminal."""
    raise ConfigError("broker.key_file has a passphrase; take it off and chmod 600 the file")


def _credential(name: str, folder: str) -> bytes:
    """What systemd handed over; the folder is the service's own, so the group bits of its files mean nothing."""
    if not folder:
        raise ConfigError(f"broker.password_credential: no credentials here; add LoadCredential={name}:… to the unit")
    path = Path(folder) / name
    try:
        with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            secret = file.read(MAX_SECRET_BYTES + 1) if stat.S_ISREG(mode) else b""
    except OSError as error:
        raise StoreError(
            f"{path}: cannot be read ({error.strerror}); name it in LoadCredential= of the unit"
        ) from error
    if not secret or len(secret) > MAX_SECRET_BYTES or mode & stat.S_IROTH:
        raise StoreError(f"{path}: not a credential: empty, too long, no file, or open to everybody")
    return secret.rstrip(b"\r\n")


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
