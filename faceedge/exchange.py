"""All that goes over the broker: grants and verdicts, commands in, events out, the state, discovery.

Made by the daemon; its main thread calls `sweep` and `tick`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faceedge import __version__
from faceedge.commands import Commands, Handler, Identity
from faceedge.config import Broker, Door, Events, HomeAssistant
from faceedge.database import one_at_a_time
from faceedge.door.discovery import Facts, discovery
from faceedge.door.events import Letter
from faceedge.door.keys import load_keys
from faceedge.door.link import DoorLink, GrantResult
from faceedge.door.rotation import notices
from faceedge.door.site_key import TrustedKeys
from faceedge.door.uplink import Uplink
from faceedge.errors import StoreError
from faceedge.health.watchdog import Vital
from faceedge.jobs.announce import Announcer
from faceedge.jobs.postman import Postman
from faceedge.journal.bodies import second_factor_letter
from faceedge.journal.outbox import Bounds
from faceedge.journal.signing import Signer, open_signer
from faceedge.journal.writer import Journal
from faceedge.types import Decision

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Terms:
    """What the configuration says of it."""

    device: str
    broker: Broker
    doors: tuple[Door, ...]
    cameras: tuple[str, ...]
    events: Events
    home_assistant: HomeAssistant


class Exchange:
    """Make it, `serve`, `start`; stop it after everything that sends. on_result: told what became of each grant."""

    def __init__(self, terms: Terms, state: Path, on_result: Callable[[GrantResult], None]) -> None:
        """Raises ConfigError or StoreError when broker settings or keys cannot be used."""
        keys = load_keys(state, terms.doors)
        self.kids = {f"{door}/{controller}": known[0].kid for (door, controller), known in keys.items()}
        self.notices = notices(keys)
        self._terms = terms
        self._state = state
        self._uplink = Uplink(terms.broker, terms.device)
        self.link = DoorLink(self._uplink, terms.device, terms.doors, keys, on_result)
        bounds = Bounds(terms.events.keep_days, terms.events.keep_most)
        self._postman = Postman(state, self._uplink, f"{self._uplink.prefix}/event", bounds)
        self._uplink.on_up(self._postman.wake)
        self._announcer = self._open_announcer()
        self._signer = _open_signer(state)
        self._commands: Commands | None = None

    def serve(self, handlers: Mapping[str, Handler], journal: Journal, hurry: Callable[[], None]) -> None:
        """Obeys these commands. hurry: publishes the state soon."""
        # The one unsigned input: all it can do is make the state appear a little sooner.
        self._uplink.subscribe(f"{self._uplink.prefix}/button/refresh", 0, lambda _: hurry())
        if self._signer is not None:
            identity = Identity(self._terms.device, self._signer, TrustedKeys(self._state))
            self._commands = Commands(self._uplink, identity, journal, handlers, hurry)

    def start(self) -> None:
        self._postman.start()
        if self._commands is not None:
            self._commands.start()
        self._uplink.start()

    def stop(self) -> None:
        """Finishes the command that is being obeyed, gives events a moment, says `offline`."""
        if self._commands is not None and not self._commands.stop():
            log.error("a command did not end in time")
        if not self._postman.stop():
            log.error("the outbox did not end in time")
        self._uplink.stop()

    def vitals(self) -> list[Vital]:
        """The threads that a door cannot do without."""
        link = [vital] if (vital := self._uplink.vital) is not None else []
        commands = self._commands.vitals() if self._commands is not None else []
        return [*link, self._postman.vital, *commands]

    def tick(self) -> None:
        """Call it every second or so."""
        if self._announcer is not None:
            self._announcer.tick()

    def wake(self) -> None:
        """Events have come into the outbox; any thread."""
        self._postman.wake()

    def ask(self, review: Decision) -> Letter | None:
        """The event that asks for a second factor; None when this device cannot sign it."""
        if self._signer is None:
            return None
        return second_factor_letter(self._terms.device, self._signer, review)

    def retain_state(self, state: bytes) -> None:
        """Publishes `…/state`."""
        self._uplink.retain(f"{self._uplink.prefix}/state", state)

    def as_json(self) -> dict[str, Any]:
        """For `…/state`. nonce: for the next command. commands: messages that came as such, by what became of them."""
        commands = self._commands
        return {
            "mqtt": self._uplink.protocol,
            "insecure": self._terms.broker.insecure,
            "ignored": self.link.counts,
            "nonce": commands.nonce if commands is not None else None,
            "commands": commands.counts if commands is not None else {},
            "outbox": self._postman.as_json(),
        }

    def readings(self) -> dict[str, float]:
        """For the metrics."""
        return {"broker_connected": self._uplink.connected, "outbox_items": self._postman.as_json()["waiting"]}

    def _open_announcer(self) -> Announcer | None:
        """Also with discovery off: what was published before must go."""
        facts = Facts(
            self._terms.device, __version__, {door.name: door.controllers for door in self._terms.doors},
            self._terms.cameras, self._terms.home_assistant.prefix,
        )  # fmt: skip
        try:
            wanted = discovery(facts) if self._terms.home_assistant.discovery else {}
            return Announcer(self._state, wanted, self._uplink)
        except StoreError as error:
            log.error("Home Assistant is not told of this device: %s", error)
            return None


def _open_signer(state: Path) -> Signer | None:
    """The device's own key. Without it the journal writes nothing, and so nothing is granted anyway."""
    try:
        with one_at_a_time(state):
            return open_signer(state)
    except (StoreError, OSError) as error:
        log.error("no command is obeyed and no second factor asked for: %s", error)
        return None
