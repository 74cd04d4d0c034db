"""Keys and secrets: there, and closed to everybody but the service."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from faceedge.checks.doctor.base import Finding, Findings, Patient, fail, ok, skip, told, warn
from faceedge.checks.doctor.daemon import Daemon
from faceedge.config import Broker
from faceedge.door import rotation
from faceedge.door.rotation import Holding
from faceedge.door.transport import password_of
from faceedge.errors import FaceedgeError

PUBLIC = ".pub"


def check_keys(patient: Patient, daemon: Daemon) -> Findings:
    """Modes and owners of all there are, then a key for each controller, then the broker's password."""
    yield from _files(patient)
    if patient.settings is None:
        return
    for holding in rotation.holdings(patient.state, patient.settings.door):
        if (found := _holding(holding)) is not None:
            yield found
    yield _password(patient.settings.broker, daemon)


def _files(patient: Patient) -> Findings:
    folder = patient.state / "keys"
    if not folder.is_dir():
        yield skip("keys.mode", f"{folder}: no keys yet")
        return
    faults = list(_faults(folder, patient.state.stat().st_uid))
    for fault, remedy in faults:
        yield fail("keys.mode", fault, remedy)
    if not faults:
        yield ok("keys.mode", f"{folder}: only its owner can read what is in there")


def _faults(folder: Path, owner: int) -> Iterator[tuple[str, str]]:
    """What is wrong, and its remedy."""
    for path in sorted(folder.iterdir()):
        status = path.lstat()
        mode = stat.S_IMODE(status.st_mode)
        is_secret = path.suffix != PUBLIC and not path.is_dir()
        if mode & (0o077 if is_secret else 0o022) and not path.is_symlink():
            yield f"{path}: mode {mode:04o} opens it to other users", f"chmod {'600' if is_secret else '644'} {path}"
        elif status.st_uid != owner:
            yield (
                f"{path}: is not the service's own (user {status.st_uid})",
                f"chown --reference={folder.parent} {path}",
            )


def _holding(holding: Holding) -> Finding | None:
    id = f"keys.{holding.door}.{holding.controller}"
    if holding.fault:
        what, _, mend = holding.fault.rpartition("; ")
        return fail(id, what or mend, mend if what else f"faceedge door add {holding.door}") if holding.named else None
    if not holding.named:
        return warn(
            id, f"a key of door {holding.door}, controller {holding.controller}, which no [[door]] names",
            f"faceedge door remove {holding.door} --controller {holding.controller}, or name it",
        )  # fmt: skip
    if holding.is_rotating:
        return warn(
            id, f"two keys open door {holding.door}: a rotation was begun and not ended",
            f"faceedge door key finish {holding.door} --controller {holding.controller}",
        )  # fmt: skip
    return ok(id, f"door {holding.door}, controller {holding.controller}: key {holding.kid}")


def has_credential(broker: Broker, daemon: Daemon) -> bool:
    """Whether a running daemon has been handed a password that nobody else may read."""
    return bool(broker.password_credential) and "CREDENTIALS_DIRECTORY" not in os.environ and daemon.runs


def _password(broker: Broker, daemon: Daemon) -> Finding:
    id = "keys.broker"
    if not broker.password_credential and broker.password_file is None:
        return skip(id, "the broker is entered without a password")
    if has_credential(broker, daemon):
        return skip(id, f"the credential {broker.password_credential} is with the running service alone")
    try:
        secret = password_of(broker, os.environ)
    except FaceedgeError as error:
        return told(id, error)
    if not secret:
        return fail(id, "the broker's password is empty", "write it into the file that [broker] names")
    return ok(id, "the broker's password can be read, by nobody else")
