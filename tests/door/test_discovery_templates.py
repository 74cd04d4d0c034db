"""What Home Assistant makes of a state that is good, bad, torn or missing. Its template language is Jinja."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any, NoReturn

import jinja2
import pytest
from jinja2 import sandbox
from pydantic import ValidationError

from faceedge.door.shown import State
from tests.door.test_discovery import configs

STATE: dict[str, Any] = {
    "cameras": [
        {"name": "yard", "ok": True, "why": "", "fault": None, "shut": False,
         "quality": None, "usual": None, "low": False},
        {"name": "entry", "ok": True, "why": "", "fault": None, "shut": False,
         "quality": 0.734, "usual": 0.8, "low": False},
    ],
    "doors": [
        {"name": "side", "liveness": "required", "look_alikes": "allow", "controllers": [
            {"name": "one", "state": "offline", "answering": False}]},
        {"name": "main", "liveness": "off", "look_alikes": "allow", "controllers": [
            {"name": "outer", "state": "unknown", "answering": True},
            {"name": "inner", "state": "locked", "answering": True}]},
    ],
    "stages": [{"name": "detect", "alive": True, "stuck": False, "faults": 3}],
    "journal": {"ok": True, "head": None},
    "capture": {"on": False},
    "insecure": False,
    "lockdown": False,
    "outbox": {"ok": True, "waiting": 4, "refused": []},
    "ignored": {"grant old": 2, "verdict late": 3},
}  # fmt: skip
"""Of the state, the fields that are read."""


class Complaining(jinja2.Undefined):
    """Home Assistant logs a warning wherever a template prints, counts or tests what is missing; here it fails."""

    def _fail(self) -> NoReturn:
        raise AssertionError(f"the template uses {self._undefined_name!r}, which is missing")

    __str__ = __iter__ = __bool__ = __len__ = _fail  # type: ignore[assignment]


def render(template: str, payload: str) -> str:
    """As Home Assistant does: value is the text, value_json is there only when the text is JSON."""
    try:
        variables = {"value": payload, "value_json": json.loads(payload)}
    except ValueError:
        variables = {"value": payload}
    return str(compiled(template).render(variables)).strip()


@cache
def compiled(template: str) -> jinja2.Template:
    environment = sandbox.ImmutableSandboxedEnvironment(undefined=Complaining)
    environment.filters["to_json"] = json.dumps
    return environment.from_string(template)


def shown(state: object) -> dict[str, str]:
    """What Home Assistant shows of a state, by component and key."""
    payload = state if isinstance(state, str) else json.dumps(state)
    return {
        key: render(config["value_template"], payload)
        for key, config in configs().items()
        if config.get("state_topic") == "~/state"
    }


def without(state: Mapping[str, Any], *path: str) -> dict[str, Any]:
    """A copy that lacks one field, in every element of the lists on the way."""
    copy = json.loads(json.dumps(state))
    places = [copy]
    for step in path[:-1]:
        places = [
            each for place in places for each in (place[step] if isinstance(place[step], list) else [place[step]])
        ]
    for place in places:
        del place[path[-1]]
    return dict(copy)


def test_the_fields_that_are_read_are_those_of_the_contract() -> None:
    with pytest.raises(ValidationError) as faults:  # the fields that nothing reads are missing, and no more is wrong
        State.model_validate_json(json.dumps(STATE))
    assert {(fault["type"], len(fault["loc"])) for fault in faults.value.errors()} == {("missing", 1)}


def test_a_good_state_is_shown_as_it_is() -> None:
    assert shown(STATE) == {
        "binary_sensor.health": "OFF", "binary_sensor.journal": "OFF", "binary_sensor.plain_text": "OFF",
        "binary_sensor.lockdown": "OFF", "binary_sensor.capture": "OFF",
        "sensor.events_waiting": "4", "binary_sensor.outbox": "OFF", "sensor.ignored": "5",
        "binary_sensor.camera_entry": "ON", "sensor.quality_entry": "73.0",
        "binary_sensor.camera_yard": "ON", "sensor.quality_yard": "None",
        "binary_sensor.liveness_main": "ON", "binary_sensor.liveness_side": "OFF",
        "sensor.door_main_AT_inner": "locked", "binary_sensor.answering_main_AT_inner": "ON",
        "sensor.door_main_AT_outer": "None", "binary_sensor.answering_main_AT_outer": "ON",
        "sensor.door_side_AT_one": "offline", "binary_sensor.answering_side_AT_one": "OFF",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "entity"),
    [
        ({"journal": {"ok": False}}, "journal"),
        ({"journal": {"ok": False}}, "health"),
        ({"stages": [{"name": "detect", "stuck": True}]}, "health"),
        ({"cameras": [{"name": "entry", "ok": False}]}, "health"),
        ({"insecure": True}, "plain_text"),
        ({"lockdown": True}, "lockdown"),
        ({"outbox": {"ok": False, "waiting": 0, "refused": []}}, "outbox"),
        ({"outbox": {"ok": True, "waiting": 0, "refused": ["door"]}}, "outbox"),
        ({"capture": {"on": True}}, "capture"),
    ],
)
def test_what_is_wrong_shows(change: dict[str, Any], entity: str) -> None:
    assert shown({**STATE, **change})[f"binary_sensor.{entity}"] == "ON"


@pytest.mark.parametrize("payload", ["{}", "[]", "7", "null", '"x"', "true", "", "not json", "[{}]"])
def test_without_a_state_everything_is_unknown(payload: str) -> None:
    assert set(shown(payload).values()) == {"None"}


@pytest.mark.parametrize("nothing", [None, [], {}])
def test_empty_fields_are_unknown_or_empty_but_never_well(nothing: object) -> None:
    told = shown(dict.fromkeys(STATE, nothing))
    assert "ON" not in told.values()
    assert {key for key, value in told.items() if value != "None"} <= {"binary_sensor.health", "sensor.ignored"}


PATHS = [
    *([field] for field in STATE), ["doors", "name"], ["doors", "liveness"], ["doors", "controllers"],
    ["doors", "controllers", "name"], ["doors", "controllers", "state"], ["doors", "controllers", "answering"],
    ["cameras", "name"], ["cameras", "ok"], ["cameras", "quality"], ["stages", "stuck"], ["journal", "ok"],
    ["outbox", "ok"], ["outbox", "waiting"], ["outbox", "refused"], ["capture", "on"],
]  # fmt: skip


@pytest.mark.parametrize("path", PATHS, ids="/".join)
def test_a_missing_field_makes_only_what_reads_it_unknown(path: list[str]) -> None:
    before, after = shown(STATE), shown(without(STATE, *path))
    assert all(after[key] in (value, "None") for key, value in before.items())
    assert after != before or path in (["stages", "stuck"], ["outbox", "refused"])


def test_a_state_word_that_is_not_in_the_contract_is_unknown() -> None:
    odd = json.loads(json.dumps(STATE).replace('"locked"', '"wide open"'))
    assert shown(odd)["sensor.door_main_AT_inner"] == "None"


def decided(payload: str) -> str:
    return render(configs()["event.decision"]["value_template"], payload)


def test_a_decision_becomes_an_event_with_its_reason_and_nothing_else() -> None:
    told = {"outcome": "deny", "reason": "not_now", "band": "none", "similarity": 0.9, "sub": "somebody"}
    assert json.loads(decided(json.dumps(told))) == {"event_type": "deny", "reason": "not_now", "band": "none"}
    assert configs()["event.decision"]["event_types"] == ["grant", "deny", "review"]


@pytest.mark.parametrize("payload", ["{}", "[]", "null", "x", "", '{"outcome":"open"}', '{"reason":"match"}'])
def test_what_is_no_decision_becomes_no_event(payload: str) -> None:
    assert decided(payload) == ""


def test_a_decision_that_lacks_its_reason_is_still_an_event() -> None:
    assert json.loads(decided('{"outcome":"grant"}')) == {"event_type": "grant", "reason": "", "band": ""}


@pytest.mark.parametrize(
    ("payload", "shows"),
    [('{"outcome":"review"}', "ON"), ('{"outcome":"grant"}', "OFF"), ('{"outcome":"deny"}', ""), ("{}", ""), ("x", "")],
)
def test_a_second_factor_is_waited_for_from_a_review_to_a_grant(payload: str, shows: str) -> None:
    assert render(configs()["binary_sensor.second_factor"]["value_template"], payload) == shows
