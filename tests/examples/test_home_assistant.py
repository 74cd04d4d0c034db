"""The package, the dashboard and the page say nothing that discovery does not make, and nothing that could open."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from faceedge.door.discovery import Facts, discovery

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "examples" / "home_assistant"
PAGE = (ROOT / "docs" / "home_assistant.md").read_text(encoding="utf-8")
PACKAGE = (FOLDER / "faceedge.yaml").read_text(encoding="utf-8")
DASHBOARD = (FOLDER / "dashboard.yaml").read_text(encoding="utf-8")
FACTS = Facts("faceedge", "1.2.3", {"main": ["main"]}, ["entry"])

EntityId = Annotated[str, Field(pattern=r"^(binary_sensor|button|event|sensor|counter)\.[a-z0-9_]+$")]
EntityIds = EntityId | list[EntityId]
Duration = Annotated[str, Field(pattern=r"^\d\d:\d\d:\d\d$")]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class StateTrigger(Strict):
    trigger: Literal["state"]
    entity_id: EntityIds
    to: str | list[str] | None = None
    not_from: list[str] | None = None
    not_to: list[str] | None = None
    for_: Duration | None = Field(None, alias="for")


class TimeTrigger(Strict):
    trigger: Literal["time_pattern"]
    minutes: str


class Condition(Strict):
    condition: Literal["state", "numeric_state"]
    entity_id: EntityId
    attribute: str | None = None
    state: str | None = None
    above: int | None = None


class Notification(Strict):
    notification_id: str
    title: str
    message: str


class Target(Strict):
    entity_id: EntityId


class Action(Strict):
    """Only these three: they write a note and count."""

    action: Literal["persistent_notification.create", "counter.increment", "counter.reset"]
    target: Target | None = None
    data: Notification | None = None


class Automation(Strict):
    id: str
    alias: str
    triggers: list[StateTrigger | TimeTrigger] = Field(min_length=1)
    conditions: list[Condition] = []
    actions: list[Action | Condition] = Field(min_length=1)
    mode: Literal["single", "queued"]


class Counter(Strict):
    name: str
    initial: int
    step: int


class Package(Strict):
    automation: list[Automation]
    counter: dict[str, Counter]


class Row(Strict):
    entity: EntityId
    type: Literal["attribute"] | None = None
    attribute: str | None = None
    name: str | None = None


class Entities(Strict):
    type: Literal["entities"]
    title: str
    show_header_toggle: Literal[False]
    entities: list[Row]


class LogbookTarget(Strict):
    entity_id: list[EntityId]


class Logbook(Strict):
    type: Literal["logbook"]
    hours_to_show: int
    target: LogbookTarget


class View(Strict):
    title: str
    path: str
    icon: str
    cards: list[Entities | Logbook]


def announced() -> dict[str, dict[str, Any]]:
    """By entity id, as Home Assistant makes it."""
    configs = [json.loads(payload) for payload in discovery(FACTS).values()]
    return {config["default_entity_id"]: config for config in configs}


def named(text: str) -> set[str]:
    """Entities of the device that a text names."""
    return set(re.findall(r"\b(?:binary_sensor|sensor|event|button)\.faceedge_\w+", text))


def table() -> dict[str, tuple[str, str]]:
    """Kind and class by name, of the page."""
    lines = PAGE.split("## What appears", 1)[1].split("## Why", 1)[0].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return {name: (kind, kind_of) for name, kind, kind_of, *_ in rows[2:]}


def test_the_table_of_the_page_is_what_discovery_makes() -> None:
    assert table() == {
        config["name"]: (entity_id.split(".")[0], config.get("device_class", ""))
        for entity_id, config in announced().items()
    }


@pytest.mark.parametrize("text", [PAGE, PACKAGE, DASHBOARD], ids=["page", "package", "dashboard"])
def test_every_entity_that_is_named_is_announced(text: str) -> None:
    assert named(text) - announced().keys() == set()
    assert named(text)


def test_the_dashboard_shows_everything_that_is_announced() -> None:
    assert named(DASHBOARD) == announced().keys()


def test_the_package_has_the_shape_that_home_assistant_reads() -> None:
    package = Package.model_validate(yaml.safe_load(PACKAGE))
    assert len({automation.id for automation in package.automation}) == len(package.automation)
    assert set(re.findall(r"counter\.(faceedge_\w+)", PACKAGE)) == package.counter.keys()


def test_the_dashboard_has_the_shape_that_home_assistant_reads() -> None:
    TypeAdapter(list[View]).validate_python(yaml.safe_load(DASHBOARD))


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("action: counter.reset", "action: lock.unlock"),
        ("sensor.faceedge_door_main_main", "lock.front_door"),
        ("action: counter.reset", "action: mqtt.publish"),
        ('minutes: "/10"', 'minute: "/10"'),
    ],
)
def test_a_package_that_acts_or_is_misspelt_would_not_pass(right: str, wrong: str) -> None:
    assert right in PACKAGE
    with pytest.raises(ValidationError):
        Package.model_validate(yaml.safe_load(PACKAGE.replace(right, wrong)))


def test_states_that_are_waited_for_are_states_that_can_be() -> None:
    entities = announced()
    for automation in Package.model_validate(yaml.safe_load(PACKAGE)).automation:
        for trigger in automation.triggers:
            if isinstance(trigger, StateTrigger) and trigger.to is not None:
                ids = [trigger.entity_id] if isinstance(trigger.entity_id, str) else trigger.entity_id
                words = {trigger.to} if isinstance(trigger.to, str) else set(trigger.to)
                for entity_id in ids:
                    assert words <= {"on", "off", "unavailable", *entities[entity_id].get("options", ())}


def test_an_event_that_comes_back_from_unavailable_is_never_taken_for_a_new_one() -> None:
    for automation in Package.model_validate(yaml.safe_load(PACKAGE)).automation:
        for trigger in automation.triggers:
            if isinstance(trigger, StateTrigger) and trigger.entity_id == "event.faceedge_decision":
                assert "unavailable" in (trigger.not_from or ())
                assert {"unavailable", "unknown"} <= set(trigger.not_to or ())


def test_the_automation_of_the_page_is_that_of_the_package() -> None:
    [block] = [body for body in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if "triggers" in body]
    first = yaml.safe_load(PACKAGE)["automation"][0]
    assert yaml.safe_load(block) == {key: first[key] for key in ("triggers", "actions")}


def test_how_long_a_second_factor_is_waited_for_is_said_rightly() -> None:
    seconds = announced()["binary_sensor.faceedge_second_factor_waiting"]["off_delay"]
    assert f"waits {seconds} seconds for the keypad" in PACKAGE
    assert f"on for {seconds} s after a review" in PAGE


def test_sizes_that_the_page_states_hold() -> None:
    sizes = sorted(len(payload) / 1000 for payload in discovery(FACTS).values())
    assert f"{sizes[0]:.1f} to {sizes[-1]:.1f} kB" in PAGE


def test_the_topic_that_is_cleared_by_hand_is_one_that_is_published() -> None:
    [topic] = re.findall(r"-n -t (\S+)", PAGE)
    assert topic in discovery(FACTS)
