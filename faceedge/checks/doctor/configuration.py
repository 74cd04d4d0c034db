"""The configuration: understood, whole enough for a door, and closed to others."""

from __future__ import annotations

import re
import stat
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from faceedge.checks.doctor.base import Finding, Findings, Patient, fail, ok, warn
from faceedge.config import Config

HEADER = re.compile(r"\s*\[{1,2}\s*([\w.-]+)\s*\]")
KEY = re.compile(r"\s*([\w-]+)\s*=")
NEW = "write one with: faceedge config new --out FILE --camera URI"


def check_file(patient: Patient) -> Findings:
    """The file itself, then what it leaves out."""
    if patient.settings is None:
        what, semicolon, mend = _placed(patient.fault, patient.path).rpartition("; ")
        yield fail("config.file", what if semicolon else mend, mend if semicolon else "mend the file")
        return
    if patient.path is None:
        yield warn("config.file", "no configuration file: defaults and variables of the environment hold", NEW)
    else:
        yield ok("config.file", f"{patient.path} is understood")
        yield _closed(patient.path)
    yield from _whole(patient.settings)


def check_doors(patient: Patient) -> Findings:
    """What opens no door, or too many."""
    if patient.settings is None:
        return
    for door in patient.settings.door:
        id = f"liveness.{door.name}"
        if door.liveness == "off":
            yield warn(
                id, f"door {door.name} has no liveness check: a photo held up to the camera can open it",
                "do not put it on a door that matters; docs/security.md says what is done against photos",
            )  # fmt: skip
        else:
            yield fail(
                id, f'door {door.name} demands liveness = "required", and no model gives it: it opens for nobody',
                'set liveness = "off" for this door, and know that a photo may then open it',
            )  # fmt: skip


def line_of(text: str, steps: Sequence[str]) -> int | None:
    """Line of a key or of a table in TOML, counted from 1. steps: the way to it, as `door`, `1`, `ttl`, where a number
    is that of a [[table]] counted from 0. None where the file does not say it in so many words."""
    names = [step for step in steps if not step.isdecimal()]
    wanted = next((int(step) for step in steps if step.isdecimal()), None)
    table, begun = "", Counter[str]()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := HEADER.match(line):
            table = header[1]
            begun[table] += 1
        key = KEY.match(line)
        here = [*filter(None, table.split(".")), *([key[1]] if key else [])]
        if (header or key) and here == names and wanted in (None, begun[table] - 1):
            return number
    return None


def _placed(fault: str, path: Path | None) -> str:
    """What is wrong, with its line, where the file has it."""
    said = fault.removeprefix(f"{path}: ")
    if path is None or said == fault:
        return fault
    try:
        number = line_of(path.read_text(encoding="utf-8", errors="replace"), said.partition(": ")[0].split("."))
    except OSError:
        number = None
    return f"{path}, line {number}: {said}" if number is not None else fault


def _whole(settings: Config) -> Findings:
    if not settings.camera:
        yield fail("config.camera", "no camera is configured", 'add [[camera]] with uri = "/dev/video0" or "rtsp://…"')
    if not settings.door:
        yield warn("config.door", "no door is configured: decisions are told, nothing can open", "add a [[door]]")
    seen = {name for door in settings.door for name in door.cameras}
    if settings.door and all(door.cameras for door in settings.door):
        for camera in settings.camera:
            if camera.name not in seen:
                yield warn("config.door", f"no door looks through camera {camera.name}", "name it in a [[door]]")


def _closed(path: Path) -> Finding:
    """Addresses of cameras may hold passwords."""
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & stat.S_IWOTH:
        return fail("config.mode", f"{path}: everybody may change it (mode {mode:04o})", f"chmod 640 {path}")
    if mode & stat.S_IROTH and "@" in path.read_text(encoding="utf-8", errors="replace"):
        return warn("config.mode", f"{path}: everybody may read it, with its addresses", f"chmod 640 {path}")
    return ok("config.mode", f"{path} has mode {mode:04o}")
