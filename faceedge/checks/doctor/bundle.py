"""The archive for support: report, versions, redacted configuration, log lines, metrics, counts. Nothing is written in
which `contraband.py` finds anything.
"""

from __future__ import annotations

import io
import json
import platform
import re
import subprocess
import tarfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

from faceedge import __version__
from faceedge.backends.machine_facts import l4t_of
from faceedge.cameras import parse
from faceedge.checks.doctor.base import Finding, Patient
from faceedge.checks.doctor.contraband import Contraband, gather
from faceedge.checks.doctor.daemon import PREFIX, scraped
from faceedge.checks.doctor.databases import versions
from faceedge.config import Config
from faceedge.environment import for_others
from faceedge.errors import CameraError, FaceedgeError, StoreError
from faceedge.files import write_whole
from faceedge.health.machine import cores, machine_name, memory_table
from faceedge.jobs.list_models import list_rows
from faceedge.jobs.site import Site

LOG_LINES, LOG_S = 400, 10.0
MOST_BYTES = 1 << 20
"""Of the log."""
MODE = 0o600
SET = "[set]"
NAME = re.compile(r"[A-Za-z0-9._-]+")
"""That a requirement begins with."""
ABOUT = """faceedge support archive, made by `faceedge doctor --bundle`.

Holds: the report, versions of programs and packages, the configuration without addresses' credentials and user names,
the last lines of the service's log, metrics, names and licences of networks, sizes of the databases.
Holds no keys, passwords, names of people, pictures or templates: all of them were looked for in every file here before
it was written, as they are, in hex and in base64.
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
        "report.json": lambda: [asdict(finding) for finding in findings],
        "versions.json": lambda: _versions(patient),
        "configuration.json": lambda: _configuration(patient),
        "models.json": lambda: _models(patient),
        "databases.json": lambda: versions(patient.state),
        "metrics.json": lambda: _metrics(patient),
        "log.json": lambda: _log(patient) if contraband.is_whole else ["left out: names of people cannot be read here"],
    }
    files = {"README.txt": contraband.cleaned(ABOUT).encode()}
    for name, make in documents.items():
        cleaned = _cleaned(_tried(make), contraband)
        files[name] = json.dumps(cleaned, indent=1, ensure_ascii=False).encode("utf-8")
    return files


def redacted(settings: Config) -> dict[str, Any]:
    """The configuration without what opens anything: of addresses only what is safe to show."""
    shown: dict[str, Any] = settings.model_dump(mode="json")
    for camera in shown["camera"]:
        try:
            camera["uri"] = parse(camera["uri"]).shown
        except CameraError:
            camera["uri"] = SET
    for key in ("username", "pin", "password_file", "password_credential", "key_file"):
        shown["broker"][key] = SET if shown["broker"][key] else ""
    return shown


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


def _configuration(patient: Patient) -> Any:
    return redacted(patient.settings) if patient.settings is not None else {"error": patient.fault}


def _models(patient: Patient) -> Any:
    if patient.settings is None:
        return []
    rows, faults = list_rows(Site(patient.state, patient.cache, patient.settings.models))
    shown: list[Any] = [
        {
            "label": row.found.label, "role": row.role, "standing": row.standing, "fault": row.found.fault,
            "licence": row.found.package.manifest.source.licence if row.found.package else "",
            "build": row.found.package.build if row.found.package else "",
        }
        for row in rows
    ]  # fmt: skip
    return [*shown, *faults]


def _metrics(patient: Patient) -> Any:
    page, samples = scraped(patient.settings.health.metrics if patient.settings is not None else "")
    lines = {
        f"{PREFIX}{name}{''.join(f' {key}={value}' for key, value in sorted(labels))}": value
        for (name, labels), value in samples.items()
    }
    return {"page": page, "samples": dict(sorted(lines.items()))}


def _log(patient: Patient) -> list[str]:
    """The last lines of the service, without the name of the host."""
    command = [
        "journalctl", f"--unit={patient.unit}", f"--lines={LOG_LINES}", "--no-pager", "--no-hostname",
        "--output=short-iso",
    ]  # fmt: skip
    try:
        done = subprocess.run(command, env=for_others(patient.environ), capture_output=True, timeout=LOG_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return [f"no log: {type(error).__name__}"]
    text = done.stdout[-MOST_BYTES:].decode("utf-8", "replace")
    lines = text.splitlines()[1 if len(done.stdout) > MOST_BYTES else 0 :]  # what is cut in half is not recognised
    return ["".join(sign if sign.isprintable() else " " for sign in line) for line in lines]


def _tried(make: Callable[[], Any]) -> Any:
    """Of a broken installation, too, there is something to send."""
    try:
        return make()
    except (FaceedgeError, OSError, ValueError) as error:
        return {"error": f"{type(error).__name__}: {error}"}


def _cleaned(document: Any, contraband: Contraband) -> Any:
    if isinstance(document, str):
        return contraband.cleaned(document)
    if isinstance(document, Mapping):
        return {contraband.cleaned(str(key)): _cleaned(value, contraband) for key, value in document.items()}
    if isinstance(document, list | tuple):
        return [_cleaned(one, contraband) for one in document]
    return document


def _packed(files: Mapping[str, bytes]) -> bytes:
    """tar.gz. Nobody's name or number is in its heads."""
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w:gz") as archive:
        for name, content in files.items():
            head = tarfile.TarInfo(f"faceedge-support/{name}")
            head.size, head.mode, head.mtime = len(content), MODE, int(time.time())
            archive.addfile(head, io.BytesIO(content))
    return held.getvalue()
