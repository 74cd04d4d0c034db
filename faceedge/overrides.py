"""Between the TOML file and its model: variables of the environment in, and what is wrong, in one line, out. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from faceedge.errors import ConfigError

ENV_PREFIX = "FACEEDGE__"


def override(values: dict[str, Any], environ: Mapping[str, str]) -> dict[tuple[str, ...], str]:
    """FACEEDGE__SECTION__FIELD=value, in a list of the file FACEEDGE__SECTION__0__FIELD; returns the variables used."""
    variables = {}
    for key, text in environ.items():
        if key.startswith(ENV_PREFIX):
            path = tuple(key[len(ENV_PREFIX) :].lower().split("__"))
            _table(values, path[:-1], key)[path[-1]] = text
            variables[path] = key
    return variables


def _table(values: dict[str, Any], path: tuple[str, ...], key: str) -> dict[str, Any]:
    """The table of the file that a variable means, made where there is none."""
    table: Any = values
    for name in path:
        if isinstance(table, list):
            table = table[int(name)] if name.isdecimal() and int(name) < len(table) else None
        else:
            table = table.setdefault(name, {})
        if isinstance(table, list) and name == path[-1]:
            raise ConfigError(
                f"{key}: [[{name}]] is a list; name one of the file, as in {ENV_PREFIX}{name.upper()}__0__…"
            )
        if not isinstance(table, dict | list):
            raise ConfigError(f"{key}: the file has no section {'.'.join(path)}; set it there")
    assert isinstance(table, dict)
    return table


def explain(fault: ErrorDetails, section: Callable[[Sequence[str]], type[BaseModel]]) -> str:
    """One line about what pydantic found. section: the model that a path of keys leads to."""
    steps = [str(step) for step in fault["loc"]]
    where = f"{'.'.join(steps)}: " if steps else ""
    if fault["type"] == "extra_forbidden":
        known = sorted(section(steps[:-1]).model_fields)
        nearest = difflib.get_close_matches(steps[-1], known, n=1)
        return (
            where + "unknown key; " + (f"did you mean {nearest[0]!r}?" if nearest else f"known are {', '.join(known)}")
        )
    if fault["type"] == "value_error":
        return f"{where}{fault['ctx']['error']}"
    if fault["type"] == "string_pattern_mismatch":
        return where + _ALPHABETS.get(steps[-1], _A_NAME)
    return where + _EXPECTED.get(fault["type"], fault["msg"])


_EXPECTED = {
    "missing": "is missing; add it",
    "tuple_type": "is a list: write [[camera]] or [[door]] sections, or names in square brackets",
}
_A_NAME = "use up to 32 of a-z, 0-9, _ and -, beginning with a letter or digit"
_ALPHABETS = {
    "pin": "give the SHA-256 of the broker's certificate: 64 hex digits, without colons",
    "password_credential": "use up to 64 of a-z, A-Z, 0-9, _, . and -",
    "prefix": "use up to 64 of a-z, A-Z, 0-9, _ and -",
}
"""Of keys that are no names."""
