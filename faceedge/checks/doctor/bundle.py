"""The archive for support: report, versions, redacted configuration, log lines, metrics, counts. Nothing is written in
which `contraband.py` finds anything.
"""

from __future__ import annotations

import io
import json
import platform
import re
import tarfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

from faceedge import __version__
from faceedge.backends.machine_facts import l4t_of
from faceedge.checks.doctor.base import Finding, Patient
from faceedge.checks.doctor.contraband import Contraband, is_row
from faceedge.checks.doctor.daemon import PREFIX, scraped
from faceedge.checks.doctor.databases import versions
from faceedge.checks.doctor.gather import gather
from faceedge.checks.doctor.service_log import last_lines
from faceedge.checks.doctor.words import GONE, plain
from faceedge.config import Config
from faceedge.errors import FaceedgeError, StoreError
from faceedge.files import write_whole
from faceedge.health.machine import cores, machine_name, memory_table
from faceedge.jobs.list_models import list_rows
from faceedge.jobs.site import Site

MODE = 0o600
SET = "[set]"
LEFT_OUT = (
    "left out: the configuration or the names in the gallery cannot be read here; mend that and make the archive "
    "again, or write what is needed by hand"
)
NAME = re.compile(r"[A-Za-z0-9._-]+")
"""That a requirement begins with."""
QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
"""What a complaint repeats of a wrong file."""
ABOUT = """faceedge support archive, made by `faceedge doctor --bundle`.

Holds: the report, versions of programs and packages, the configuration without addresses' credentials and user names,
the last lines of the service's log, metrics, names and licences of networks, sizes of the databases.
Holds no keys, passwords, names of people, pictures or templates: all of them were looked for in every file here before
it was written, as they are, in hex and in base64. Of the log, the report and the configuration only words that faceedge
itself uses are left, and short numbers: […] stands for the rest.
"""


def write(path: Path, patient: Patient, findings: Sequence[Finding]) -> tuple[str, ...]:
    """The archive, whole or not at all; returns the names of its files. Raises StoreError when it cannot be written, or
    something was found in it that must not leave."""
    contraband = gather(patient)
    files = members(patient, findings, contraband)
    for name, content in files.items():
        if kinds := contraband.found_in(content):
            raise StoreError(
                f"{path}: not written, for {name} would hold {' and '.join(kinds)}; send the report alone: "
                "faceedge doctor --json"
            )
    try:
        write_whole(path, _packed(files), MODE)
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}; name a file in a folder that can be written") from error
    return tuple(files)


def members(patient: Patient, findings: Sequence[Finding], contraband: Contraband) -> dict[str, bytes]:
    """Every file of the archive, cleaned. A part that fails says so in its place."""
    documents: dict[str, Callable[[], Any]] = {
        "report.json": lambda: _report(findings, contraband),
        "versions.json": lambda: _versions(patient),
        "configuration.json": lambda: _configuration(patient, contraband),
        "models.json": lambda: _models(patient),
        "databases.json": lambda: versions(patient.state),
        "metrics.json": lambda: _metrics(patient, contraband) if contraband.is_whole else LEFT_OUT,
        "log.json": lambda: last_lines(patient, contraband) if contraband.is_whole else [LEFT_OUT],
    }
    files = {"README.txt": contraband.cleaned(ABOUT).encode()}
    for name, make in documents.items():
        cleaned = _mapped(_tried(make), contraband.cleaned, lambda value: _shown(value, contraband))
        files[name] = json.dumps(cleaned, indent=1, ensure_ascii=False).encode("utf-8")
    return files


def redacted(settings: Config) -> dict[str, Any]:
    """The configuration without what opens anything: of addresses only which kind they are, of paths only that there is
    one."""
    shown: dict[str, Any] = settings.model_dump(mode="json")
    for camera in shown["camera"]:
        camera["uri"] = f"{camera['uri'].partition(':')[0]}:{SET}"
    for key in ("username", "pin", "password_file", "password_credential", "key_file"):
        shown["broker"][key] = SET if shown["broker"][key] else ""
    without: dict[str, Any] = _mapped(shown, lambda text: SET if "/" in text else text)
    return without


