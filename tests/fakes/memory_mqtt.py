"""A broker in memory with the face of `MqttClient`: delivers at once, can be cut, and can hold messages back."""

from __future__ import annotations

from faceedge.config import Broker
from faceedge.door.connection import Message, Session


class MemoryBroker:
    """`client` stands in for the class MqttClient. sent: every message that reached the broker, in order."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.retained: dict[str, bytes] = {}
        self.clients: list[MemoryClient] = []
        self.held: list[Message] | None = None

    def client(self, _settings: Broker, session: Session) -> MemoryClient:
        client = MemoryClient(self, session)
        self.clients.append(client)
        return client

    def hold(self) -> None:
        """From now on messages are accepted and kept."""
        self.held = []

    def release(self) -> None:
        """Delivers what was kept, in order."""
        held, self.held = self.held or [], None
        for message in held:
            self.deliver(message)

    def deliver(self, message: Message) -> None:
        if self.held is not None:
            self.held.append(message)
            return
        self.sent.append(message)
        if message.retain:
            self.retained[message.topic] = message.payload
        for client in self.clients:
            if client.connected and any(topic == message.topic for topic, _ in client.session.subscriptions):
                client.session.on_message(message.topic, message.payload)

    def on(self, ending: str) -> list[bytes]:
        """Payloads that were sent on topics with this ending."""
        return [message.payload for message in self.sent if message.topic.endswith(ending)]


class MemoryClient:
    """As MqttClient, without a thread."""

    protocol = "5"

    def __init__(self, broker: MemoryBroker, session: Session) -> None:
        self.broker = broker
        self.session = session
        self.connected = False

    def start(self) -> None:
        self.connected = True
        self.session.on_up()

    def cut(self) -> None:
        """The connection breaks, the broker speaks the will."""
        self.connected = False
        self.broker.deliver(self.session.last_word())

    def publish(self, message: Message) -> bool:
        if self.connected:
            self.broker.deliver(message)
        return self.connected

    def post(self, message: Message) -> MemoryReceipt | None:
        """Acknowledged once the broker has delivered it."""
        return MemoryReceipt(self, message) if self.publish(message) else None

    def wait_connected(self, timeout_s: float) -> bool:
        return self.connected

    def stop(self) -> None:
        self.publish(self.session.last_word())
        self.connected = False


class MemoryReceipt:
    """As Receipt: a broker that holds messages back has not acknowledged them either."""

    refusal = ""

    def __init__(self, client: MemoryClient, message: Message) -> None:
        self._client = client
        self._message = message

    def is_done(self) -> bool:
        return any(sent is self._message for sent in self._client.broker.sent)

    def is_dead(self) -> bool:
        return not self._client.connected and not self.is_done()
