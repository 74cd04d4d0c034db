"""The catalogue: networks that `faceedge model add NAME` knows where to get, with size and digest.

It comes with the package. An operator adds to it, or overrides an entry, in /etc/faceedge/catalogue.toml and then in
`<state>/models/catalogue.toml`, which have the same form: `[[model]]` tables with the fields of `Entry`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from faceedge.errors import PackageError
from faceedge.manifest import SHA256, Role
from faceedge.toml import read_toml

FILE = "catalogue.toml"
SYSTEM = Path("/etc/faceedge") / FILE
_NAME = r"^[a-z0-9][a-z0-9._-]{0,63}$"
_HOST = r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?(:[0-9]{1,5})?$"
_FILE_NAME = r"^[A-Za-z0-9_][A-Za-z0-9_.+-]{0,127}$"


class Entry(BaseModel):
    """One network.

    recipe: of `models/recipes`, says how it is fed and read. licence: SPDX name; in words where it has none.
    hosts: `name` or `name:port` that `url` may redirect to beside its own. size: bytes. file: what it is called in a
    folder (`--from DIR`), when that is not the end of the URL.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=_NAME)
    version: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,31}$")
    role: Role
    recipe: str = Field(pattern=_NAME)
    licence: str = Field(min_length=1, max_length=200)
    licence_note: str = Field("", max_length=1000)
    url: str = Field(pattern=r"^https://[!-~]{1,2000}$")
    hosts: tuple[Annotated[str, Field(pattern=_HOST)], ...] = Field((), max_length=16)
    sha256: str = Field(pattern=SHA256)
    size: int = Field(ge=1, le=4_000_000_000)
    good_for: str = Field(max_length=300)
    file: str = Field("", pattern=rf"^$|{_FILE_NAME}")

    @property
    def file_name(self) -> str:
        return self.file or _last_part(self.url)

    @model_validator(mode="after")
    def _has_a_file_name(self) -> Entry:
        if not re.fullmatch(_FILE_NAME, self.file_name):
            raise ValueError("ends in no plain file name; add one as file")
        return self


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    model: tuple[Entry, ...] = ()


def read_catalogue(state: Path | None = None, system: Path = SYSTEM) -> dict[str, Entry]:
    """Every entry by its name, the operator's own over those that come with the package.

    Raises PackageError with file and key when a catalogue is not in order.
    """
    with resources.as_file(resources.files("faceedge.models") / FILE) as ours:
        entries = _read(ours)
    for path in (system, *([state / "models" / FILE] if state else [])):
        if _is_there(path):
            entries |= _read(path)
    return entries


def entry(name: str, state: Path | None = None, system: Path = SYSTEM) -> Entry:
    """The entry called `name`. Raises PackageError with the nearest one when there is none."""
    known = read_catalogue(state, system)
    if name not in known:
        nearest = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {nearest[0]!r}?" if nearest else f"there are {', '.join(sorted(known))}"
        raise PackageError(f"{name!r} is not in the catalogue; {hint}")
    return known[name]


def _read(path: Path) -> dict[str, Entry]:
    remedy = "mend it or take it away"
    values = read_toml(path, PackageError, remedy)
    try:
        entries = _Table.model_validate(values).model
    except ValidationError as error:
        # An unknown key first: it is often the misspelling of one that is then found missing.
        fault = min(error.errors(), key=lambda fault: fault["type"] != "extra_forbidden")
        raise PackageError(f"{path}: {_explained(fault['loc'], fault['type'], fault['msg'], values)}") from error
    if len({found.name for found in entries}) != len(entries):
        raise PackageError(f"{path}: two entries share a name; {remedy}")
    return {found.name: found for found in entries}


def _explained(steps: Iterable[int | str], kind: str, message: str, values: dict[str, Any]) -> str:
    """Key and fault; an entry by its name where it has one."""
    path = list(steps)
    known = Entry.model_fields if len(path) > 1 else _Table.model_fields
    where = ".".join(str(step) for step in path)
    if len(path) > 1 and isinstance(path[1], int) and isinstance(found := values["model"][path[1]], dict):
        where = ".".join(str(step) for step in ("model", found.get("name", path[1]), *path[2:]))
    if kind == "extra_forbidden":
        nearest = difflib.get_close_matches(str(path[-1]), known, n=1)
        return f"{where}: unknown key; " + (
            f"did you mean {nearest[0]!r}?" if nearest else f"known are {', '.join(known)}"
        )
    return f"{where}: {message.removeprefix('Value error, ').lower()}; mend it"


def _is_there(path: Path) -> bool:
    """Also when it may not be looked at: then reading says so."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def _last_part(url: str) -> str:
    return unquote(urlsplit(url).path.rpartition("/")[2])
