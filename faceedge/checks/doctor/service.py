"""The service: alive or why not, how often it ended, in which mode it runs, and what it gave up."""

from __future__ import annotations

from faceedge import lockdown
from faceedge.checks.doctor.base import Finding, Findings, Patient, fail, ok, skip, warn
from faceedge.checks.doctor.daemon import Daemon
from faceedge.health import starts

JOURNALCTL = "journalctl -u {unit} -n 50 says why; then: systemctl restart {unit}"
MANY = 3
"""Restarts since the unit was started by hand. One may be an update, and three are a loop to a daemon."""


def check_service(patient: Patient, daemon: Daemon) -> Findings:
    """Unit, crash loop, lockdown, metrics, governor."""
    yield _unit(patient, daemon)
    yield _mode(patient)
    if lockdown.is_on(patient.state) and patient.state.is_dir():
        yield warn("service.lockdown", "the lockdown is on: no door opens", "lift it with: faceedge lockdown off")
    yield _metrics(patient, daemon)
    if daemon.page == "served":
        yield from _alerts(daemon)


def _unit(patient: Patient, daemon: Daemon) -> Finding:
    id, said, remedy = "service.unit", daemon.unit, JOURNALCTL.format(unit=patient.unit)
    if not said:
        how = "it runs all the same" if daemon.runs else "whether it runs cannot be told"
        return skip(id, f"systemd knows no {patient.unit} here; {how}")
    state = f"{said.get('ActiveState', '?')} ({said.get('SubState', '?')})"
    ended = f"last end: {said.get('Result', '?')}, status {said.get('ExecMainStatus', '?')}"
    if said.get("ActiveState") == "failed" or said.get("SubState") == "auto-restart":
        return fail(id, f"{patient.unit} is {state}; {ended}", remedy)
    if said.get("ActiveState") not in ("active", "reloading", "activating"):
        return fail(id, f"{patient.unit} is {state}", f"systemctl enable --now {patient.unit}")
    restarts = int(said.get("NRestarts", "0") or 0)
    if restarts >= MANY:
        return warn(id, f"{patient.unit} is {state}, and was restarted {restarts} times", remedy)
    return ok(id, f"{patient.unit} is {state}, restarts: {restarts}")


def _mode(patient: Patient) -> Finding:
    id, history = "service.mode", starts.read(patient.state / starts.NAME)
    if history.mode == "safe":
        return fail(
            id, "safe mode: the daemon ended three times in ten minutes, or its configuration is wrong",
            f"mend what the lines above name, then: systemctl restart {patient.unit}",
        )  # fmt: skip
    if history.ends:
        count = len(history.ends)
        return warn(id, f"{count} of the last runs ended badly", JOURNALCTL.format(unit=patient.unit))
    return ok(id, "no crash loop" if history.mode != "trial" else "the configuration is on trial after a safe mode")


def _metrics(patient: Patient, daemon: Daemon) -> Finding:
    id = "service.metrics"
    where = patient.settings.health.metrics if patient.settings is not None else ""
    if daemon.page == "off":
        return skip(id, "[health] metrics is empty: nothing is served")
    if daemon.page == "strange":
        return fail(id, f"somebody else answers at {where}", "name another place in [health] metrics, or end the other")
    if daemon.page == "served":
        return ok(id, f"served at {where}")
    if daemon.runs:
        return fail(id, f"the daemon runs, and nothing listens at {where}", f"systemctl restart {patient.unit}")
    return ok(id, f"{where} is free for the daemon, which does not run")


def _alerts(daemon: Daemon) -> Findings:
    """What the daemon itself holds to be wrong now."""
    if daemon.reading("governor_step"):
        step, pressure = daemon.reading("governor_step"), daemon.reading("pressure_ratio")
        how = f", memory pressure {pressure:.0%}" if pressure is not None else ""
        yield warn(
            "alert.governor", f"the daemon has given up {step:.0f} steps of work{how}",
            "end other programs, cool the machine, or take smaller networks",
        )  # fmt: skip
    else:
        yield ok("alert.governor", "the daemon does all its work")
    if daemon.reading("journal_ok") == 0:
        yield fail("alert.journal", "the daemon cannot write its journal, so it grants nothing", "look at the disk")
    if daemon.reading("broker_connected") == 0:
        yield fail("alert.broker", "the daemon has no connection to the broker", "see broker.reach")
    if daemon.reading("too_slow"):
        yield fail(
            "alert.too_slow", "the machine takes longer than a decision may", "faceedge bench says where the time goes"
        )
    for labels, is_ok in daemon.all_of("camera_ok"):
        if not is_ok:
            name = labels.get("camera", "?")
            yield fail("alert.camera", f"the daemon gets no good pictures of {name}", f"see camera.{name}")
