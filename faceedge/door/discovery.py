"""What Home Assistant needs to find this device: plain facts in, retained discovery messages out. Pure.

One topic an entity: small, clearable by an empty message, and understood by others that speak the same discovery.
Entities only show; what is shown comes from `…/state` and `…/decision`, never from a controller's own messages.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from faceedge.door.contract import prefix
from faceedge.types import SECOND_FACTOR_S

Component = Literal["binary_sensor", "button", "event", "sensor"]
"""No lock: Home Assistant would show one as unlocked whenever somebody on the broker says so."""

STALE_S = 60
"""The state comes every 10 s. Without it for this long, nothing that was read from it is shown any more."""
DOOR_STATES = ("locked", "unlocked", "held_open", "fault", "offline")

_TOPIC = re.compile(
    r"[A-Za-z0-9_-]{1,64}/(binary_sensor|button|event|sensor)/[a-z0-9][a-z0-9_-]{0,31}/faceedge_[A-Za-z0-9_-]{1,80}/config"
)
_STATE = "{% set s = value_json if value_json is mapping else {} %}"
"""Templates read `s`. Whatever is missing in it, they say None, which Home Assistant shows as unknown."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is told about one device. doors: the controllers of each. root: the prefix of all discovery topics."""

    device: str
    version: str
    doors: Mapping[str, Sequence[str]] = field(default_factory=dict)
    cameras: Sequence[str] = ()
    root: str = "homeassistant"


@dataclass(frozen=True, slots=True)
class Entity:
    """One thing that Home Assistant shows. key: names it for ever, so it is made of nothing that may change."""

    component: Component
    key: str
    name: str
    more: Mapping[str, Any]


def discovery(facts: Facts) -> dict[str, bytes]:
    """Payloads by topic; the same facts always give the same bytes."""
    return {
        f"{facts.root}/{entity.component}/{facts.device}/faceedge_{entity.key}/config": _payload(facts, entity)
        for entity in entities(facts)
    }


def is_discovery_topic(topic: str) -> bool:
    """Whether `discovery` could have made this topic, for some device and prefix."""
    return _TOPIC.fullmatch(topic) is not None


def entities(facts: Facts) -> Iterator[Entity]:
    """Everything there is to see of the device."""
    yield from _of_device()
    for camera in facts.cameras:
        yield from _of_camera(camera)
    for door, controllers in facts.doors.items():
        yield _liveness(door)
        for controller in controllers:
            yield from _of_controller(door, controller)


def _of_device() -> Iterator[Entity]:
    yield Entity("event", "decision", "Decision", {
        "state_topic": "~/decision", "event_types": ["grant", "deny", "review"],
        "value_template": _DECISION, "icon": "mdi:face-recognition",
    })  # fmt: skip
    yield _flag("health", "Health", _HEALTH, device_class="problem")
    yield _flag("journal", "Journal", f"{_JOURNAL}.ok", FALSE, device_class="problem")
    yield _flag("plain_text", "Plain text allowed", "s.insecure", device_class="problem")
    yield _flag("lockdown", "Lockdown", "s.lockdown", icon="mdi:lock-alert", entity_category=None)
    yield Entity("binary_sensor", "second_factor", "Second factor waiting", {
        "state_topic": "~/decision", "value_template": _WAITS, "off_delay": round(SECOND_FACTOR_S),
        "icon": "mdi:account-clock",
    })  # fmt: skip
    yield _flag("capture", "Keeps crops of faces", "(s.capture|default({})).on", icon="mdi:image-multiple")
    yield _flag("outbox", "Events", _UNDELIVERED, device_class="problem")
    yield _number("events_waiting", "Events waiting", f"{_OUTBOX}.waiting", state_class="measurement")
    yield _number("ignored", "Messages ignored", _IGNORED, state_class="total_increasing")
    yield Entity("button", "refresh", "Refresh", {
        "command_topic": "~/button/refresh", "entity_category": "diagnostic", "icon": "mdi:refresh",
    })  # fmt: skip


def _of_camera(camera: str) -> Iterator[Entity]:
    found = _named("s.cameras", camera)
    yield _flag(f"camera_{camera}", f"Camera {camera}", f"{found}.ok", device_class="connectivity")
    percent = f"({found}.quality * 100)|round if {found}.quality is number else none"
    yield _number(
        f"quality_{camera}", f"Camera {camera} quality", percent, state_class="measurement", unit_of_measurement="%"
    )


