"""One who listens on a broker to everything, and holds it against the contract."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any

import paho.mqtt.client as paho
from jsonschema import Draft202012Validator
from paho.mqtt.subscribeoptions import SubscribeOptions

from faceedge.config import Broker
from faceedge.door.channels import channel_of
from faceedge.door.connection import Access
from faceedge.door.contract import MAC_CHARS
from faceedge.door.schemas import BODIES, SEALED, SIGNED, schema_of
from faceedge.door.signed import SIGNATURE_CHARS
from tests.door.running import until


class Sniffer:
    """Keeps every message as its sender published it (MQTT 5: with its own QoS and retain flag)."""

    def __init__(self, broker: Broker, protocol: int = paho.MQTTv5) -> None:
        access = Access.of(broker)
        self.heard: list[paho.MQTTMessage] = []
        self._ready = threading.Event()
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2, broker.username, protocol=protocol)  # type: ignore[arg-type]
        if access.tls is not None:
            self._client.tls_set_context(access.tls)
        if broker.username:
            self._client.username_pw_set(broker.username, access.password)
        if protocol == paho.MQTTv5:
            wish: dict[str, Any] = {"options": SubscribeOptions(qos=2, retainAsPublished=True)}
        else:
            wish = {"qos": 2}
        self._client.on_connect = lambda client, *_: client.subscribe("#", **wish)
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = lambda _client, _userdata, message: self.heard.append(message)
        self._client.connect(broker.host, broker.port)

    def __enter__(self) -> Sniffer:
        self._client.loop_start()
        assert self._ready.wait(5)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def payloads(self, ending: str) -> list[bytes]:
        """Of topics with this ending."""
        return [message.payload for message in list(self.heard) if message.topic.endswith(ending)]

    def bodies(self, ending: str) -> list[Any]:
        """The same, of topics with plain JSON."""
        return [json.loads(payload) for payload in self.payloads(ending)]

    def wait_for(self, ending: str, is_wanted: Callable[[Any], bool] = lambda _: True) -> None:
        until(lambda: any(map(is_wanted, self.bodies(ending))), within_s=30.0)


def check(heard: Iterable[paho.MQTTMessage], *, with_flags: bool = True) -> None:
    """Every message travels on a topic of the contract, as it says, with a body of its schema."""
    for message in heard:
        channel = channel_of(message.topic)
        assert channel is not None, message.topic
        body = body_of(message, channel.body)
        if with_flags:
            is_retained = {"yes": True, "some": "unlocked" not in str(body) and "held_open" not in str(body)}
            assert (message.qos, message.retain) == (channel.qos, is_retained.get(channel.retained, False)), (
                message.topic
            )


def body_of(message: paho.MQTTMessage, named: str) -> object:
    """What lies in a message, held against its schema when it has one."""
    name = f"event-{message.topic.rsplit('/')[-1]}" if named == "event-<kind>" else named
    if name not in BODIES:
        return message.payload
    skip = MAC_CHARS + 1 if name in SEALED else SIGNATURE_CHARS + 1 if name in SIGNED else 0
    body = json.loads(message.payload[skip:])
    faults = [fault.message for fault in Draft202012Validator(schema_of(name)).iter_errors(body)]
    assert faults == [], (message.topic, body)
    return body
