"""The device's one connection to the broker: birth and will, what is retained, and who listens to which topic.

The daemon makes it; doors, commands and events share it. Handlers run in the MQTT thread and must not block.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from faceedge.config import Broker
from faceedge.door.connection import Access, Receipt
from faceedge.door.contract import prefix
from faceedge.door.mqtt import Message, MqttClient, Session
from faceedge.health.watchdog import Vital

Handler = Callable[[bytes], None]

MOST_BYTES = 4096
"""Of a packet that comes in. The largest is a command: 1111 bytes and its topic."""


class Uplink:
    """Subscribe before `start`. `publish`, `post` and `retain` may be called from any thread and never block."""

    def __init__(self, broker: Broker, device: str) -> None:
        """Raises ConfigError or StoreError when the broker's settings cannot be used."""
        Access.of(broker)
        self._broker = broker
        self._device = device
        self._lock = threading.Lock()
        self._routes: dict[str, tuple[int, Handler]] = {}
        self._retained: dict[str, bytes] = {}
        self._on_up: list[Callable[[], None]] = []
        self._mqtt: MqttClient | None = None

    @property
    def prefix(self) -> str:
        """All topics of this device begin with it."""
        return prefix(self._device)

    @property
    def connected(self) -> bool:
        """The broker has accepted us. No proof that a grant arrives: only a verdict is."""
        return self._mqtt is not None and self._mqtt.connected

    @property
    def protocol(self) -> str | None:
        """MQTT version spoken: 5, or 3.1.1 where the broker refused 5 from the start; None before the start."""
        return self._mqtt.protocol if self._mqtt is not None else None

    def subscribe(self, topic: str, qos: int, handler: Handler) -> None:
        """Payloads of this topic go to the handler."""
        assert self._mqtt is None, "subscriptions are made before the start"
        self._routes[topic] = (qos, handler)

    def on_up(self, callback: Callable[[], None]) -> None:
        """Called after each connect, once birth and retained topics are on their way."""
        self._on_up.append(callback)

    def start(self) -> None:
        """Connects, and again whenever the connection is lost."""
        subscriptions = tuple((topic, qos) for topic, (qos, _) in self._routes.items())
        session = Session(
            f"faceedge.{self._device}", subscriptions, self._offline, self._born, self._dispatch, _is_status, MOST_BYTES
        )
        self._mqtt = MqttClient(self._broker, session)
        self._mqtt.start()

    def stop(self) -> None:
        """Says `offline`, leaves, and ends the thread; below 2 s."""
        if self._mqtt is not None:
            self._mqtt.stop()

    @property
    def vital(self) -> Vital | None:
        """The thread of the connection; None before the start."""
        return self._mqtt.vital if self._mqtt is not None else None

    def wait_connected(self, timeout_s: float) -> bool:
        return self._mqtt is not None and self._mqtt.wait_connected(timeout_s)

    def publish(self, message: Message) -> bool:
        """Sends it now, or drops it and says False."""
        return self._mqtt is not None and self._mqtt.publish(message)

    def post(self, message: Message) -> Receipt | None:
        """Sends it now with QoS 1; the receipt tells when the broker has it. None when it cannot be sent now."""
        return self._mqtt.post(message) if self._mqtt is not None else None

    def retain(self, topic: str, payload: bytes) -> None:
        """Publishes a retained topic now, and again after each connect. An empty payload clears it."""
        with self._lock:  # over the sending, too: `_born` must not send what was just replaced
            self._retained[topic] = payload
            self.publish(_retained(topic, payload))

    def _offline(self) -> Message:
        return _retained(f"{self.prefix}/availability", b"offline")

    def _born(self) -> None:
        self.publish(_retained(f"{self.prefix}/availability", b"online"))
        with self._lock:
            for topic, payload in self._retained.items():
                self.publish(_retained(topic, payload))
        for callback in self._on_up:
            callback()

    def _dispatch(self, topic: str, payload: bytes) -> None:
        if route := self._routes.get(topic):  # a broker may send what was not asked for
            route[1](payload)


def _is_status(topic: str) -> bool:
    return topic.endswith("/status")


def _retained(topic: str, payload: bytes) -> Message:
    return Message(topic, payload, qos=1, retain=True)
