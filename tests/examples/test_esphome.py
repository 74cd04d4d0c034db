"""The lamp beside the door: it reads what the contract shows, keeps its secrets apart, and has nothing to open with."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from faceedge.door.channels import CHANNELS
from faceedge.door.discovery import DOOR_STATES
from faceedge.door.shown import ShownController, ShownDecision, ShownDoor, State

FOLDER = Path(__file__).parents[2] / "examples" / "esphome"
TEXT = (FOLDER / "door_lamp.yaml").read_text(encoding="utf-8")
SECRETS = (FOLDER / "secrets.yaml.example").read_text(encoding="utf-8")


class Secret(str):
    """A value that lies in secrets.yaml."""


class Lambda(str):
    """C++ that ESPHome compiles."""


class Loader(yaml.SafeLoader):  # type: ignore[misc]
    """A safe loader with the two tags of ESPHome that are used."""


Loader.add_constructor("!secret", lambda loader, node: Secret(loader.construct_scalar(node)))
Loader.add_constructor("!lambda", lambda loader, node: Lambda(loader.construct_scalar(node)))


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)


class Named(Strict):
    name: str
    friendly_name: str


class Framework(Strict):
    type: Literal["esp-idf"]


class Board(Strict):
    board: str
    framework: Framework


class Update(Strict):
    platform: Literal["esphome"]
    password: Secret


class Wifi(Strict):
    ssid: Secret
    password: Secret


class JsonMessage(Strict):
    topic: str
    qos: int = 0
    then: list[dict[str, Any]]


class Mqtt(Strict):
    """TLS: a port of its own and the certificate of whoever signed the broker's."""

    broker: Secret
    port: Literal[8883]
    certificate_authority: Secret
    username: Secret
    password: Secret
    topic_prefix: str
    on_disconnect: list[dict[str, Any]]
    on_json_message: list[JsonMessage]


class Script(Strict):
    id: str
    mode: Literal["restart"]
    then: list[dict[str, Any]]


class TextSensor(Strict):
    platform: Literal["template"]
    id: str
    name: str
    entity_category: Literal["diagnostic"]
    on_value: list[dict[str, Any]]


class Pin(Strict):
    number: Annotated[str, Field(pattern=r"^GPIO\d+$")]
    inverted: bool = False
    mode: dict[Literal["input", "pullup"], Literal[True]]


class Contact(Strict):
    platform: Literal["gpio"]
    name: str
    device_class: Literal["door"] | None = None
    pin: Pin
    filters: list[dict[str, str]]


class Output(Strict):
    platform: Literal["gpio"]
    id: Literal["red_pin", "green_pin", "yellow_pin"]
    pin: Annotated[str, Field(pattern=r"^GPIO\d+$")]


class Light(Strict):
    platform: Literal["binary"]
    id: Literal["red", "green", "yellow"]
    output: str
    internal: Literal[True]
    effects: list[dict[str, Any]] = []


class Lamp(Strict):
    """No switch, no lock, no cover, no API for others to act through: what is not here is forbidden."""

    substitutions: dict[Literal["device", "door", "controller"], str]
    esphome: Named
    esp32: Board
    logger: None
    ota: list[Update]
    wifi: Wifi
    mqtt: Mqtt
    script: list[Script]
    text_sensor: list[TextSensor]
    binary_sensor: list[Contact]
    output: list[Output]
    light: list[Light]


def lamp(text: str = TEXT) -> Lamp:
    return Lamp.model_validate(yaml.load(text, Loader))


def lambdas() -> str:
    """All C++ of the sample."""
    return "\n".join(re.findall(r"!lambda \|-\n((?:\s{14,}.*\n)+)", TEXT) + re.findall(r"lambda: '(.*)'", TEXT))


def test_the_sample_has_only_parts_that_show_and_watch() -> None:
    assert {light.output for light in lamp().light} == {output.id for output in lamp().output}


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("light:\n  - platform: binary", "lock:\n  - platform: template\nlight:\n  - platform: binary"),
        ("\noutput:", "\nswitch:\n  - platform: gpio\n    pin: GPIO4\noutput:"),
        ("  port: 8883", "  port: 1883"),
        ("password: !secret mqtt_password", "password: hunter2"),
        ("id: red_pin", "id: relay"),
    ],
    ids=["lock", "switch", "no tls", "secret in the open", "relay"],
)
def test_a_sample_that_could_open_or_tell_secrets_would_not_pass(right: str, wrong: str) -> None:
    assert right in TEXT
    with pytest.raises(ValidationError):
        lamp(TEXT.replace(right, wrong, 1))


def test_it_reads_state_and_decision_and_publishes_outside_of_the_contract() -> None:
    shown = {channel.topic for channel in CHANNELS if channel.sender == "device"}
    topics = [message.topic for message in lamp().mqtt.on_json_message]
    assert topics == ["faceedge/${device}/state", "faceedge/${device}/decision"]
    assert {topic.rsplit("/", 1)[1] for topic in topics} <= shown
    assert not lamp().mqtt.topic_prefix.startswith("faceedge")
    assert "mqtt.publish" not in TEXT


def test_every_field_that_it_reads_is_in_the_contract() -> None:
    read = set(re.findall(r'\w+\["(\w+)"\]', lambdas()))
    fields = [*State.model_fields, *ShownDoor.model_fields, *ShownController.model_fields, *ShownDecision.model_fields]
    assert read == {"doors", "name", "controllers", "state", "outcome"}
    assert read <= set(fields)


def test_it_compares_with_words_that_are_in_the_contract() -> None:
    assert set(re.findall(r"state: (locked|unlocked|held_open|fault|offline)\b", TEXT)) <= set(DOOR_STATES)
    assert '"review"' in lambdas()


def test_json_is_only_read_by_types_that_old_and_new_versions_share() -> None:
    assert "JsonObject" not in lambdas()
    assert re.search(r"JsonArray\b", lambdas()) is None


def test_without_news_the_lamp_says_that_nobody_knows() -> None:
    [forget] = [script for script in lamp().script if script.id == "forget"]
    unknown = {"text_sensor.template.publish": {"id": "door_state", "state": "unknown"}}
    assert forget.then == [{"delay": "60s"}, unknown]
    assert lamp().mqtt.on_disconnect == [unknown]


def test_every_secret_is_in_the_example_and_none_is_filled_in() -> None:
    used = set(re.findall(r"!secret (\w+)", TEXT))
    example = yaml.safe_load(SECRETS)
    assert used == example.keys()
    assert all(not value for name, value in example.items() if "password" in name)
