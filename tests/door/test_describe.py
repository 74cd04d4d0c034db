"""The written contract: schemas and tables are those of the code, and judge messages as the code does."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from faceedge.door.channels import CHANNELS, channel_of
from faceedge.door.contract import BadMessage, Body, parse
from faceedge.door.describe import TABLES, files, with_tables
from faceedge.door.events import letter
from faceedge.door.schemas import BODIES, SEALED, SIGNED, TOLD, lengths, schema_of
from tests.door.make_vectors import BODIES as GOOD
from tests.door.make_vectors import COMMAND, GRANT, PATH, bad_bodies
from tests.door.make_vectors import SIGNED as GOOD_SIGNED

DOCS = Path(__file__).parents[2] / "docs"
NO_SCHEMA_SEES = {"float", "exponent", "key twice", "key twice, once escaped", "name with a line end"}
"""To a schema 3000.0 is a whole number, it never sees a key twice, and Python lets a line end pass at `$`."""

every_body = pytest.mark.parametrize("name", BODIES)


def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(schema_of(name))


@pytest.mark.parametrize(("path", "text"), list(files(DOCS)), ids=lambda each: getattr(each, "name", ""))
def test_what_is_written_is_what_the_code_says(path: Path, text: str) -> None:
    assert path.read_text(encoding="utf-8") == text, "write it anew: python -m faceedge.door.describe docs"


def test_no_schema_is_left_of_a_body_that_is_gone() -> None:
    assert {path.stem for path in (DOCS / "schemas").glob("*.json")} - {PATH.stem} == set(BODIES)


@every_body
def test_a_schema_is_valid_complete_closed_and_says_what_each_key_means(name: str) -> None:
    described = schema_of(name)
    Draft202012Validator.check_schema(described)
    for node in (described, *described.get("$defs", {}).values()):
        assert node["additionalProperties"] is False
        assert all(value.get("description") for value in node["properties"].values()), node["properties"]


@pytest.mark.parametrize("name", [*SEALED, *SIGNED])
def test_everything_in_a_signed_body_is_bounded_and_required(name: str) -> None:
    described = schema_of(name)
    assert described["required"] == list(described["properties"])
    for key, value in described["properties"].items():
        assert {
            "maxLength",
            "maximum",
            "exclusiveMaximum",
            "maxItems",
            "maxProperties",
            "enum",
        } & value.keys() or value["type"] == "boolean", key


@pytest.mark.parametrize("body", [*GOOD, *(body for _, body in GOOD_SIGNED)], ids=lambda body: body.label)
def test_good_bodies_fit_their_schema_and_no_other(body: Body) -> None:
    values = json.loads(body.model_dump_json())
    assert [name for name in BODIES if validator(name).is_valid(values)] == [body.label]


@pytest.mark.parametrize("kind", TOLD.values(), ids=TOLD)
def test_events_as_they_are_sent_fit_their_schema(kind: Any) -> None:
    values = sample_of(f"event-{kind.kind}")
    event = kind.model_validate_json(json.dumps({key: values[key] for key in kind.model_fields}))
    assert list(validator(f"event-{kind.kind}").iter_errors(json.loads(letter(event).payload))) == []


def sample_of(name: str) -> dict[str, Any]:
    return {key: value.get("const") or sample(value) for key, value in schema_of(name)["properties"].items()}


def sample(value: dict[str, Any]) -> Any:
    """Something that fits, made from the schema alone."""
    if "anyOf" in value:
        return sample(value["anyOf"][0])
    if "enum" in value:
        return value["enum"][0]
    made: dict[str, Any] = {
        "string": "a" * value.get("minLength", 1),
        "integer": 1,
        "number": 0.5,
        "boolean": True,
        "array": [],
        "object": {},
    }
    return made[value["type"]]


@pytest.mark.parametrize("name", sorted(bad_bodies(b"").keys() - NO_SCHEMA_SEES))
def test_what_the_code_refuses_in_a_body_the_schema_refuses_too(name: str) -> None:
    text = bad_bodies(GRANT.model_dump_json().encode())[name]
    with pytest.raises(BadMessage):
        parse(type(GRANT), text)
    try:
        values = json.loads(text.decode("ascii"))
    except (ValueError, RecursionError):
        return
    assert not validator(GRANT.label).is_valid(values)


@pytest.mark.parametrize(
    "args", [{"a": 1.5}, {"a": [1]}, {"A": 1}, {"a": "x" * 129}, {"a": -1}, {f"a{'b' * at}": 1 for at in range(9)}]
)
def test_arguments_that_the_code_refuses_the_schema_refuses_too(args: dict[str, Any]) -> None:
    values = COMMAND.model_dump() | {"args": args}
    with pytest.raises(BadMessage):
        parse(type(COMMAND), json.dumps(values).encode())
    assert not validator(COMMAND.label).is_valid(values)


def test_a_decision_event_with_a_score_does_not_fit() -> None:
    values = sample_of("event-decision")
    assert validator("event-decision").is_valid(values)
    assert not validator("event-decision").is_valid(values | {"similarity": 0.4})


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [("^[A-Za-z0-9_-]{22}$", (22, 22)), ("^[a-z0-9][a-z0-9_-]{0,31}$", (1, 32)), (r"^[ -!#-\[\]-~]{0,48}$", (0, 48))],
)
def test_lengths_are_read_from_a_pattern(pattern: str, expected: tuple[int, int]) -> None:
    assert lengths(pattern) == expected


def test_every_topic_is_of_one_kind_or_of_a_more_special_one() -> None:
    samples = {
        "faceedge/dev/door/main/inner/grant": "door/<door>/<controller>/grant",
        "faceedge/dev/cmd/ping": "cmd/<name>",
        "faceedge/dev/cmd/ping/result": "cmd/<name>/result",
        "faceedge/dev/event/second_factor": "event/second_factor",
        "faceedge/dev/event/door": "event/<kind>",
        "homeassistant/sensor/dev/faceedge_x/config": "homeassistant/<component>/<device>/<object>/config",
    }
    for topic, kind in samples.items():
        assert (found := channel_of(topic)) is not None
        assert found.topic == kind
    for stranger in ("faceedge/dev", "faceedge/dev/door/main/grant", "faceedge/dev/event/a/b", "other/dev/state", ""):
        assert channel_of(stranger) is None


def test_every_body_travels_on_a_topic_of_the_table() -> None:
    travelling = {channel.body for channel in CHANNELS} | set(TOLD)
    assert set(BODIES) <= travelling


def test_a_page_without_a_place_for_a_table_is_not_written() -> None:
    page = "".join(f"<!-- {name} -->\n<!-- /{name} -->\n" for name in itertools.islice(TABLES, len(TABLES) - 1))
    with pytest.raises(ValueError, match="no place"):
        with_tables(page)
