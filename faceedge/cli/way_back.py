"""What `faceedge run` does for networks that were chosen just now: after a bad end it goes back to those before."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from faceedge.cli import noting
from faceedge.errors import StoreError
from faceedge.jobs.on_trial import WentBack, begin
from faceedge.journal.bodies import model_letter

log = logging.getLogger(__name__)

WHY = "the daemon ended badly within ten minutes of the switch"


def go_back(state: Path) -> None:
    """Call it once a process, before networks are opened. What cannot be undone must not keep a door from starting."""
    try:
        gone = begin(state)
    except StoreError as error:
        log.error("nothing is taken back: %s", error)
        return
    for one in gone:
        log.error("%s serves again in place of %s: %s", one.before or "what is built in", one.package, WHY)
        letter = model_letter(_body(one))
        noting.note(state, "model", _body(one), [letter] if letter is not None else [])


def _body(one: WentBack) -> dict[str, Any]:
    return {
        "done": "went_back", "role": one.role, "package": one.before, "before": one.package, "by": "rule", "why": WHY,
    }  # fmt: skip
