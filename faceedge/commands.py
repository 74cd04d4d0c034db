"""Commands in: wires from the broker -> verified, used up, obeyed, journalled -> a signed result each.

The MQTT thread only queues. The thread `commands` verifies and obeys; what takes seconds goes to `slow commands`, so
that a lockdown never waits behind a model. Who has no site key gets no answer, uses no nonce up, and keeps nobody out.
"""

from __future__ import annotations

import logging
import math
import queue
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from faceedge.door.connection import Message
from faceedge.door.contract import BadMessage
from faceedge.door.nonces import Nonces
from faceedge.door.orders import ORDERS, Values, check
from faceedge.door.signed import MAX_SIGNED_BODY, SIGNATURE_CHARS, Command, Result, Signs, sign, unsign
from faceedge.door.site_key import SiteKey
from faceedge.errors import FaceedgeError
from faceedge.health.heartbeat import Heart
from faceedge.health.watchdog import Vital

log = logging.getLogger(__name__)

Handler = Callable[[Values, str], str]
"""Obeys a command with these arguments, which have been checked, by this site key (its kid). Says why not, or nothing;
may raise FaceedgeError instead."""

MOST_WAITING = 256
MOST_BYTES = SIGNATURE_CHARS + 1 + MAX_SIGNED_BODY
REMEMBERED = 256
BREATH_AFTER, BREATH_S = 8, 0.002
"""Pause after so many bad messages: a flood must not take the interpreter from the stages."""
NOTE_WAIT_S = 0.4
STOP_WITHIN_S = 1.8
BEAT_S, SILENCE_S = 2.0, 10.0
"""Of the thread: a command waits for the recogniser, the journal and the disk, each a second or two."""
BUSY = "busy with another command; try again"


class Line(Protocol):
    """The part of the uplink that commands use."""

    @property
    def prefix(self) -> str:
        """All topics of this device begin with it."""
        ...

    def subscribe(self, topic: str, qos: int, handler: Callable[[bytes], None]) -> None:
        """Before the start."""
        ...

    def post(self, message: Message) -> object:
        """Never blocks."""
        ...


