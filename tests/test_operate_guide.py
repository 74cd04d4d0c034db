"""The operator's page tells of everything that a device can say: every event, notice and reason has its row.

Its commands are typed in a machine of their own: `tests/system/container/test_guides.py`.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import pytest

from faceedge import door_limits, pipeline
from faceedge.backends.machine_facts import l4t_fault
from faceedge.door import rotation
from faceedge.door.contract import DoorState
from faceedge.door.events import About, AlertEvent, DeviceEvent, GovernorEvent, Kind, ModelEvent, Verdict
from faceedge.jobs import roster
from faceedge.jobs.build_engines import Builder
from faceedge.jobs.gpu_engines import GpuEngines
from faceedge.jobs.proof import doubt
from faceedge.jobs.vision import Vision
from faceedge.journal.chain import Chain
from faceedge.journal.signing import public_path, read_public
from faceedge.journal.verify import verify
from faceedge.journal.words import REASONS
from faceedge.models.licence import warned
from faceedge.report import Report
from faceedge.safe_mode import SafeMode
from faceedge.types import Outcome
from tests.guides import DOCS
from tests.journal.made_up import grow

PAGE = (DOCS / "operate.md").read_text(encoding="utf-8")
EVENTS: Mapping[str, tuple[str, ...]] = {
    "decision": (*get_args(Outcome), *get_args(Verdict)),
    "door": (*get_args(DoorState), "unknown"),
    "camera": get_args(About),
    "device": get_args(inspect.get_annotations(DeviceEvent, eval_str=True)["what"]),
    "alert": get_args(inspect.get_annotations(AlertEvent, eval_str=True)["what"]),
    "governor": get_args(inspect.get_annotations(GovernorEvent, eval_str=True)["step"]),
    "model": get_args(inspect.get_annotations(ModelEvent, eval_str=True)["what"]),
}
"""What an event of this kind may tell that is worth words of its own."""
SOURCES: Mapping[str, tuple[Any, ...]] = {
    "self.safe.notices()": (SafeMode.notices,),
    "self.pipeline.notices": (pipeline._too_slow,),
    "self.vision.notices": (),  # below
    "self._notices": (warned, doubt),
    "self._unused_head()": (Vision._unused_head,),
    "self.opener.notices()": (GpuEngines, Builder.notices, l4t_fault),
    "self.own_numbers": (door_limits,),
    "self.of_people()": (roster,),
    "self.exchange.notices": (rotation.notices,),
}
"""Where `notices` of the state come from, and the code whose sentences these are."""
PARTS = {"the cameras that worked last"}
"""Stand within a sentence."""


def rows(heading: str) -> list[list[str]]:
    """Cells of the table below that heading."""
    section = re.split(r"^#", PAGE[PAGE.index(heading + "\n") + len(heading) :], maxsplit=1, flags=re.MULTILINE)[0]
    found = [line.strip("|").split(" | ") for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in found[2:]]


def test_every_event_that_the_device_can_send_has_its_row() -> None:
    told: dict[str, set[str]] = {}
    kind = ""
    for cell, *_ in rows("### Events"):
        words = re.findall("`(.+?)`", cell)
        kind = kind if cell.startswith("…") else words.pop(0)
        told.setdefault(kind, set()).update(words)
    assert set(told) == set(get_args(Kind))
    assert {kind: set(words) - told[kind] for kind, words in EVENTS.items() if set(words) - told[kind]} == {}


def test_every_reason_for_a_refusal_has_its_row() -> None:
    told = [word for cell, *_ in rows("## Why was somebody refused?") for word in re.findall("`(.+?)`", cell)]
    assert sorted(told) == sorted({*REASONS, "journal"} - {"match", "second_factor"})


def test_every_source_of_notices_is_known_here() -> None:
    """Whoever adds one writes rows for it, and its code into the table above."""
    found = {*spread(Report.notices), *spread(Vision.notices.fget)}
    assert found == set(SOURCES)


def spread(function: Any) -> Iterator[str]:
    """What a list or tuple in that function is made of."""
    for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(function)))):
        if isinstance(node, ast.Starred):
            value = node.value.body if isinstance(node.value, ast.IfExp) else node.value
            yield ast.unparse(value)


def sentences(code: Any) -> Iterator[str]:
    """Strings of some length that the code may say, with X for what it fills in."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(code)))
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)} - {
        id(node) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)
    }
    skipped = {id(part) for node in ast.walk(tree) for each in passed_over(node) for part in ast.walk(each)}
    for node in ast.walk(tree):
        if id(node) in inside | skipped:
            continue
        if isinstance(node, ast.JoinedStr):
            parts = [part.value if isinstance(part, ast.Constant) else "X" for part in node.values]
            yield "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def passed_over(node: ast.AST) -> list[ast.AST]:
    """Docstrings, and what is raised, asserted or logged instead of said in the state."""
    is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    is_logged = isinstance(node, ast.Call) and ast.unparse(node.func).startswith("log.")
    return [node] if is_docstring or is_logged or isinstance(node, ast.Raise | ast.Assert | ast.AnnAssign) else []


NOTICES = sorted({
    text for codes in SOURCES.values() for code in codes for text in sentences(code) if len(text.split()) > 3
} - PARTS)  # fmt: skip


@pytest.mark.parametrize("text", NOTICES)
def test_every_notice_has_its_row(text: str) -> None:
    shown = [word for cell, *_ in rows("### Notices") for word in re.findall("`(.+?)`(?: |$)", cell)]
    patterns = [".*".join(map(re.escape, words.split("…"))) for words in shown]
    assert [words for words in patterns if re.fullmatch(words, text) or re.fullmatch(words, f"X {text}")], text


def test_there_are_notices_to_look_for() -> None:
    assert len(NOTICES) >= 15


def test_a_journal_that_is_moved_away_with_its_key_begins_anew_with_another(tmp_path: Path) -> None:
    state, kept = tmp_path / "state", tmp_path / "kept"
    kept.mkdir()
    with Chain.open(state) as chain:
        grow(chain, 3)
    before = read_public(public_path(state))
    for moved in (*state.glob("journal.db*"), *(state / "keys").glob("journal.*")):
        moved.rename(kept / moved.name)
    with Chain.open(state) as chain:
        grow(chain, 2)
    after = read_public(public_path(state))
    assert before != after
    assert verify(state / "journal.db", after).is_whole
    assert verify(kept / "journal.db", before).is_whole
