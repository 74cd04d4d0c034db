"""What travels on `…/event/<kind>`: durable, at least once, each with an id. No scores, no names. Pure.

`second_factor` is signed and lies in `signed.py`; all others are plain JSON, which opens nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from faceedge.config import Name
from faceedge.door.contract import DoorState, Pseudonym, Token, Words, fresh_token
from faceedge.door.signed import DecisionId

Kind = Literal["decision", "second_factor", "door", "camera", "enrolment", "lockdown", "device", "dropped"]
Text = Annotated[str, Field(max_length=400, description="for a person to read")]


class Event(BaseModel):
    """Base of the plain events. time_ms: unix, null while the clock of the device is not set."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    kind: ClassVar[Kind]
    id: Token = Field(default_factory=fresh_token)
    time_ms: int | None = None


class DecisionEvent(Event):
    """What was decided, and for a grant what became of it. sub: who, only when a door opened, else empty."""

    kind = "decision"
    decision: DecisionId
    camera: Name
    doors: tuple[Name, ...]
    outcome: Literal["grant", "deny", "review"]
    reason: Words
    band: Literal["none", "grey", "low_quality", "trusted"]
    verdict: Literal["opened", "refused", "lost", "unsent"] | None
    why: Text
    sub: Pseudonym


class ControllerEvent(Event):
    """A controller's state changed, or it began or ceased to answer."""

    kind = "door"
    door: Name
    controller: Name
    state: DoorState | Literal["unknown"]
    answering: bool


class CameraEvent(Event):
    """A camera failed, or delivers again."""

    kind = "camera"
    camera: Name
    ok: bool
    why: Text


class EnrolmentEvent(Event):
    """What came of the enrolment that a command began. sub: who was enrolled, empty when nobody was."""

    kind = "enrolment"
    camera: Name
    ok: bool
    why: Text
    sub: Pseudonym
    photos: int = Field(ge=0)


class LockdownEvent(Event):
    """The lockdown was switched."""

    kind = "lockdown"
    on: bool


class DeviceEvent(Event):
    """The daemon started or stopped."""

    kind = "device"
    what: Literal["started", "stopped"]
    version: str


class DroppedEvent(Event):
    """Events that were never delivered: too old or too many. counts: by kind.

    since_ms, until_ms: when the oldest and the newest of them were made.
    """

    kind = "dropped"
    counts: dict[str, int]
    since_ms: int | None
    until_ms: int | None


EVENTS: tuple[type[Event], ...] = (
    DecisionEvent, ControllerEvent, CameraEvent, EnrolmentEvent, LockdownEvent, DeviceEvent, DroppedEvent,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Letter:
    """An event on its way: what the outbox keeps and the broker gets."""

    id: str
    kind: Kind
    payload: bytes


def letter(event: Event) -> Letter:
    """The event as JSON, with its kind."""
    body: dict[str, Any] = {"id": event.id, "kind": event.kind, **event.model_dump(mode="json", exclude={"id"})}
    return Letter(event.id, event.kind, json.dumps(body, separators=(",", ":")).encode("ascii"))