def _liveness(door: str) -> Entity:
    said = f"{_named('s.doors', door)}.liveness"
    return _flag(f"liveness_{door}", f"Door {door} without liveness", said, ("'off'", "'required'"),
                 device_class="problem")  # fmt: skip


def _of_controller(door: str, controller: str) -> Iterator[Entity]:
    # Names have no capitals, so that AT keeps door "a_b" with controller "c" apart from "a" with "b_c".
    key, name = f"{door}_AT_{controller}", f"Door {door} ({controller})"
    found = _named(f"{_named('s.doors', door)}.controllers", controller)
    yield _read("sensor", f"door_{key}", name, f"{found}.state", f"x if x in {list(DOOR_STATES)} else None",
                device_class="enum", options=list(DOOR_STATES), icon="mdi:door")  # fmt: skip
    yield _flag(f"answering_{key}", f"{name} answering", f"{found}.answering", device_class="connectivity")


def _payload(facts: Facts, entity: Entity) -> bytes:
    base = prefix(facts.device)
    slug = re.sub("[^a-z0-9]+", "_", f"{facts.device} {entity.name}".lower()).strip("_")
    body = {
        "~": base,
        "name": entity.name,
        "unique_id": f"faceedge.{facts.device}.{entity.key}",
        "default_entity_id": f"{entity.component}.{slug}",
        "availability_topic": "~/availability",
        **{key: value for key, value in entity.more.items() if value is not None},
        "device": {
            "identifiers": [f"faceedge.{facts.device}"], "name": facts.device, "manufacturer": "faceedge",
            "model": "Door device", "sw_version": facts.version,
        },
        "origin": {"name": "faceedge", "sw_version": facts.version},
    }  # fmt: skip
    return json.dumps(body, separators=(",", ":")).encode("ascii")


TRUE, FALSE = ("true", "false"), ("false", "true")
"""What an expression is when a flag is on, and when it is off. Anything else is unknown."""


def _flag(key: str, name: str, expression: str, is_on: tuple[str, str] = TRUE, **more: Any) -> Entity:
    says = f"'ON' if x == {is_on[0]} else 'OFF' if x == {is_on[1]} else None"
    return _read("binary_sensor", key, name, expression, says, **{"entity_category": "diagnostic", **more})


def _number(key: str, name: str, expression: str, **more: Any) -> Entity:
    return _read("sensor", key, name, expression, "x if x is number else None", entity_category="diagnostic", **more)


def _read(component: Component, key: str, name: str, expression: str, says: str, **more: Any) -> Entity:
    """Shows what `says` makes of x, which is the expression's value in the state."""
    template = f"{_STATE}{{% set x = {expression} %}}{{{{ {says} }}}}"
    return Entity(
        component, key, name, {"state_topic": "~/state", "expire_after": STALE_S, "value_template": template, **more}
    )


def _named(items: str, name: str) -> str:
    """The element of a list of objects that bears this name, else an empty object."""
    return f"({items}|default([],true)|selectattr('name','eq','{name}')|first|default({{}}))"


# `default` comes before everything that would complain of a missing field in Home Assistant's log.
_READ_DECISION = "{% set d = value_json if value_json is mapping else {} %}"
_DECISION = (
    _READ_DECISION + "{% if d.outcome in ['grant','deny','review'] %}"
    "{{ {'event_type':d.outcome,'reason':d.reason|default(''),'band':d.band|default('')}|to_json }}{% endif %}"
)
# A refusal says nothing here: it may be somebody else's.
_WAITS = _READ_DECISION + "{{ 'ON' if d.outcome == 'review' else 'OFF' if d.outcome == 'grant' else '' }}"
_JOURNAL = "(s.journal|default({}))"
_OUTBOX = "(s.outbox|default({}))"
_HEALTH = (
    "((s.stages|selectattr('stuck','eq',true)|list + s.cameras|selectattr('ok','eq',false)|list) != []"
    f" or {_JOURNAL}.ok == false) if s.stages|default(none) is sequence and s.cameras|default(none) is sequence"
    " else none"
)
_UNDELIVERED = (
    f"({_OUTBOX}.ok == false or {_OUTBOX}.refused|default([],true) != []) if {_OUTBOX}.ok is boolean else none"
)
_IGNORED = "s.ignored.values()|select('number')|sum if s.ignored is mapping else none"