def _versions(patient: Patient) -> dict[str, Any]:
    names = sorted(
        {found[0] for line in metadata.requires("faceedge") or () if (found := NAME.match(line)) is not None}
    )
    return {
        "faceedge": __version__,
        "python": platform.python_version(),
        "kernel": platform.release(),
        "machine": machine_name(patient.root),
        "l4t": l4t_of(patient.root),
        "cores": cores(),
        "memory_bytes": memory_table(patient.root).get("MemTotal", 0),
        "made": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "packages": {name: here for name in names if (here := _version(name))},
    }


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _report(findings: Sequence[Finding], contraband: Contraband) -> Any:
    """Where a name may not be known as one, what is quoted goes, too."""
    told = [asdict(finding) for finding in findings]
    return _plain(told if contraband.is_whole else _mapped(told, _unquoted), contraband)


def _unquoted(text: str) -> str:
    return QUOTED.sub(GONE, text)


def _configuration(patient: Patient, contraband: Contraband) -> Any:
    if patient.settings is None:
        return _plain({"error": _unquoted(patient.fault)}, contraband)
    return _plain(redacted(patient.settings), contraband) if contraband.is_whole else LEFT_OUT


def _models(patient: Patient) -> Any:
    if patient.settings is None:
        return []
    rows, faults = list_rows(Site(patient.state, patient.cache, patient.settings.models))
    shown: list[Any] = [
        {
            "label": row.found.label, "role": row.role, "standing": row.standing, "fault": plain(row.found.fault),
            "licence": row.found.package.manifest.source.licence if row.found.package else "",
            "build": row.found.package.build if row.found.package else "",
        }
        for row in rows
    ]  # fmt: skip
    return [*shown, *faults]


def _metrics(patient: Patient, contraband: Contraband) -> Any:
    page, samples = scraped(patient.settings.health.metrics if patient.settings is not None else "")
    lines = {
        f"{PREFIX}{name}{''.join(f' {key}={value}' for key, value in sorted(labels))}": value
        for (name, labels), value in samples.items()
    }
    return {"page": page, "samples": _plain(dict(sorted(lines.items())), contraband)}


def _tried(make: Callable[[], Any]) -> Any:
    """Of a broken installation, too, there is something to send."""
    try:
        return make()
    except (FaceedgeError, OSError, ValueError) as error:
        return {"error": plain(f"{type(error).__name__}: {error}")}


def _plain(document: Any, contraband: Contraband) -> Any:
    """What is known to be secret goes before the words are looked at, while it is in one piece."""
    return _mapped(document, lambda text: plain(contraband.cleaned(text)))


def _shown(value: Any, contraband: Contraband) -> Any:
    """A number, unless it holds a password that is one."""
    text = json.dumps(value)
    cleaned = contraband.cleaned(text)
    return value if cleaned == text else cleaned


def _mapped(document: Any, change: Callable[[str], str], other: Callable[[Any], Any] = lambda value: value) -> Any:
    """With other texts in it, and other numbers; keys that are the same then are told apart."""
    if isinstance(document, str):
        return change(document)
    if isinstance(document, Mapping):
        made: dict[str, Any] = {}
        for key, value in document.items():
            shown = change(str(key))
            made[f"{shown} ({len(made)})" if shown in made else shown] = _mapped(value, change, other)
        return made
    if isinstance(document, list | tuple):
        is_numbers = all(isinstance(one, int | float) for one in document)
        return GONE if is_numbers and is_row(str(document)) else [_mapped(one, change, other) for one in document]
    return other(document)


def _packed(files: Mapping[str, bytes]) -> bytes:
    """tar.gz. Nobody's name or number is in its heads."""
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w:gz") as archive:
        for name, content in files.items():
            head = tarfile.TarInfo(f"faceedge-support/{name}")
            head.size, head.mode, head.mtime = len(content), MODE, int(time.time())
            archive.addfile(head, io.BytesIO(content))
    return held.getvalue()
