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

Kind = Literal[
    "decision",
    "second_factor",
    "door",
    "camera",
    "enrolment",
    "lockdown",
    "device",
    "alert",
    "governor",
    "model",
    "dropped",
]
Verdict = Literal["opened", "refused", "lost", "unsent"]
About = Literal["away", "frozen", "replay", "dark", "quality"]
"""What can be wrong with a camera."""
Text = Annotated[str, Field(max_length=400)]
"""For a person to read."""


class Event(BaseModel):
    """Base of the plain events."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)
    kind: ClassVar[Kind]
    id: Token = Field(default_factory=fresh_token)
    """Names this event; whoever gets it twice knows it by this."""
    time_ms: int | None = None
    """When it happened, unix; null while the clock of the device is not set."""


class DecisionEvent(Event):
    """What was decided, and for a grant what became of it."""

    kind = "decision"
    decision: DecisionId
    """Names the decision, as the journal does."""
    camera: Name
    """Where the person stood."""
    doors: tuple[Name, ...]
    """What was to open."""
    outcome: Literal["grant", "deny", "review"]
    """What was decided."""
    reason: Words
    """Why, in one word."""
    band: Literal["none", "grey", "low_quality", "trusted"]
    """How far the recognition is trusted."""
    verdict: Verdict | None
    """What became of the grant; null when there was none."""
    why: Text
    """Of the verdict; empty when a door opened."""
    sub: Pseudonym
    """Who, only when a door opened; else empty."""


class ControllerEvent(Event):
    """A controller's state changed, or it began or ceased to answer."""

    kind = "door"
    door: Name
    """As in the configuration."""
    controller: Name
    """As in the configuration."""
    state: DoorState | Literal["unknown"]
    """The newest verified status."""
    answering: bool
    """Whether it asks for grants."""


class CameraEvent(Event):
    """Something is wrong with a camera, or well again."""

    kind = "camera"
    camera: Name
    """As in the configuration."""
    about: About
    """`away`: whether it delivers. `frozen`, `replay`, `dark`: what its pictures show. `quality`: of its faces."""
    ok: bool
    """Whether that is well."""
    why: Text
    """What is wrong; empty when it is well again."""


class EnrolmentEvent(Event):
    """What came of the enrolment that a command began."""

    kind = "enrolment"
    camera: Name
    """Where the person stood."""
    ok: bool
    """Whether somebody was enrolled."""
    why: Text
    """Why not; empty when somebody was."""
    sub: Pseudonym
    """Who was enrolled; empty when nobody was."""
    photos: int = Field(ge=0)
    """How many were kept."""
    look_alikes: int = Field(ge=0)
    """How many others are flagged as looking like them."""


class LockdownEvent(Event):
    """The lockdown was switched."""

    kind = "lockdown"
    on: bool
    """Whether all doors stay shut from now on."""


class DeviceEvent(Event):
    """The daemon started or stopped."""

    kind = "device"
    what: Literal["started", "stopped"]
    """Which of the two."""
    version: str
    """Of faceedge."""


class GovernorEvent(Event):
    """The device does less because memory or cooling runs short, or more again. One step each; then what holds now."""

    kind = "governor"
    step: Literal["batch", "extras", "detector_75", "detector_50", "camera_10", "camera_5", "batch_1"]
    """What was given up or taken back."""
    less: bool
    """Whether it was given up."""
    why: Text
    """What ran short, or what is enough again."""
    batch: int = Field(ge=1)
    """Pictures or faces that a network takes at once."""
    extras: bool
    """Whether what no decision needs is done, as the capture of crops."""
    detector_scale: float
    """Side of the detector's input against the usual, 0 to 1; small faces are lost first."""
    frame_gap_ms: int = Field(ge=0)
    """Pictures of one camera that come faster than this are passed over."""


class ModelEvent(Event):
    """Another network serves, or was to and does not."""

    kind = "model"
    what: Literal["activated", "rolled_back", "failed", "went_back"]
    """`went_back`: a start did it, after a bad end within ten minutes of a switch. `failed`: nothing has changed."""
    role: Literal["detector", "recognizer", "quality"] | None
    """What the network is for; null when an order failed before that was known."""
    package: str = Field(max_length=400)
    """What serves now, or was to; empty is the built-in one, or what served before."""
    before: str = Field(max_length=400)
    """What served until then; empty is the built-in one, or none."""
    ok: bool
    """Whether what was ordered serves."""
    step: Literal["stage", "verify", "prepare", "switch", "retire"] | None
    """Where an order failed."""
    why: Text
    """Why it failed, or what did not go well after the switch."""
    by: str = Field(max_length=80)
    """`cli`, `mqtt:` and the site key, or `rule`."""


class AlertEvent(Event):
    """Somebody should look after the device itself."""

    kind = "alert"
    what: Literal["hang", "safe_mode"]
    """`hang`: a part of the daemon made no progress, so it ends and a new one begins. `safe_mode`: it ended three times
    in ten minutes, and runs with the cameras that worked last."""
    on: bool
    """False: that is over."""
    why: Text
    """What was found."""


class DroppedEvent(Event):
    """Events that were never delivered: too old, too many, or the broker hung up on them each time."""

    kind = "dropped"
    counts: dict[str, int]
    """How many, by kind."""
    since_ms: int | None
    """When the oldest of them was made, unix."""
    until_ms: int | None
    """When the newest of them was made, unix."""


EVENTS: tuple[type[Event], ...] = (
    DecisionEvent, ControllerEvent, CameraEvent, EnrolmentEvent, LockdownEvent, DeviceEvent, AlertEvent, GovernorEvent,
    ModelEvent, DroppedEvent,
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
