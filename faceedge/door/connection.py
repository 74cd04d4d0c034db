"""One connection to the broker: a paho client made for it, and thrown away with all it had not sent yet."""

from __future__ import annotations

import hashlib
import socket
import ssl
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from faceedge.config import Broker
from faceedge.door.transport import password_of, tls_of

CONNECT_S = 1.5
"""For the TCP connection, for the TLS handshake, and for the broker's answer, each."""
UNACKNOWLEDGED_MS = 5000
MAX_QUEUED = 200
SUFFIX_ROUNDS = 10_000
"""So that who reads a client id in a log does not guess the password from it quickly."""


@dataclass(frozen=True, slots=True)
class Message:
    """What to publish. expiry_s: the broker drops it after that (MQTT 5 only), 0 is never."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    expiry_s: int = 0


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a message of QoS 1. refusals: of its connection, by message number, filled as they come."""

    info: paho.MQTTMessageInfo
    refusals: Mapping[int, str]
    lives: Callable[[], bool]

    def is_done(self) -> bool:
        """The broker has answered; see `refusal` for what."""
        return self.info.is_published()

    def is_dead(self) -> bool:
        """Its connection is gone and the broker had not answered: nobody knows whether it arrived."""
        return not self.lives() and not self.is_done()

    @property
    def refusal(self) -> str:
        """Why the broker did not take it (MQTT 5 only), else empty."""
        return self.refusals.get(self.info.mid, "")


@dataclass(frozen=True, slots=True)
class Session:
    """What the owner of a client wants of it.

    last_word: made anew for each connection as its will, and published before a clean leave; None for who says none.
    on_up, on_message: called in the client's thread; they must not block. wants_retained: for which topics the broker's
    memory is welcome; what it remembers of others is not even looked at. most_bytes: of a packet; with MQTT 5 a broker
    keeps larger ones from us; 0 is no limit.
    """

    client_id: str
    subscriptions: tuple[tuple[str, int], ...]
    last_word: Callable[[], Message | None]
    on_up: Callable[[], None]
    on_message: Callable[[str, bytes], None]
    wants_retained: Callable[[str], bool] = lambda _topic: True
    most_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Access:
    """How the broker is entered: the configuration and the secrets it names, read once."""

    broker: Broker
    tls: ssl.SSLContext | None
    password: bytes | None = field(repr=False)

    @classmethod
    def of(cls, broker: Broker) -> Access:
        """Raises ConfigError or StoreError when the broker's settings cannot be used."""
        return cls(broker, tls_of(broker), password_of(broker))


def client_id(access: Access, session: Session) -> str:
    """The same for every connection, so that a new one ends the old one at the broker, and its will comes before our
    birth. And with a part that only the owner of the password can know: nobody else shall end ours.
    """
    if not access.password:
        return session.client_id
    salt = b"faceedge-client-1\0" + session.client_id.encode("utf-8")
    return f"{session.client_id}.{hashlib.pbkdf2_hmac('sha256', access.password, salt, SUFFIX_ROUNDS).hex()[:16]}"


def make_client(access: Access, protocol: MQTTProtocolVersion, session: Session | None) -> paho.Client:
    """A paho client, not yet connected; without a session it has no name, no will and no password."""
    client = paho.Client(
        CallbackAPIVersion.VERSION2,
        client_id(access, session) if session else "",
        protocol=protocol,
        reconnect_on_failure=False,
    )
    client.connect_timeout = CONNECT_S
    client.max_queued_messages_set(MAX_QUEUED)
    client.on_socket_open = _on_socket_open
    # Its presence tells paho not to write from the publishing thread; the loop is woken instead.
    client.on_socket_register_write = _ignore
    if access.tls is not None:
        client.tls_set_context(access.tls)
        if not access.tls.check_hostname:  # else paho would check it, with what Python 3.12 has no more
            client.tls_insecure_set(True)
    if session is not None:
        if access.broker.username:
            client.username_pw_set(access.broker.username, access.password)  # type: ignore[arg-type]  # bytes go as they are
        if (will := session.last_word()) is not None:
            client.will_set(will.topic, will.payload, will.qos, will.retain)
    return client


def connect(client: paho.Client, broker: Broker, protocol: MQTTProtocolVersion, session: Session | None) -> None:
    """Connects, shakes hands and sends CONNECT. Raises OSError."""
    properties = None
    if protocol == MQTTProtocolVersion.MQTTv5 and session is not None and session.most_bytes:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.MaximumPacketSize = session.most_bytes
    client.connect(broker.host, broker.port, broker.keepalive_s, properties=properties)


def send(client: paho.Client, protocol: MQTTProtocolVersion, message: Message) -> paho.MQTTMessageInfo:
    """Queues a message for the client's loop; never blocks."""
    properties = None
    if message.expiry_s and protocol == MQTTProtocolVersion.MQTTv5:
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.MessageExpiryInterval = message.expiry_s
    return client.publish(message.topic, message.payload, message.qos, message.retain, properties)


def abort(client: paho.Client) -> None:
    """Closes a socket that is still open with a reset, so that the kernel throws unsent bytes away."""
    left = client.socket()
    if isinstance(left, socket.socket):
        left.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        left.close()


def _on_socket_open(_client: paho.Client, _userdata: object, opened: object) -> None:
    """Small messages leave at once; bytes that nobody acknowledges end the connection instead of arriving late."""
    assert isinstance(opened, socket.socket), "TCP is the only transport asked for"
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS)


def _ignore(_client: paho.Client, _userdata: object, _socket: object) -> None:
    return
