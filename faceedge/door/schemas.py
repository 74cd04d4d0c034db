"""JSON Schemas (draft 2020-12) of all bodies, made from the models that the code itself checks with. Pure."""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel

from faceedge.door.contract import Body, Challenge, Grant, Status, Verdict
from faceedge.door.events import EVENTS, Event
from faceedge.door.shown import ShownDecision, State
from faceedge.door.signed import Command, Result, SecondFactor

Schema = dict[str, Any]

DRAFT = "https://json-schema.org/draft/2020-12/schema"
SEALED: dict[str, type[Body]] = {kind.label: kind for kind in (Challenge, Grant, Verdict, Status)}
SIGNED: dict[str, type[Body]] = {kind.label: kind for kind in (Command, Result, SecondFactor)}
SHOWN: dict[str, type[BaseModel]] = {"decision": ShownDecision, "state": State}
TOLD: dict[str, type[Event]] = {f"event-{kind.kind}": kind for kind in EVENTS}
BODIES: dict[str, type[BaseModel]] = {**SEALED, **SIGNED, **SHOWN, **TOLD}
"""Every body that has a schema, by the name of its file."""


def schema_of(name: str) -> Schema:
    """The JSON Schema of one body, complete in itself."""
    kind = BODIES[name]
    made = kind.model_json_schema()
    if issubclass(kind, Event):
        made["properties"]["kind"] = {"const": kind.kind, "description": "What kind of event this is."}
        made["required"] = list(made["properties"])
    return {"$schema": DRAFT, "$id": f"{name}.json", **_tidy(made)}


def lengths(pattern: str) -> tuple[int, int]:
    """The shortest and the longest text of a pattern that is a row of character classes with counts."""
    parts = re.findall(r"\[(?:\\.|[^]\\])+\](?:\{(\d+)(?:,(\d+))?\})?", pattern)
    return sum(int(least or 1) for least, _ in parts), sum(int(most or least or 1) for least, most in parts)


def _tidy(node: Any) -> Any:
    """Closed objects, lengths in numbers beside patterns, no titles and defaults: they say nothing here."""
    if isinstance(node, list):
        return [_tidy(each) for each in node]
    if not isinstance(node, dict):
        return node
    tidy = {key: _tidy(value) for key, value in node.items() if not _is_noise(key, value)}
    if isinstance(pattern := tidy.get("pattern"), str):
        tidy["minLength"], tidy["maxLength"] = lengths(pattern)
    if "patternProperties" in tidy:
        tidy["additionalProperties"] = False
    return tidy


def _is_noise(key: str, value: Any) -> bool:
    return (key == "title" and isinstance(value, str)) or (key == "default" and value is None)
