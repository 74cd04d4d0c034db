"""The site's side of commands: reads the nonce, signs, sends, waits for the signed answer.

Run by `faceedge command`; the device's side is `faceedge/commands.py`.
"""

from __future__ import annotations

import json
import queue
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from faceedge.config import Broker
from faceedge.door.connection import Message
from faceedge.door.contract import BadMessage, fresh_token, parse, prefix
from faceedge.door.mqtt import MqttClient, Session
from faceedge.door.nonces import STALE
from faceedge.door.orders import Values
from faceedge.door.signed import SIGNATURE_CHARS, Command, Result, Signs, Verifies, sign, unsign
from faceedge.errors import LinkError

RESEND_S = 1.0
"""The same bytes again: a device obeys them once, and a flood may have kept the first from it."""
EXPIRY_S = 60
MOST_STATE_BYTES = 256 * 1024
MOST_WAITING = 256


@dataclass(frozen=True, slots=True)
class Device:
    """Who is asked. key: its public key; without it nothing proves that an answer is its own."""

    name: str
    key: Verifies | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a command. is_proven: the device's key has signed it."""

    id: str
    ok: bool
    why: str
    is_proven: bool


def ask(broker: Broker, device: Device, secret: Signs, cmd: str, args: Values, wait_s: float = 10.0) -> Answer:
    """Sends one command and waits for its answer. Raises LinkError when none comes in time."""
    talk = _Talk(device, secret, cmd, args)
    session = Session(
        f"faceedge.{device.name}.site.{fresh_token()[:8]}",
        tuple((f"{prefix(device.name)}/{topic}", 1) for topic in talk.topics),
        lambda: None,
        lambda: None,
        talk.hear,
    )
    client = MqttClient(broker, session)
    client.start()
    try:
        return _until_answered(client, talk, time.monotonic() + wait_s)
    except TimeoutError as error:
        where = f"{broker.host}:{broker.port}"
        why = talk.silence() if client.connected else f"no broker at {where}; look at its address and the network"
        raise LinkError(f"no answer within {wait_s:g} s: {why}") from error
    finally:
        client.stop()


def _until_answered(client: MqttClient, talk: _Talk, deadline: float) -> Answer:
    while (now := time.monotonic()) < deadline:
        if now >= talk.send_at and (message := talk.message()) is not None and client.publish(message):
            talk.send_at = now + RESEND_S
        answer = talk.listen(min(deadline - now, RESEND_S))
        if answer is not None:
            return answer
    raise TimeoutError


@dataclass(slots=True)
class _Talk:
    """One command, its second attempt if somebody else used the nonce up, and what is heard meanwhile."""

    device: Device
    secret: Signs
    cmd: str
    args: Values
    send_at: float = 0.0
    _nonce: str = ""
    _is_online: bool = True
    _command: Command | None = None
    _has_retried: bool = False
    _unproven: int = 0
    _heard: queue.Queue[tuple[str, bytes]] = field(default_factory=lambda: queue.Queue(MOST_WAITING))

    @property
    def topics(self) -> dict[str, Callable[[bytes], Answer | None]]:
        """Who listens to what, below the prefix of the device."""
        return {
            "availability": self._on_availability,
            "state": self._on_state,
            f"cmd/{self.cmd}/result": self._on_result,
        }

    def hear(self, topic: str, payload: bytes) -> None:
        """In the MQTT thread; of too many the newest are dropped."""
        if not self._heard.full() and len(payload) <= MOST_STATE_BYTES:
            self._heard.put_nowait((topic, payload))

    def listen(self, within_s: float) -> Answer | None:
        """Waits for one message; the answer, if it is that."""
        try:
            topic, payload = self._heard.get(timeout=within_s)
        except queue.Empty:
            return None
        on = self.topics.get(topic.removeprefix(f"{prefix(self.device.name)}/"))
        return on(payload) if on is not None else None

    def message(self) -> Message | None:
        """What is to be sent; None as long as no nonce is known."""
        if self._command is None and self._nonce:
            self._command = Command(
                id=fresh_token(), dev=self.device.name, cmd=self.cmd, n=self._nonce, args=dict(self.args)
            )
        if self._command is None:
            return None
        topic = f"{prefix(self.device.name)}/cmd/{self.cmd}"
        return Message(topic, sign(self.secret, self._command), qos=1, expiry_s=EXPIRY_S)

    def silence(self) -> str:
        """Why there may be no answer."""
        if not self._nonce:
            return f"no device {self.device.name} has published its state here; look at its name and its broker"
        if not self._is_online:
            return f"the device {self.device.name} is offline"
        if self._unproven:
            return f"{self._unproven} came that the key of {self.device.name} has not signed; is it the right key?"
        return f"does {self.device.name} trust this site key? See there: faceedge site-key list"

    def _on_availability(self, payload: bytes) -> None:
        self._is_online = payload == b"online"

    def _on_state(self, payload: bytes) -> None:
        try:
            nonce = json.loads(payload).get("nonce")
        except (ValueError, AttributeError, RecursionError):
            return
        if isinstance(nonce, str) and re.fullmatch(r"[A-Za-z0-9_-]{22}", nonce):
            self._nonce = nonce

    def _on_result(self, wire: bytes) -> Answer | None:
        result = self._opened(wire)
        sent = self._command
        if result is None or sent is None or (result.id, result.dev, result.cmd) != (sent.id, sent.dev, sent.cmd):
            return None
        if result.why in STALE and not self._has_retried:
            self._has_retried, self._command, self._nonce, self.send_at = True, None, result.n, 0.0
            return None
        return Answer(result.id, result.ok, result.why, self.device.key is not None)

    def _opened(self, wire: bytes) -> Result | None:
        try:
            if self.device.key is not None:
                return unsign(Result, wire, [self.device.key])[0]
            return parse(Result, wire[SIGNATURE_CHARS + 1 :])
        except BadMessage:
            self._unproven += 1
            return None
