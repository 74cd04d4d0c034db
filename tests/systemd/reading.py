"""Units as tests read them: sections of keys that may come more than once, and what a comment says was left out."""

from __future__ import annotations

import re
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "systemd"
SERVICES = tuple(sorted(path.name for path in FOLDER.glob("*.service")))
OMITTED = re.compile(r"^# omitted ([A-Za-z@]+(?:, [A-Za-z@]+)*): (\S.{15,})$", re.MULTILINE)


def unit(name: str) -> dict[str, list[str]]:
    """`Section.Key` -> its values, in order. Fails on a line that is none."""
    section, found = "", dict[str, list[str]]()
    for number, line in enumerate((FOLDER / name).read_text(encoding="utf-8").splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            section = line.strip("[]")
            continue
        key, equals, value = line.partition("=")
        assert equals, f"{name}:{number}: {line}"
        found.setdefault(f"{section}.{key}", []).append(value)
    return found


def environment(name: str) -> dict[str, str]:
    """What the service sees beside what systemd gives."""
    pairs = (value.partition("=") for value in unit(name).get("Service.Environment", []))
    return {key: value for key, _, value in pairs}


def omitted(name: str) -> dict[str, str]:
    """Measure -> why it was left out."""
    text = (FOLDER / name).read_text(encoding="utf-8")
    return {measure: why for measures, why in OMITTED.findall(text) for measure in measures.split(", ")}
