"""The last lines of the service's log, with nothing in them but faceedge's own words; for `bundle.py`."""

from __future__ import annotations

import re
import subprocess

from faceedge.checks.doctor.base import Patient
from faceedge.checks.doctor.contraband import Contraband
from faceedge.checks.doctor.words import GONE, plain, without_told
from faceedge.environment import for_others

LINES, WITHIN_S = 400, 10.0
MOST_BYTES, MOST_SIGNS = 1 << 20, 4000
"""Of the log, and of a line of it; a longer one is left out."""
HEAD = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:?\d\d )?([^\s\[\]]+\[\d+\]: )?")
"""What the system's journal puts before a line: when, and which program."""


def last_lines(patient: Patient, contraband: Contraband) -> list[str]:
    """Or one line that says how to add them by hand."""
    text = _read(patient)
    if not text:
        return [
            "the log cannot be read by this user; add it by hand, and read it before you send it: "
            f"journalctl -u {patient.unit} -n {LINES} > log.txt"
        ]
    lines = (line if len(line) <= MOST_SIGNS else GONE for line in text.splitlines())
    return _clean(["".join(sign if sign.isprintable() else " " for sign in line) for line in lines], contraband)


def _clean(lines: list[str], contraband: Contraband) -> list[str]:
    """Heads are cleaned by themselves, for a row of numbers goes on below them from line to line."""
    heads = [found[0] if (found := HEAD.match(line)) else "" for line in lines]
    bodies = "\n".join(line[len(head) :] for head, line in zip(heads, lines, strict=True))
    told = (without_told(body) for body in contraband.cleaned(bodies).split("\n"))
    return [plain(contraband.cleaned(head) + body) for head, body in zip(heads, told, strict=True)]


def _read(patient: Patient) -> str:
    """Empty where nothing can be read, as by a user who may not see the logs of others."""
    command = [
        "journalctl", f"--unit={patient.unit}", f"--lines={LINES}", "--no-pager", "--no-hostname", "--output=short-iso",
    ]  # fmt: skip
    try:
        done = subprocess.run(
            command, env=for_others(patient.environ), capture_output=True, timeout=WITHIN_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    if done.returncode != 0:
        return ""
    text = done.stdout[-MOST_BYTES:].decode("utf-8", "replace")
    return text.partition("\n")[2] if len(done.stdout) > MOST_BYTES else text  # what is cut is not recognised
