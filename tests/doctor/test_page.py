"""docs/doctor.md and the code name the same lines."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PLACES = {"extra", "role", "name", "door", "controller"}


def test_every_line_of_the_report_is_on_the_page_and_no_other() -> None:
    page = (ROOT / "docs" / "doctor.md").read_text(encoding="utf-8")
    table = page.partition("<!-- ids -->")[2].partition("<!-- /ids -->")[0]
    named = {
        id
        for row in table.splitlines()
        for id in re.findall(r"`([a-z_.<>]+)`", row.split("|")[1:2][0] if "|" in row else "")
    }
    assert {re.sub(r"<\w+>", "*", id) for id in named} == ids_in_code()


def ids_in_code() -> set[str]:
    """What findings are made with; a part that is put in is a star."""
    found: set[str] = set()
    for path in (ROOT / "faceedge" / "checks" / "doctor").glob("*.py"):
        text = path.read_text(encoding="utf-8")
        found |= set(
            re.findall(r"\b(?:ok|warn|fail|skip|told|_room|_sound|_served)\(\s*f?\"([a-z_.]+[a-z_.{}]*)\"", text)
        )
        found |= set(re.findall(r"\bid(?:, \w+)* = f?\"([a-z]+\.[^\"]+|[a-z]+)\"", text))
        found |= set(re.findall(r"_plan\(f\"([^\"]+)\"", text)) | set(re.findall(r"\"(engine\.\w+)\":", text))
    return {re.sub(r"\{[^}]*\}", "*", id) for id in found} - ASIDE


ASIDE = {"models", "platform.extra"}
"""Of what cannot be looked at because the configuration is wrong."""
