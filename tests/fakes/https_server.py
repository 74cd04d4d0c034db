"""An HTTPS server on loopback that answers as a test tells it, byte by byte, and certificates good and bad for it."""

from __future__ import annotations

import datetime
import ipaddress
import re
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

RESET = b"\0reset"
"""Yielded by an answer, it drops the connection in the rough way."""


@dataclass(frozen=True)
class Request:
    """head: names in small letters. closing: set when the server ends, for answers that stall."""

    path: str
    head: dict[str, str]
    closing: threading.Event

    @property
    def start(self) -> int:
        """First byte asked for."""
        found = re.fullmatch(r"bytes=([0-9]+)-", self.head.get("range", ""))
        return int(found[1]) if found else 0


Answer = Callable[[Request], Iterable[bytes]]


@dataclass
class HttpsServer:
    """Answers every request with `answer`, one request a connection; use it in a `with` block."""

    certificate: Path
    answer: Answer
    requests: list[Request] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._closing = threading.Event()
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(self.certificate)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, name="https accept")]
        self._threads[0].start()

    def url(self, path: str = "/net.onnx", host: str = "localhost") -> str:
        return f"https://{host}:{self.port}{path}"

    def __enter__(self) -> HttpsServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(connection,), name="https serve")
            self._threads.append(thread)
            thread.start()

    def _serve(self, plain: socket.socket) -> None:
        plain.settimeout(5)
        with plain, suppress(OSError), self._context.wrap_socket(plain, server_side=True) as connection:
            request = self._request(connection)
            if request is None:
                return
            self.requests.append(request)
            for block in self.answer(request):
                if block == RESET:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    return
                connection.sendall(block)

    def _request(self, connection: ssl.SSLSocket) -> Request | None:
        text = b""
        while not text.endswith(b"\r\n\r\n"):
            block = connection.recv(4096)
            if not block:
                return None
            text += block
        first, *lines = text.decode("latin-1").split("\r\n")
        head = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
        return Request(first.split(" ")[1], head, self._closing)


def reply(status: int, body: bytes = b"", **head: str | int) -> bytes:
    """An answer with these headers, `_` for `-`, and nothing else: Content-Length is said only when it is given."""
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in head.items())
    return f"HTTP/1.1 {status} Some\r\n{lines}\r\n".encode("latin-1") + body


def serves(body: bytes, etag: str = '"one"', *, cut_at: int | None = None, ends: bytes = b"") -> Answer:
    """The usual server: ranges, If-Range, and an end in the middle of it when told. ends: what comes there."""

    def answer(request: Request) -> Iterator[bytes]:
        start = request.start if request.head.get("if-range", etag) == etag else 0
        rest = body[start : len(body) if cut_at is None else cut_at]
        length = len(body) - start
        if start >= len(body):
            yield reply(416, Content_Length=0, Content_Range=f"bytes */{len(body)}")
        elif start:
            span = f"bytes {start}-{len(body) - 1}/{len(body)}"
            yield reply(206, rest, Content_Length=length, ETag=etag, Content_Range=span)
        else:
            yield reply(200, rest, Content_Length=length, ETag=etag)
        if ends:
            yield ends

    return answer


def in_turn(*answers: Answer) -> Answer:
    """One answer a request; the last one for ever."""
    left = list(answers)

    def answer(request: Request) -> Iterable[bytes]:
        return (left.pop(0) if len(left) > 1 else left[0])(request)

    return answer


def chunked(*blocks: bytes, ends: bool = True) -> bytes:
    """A body in chunks."""
    last = b"0\r\n\r\n" if ends else b""
    return b"".join(b"%x\r\n%s\r\n" % (len(block), block) for block in blocks) + last


class Authority:
    """Signs certificates of servers. file: its own certificate, for SSL_CERT_FILE."""

    def __init__(self, folder: Path, name: str = "faceedge test") -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        usage = x509.KeyUsage(
            digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False,
            key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False,
            decipher_only=False,
        )  # fmt: skip
        own = (
            self._builder(self._name, self._key.public_key(), datetime.timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.file = folder / f"{name.replace(' ', '-')}.pem"
        self.file.write_bytes(own.public_bytes(serialization.Encoding.PEM))

    def signed(self, name: str = "localhost", valid: datetime.timedelta = datetime.timedelta(hours=1)) -> Path:
        """Certificate and key of a server called `name` and, for localhost, 127.0.0.1, in one file."""
        key = ec.generate_private_key(ec.SECP256R1())
        names: list[x509.GeneralName] = [x509.DNSName(name)]
        if name == "localhost":
            names.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = (
            self._builder(subject, key.public_key(), valid)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        path = self._folder / f"{name}-{valid.total_seconds():.0f}.pem"
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + secret)
        return path

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, valid: datetime.timedelta
    ) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.timezone.utc)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + valid)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        )
