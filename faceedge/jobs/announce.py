"""Discovery messages in; exactly these retained at the broker, and none of those published before; run by the daemon.

What was ever published stands in `home_assistant.json` until the broker has acknowledged that it is gone, so a door
that was renamed, or discovery that was switched off, leaves nothing behind, whoever was away at that moment.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from faceedge.door.connection import Message, Receipt
from faceedge.door.discovery import is_discovery_topic
from faceedge.errors import StoreError
from faceedge.files import write_whole

log = logging.getLogger(__name__)

FILE = "home_assistant.json"
MOST_BYTES = 1_000_000
AT_ONCE = 16
"""On their way at the same time: a grant must not wait behind many of them."""


class Poster(Protocol):
    """The part of the uplink that is used here."""

    def post(self, message: Message) -> Receipt | None:
        """None when it cannot be sent now."""
        ...

    def on_up(self, callback: Callable[[], None]) -> None:
        """Called after each connect, in another thread."""
        ...


class Announcer:
    """Make it before the uplink starts, then call `tick` from one thread, every second or so. It never waits for the
    network. wanted: payloads by topic; none at all when discovery is off.
    """

    def __init__(self, state: Path, wanted: Mapping[str, bytes], uplink: Poster) -> None:
        """Raises StoreError when the state directory is not writable: nothing is published that could be forgotten."""
        self._path = state / FILE
        self._wanted = dict(wanted)
        self._uplink = uplink
        self._noted = self._remembered()
        self._stale = self._noted - self._wanted.keys()
        self._remember()
        self._left: dict[str, bytes] = {}
        self._sent: dict[str, Receipt] = {}
        self._is_new_connection = False
        self._said_refused = False
        uplink.on_up(self._on_up)

    def tick(self) -> None:
        """Sends what the broker has not acknowledged on this connection; forgets what it has cleared."""
        if self._is_new_connection:  # this broker may have lost anything, or come back with what was cleared
            self._is_new_connection = False
            self._sent.clear()
            self._left = {**dict.fromkeys(sorted(self._stale), b""), **self._wanted}
        cleared = [topic for topic in list(self._sent) if self._is_cleared(topic)]
        if cleared:
            try:
                self._remember()
            except StoreError as error:  # it remembers too much, which costs a message at the next start
                log.warning("%s", error)
        self._send()

    def _on_up(self) -> None:
        self._is_new_connection = True

    def _send(self) -> None:
        for topic in [topic for topic in self._left if topic not in self._sent][: AT_ONCE - len(self._sent)]:
            receipt = self._uplink.post(Message(topic, self._left[topic], qos=1, retain=True))
            if receipt is None:
                return
            self._sent[topic] = receipt

    def _is_cleared(self, topic: str) -> bool:
        """Whether the broker's answer has come just now, and makes a topic of earlier runs a thing of the past."""
        receipt = self._sent[topic]
        if not receipt.is_done():
            if receipt.is_dead():
                del self._sent[topic]
            return False
        del self._sent[topic], self._left[topic]
        if receipt.refusal:
            self._say_refused(topic, receipt.refusal)
            return False
        was_stale = topic in self._stale
        self._stale.discard(topic)
        return was_stale

    def _say_refused(self, topic: str, why: str) -> None:
        if not self._said_refused:
            log.error("the broker refuses %s: %s; check its access list (said once)", topic, why)
        self._said_refused = True

    def _remembered(self) -> set[str]:
        """Topics of earlier runs; only such as discovery makes, so that a spoilt file can clear nothing else."""
        try:
            with open(self._path, "rb") as file:
                topics = json.loads(file.read(MOST_BYTES))["topics"]
            return {topic for topic in topics if isinstance(topic, str) and is_discovery_topic(topic)}
        except FileNotFoundError:
            return set()
        except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
            log.warning("%s: %s; what was published before and is not now stays at the broker", self._path, error)
            return set()

    def _remember(self) -> None:
        """Before anything is published, and after what was cleared is acknowledged. Raises StoreError."""
        topics = self._stale | self._wanted.keys()
        if topics == self._noted:
            return
        try:
            if topics:
                write_whole(self._path, json.dumps({"topics": sorted(topics)}, indent=1).encode("ascii"), 0o600)
            else:
                self._path.unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"{self._path}: {error.strerror or error}; it must be writable") from error
        self._noted = topics
