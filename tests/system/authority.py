"""An authority that signs a broker's certificates, good ones and expired ones."""

from __future__ import annotations

import datetime
import hashlib
import os
import pwd
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.door.certificates import SIGNS


class Authority:
    """`ca.pem` and, one at a time, the broker's `server.pem` and `server.key` in a folder."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "ca.pem"
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("faceedge test")
        made = (
            self._draft(self._name, self._key, days=10)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(SIGNS, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
        )
        self.file.write_bytes(made.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def issue(self, days: int = 1) -> str:
        """Replaces the broker's certificate by one that is good for so many days, or was; its pin."""
        key = ec.generate_private_key(ec.SECP256R1())
        draft = self._draft(_name("localhost"), key, days)
        names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
        signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        made = (
            draft.add_extension(names, critical=False)
            .add_extension(signer, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        (self._folder / "server.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (self._folder / "server.key").write_bytes(secret)
        return hashlib.sha256(made.public_bytes(serialization.Encoding.DER)).hexdigest()

    def settings(self) -> str:
        """Lines for mosquitto, which would leave root and could not read the files any more."""
        user = pwd.getpwuid(os.getuid()).pw_name
        return f"user {user}\ncertfile {self._folder}/server.pem\nkeyfile {self._folder}/server.key"

    def _draft(self, name: x509.Name, key: ec.EllipticCurvePrivateKey, days: int) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.timezone.utc)
        ends = now + datetime.timedelta(days=days)
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(min(now, ends) - datetime.timedelta(days=1))
            .not_valid_after(ends)
        )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