class Diary(Protocol):
    """The part of the journal that commands use."""

    def append(self, kind: str, body: Mapping[str, Any]) -> object:
        """Written soon, or when it can be."""
        ...

    def append_now(self, kind: str, body: Mapping[str, Any], wait_s: float) -> int:
        """Returns when it is on disk. Raises FaceedgeError when it is not, or not in time."""
        ...


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose commands these are, and who answers. trusted: the site keys of now, asked for every message."""

    device: str
    signer: Signs
    trusted: Callable[[], Sequence[SiteKey]]


class Commands:
    """Make it before the uplink starts, stop it before the uplink stops.

    handlers: by name of the command; one without is refused. on_nonce: called when `nonce` has changed, to publish it.
    """

    def __init__(
        self,
        line: Line,
        identity: Identity,
        journal: Diary,
        handlers: Mapping[str, Handler],
        on_nonce: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._line = line
        self._identity = identity
        self._journal = journal
        self._handlers = handlers
        self._on_nonce = on_nonce
        self._nonces = Nonces(clock)
        self._answered: deque[tuple[str, str]] = deque(maxlen=REMEMBERED)
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._inbox: queue.Queue[tuple[str, bytes] | None] = queue.Queue(MOST_WAITING)
        self._slow: queue.Queue[Callable[[], None] | None] = queue.Queue(2)  # one command, and the end
        self._is_busy = threading.Lock()
        self._stopping = threading.Event()
        self._heart, self._slow_heart = Heart("commands", SILENCE_S, clock), Heart("slow commands", math.inf, clock)
        self._worker = threading.Thread(target=self._serve, name="commands", daemon=True)
        self._slow_worker = threading.Thread(target=self._serve_slow, name="slow commands", daemon=True)
        for name in ORDERS:
            line.subscribe(f"{line.prefix}/cmd/{name}", 1, partial(self.receive, name))

    @property
    def nonce(self) -> str:
        """What the next command must name; any thread."""
        return self._nonces.newest

    @property
    def counts(self) -> dict[str, int]:
        """Messages by what became of them; floods show here."""
        with self._lock:
            return dict(self._counts)

    def start(self) -> None:
        self._worker.start()
        self._slow_worker.start()

    def vitals(self) -> list[Vital]:
        """Its threads: without the first nobody can lock the doors from afar. The second takes as long as it needs."""
        pairs = ((self._heart, self._worker), (self._slow_heart, self._slow_worker))
        return [Vital(heart, thread.is_alive, self._stopping.is_set) for heart, thread in pairs]

    def stop(self) -> bool:
        """Finishes what is being obeyed, with its answer; False when that did not end in time."""
        deadline = time.monotonic() + STOP_WITHIN_S
        self._stopping.set()
        with suppress(queue.Full):  # then the thread is awake anyway
            self._inbox.put_nowait(None)
        has_ended = _ended(self._worker, deadline)
        with suppress(queue.Full):
            self._slow.put_nowait(None)
        return _ended(self._slow_worker, deadline) and has_ended

    def receive(self, name: str, wire: bytes) -> None:
        """A message from the topic of this command. Never blocks: of too many the newest are dropped."""
        if len(wire) > MOST_BYTES:
            self._count("size")
            return
        try:
            self._inbox.put_nowait((name, wire))
        except queue.Full:
            self._count("dropped")

    def turn(self, wait_s: float = 0.0) -> bool:
        """One message at most, and a fresh nonce when one is due. False when the message was worth nothing."""
        try:
            received = self._inbox.get(timeout=max(0.0, min(wait_s, self._nonces.due_in_s)))
        except queue.Empty:
            received = None
        if self._nonces.due_in_s <= 0:
            self._renew()
        return received is None or self._judge(*received)

    def _serve(self) -> None:
        bad = 0
        while not self._stopping.is_set():
            self._heart.beat()
            try:
                bad += not self.turn(BEAT_S)
                if bad >= BREATH_AFTER:
                    bad = 0
                    self._stopping.wait(BREATH_S)
            except Exception:  # thread top: one message costs nothing but itself
                log.exception("internal fault while a command was judged")

    def _serve_slow(self) -> None:
        while (obey := self._slow.get()) is not None:
            try:
                obey()
            except Exception:  # thread top
                log.exception("internal fault while a command was answered")
            finally:
                self._is_busy.release()

    def _judge(self, name: str, wire: bytes) -> bool:
        """Whether it was worth the time: from somebody with a site key."""
        try:
            command, key = unsign(Command, wire, self._identity.trusted())
        except BadMessage as bad:
            self._count(str(bad))
            return False
        if (name, command.id) in self._answered:  # once each, so that replays cannot make us flood the broker
            self._count("repeated")
            return False
        self._answered.append((name, command.id))  # not the id alone: a copy elsewhere must not void the original
        if why := self._objection(name, command):
            self._count(why)
            self._answer(name, command, why)
            return False
        self._count("accepted")
        self._renew()
        self._obey(command, key)
        return True

    def _objection(self, name: str, command: Command) -> str:
        """Why a genuine command is none for now, or nothing; then its nonce is used up."""
        if command.dev != self._identity.device:
            return "for another device"
        if command.cmd != name:
            return "on the topic of another command"
        return self._nonces.use(command.n)

    def _obey(self, command: Command, key: SiteKey) -> None:
        if not ORDERS[command.cmd].is_slow:
            self._finish(command, key, self._done(command, key))
        elif self._is_busy.acquire(blocking=False):
            self._slow.put_nowait(lambda: self._finish(command, key, self._done(command, key)))
        else:
            self._finish(command, key, BUSY)

    def _done(self, command: Command, key: SiteKey) -> str:
        """Obeys; why not, or nothing."""
        try:
            if command.cmd not in self._handlers:
                return f"this device has no {command.cmd}"
            check(command.cmd, command.args)
            return self._handlers[command.cmd](command.args, key.kid)
        except FaceedgeError as error:
            return str(error) or "refused"
        except Exception:  # an order that fails is an answer, not the end of the thread
            log.exception("internal fault in command %s", command.cmd)
            return "internal fault; see the log of the device"

    def _finish(self, command: Command, key: SiteKey, why: str) -> None:
        """Writes down, then answers."""
        order = ORDERS[command.cmd]
        public = (
            order.takes.model_fields.keys() - order.private
        )  # under a wrong name anything could come, a person's too
        args = {name: value for name, value in command.args.items() if name in public}
        said = {"id": command.id, "cmd": command.cmd, "key": key.kid, "args": args, "ok": not why, "why": spoken(why)}
        try:
            self._journal.append_now("command", said, NOTE_WAIT_S)
        except FaceedgeError as error:
            log.error("command %s is not in the journal yet: %s", command.cmd, error)
            self._journal.append("command", said)
        log.info("command %s by site key %s: %s", command.cmd, key.kid, spoken(why) or "done")
        self._answer(command.cmd, command, why)

    def _answer(self, name: str, command: Command, why: str) -> None:
        """Where it came in: who waits for the answer to the original takes no other for it."""
        result = Result(
            id=command.id, dev=self._identity.device, cmd=command.cmd, ok=not why, why=spoken(why), n=self.nonce
        )  # fmt: skip
        topic = f"{self._line.prefix}/cmd/{name}/result"
        self._line.post(Message(topic, sign(self._identity.signer, result), qos=1))

    def _renew(self) -> None:
        self._nonces.renew()
        self._on_nonce()

    def _count(self, what: str) -> None:
        with self._lock:
            self._counts[what] += 1


def spoken(text: str, most: int = 200) -> str:
    """A sentence in the alphabet of the contract."""
    plain = text.replace("…", "...").replace('"', "'").replace("\\", "/")
    plain = "".join(letter if " " <= letter <= "~" else "?" for letter in " ".join(plain.split()))
    return plain if len(plain) <= most else plain[: most - 3] + "..."


def _ended(thread: threading.Thread, deadline: float) -> bool:
    if thread.is_alive():
        thread.join(max(0.0, deadline - time.monotonic()))
    return not thread.is_alive()
