"""A thin MQTT client on paho: one thread, jittered reconnect, and nothing that outlives its connection.

Every connection gets a paho client of its own, so whatever was queued in the old one dies with it: a grant is now or
never. Only what the owner publishes again from `on_up` (birth, retained state) returns after a reconnect.
"""

from __future__ import annotations

import logging
import random
import threading
import time

import paho.mqtt.client as paho
from paho.mqtt.enums import MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from faceedge.config import Broker
from faceedge.door.connection import CONNECT_S, Access, Message, Receipt, Session, abort, connect, make_client, send
from faceedge.door.transport import why_cut_off, why_not, why_refused
from faceedge.health.heartbeat import Heart
from faceedge.health.watchdog import Vital

__all__ = ["Message", "MqttClient", "Receipt", "Session"]

log = logging.getLogger(__name__)

RETRY_MIN_S, RETRY_MAX_S = 0.25, 2.0
LOOP_S = 0.1
SLOW_S, STUCK_S = 0.25, 2.0
"""With unsent bytes for this long nothing more is accepted; for that long, the connection is given up."""
SILENCE_S, OFFLINE_SILENCE_S = 3.0, 180.0
"""Of the thread: looking up a name takes a minute where three name servers do not answer and two names are tried, and a
broker that is away is no reason for another start."""
FAREWELL_S = 0.4
"""For the last word to be acknowledged, and again for leaving."""

MOST_REASONS = 10
"""Told for one outage; a broker that is slow to start has several."""

_UNSUPPORTED_VERSION = 132
_random = random.SystemRandom()


