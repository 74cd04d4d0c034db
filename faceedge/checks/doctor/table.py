"""Every check of `faceedge doctor`, as a table: name, how long it may take, where it is. In the order of the report."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from faceedge.checks.doctor import daemon
from faceedge.checks.doctor.base import Check, Findings, Once, Patient
from faceedge.checks.doctor.daemon import Daemon

HERE = "faceedge.checks.doctor"
QUICK_S = 20.0
"""Quick, unless a disk hangs or the machine is busy with other things."""


def checks_of(patient: Patient) -> tuple[Check, ...]:
    """What is looked at of this installation."""
    metrics = patient.settings.health.metrics if patient.settings is not None else ""
    seen = Once(lambda: daemon.look_at(patient.unit, metrics, patient.environ))
    return (
        Check("platform.board", QUICK_S, _lazy("platform", "check_board", patient)),
        Check("platform.python", QUICK_S, _lazy("platform", "check_python", patient)),
        Check("platform.packages", QUICK_S, _lazy("platform", "check_packages", patient)),
        Check("engine", 60.0, _lazy("engines", "check_engines", patient)),
        Check("config.file", QUICK_S, _lazy("configuration", "check_file", patient)),
        Check("models", 30.0, _lazy("models", "check_models", patient)),
        *_cameras(patient, seen),
        Check("broker.reach", 30.0, _seeing("broker", "check_broker", patient, seen), "look at the network"),
        Check("keys", QUICK_S, _seeing("keys", "check_keys", patient, seen)),
        Check("gallery.file", QUICK_S, _lazy("databases", "check_gallery", patient), "look at the disk: dmesg"),
        Check("journal.file", QUICK_S, _lazy("databases", "check_journal", patient), "look at the disk: dmesg"),
        Check(
            "journal.chain", 30.0, _lazy("databases", "check_chain", patient),
            "it is long; `faceedge journal verify` reads all of it", late="warn",
        ),
        Check("disk", QUICK_S, _lazy("machine", "check_disk", patient), "look at the disk: dmesg"),
        Check("memory", QUICK_S, _lazy("machine", "check_memory", patient)),
        Check("clock", QUICK_S, _lazy("machine", "check_clock", patient)),
        Check("service", QUICK_S, _seeing("service", "check_service", patient, seen)),
        Check("liveness", QUICK_S, _lazy("configuration", "check_doors", patient)),
    )  # fmt: skip


def _cameras(patient: Patient, seen: Once[Daemon]) -> list[Check]:
    cameras = patient.settings.camera if patient.settings is not None else ()
    return [
        Check(
            f"camera.{camera.name}", 30.0, _seeing("cameras", "check_camera", patient, seen, camera),
            "it hangs: pull its plug, or restart nvargus-daemon for one on CSI",
        )
        for camera in cameras
    ]  # fmt: skip


def _lazy(module: str, function: str, *of: Any) -> Callable[[], Findings]:
    """A module that cannot even be imported is a finding, too, and not the end of the others."""

    def run() -> Findings:
        yield from getattr(import_module(f"{HERE}.{module}"), function)(*of)

    return run


def _seeing(module: str, function: str, patient: Patient, seen: Once[Daemon], *of: Any) -> Callable[[], Findings]:
    """The same for what has to know whether the daemon runs."""

    def run() -> Findings:
        yield from _lazy(module, function, patient, *of, seen())()

    return run
