"""The part of Home Assistant's discovery that is used here, key by key: what it calls them, and what they may hold."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Topic = Annotated[str, Field(pattern=r"^~/[a-z]+(/[a-z]+)*$")]
Icon = Annotated[str, Field(pattern=r"^mdi:[a-z-]+$")]
Category = Literal["diagnostic"]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Device(Strict):
    identifiers: list[str] = Field(min_length=1)
    name: str
    manufacturer: str
    model: str
    sw_version: str


class Origin(Strict):
    """Since 2023.11; older ones skip it."""

    name: str
    sw_version: str


class Config(Strict):
    """What all components share. default_entity_id: since 2025.10; older ones make the same id from the names."""

    base: str = Field(alias="~", pattern=r"^faceedge/[a-z0-9_-]+$")
    name: str
    unique_id: str
    default_entity_id: str = Field(pattern=r"^[a-z_]+\.[a-z0-9]+(_[a-z0-9]+)*$")
    availability_topic: Topic
    device: Device
    origin: Origin
    icon: Icon | None = None
    entity_category: Category | None = None


class BinarySensor(Config):
    state_topic: Topic
    value_template: str
    expire_after: int | None = None
    off_delay: int | None = None
    device_class: Literal["connectivity", "problem"] | None = None


class Sensor(Config):
    """options: only with the device class enum; releases before 2024.10 skip it."""

    state_topic: Topic
    value_template: str
    expire_after: int
    device_class: Literal["enum"] | None = None
    options: list[str] | None = None
    state_class: Literal["measurement", "total_increasing"] | None = None
    unit_of_measurement: Literal["%"] | None = None


class Event(Config):
    """Since 2023.8."""

    state_topic: Topic
    value_template: str
    event_types: list[str]


class Button(Config):
    command_topic: Topic


DISCOVERY: dict[str, type[Config]] = {
    "binary_sensor": BinarySensor, "button": Button, "event": Event, "sensor": Sensor,
}  # fmt: skip
