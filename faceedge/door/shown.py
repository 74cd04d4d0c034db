"""What a device shows to everybody, unsigned: the retained `state` and the passing `decision`. Pure.

Models for the schemas and for tests that hold the daemon to them. Nothing may be opened because of these two.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from faceedge.config import Name
from faceedge.door.contract import DoorState, Token, Words

Count = Annotated[int, Field(ge=0)]


class Shown(BaseModel):
    """Base: exact keys, exact types."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)


class ShownDecision(Shown):
    """Every decision, for people and home automation: no scores, no person, no power to open anything."""

    outcome: Literal["grant", "deny", "review"]
    """What was decided."""
    reason: Words
    """Why, in one word."""
    band: Literal["none", "grey", "low_quality", "trusted"]
    """How far the recognition is trusted, in steps too coarse to learn from."""


class ShownController(Shown):
    """One controller of a door, from its statuses that the device has verified."""

    name: Name
    """As in the configuration."""
    state: DoorState | Literal["unknown"]
    """The newest verified status."""
    answering: bool
    """Whether it has sent a genuine challenge lately."""


class ShownDoor(Shown):
    """One door."""

    name: Name
    """As in the configuration."""
    liveness: Literal["required", "off"]
    """`off`: nobody checks that a living person stands there."""
    look_alikes: Literal["review", "allow"]
    """`review`: whoever is flagged as looking like somebody else needs a second factor."""
    controllers: list[ShownController]
    """All of them."""


class ShownCamera(Shown):
    """One camera."""

    name: Name
    """As in the configuration."""
    ok: bool
    """False: it does not deliver, or there is something wrong with its pictures; then there was an event, too."""
    why: str
    """What is wrong; empty when nothing is."""
    fault: Literal["away", "frozen", "replay", "dark"] | None
    """What is wrong at this moment; null when nothing is. What comes again and again for seconds is told here only."""
    shut: bool
    """True: no door opens by this camera until its pictures change."""
    quality: float | None
    """Median of the last fifty faces, 0 to 1, at most five of one person in a row; null before there are twenty."""
    usual: float | None
    """Median of the 450 before those; null before there are twenty."""
    low: bool
    """True: the quality has fallen far below the usual; it wants light, or cleaning."""


class ShownStage(Shown):
    """One thread of the pipeline."""

    name: str
    """As in the log."""
    alive: bool
    """False: it has ended."""
    stuck: bool
    """True: it makes no progress; the device is about to start anew."""
    faults: Count
    """How often it has failed and begun again."""


class ShownHead(Shown):
    """The end of the journal, signed by the device."""

    seq: Count
    """Number of the last entry."""
    hash: str
    """Of the last entry, hex."""
    key: str
    """Name of the device's public key; results and second factors are signed with it too."""
    signature: str
    """Ed25519, base64url."""


class ShownJournal(Shown):
    """The journal."""

    ok: bool
    """False: it cannot be written, and no door opens."""
    head: ShownHead | None
    """Null before the first entry; see the page about the journal."""


class ShownCapture(Shown):
    """Whether crops of faces are kept for a calibration."""

    on: bool
    """Off unless the configuration says so."""
    crops: Count | None = None
    """How many are kept; only when on."""
    dropped: Count | None = None
    """How many were thrown away; only when on."""
    days: Count | None = None
    """How long they are kept; only when on."""


class ShownEnrolment(Shown):
    """Whether somebody is being enrolled by a command."""

    on: bool
    """True: `camera` opens no door."""
    camera: Name | None = None
    """Where the person is to stand; only when on."""
    seconds: Count | None = None
    """How long that lasts at most; only when on."""
    shots: Count | None = None
    """Good pictures there are; only when on."""
    wanted: Count | None = None
    """How many it takes; only when on."""
    guidance: str | None = None
    """What the person is to be told; only when on."""


class ShownSafeMode(Shown):
    """Whether the device runs with the cameras that worked last, because it ended three times in ten minutes."""

    on: bool
    """True: doors, rules and people are the current ones all the same."""
    why: str | None = None
    """What was found at the start; only when on."""
    cameras: Literal["last", "current"] | None = None
    """Whose cameras run; only when on."""


class ShownSwap(Shown):
    """How far the newest order for another network is, since the start."""

    id: str
    """Names the order."""
    by: str
    """`cli`, or `mqtt:` and the site key."""
    role: Literal["detector", "recognizer", "quality"] | None
    """What the network is for; null while that is not known."""
    name: str
    """The package that was named; empty: the one that served before."""
    step: Literal["stage", "verify", "prepare", "switch", "retire"]
    """Which of the five steps is at work, or was the last."""
    share: float
    """Of that step, 0 to 1."""
    text: str
    """What is being done, for a person to read."""
    done: bool
    """It has ended."""
    ok: bool
    """What was ordered serves."""
    why: str
    """Why it does not, or what did not go well after the switch."""


class ShownOutbox(Shown):
    """Events on their way."""

    ok: bool
    """False: the database cannot be used, and no events are sent."""
    waiting: Count
    """How many the broker has not taken yet."""
    refused: list[str]
    """Kinds that the broker's access list forbids."""


class ShownGovernor(Shown):
    """How much is done, and how short memory and cooling are."""

    pressure: float | None
    """The worst of memory in use, the limit of the service and stalls, 0 to 1; null when nothing can be read."""
    source: str
    """Where the pressure comes from, for a person to read."""
    batch: Count
    """Pictures or faces that a network takes at once."""
    extras: bool
    """Whether what no decision needs is done, as the capture of crops."""
    detector_scale: float
    """Side of the detector's input against the usual, 0 to 1."""
    frame_gap_ms: Count
    """Pictures of one camera that come faster than this are passed over."""
    shed: list[str]
    """What has been given up, in this order; it comes back in the reverse one."""
    temperature_c: float | None
    """Of the hottest sensor; null when none can be read."""
    zone: str
    """Which sensor that is."""
    power_w: float | None
    """What the board draws; null when it does not tell."""
    strain: str
    """What is too hot or draws too much, for a person to read; empty when nothing does."""


class State(Shown):
    """The health of a device, for whoever operates it."""

    version: str
    """Of faceedge."""
    builds: dict[str, str]
    """The model that runs, by role."""
    notices: list[str]
    """What somebody should know or bring to an end, for a person to read: a machine that is too slow, an old key."""
    cameras: list[ShownCamera]
    """All of the configuration."""
    doors: list[ShownDoor]
    """All of the configuration."""
    stages: list[ShownStage]
    """All threads of the pipeline."""
    queues: dict[str, Count]
    """How many items wait, by queue."""
    counters: dict[str, Count]
    """What has passed, was dropped and was decided since the start, by what."""
    governor: ShownGovernor
    """Memory, temperature, and what is given up for them."""
    journal: ShownJournal
    """Without a journal no door opens."""
    capture: ShownCapture
    """Crops of faces, for a calibration."""
    enrolment: ShownEnrolment
    """By a command."""
    insecure: bool
    """True: the configuration allows plain text to another machine."""
    mqtt: Literal["5", "3.1.1"] | None
    """Version spoken with the broker."""
    ignored: dict[str, Count]
    """Messages that changed nothing, by why; floods show here."""
    nonce: Token | None
    """What the next command must repeat; null while the device starts."""
    commands: dict[str, Count]
    """Messages on the command topics, by what became of them."""
    outbox: ShownOutbox
    """Events that wait."""
    lockdown: bool
    """True: every door stays shut."""
    safe_mode: ShownSafeMode
    """After a crash loop."""
    swap: ShownSwap | None = None
    """Of networks; null before the first since the start."""