class MqttClient:
    """Keeps a session alive until stopped. `publish` may be called from any thread and never blocks."""

    def __init__(self, broker: Broker, session: Session) -> None:
        """Raises ConfigError or StoreError when the broker's settings cannot be used."""
        self._access = Access.of(broker)
        self._where = f"{broker.host}:{broker.port}"
        self._session = session
        self._protocol = MQTTProtocolVersion.MQTTv5
        self._has_spoken_v5 = False
        self._asks_version = False
        self._client: paho.Client | None = None
        self._refusals: dict[int, str] = {}
        self._is_up = threading.Event()
        self._stopping = threading.Event()
        self._heart = Heart("mqtt", OFFLINE_SILENCE_S)
        self._thread = threading.Thread(target=self._run, name=f"mqtt {session.client_id}", daemon=True)
        self._all_sent_at = 0.0
        self._leave_by = 0.0
        self._is_answered = False
        self._told: set[str] = set()

    @property
    def vital(self) -> Vital:
        """Its thread. A broker that is away is no ailment of it."""
        return Vital(self._heart, self._thread.is_alive, self._stopping.is_set)

    @property
    def connected(self) -> bool:
        return self._is_up.is_set()

    @property
    def protocol(self) -> str:
        """Spoken, or tried next: 5, or 3.1.1 with a broker that has refused 5 from the start."""
        return "5" if self._protocol == MQTTProtocolVersion.MQTTv5 else "3.1.1"

    def start(self) -> None:
        self._thread.start()

    def wait_connected(self, timeout_s: float) -> bool:
        return self._is_up.wait(timeout_s)

    def publish(self, message: Message) -> bool:
        """Hands a message to the connection, or drops it and says False: offline, or the link is slow or refuses."""
        return self._send(self._client, message) is not None

    def post(self, message: Message) -> Receipt | None:
        """As `publish`, for a message of QoS 1 whose arrival at the broker matters; None when it was dropped."""
        client = self._client
        refusals = self._refusals  # of this client, or of a later one; then the receipt is dead anyway
        info = self._send(client, message)
        return None if info is None else Receipt(info, refusals, lambda: self._client is client)

    def stop(self) -> None:
        """Says the last word, leaves, and waits for the thread; below 2 s."""
        if self._thread.is_alive():
            self._leave()
            self._thread.join(CONNECT_S)
        self._stopping.set()

    def _send(self, client: paho.Client | None, message: Message) -> paho.MQTTMessageInfo | None:
        if client is None or not self.connected or self._unsent_s(client) > SLOW_S:
            return None
        receipt = send(client, self._protocol, message)
        return receipt if receipt.rc == MQTTErrorCode.MQTT_ERR_SUCCESS else None

    def _leave(self) -> None:
        is_said = self._say_last_word()
        self._leave_by = time.monotonic() + FAREWELL_S
        self._stopping.set()
        if (client := self._client) is not None and (is_said or not self.connected):
            client.disconnect()

    def _say_last_word(self) -> bool:
        """False when the broker does not have it; then the will must say it, which a clean leave would void."""
        word = self._session.last_word()
        if word is None:
            return True
        receipt = self._send(self._client, word)
        if receipt is None:
            return False
        try:
            receipt.wait_for_publish(FAREWELL_S)
            return receipt.is_published()
        except (RuntimeError, ValueError):
            log.debug("the broker left before us")
            return False

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            self._beat(OFFLINE_SILENCE_S)
            try:
                failures = 0 if self._connection() else failures + 1
            except Exception:  # thread top: a broken handler costs a reconnect, never the thread
                log.exception("internal fault in the MQTT thread, reconnecting")
                failures += 1
            self._stopping.wait(_pause_s(failures))

    def _connection(self) -> bool:
        """One connection from birth to death; says whether it was ever up."""
        session = None if self._asks_version else self._session
        client = make_client(self._access, self._protocol, session)
        client.on_connect = self._on_connect
        client.on_message = self._on_message
        client.on_subscribe = self._on_subscribe
        client.on_publish = self._on_publish
        self._refusals = {}
        self._is_answered = False
        self._client = client
        was_up = False
        try:
            connect(client, self._access.broker, self._protocol, session)
            if not self._stopping.is_set():  # looking up a name may have taken long; another client lives by now
                self._serve(client)
        except OSError as error:  # refused, unknown host, timeouts, TLS and certificate errors
            self._say_down(why_not(error, self._access.broker))
        finally:
            was_up = self._is_up.is_set()
            self._is_up.clear()
            self._client = None
            abort(client)
        return was_up

    def _serve(self, client: paho.Client) -> None:
        start = self._all_sent_at = time.monotonic()
        while client.loop(LOOP_S) == MQTTErrorCode.MQTT_ERR_SUCCESS:
            self._beat(SILENCE_S if self.connected else OFFLINE_SILENCE_S)
            now = time.monotonic()
            if not client.want_write():
                self._all_sent_at = now
            if not self.connected and now - start > CONNECT_S:
                self._on_silence()
                raise TimeoutError("no answer to CONNECT")
            if self._unsent_s(client) > STUCK_S:
                raise TimeoutError("the link takes no more bytes")
            if self._stopping.is_set() and now > self._leave_by:
                return
        if self._stopping.is_set():
            return
        if self.connected:
            self._say_down("connection lost")
        elif not self._is_answered:
            self._say_down(why_cut_off(self._access.broker))

    def _beat(self, silence_s: float) -> None:
        self._heart.beat()
        self._heart.silence_s = silence_s

    def _unsent_s(self, client: paho.Client) -> float:
        return time.monotonic() - self._all_sent_at if client.want_write() else 0.0

    def _on_connect(
        self, client: paho.Client, _userdata: object, _flags: object, reason: ReasonCode, _properties: object
    ) -> None:
        self._is_answered = True
        if reason.is_failure:
            self._on_refused(reason)
        elif self._asks_version:
            self._asks_version = False
            client.disconnect()
        else:
            self._has_spoken_v5 |= self._protocol == MQTTProtocolVersion.MQTTv5
            if self._session.subscriptions:
                client.subscribe(list(self._session.subscriptions))
            self._all_sent_at = (
                time.monotonic()
            )  # however late we look: the birth is said once, and must not be dropped
            self._is_up.set()
            self._told.clear()
            log.info("connected to %s, MQTT %s", self._where, self.protocol)
            self._session.on_up()

    def _on_refused(self, reason: ReasonCode) -> None:
        """Only a broker that has never spoken version 5 to us, and says that it cannot, is asked for 3.1.1."""
        if reason.value == _UNSUPPORTED_VERSION and not self._has_spoken_v5:
            log.warning(
                "%s does not speak MQTT 5: going on with 3.1.1, grants do not expire in the broker", self._where
            )
            self._protocol = MQTTProtocolVersion.MQTTv311
        elif not self._asks_version:
            self._say_down(why_refused(str(reason), self._access.broker))
        self._asks_version = False

    def _on_silence(self) -> None:
        """Old brokers choke on a version 5 CONNECT with a will, but refuse a bare one in words: ask that way once.

        Silence alone never changes the version.
        """
        self._asks_version = not self._asks_version and self.protocol == "5" and not self._has_spoken_v5

    def _on_subscribe(
        self, _client: paho.Client, _userdata: object, _mid: int, reasons: list[ReasonCode], _properties: object
    ) -> None:
        for (topic, _), reason in zip(self._session.subscriptions, reasons, strict=False):
            if reason.is_failure:
                log.error("the broker refuses subscription to %s: %s; check its access list", topic, reason)

    def _on_publish(
        self, _client: paho.Client, _userdata: object, mid: int, reason: ReasonCode, _properties: object
    ) -> None:
        if reason.is_failure:
            if not self._refusals:
                log.error("%s does not take all we publish: %s; check its access list", self._where, reason)
            self._refusals[mid] = str(reason)
        else:
            self._refusals.pop(mid, None)  # numbers come round again

    def _on_message(self, _client: paho.Client, _userdata: object, message: paho.MQTTMessage) -> None:
        if not message.retain or self._session.wants_retained(message.topic):
            self._session.on_message(message.topic, bytes(message.payload))

    def _say_down(self, why: str) -> None:
        """Each reason once, until it is up again."""
        if why not in self._told and len(self._told) < MOST_REASONS:
            log.warning("no broker at %s (%s), trying again", self._where, why)
        self._told.add(why)


def _pause_s(failures: int) -> float:
    """Random, so that many devices do not return at the same moment."""
    return _random.uniform(RETRY_MIN_S, min(RETRY_MAX_S, 0.5 * 2 ** min(failures, 4)))
