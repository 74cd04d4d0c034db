"""How far this device comes with its broker: reached, believed, let in, and allowed to read and write what it must.

Run by `faceedge doctor`, beside the daemon and over a connection of its own, which says nothing that anybody obeys.
"""

from __future__ import annotations

import datetime
import secrets
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import paho.mqtt.client as paho
from cryptography import x509
from paho.mqtt.enums import MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from faceedge.config import Broker, Door
from faceedge.door.connection import Access, Message, Session, abort, connect, make_client, send
from faceedge.door.contract import Address, prefix
from faceedge.door.transport import why_cut_off, why_not, why_refused

Stage = Literal["reach", "tls", "login", "rights"]
LOOP_S = 0.05
ANSWER_S = 3.0
_UNSUPPORTED_VERSION = 132


@dataclass(slots=True)
class Visit:
    """stage: the last one that was tried; fault: why it came no further, empty when it did. error: of a connection that
    did not come about. refused: topics that the broker refuses, with its words. silent: topics it said nothing of.
    until: when the broker's certificate ends, None without TLS. protocol: 5 or 3.1.1, which does not tell of a refusal
    to publish."""

    stage: Stage = "reach"
    fault: str = ""
    error: OSError | None = None
    refused: dict[str, str] = field(default_factory=dict)
    silent: tuple[str, ...] = ()
    until: datetime.datetime | None = None
    protocol: str = "5"


def topics_of(device: str, doors: Sequence[Door]) -> tuple[list[str], list[str]]:
    """What the device reads and writes. Of what it writes only what is nobody's news: an empty event of a kind that
    does not exist, and for each controller an empty grant, which has no signature and so opens nothing."""
    at = [Address(device, door.name, controller) for door in doors for controller in door.controllers]
    reads = [address.topic(kind) for address in at for kind in ("challenge", "verdict", "status")]
    writes = [address.topic("grant") for address in at]
    return [*reads, f"{prefix(device)}/cmd/ping"], [*writes, f"{prefix(device)}/event/doctor"]


def visit(broker: Broker, device: str, reads: Sequence[str], writes: Sequence[str]) -> Visit:
    """Goes there once, or twice where the broker does not speak MQTT 5. Raises ConfigError or StoreError when its
    settings cannot be used; whatever else is wrong is in the answer."""
    access = Access.of(broker)
    first = _Visitor(access, device, reads, writes, MQTTProtocolVersion.MQTTv5)
    found = first.go()
    if first.wants_older:
        found = _Visitor(access, device, reads, writes, MQTTProtocolVersion.MQTTv311).go()
        found.protocol = "3.1.1"
    return found


class _Visitor:
    """One connection."""

    def __init__(
        self, access: Access, device: str, reads: Sequence[str], writes: Sequence[str], protocol: MQTTProtocolVersion
    ) -> None:
        name = f"faceedge.{device}.doctor.{secrets.token_hex(4)}"
        subscriptions = tuple((topic, 1) for topic in reads)
        session = Session(name, subscriptions, lambda: None, lambda: None, lambda *_: None)
        self._broker, self._session, self._protocol = access.broker, session, protocol
        self._client = make_client(access, protocol, session)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_publish = self._on_publish
        self._writes = writes
        self._waiting: dict[int, tuple[str, ...]] = {}
        self._found = Visit()
        self._is_in = self._is_over = self.wants_older = False

    def go(self) -> Visit:
        """Takes seconds at most."""
        try:
            connect(self._client, self._broker, self._protocol, self._session)
            self._found.stage = "login"
            self._found.until = _ends(self._client.socket())
            self._talk()
        except OSError as error:
            self._found.stage = "tls" if isinstance(error, ssl.SSLError) else "reach"
            self._found.fault, self._found.error = why_not(error, self._broker), error
        finally:
            abort(self._client)
        self._found.silent = tuple(topic for topics in self._waiting.values() for topic in topics)
        return self._found

    def _talk(self) -> None:
        ends = time.monotonic() + ANSWER_S
        while not self._is_over and time.monotonic() < ends:
            if self._client.loop(LOOP_S) != MQTTErrorCode.MQTT_ERR_SUCCESS:
                break
        if not self._is_in and not self._found.fault and not self.wants_older:
            is_silent = time.monotonic() >= ends
            self._found.fault = "it does not answer to CONNECT" if is_silent else why_cut_off(self._broker)

    def _on_connect(self, client: paho.Client, _userdata: Any, _flags: Any, reason: ReasonCode, _more: Any) -> None:
        if reason.is_failure:
            self.wants_older = reason.value == _UNSUPPORTED_VERSION and self._protocol == MQTTProtocolVersion.MQTTv5
            self._found.fault = "" if self.wants_older else why_refused(str(reason), self._broker)
            self._is_over = True
            return
        self._is_in, self._found.stage = True, "rights"
        _, number = client.subscribe(list(self._session.subscriptions))
        self._waiting[number or 0] = tuple(topic for topic, _ in self._session.subscriptions)
        for topic in self._writes:
            sent = send(client, self._protocol, Message(topic, b"", qos=1, expiry_s=1))
            self._waiting[sent.mid] = (topic,)

    def _on_subscribe(
        self, _client: paho.Client, _userdata: Any, number: int, reasons: list[ReasonCode], _more: Any
    ) -> None:
        answers = zip(self._waiting.pop(number, ()), reasons, strict=False)
        self._found.refused |= {topic: str(reason) for topic, reason in answers if reason.is_failure}
        self._is_over = not self._waiting

    def _on_publish(self, _client: paho.Client, _userdata: Any, number: int, reason: ReasonCode, _more: Any) -> None:
        for topic in self._waiting.pop(number, ()):
            if reason.is_failure:
                self._found.refused[topic] = str(reason)
        self._is_over = not self._waiting


def _ends(link: Any) -> datetime.datetime | None:
    """When the certificate of the other side ends, UTC."""
    if not isinstance(link, ssl.SSLSocket):
        return None
    try:
        return x509.load_der_x509_certificate(link.getpeercert(binary_form=True) or b"").not_valid_after_utc
    except ValueError:
        return None
