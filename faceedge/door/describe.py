"""The contract as files: docs/schemas/ and the tables of docs/mqtt.md, made from what the code checks with.

`python -m faceedge.door.describe docs` writes them; a test fails when they differ.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from faceedge.config import Name
from faceedge.door.channels import CHANNELS, Channel
from faceedge.door.contract import Kid, Pseudonym, Token, Words
from faceedge.door.orders import ORDERS
from faceedge.door.schemas import BODIES, SEALED, SHOWN, SIGNED, TOLD, Schema, schema_of
from faceedge.door.signed import Argument, CommandName, DecisionId, Sentence

ALPHABETS: dict[str, tuple[Any, str]] = {
    "token": (Token, "128 random bits, base64url without padding"),
    "name": (Name, "of a device, a door, a controller or a camera"),
    "key id": (Kid, "names a door key"),
    "pseudonym": (Pseudonym, "who, as an id without a name"),
    "words": (Words, 'printable ASCII without `"` and `\\`: in JSON it looks as it is'),
    "sentence": (Sentence, "the same alphabet, longer, for a person to read"),
    "argument": (Argument, "the same alphabet, for a command"),
    "command name": (CommandName, "of a command, and of its arguments"),
    "decision id": (DecisionId, "names a decision, as the journal does"),
}
"""Kinds of text that bodies are made of, by the word that the page has for them."""
RETAINED = {"yes": "yes", "no": "no", "never": "**never**", "some": "some"}


def files(docs: Path) -> Iterator[tuple[Path, str]]:
    """Every file that is generated, and what it is to hold."""
    page = docs / "mqtt.md"
    yield page, with_tables(page.read_text(encoding="utf-8"))
    for name in BODIES:
        yield docs / "schemas" / f"{name}.json", json.dumps(schema_of(name), indent=1, ensure_ascii=False) + "\n"


def with_tables(page: str) -> str:
    """The page, with every table between its markers made anew. Raises ValueError when a place is missing."""
    for name, lines in TABLES.items():
        before, opening, rest = page.partition(f"<!-- {name} -->\n")
        _, closing, after = rest.partition(f"<!-- /{name} -->")
        if not closing:
            raise ValueError(f"the page has no place for the table {name!r}")
        page = "".join([before, opening, "\n", *(f"{line}\n" for line in lines()), "\n", closing, after])
    return page


def topics_table() -> list[str]:
    rows = [
        (f"`{each.topic}`", each.sender, RETAINED[each.retained], str(each.qos), _body_cell(each)) for each in CHANNELS
    ]
    return _table(("topic below `faceedge/<device>`", "from", "retained", "QoS", "body"), rows)


def bodies_table(names: Iterable[str], shared: Collection[str] = ()) -> list[str]:
    """One row a key. shared: keys of all bodies, told once."""
    rows: list[tuple[str, ...]] = []
    for number, name in enumerate(names):
        described = schema_of(name)
        keys = dict(_keys(described, described))
        if number == 0:
            rows += _rows("all of them", {key: keys[key] for key in shared})
        rows += _rows(f"[`{name}`](schemas/{name}.json)", {key: keys[key] for key in keys if key not in shared})
    return _table(("body", "key", "value", "meaning"), rows)


def orders_table() -> list[str]:
    """Every command, and what it takes."""
    rows: list[tuple[str, ...]] = []
    for name, order in ORDERS.items():
        properties = order.takes.model_json_schema().get("properties", {})
        args = ", ".join(f"`{key}`: {_value(value)}{_default(value)}" for key, value in properties.items())
        rows.append((f"`{name}`", args or "none", order.purpose))
    return _table(("command", "args", "what it does"), rows)


def alphabets_table() -> list[str]:
    rows = [(word, f"`{_pattern(kind)}`", meaning) for word, (kind, meaning) in ALPHABETS.items()]
    return _table(("value", "pattern", "meaning"), rows)


TABLES: dict[str, Callable[[], list[str]]] = {
    "topics": topics_table,
    "alphabets": alphabets_table,
    "sealed": partial(bodies_table, SEALED),
    "signed": partial(bodies_table, SIGNED),
    "shown": partial(bodies_table, SHOWN),
    "orders": orders_table,
    "events": partial(bodies_table, TOLD, ("id", "time_ms")),
}


def _default(value: Schema) -> str:
    return f" ({value['default'] or 'empty'})" if "default" in value else ""


def _rows(title: str, keys: Mapping[str, Schema]) -> list[tuple[str, ...]]:
    """The title stands in the first row only."""
    titles = [title, *[""] * len(keys)]
    return [
        (title, f"`{key}`", _value(value), value["description"])
        for title, (key, value) in zip(titles, keys.items(), strict=False)
    ]


def _body_cell(channel: Channel) -> str:
    body = f"[`{channel.body}`](schemas/{channel.body}.json)" if channel.body in BODIES else channel.body
    return f"{body}; {channel.note}" if channel.note else body


def _keys(node: Schema, whole: Schema, before: str = "") -> Iterator[tuple[str, Schema]]:
    """The keys of an object and of the objects in it, each with its path."""
    for key, value in node["properties"].items():
        yield before + key, value
        is_list = value.get("type") == "array"
        for part in (value["items"] if is_list else value, *value.get("anyOf", ())):
            if "$ref" in part:
                inner = whole["$defs"][part["$ref"].rsplit("/")[-1]]
                yield from _keys(inner, whole, f"{before}{key}{'[]' if is_list else ''}.")


def _value(value: Schema) -> str:
    """A value in words: the first key that it has tells what there is to say."""
    return next(say(value) for key, say in _SAYINGS.items() if key in value)


def _range(value: Schema) -> str:
    least, most = value.get("minimum"), value.get("maximum")
    return f"{least} to {most}" if most is not None else "whole number"


def _pattern(kind: Any) -> str:
    return str(TypeAdapter(kind).json_schema()["pattern"])


_WORD_OF = {_pattern(kind): word for word, (kind, _) in ALPHABETS.items()}
_TYPES: dict[str, Callable[[Schema], str]] = {
    "integer": _range,
    "array": lambda value: "list" if "$ref" in value["items"] else f"list of {_value(value['items'])}s",
    "object": lambda value: f"object of {' and '.join(sorted({_value(each) for each in _values(value)}))}s",
}
_SAYINGS: dict[str, Callable[[Schema], str]] = {
    "$ref": lambda _: "object",
    "anyOf": lambda value: " or ".join(map(_value, value["anyOf"])),
    "const": lambda value: f"`{value['const']}`",
    "enum": lambda value: ", ".join(f"`{each}`" for each in value["enum"]),
    "pattern": lambda value: _WORD_OF.get(value["pattern"], f"`{value['pattern']}`"),
    "maxLength": lambda value: f"text up to {value['maxLength']}",
    "type": lambda value: _TYPES.get(value["type"], _plain)(value),
}


def _values(value: Schema) -> list[Schema]:
    """What an object with free keys holds."""
    return (
        list(value["patternProperties"].values()) if "patternProperties" in value else [value["additionalProperties"]]
    )


def _plain(value: Schema) -> str:
    return {"string": "text", "boolean": "true or false"}.get(value["type"], str(value["type"]))


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Markdown."""
    cells = [re.sub(r"(?<!\\)\|", r"\|", " \0 ".join(row)).replace("\0", "|") for row in (head, *rows)]
    return [f"| {cells[0]} |", "|" + "---|" * len(head), *(f"| {row} |" for row in cells[1:])]


if __name__ == "__main__":
    for path, text in files(Path(sys.argv[1])):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
