"""The commands of the contract: their names, and what arguments each takes. Pure; used by both sides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from faceedge.config import Name
from faceedge.door.signed import Argument, DecisionId
from faceedge.errors import BadInput

Values = Mapping[str, str | int]
ModelName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.@+-]{0,63}$")]


class Args(BaseModel):
    """Base of the arguments: exact names, exact types."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Nothing(Args):
    """No arguments."""


class LockdownArgs(Args):
    """on: 1 locks every door until 0 lifts it."""

    on: Literal[0, 1]


class ActivateArgs(Args):
    """name: of an installed package, as `name` or `name@version`. yes: 1 also when people enrolled are then unknown.
    shadow: minutes for which it looks on first. canary: percent of the tracks that it then decides together with what
    serves. dual: 1 lets what serves still recognise the people whom the new one cannot know."""

    name: ModelName
    yes: Literal[0, 1] = 0
    shadow: int = Field(0, ge=0, le=1440)
    canary: int = Field(0, ge=0, le=100)
    dual: Literal[0, 1] = 0


class RollbackArgs(Args):
    """role: whose package before the present one serves again. yes: as for `model_activate`."""

    role: Literal["detector", "recognizer", "quality"]
    yes: Literal[0, 1] = 0


class ConfirmArgs(Args):
    """decision: the one that is in doubt, as its event names it."""

    decision: DecisionId


class EnrolArgs(Args):
    """Who steps before `camera` within `seconds` becomes `name`, or gets more pictures as `person` (an id)."""

    camera: Name
    seconds: int = Field(20, ge=5, le=120)
    name: Argument = ""
    person: Annotated[str, Field(pattern=r"^[0-9a-f-]{0,36}$")] = ""

    @model_validator(mode="after")
    def _is_one_person(self) -> EnrolArgs:
        if bool(self.name) == bool(self.person):
            raise ValueError("give either a name, for somebody new, or the id of a person")
        return self


@dataclass(frozen=True, slots=True)
class Order:
    """takes: its arguments. private: those that no journal may hold. is_slow: it may take seconds."""

    takes: type[Args]
    purpose: str
    private: frozenset[str] = frozenset()
    is_slow: bool = False


ORDERS: Mapping[str, Order] = {
    "ping": Order(Nothing, "answer"),
    "lockdown": Order(LockdownArgs, "keep every door shut, or no longer"),
    "reload": Order(Nothing, "read the configuration anew", is_slow=True),
    "confirm": Order(ConfirmArgs, "open for a decision in doubt, as the second factor"),
    "enrol": Order(EnrolArgs, "enrol who stands before a camera", private=frozenset({"name"}), is_slow=True),
    "enrol_stop": Order(Nothing, "end an enrolment that runs"),
    "model_activate": Order(ActivateArgs, "let a model package serve", is_slow=True),
    "model_rollback": Order(RollbackArgs, "go back to the package before", is_slow=True),
}


def check(name: str, values: Values) -> None:
    """Raises BadInput when an order does not take these arguments."""
    try:
        ORDERS[name].takes.model_validate(dict(values))
    except ValidationError as error:
        fault = error.errors()[0]
        where = f"{fault['loc'][0]}: " if fault["loc"] else ""
        raise BadInput(f"{name}: {where}{_remedy(name, fault)}") from error


def _remedy(name: str, fault: ErrorDetails) -> str:
    takes = ORDERS[name].takes.model_fields
    if fault["type"] == "extra_forbidden":
        return f"no such argument; {name} takes {', '.join(takes) or 'none'}"
    if fault["type"] == "missing":
        return "is missing; add it"
    if fault["type"] == "string_pattern_mismatch":
        return f"has letters that may not be there, or too few or many; it matches {fault['ctx']['pattern']}"
    said = str(fault.get("ctx", {}).get("error") or fault["msg"])
    return said[:1].lower() + said[1:]


def read_values(name: str, words: list[str]) -> dict[str, str | int]:
    """`key=value` words as the arguments of an order. Raises BadInput."""
    values: dict[str, str | int] = {}
    for word in words:
        key, equals, text = word.partition("=")
        if not equals:
            raise BadInput(f"{word!r} is no argument; write key=value")
        if key in values:
            raise BadInput(f"{name}: {key} is there twice; keep one")
        field = ORDERS[name].takes.model_fields.get(key)
        is_number = field is not None and field.annotation is not str and text.isascii() and text.isdecimal()
        values[key] = int(text[:16]) if is_number else text
    check(name, values)
    return values
