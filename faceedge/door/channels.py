"""Every topic, declared once: who publishes it, how, and what lies in it. The page and the tests read this. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from faceedge.door.contract import Challenge, Grant, Status, Verdict
from faceedge.door.signed import Command, Result, SecondFactor

Sender = Literal["device", "controller", "site", "anyone"]
Retained = Literal["yes", "no", "never", "some"]


@dataclass(frozen=True, slots=True)
class Channel:
    """One kind of topic. topic: below `faceedge/<device>` unless it begins elsewhere.

    retained: `never` where a memory of it would do harm. body: name of its schema, or the words themselves.
    """

    topic: str
    sender: Sender
    retained: Retained
    qos: int
    body: str
    note: str = ""

    def matches(self, topic: str) -> bool:
        """Whether a full topic is one of this kind."""
        own = self.topic if self.topic.startswith("homeassistant/") else f"faceedge/<device>/{self.topic}"
        return re.fullmatch(re.sub(r"<\w+>", "[A-Za-z0-9_-]+", own), topic) is not None


CHANNELS = (
    Channel("availability", "device", "yes", 1, "`online` or `offline`", "`offline` is also the last will"),
    Channel("state", "device", "yes", 1, "state", "published again every 10 s and when something in it changes"),
    Channel("decision", "device", "no", 0, "decision", "for people and home automation; it opens nothing"),
    Channel("door/<door>/<controller>/challenge", "controller", "no", 0, Challenge.label, "expires after 2 s"),
    Channel("door/<door>/<controller>/grant", "device", "never", 0, Grant.label, "expires with its time to live"),
    Channel("door/<door>/<controller>/verdict", "controller", "no", 1, Verdict.label),
    Channel(
        "door/<door>/<controller>/status", "controller", "some", 1, Status.label,
        "`locked`, `fault`, `offline` are retained; `unlocked`, `held_open` **never**; `offline` is also the last will",
    ),
    Channel("cmd/<name>", "site", "never", 1, Command.label, "a retained command is refused"),
    Channel("cmd/<name>/result", "device", "no", 1, Result.label),
    Channel("event/second_factor", "device", "no", 1, SecondFactor.label, "signed, because it asks a person to act"),
    Channel("event/<kind>", "device", "no", 1, "event-<kind>", "at least once; the kinds are below"),
    Channel("button/refresh", "anyone", "no", 0, "anything", "publishes `state` again, at most once a second"),
    Channel(
        "homeassistant/<component>/<device>/<object>/config", "device", "yes", 1, "JSON of Home Assistant",
        "only with `discovery = true` below `[home_assistant]`",
    ),
)  # fmt: skip


def channel_of(topic: str) -> Channel | None:
    """The first kind that a full topic belongs to, None for a topic of no kind."""
    return next((channel for channel in CHANNELS if channel.matches(topic)), None)
