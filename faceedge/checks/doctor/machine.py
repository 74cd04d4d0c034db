"""Room on the disk, memory, and the clock."""

from __future__ import annotations

import os
import time
from datetime import datetime, timezone
from pathlib import Path

from faceedge.checks.doctor.base import Finding, Findings, Patient, fail, ok, warn
from faceedge.config import Clock
from faceedge.health.clock import SyncWatch
from faceedge.health.machine import memory_table
from faceedge.health.pressure import PressureGauge
from faceedge.journal.reading import last_time
from faceedge.rules.clock import RELEASED, is_valid

MIB = 1 << 20
LEAST_MIB, LITTLE_MIB = 100, 1000
"""The first is what a journal of days and a database that is rebuilt take; the second leaves room for an update. Our
choice."""
SHORT, VERY_SHORT = 0.80, 0.92
"""Where the governor halves batches, and where it sheds work."""
LITTLE_MEMORY = 1500 * 10**6
SYNC_S = 3.0
ROOM = "make room: journalctl --vacuum-size=100M, apt-get clean, old models with faceedge model remove"


def check_disk(patient: Patient) -> Findings:
    """Where state and cache lie, and whether the state can be written."""
    yield _room("disk.state", patient.state)
    if _device(patient.cache) != _device(patient.state):
        yield _room("disk.cache", patient.cache)
    yield _writable(patient.state)


def check_memory(patient: Patient) -> Findings:
    """As the governor of the daemon sees it."""
    pressure = PressureGauge(patient.root).read()
    total = memory_table(patient.root).get("MemTotal", 0)
    size = f"{total / 10**9:.1f} GB"
    if pressure is None:
        yield warn("memory", "the kernel does not tell how much is used", "mount /proc")
    elif pressure.share >= VERY_SHORT:
        yield fail("memory", f"nearly all of {size} is used ({pressure.source})", "end other programs, or reboot")
    elif pressure.share >= SHORT:
        yield warn("memory", f"much of {size} is used ({pressure.source})", "end other programs")
    elif total < LITTLE_MEMORY:
        yield warn("memory", f"{size} is little", "take small networks: faceedge model list")
    else:
        yield ok("memory", f"{size}, {pressure.source}")


def check_clock(patient: Patient) -> Findings:
    """Whether rules with hours can be followed: `rules.clock.is_valid`, as the daemon asks it."""
    settings = patient.settings.clock if patient.settings is not None else Clock()
    watch = SyncWatch(patient.sync_mark, patient.sync_ask)
    try:
        watch.settle(SYNC_S)
    finally:
        watch.close()
    is_set = watch.is_synchronised
    now, newest = datetime.fromtimestamp(time.time(), timezone.utc), last_time(patient.state / "journal.db")
    how = {True: "set from the network", False: "not set from the network", None: "whether it is set nobody tells"}
    said = f"{now:%Y-%m-%d %H:%M} UTC, {how[is_set]}"
    if is_valid(now, newest or RELEASED, is_set, settings.require_sync):
        yield ok("clock", said)
        return
    if now < (newest or RELEASED) and not is_set:
        what = "the newest journal entry" if newest else "this version"
        why = f"{said}, but {what} is of {newest or RELEASED:%Y-%m-%d}"
    else:
        why = f"{said}, and [clock] require_sync asks for it"
    yield fail(
        "clock", f"{why}: rules with hours refuse", "connect the network, or: timedatectl set-ntp true"
    )  # fmt: skip


def _room(id: str, folder: Path) -> Finding:
    facts = os.statvfs(_there(folder))
    free = facts.f_bavail * facts.f_frsize // MIB
    what = f"{folder}: {free} MiB free"
    if free < LEAST_MIB or (facts.f_files and not facts.f_favail):
        return fail(id, what if free < LEAST_MIB else f"{folder}: no more files fit (inodes)", ROOM)
    return warn(id, what, ROOM) if free < LITTLE_MIB else ok(id, what)


def _writable(state: Path) -> Finding:
    id = "disk.writable"
    folder = _there(state)
    if os.statvfs(folder).f_flag & os.ST_RDONLY:
        return fail(
            id, f"{state} lies on a disk that is read-only", "dmesg says why; then: mount -o remount,rw, or fsck"
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        return fail(id, f"{state} cannot be written by this user", "run it as the service's user, or mend the owner")
    owner, mode = folder.stat().st_uid, folder.stat().st_mode & 0o777
    if folder == state and owner != os.geteuid():
        return warn(
            id, f"{state} belongs to user {owner}, and this runs as user {os.geteuid()}",
            "run it as the service's user: sudo -u faceedge faceedge doctor",
        )  # fmt: skip
    if folder == state and mode & 0o077:
        return warn(id, f"{state} is open to other users (mode {mode:04o})", f"chmod 700 {state}")
    return ok(id, f"{state} can be written")


def _there(folder: Path) -> Path:
    """It, or what it will be made in."""
    return next((path for path in (folder, *folder.parents) if path.is_dir()), Path("/"))


def _device(folder: Path) -> int:
    return _there(folder).stat().st_dev
