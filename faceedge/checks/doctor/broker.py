"""The broker: reached, its certificate believed, let in, with the rights a device needs; then each controller."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Sequence
from datetime import datetime, timezone

from faceedge.checks.doctor.base import Finding, Findings, Patient, fail, ok, skip, told, warn
from faceedge.checks.doctor.daemon import Daemon
from faceedge.checks.doctor.examine import guarded
from faceedge.checks.doctor.keys import has_credential
from faceedge.config import Broker, Config
from faceedge.door.contract import Address
from faceedge.door.keys import keys_of
from faceedge.door.probe import Found, Probe
from faceedge.door.rights import Visit, topics_of, visit
from faceedge.door.transport import is_loopback
from faceedge.errors import FaceedgeError

LISTEN_S, STEP_S = 4.0, 0.2
"""A controller asks every second, a slow one later."""
SOON_DAYS = 21
_EXPIRED, _NOT_YET = 10, 9
_STRANGERS = (7, 18, 19, 20, 21)
_OTHER_HOST = (62, 64)
"""As OpenSSL numbers them: X509_V_ERR_…"""


def check_broker(patient: Patient, daemon: Daemon) -> Findings:
    """One visit, and then, if it was let in, every controller. daemon: may have a password that we have not."""
    settings = patient.settings
    if settings is None:
        yield skip("broker.reach", "where it is, the configuration says, and that is wrong")
        return
    if not settings.door:
        yield skip("broker.reach", "no [[door]] is configured, so no broker is asked")
        return
    reads, writes = topics_of(settings.device, settings.door)
    try:
        found = visit(settings.broker, settings.device, reads, writes)
    except FaceedgeError as error:
        yield _locked_out(settings.broker, daemon) or told("broker.settings", error)
        return
    yield from stages(settings.broker, found)
    if found.stage == "rights":
        yield _rights(settings.broker, found)
        yield from _controllers(patient, settings)
    else:
        for door in settings.door:
            for controller in door.controllers:
                yield skip(f"controller.{door.name}.{controller}", "the broker comes first")


def _locked_out(broker: Broker, daemon: Daemon) -> Finding | None:
    """Where only the service has the password: what its daemon says. None where that is not why."""
    if not has_credential(broker, daemon):
        return None
    is_connected = daemon.reading("broker_connected")
    if is_connected is None:
        return skip("broker.login", "only the running daemon has the password; [health] metrics lets it tell")
    if is_connected:
        return ok("broker.login", "the running daemon, which alone has the password, is connected")
    return fail("broker.login", "the running daemon is not connected", "its log says why: journalctl -u faceedge")


def stages(broker: Broker, found: Visit) -> Findings:
    """A line for each stage that was come to."""
    where = f"{broker.host}:{broker.port}"
    if found.stage == "reach":
        yield fail(
            "broker.reach", f"no broker at {where}: {found.fault}", "check [broker] host and port, and that it runs"
        )
        return
    yield ok("broker.reach", f"{where} answers")
    if found.stage == "tls":
        yield _distrusted(broker, found)
        return
    yield _trusted(broker, found)
    if found.fault:
        what, _, mend = found.fault.rpartition("; ")
        yield fail("broker.login", what or found.fault, mend or "look at the broker's log")
    else:
        who = f"user {broker.username!r}" if broker.username else "nobody by name"
        yield ok("broker.login", f"let in as {who}, MQTT {found.protocol}")


def _distrusted(broker: Broker, found: Visit) -> Finding:
    id, what = "broker.tls", found.fault.rpartition("; ")[0] or found.fault
    code = found.error.verify_code if isinstance(found.error, ssl.SSLCertVerificationError) else None
    if code == _EXPIRED:
        return fail(id, what, "renew the certificate at the broker; if it is good, this clock is wrong")
    if code == _NOT_YET:
        return fail(id, what, "set the clock of this device: timedatectl set-ntp true")
    if code in _STRANGERS:
        return fail(id, what, "name the authority that signed it in [broker] ca_file, or set pin")
    if code in _OTHER_HOST:
        return fail(id, what, f"name the broker in [broker] host as its certificate does, not {broker.host}")
    return fail(id, what, found.fault.rpartition("; ")[2])


def _trusted(broker: Broker, found: Visit) -> Finding:
    id = "broker.tls"
    if not broker.tls:
        if is_loopback(broker.host):
            return skip(id, "plain text, on this machine")
        return warn(id, "plain text over a network: anyone on the way can listen", "set [broker] tls = true")
    if found.until is None or broker.pin:
        return ok(id, "the pinned certificate" if broker.pin else "its certificate is believed")
    days = (found.until - datetime.now(timezone.utc)).days
    said = f"its certificate is good until {found.until:%Y-%m-%d}"
    return warn(id, said, "renew it at the broker") if days < SOON_DAYS else ok(id, said)


def _rights(broker: Broker, found: Visit) -> Finding:
    """Some brokers take every subscription and then send nothing: that, a silent controller shows."""
    id, who = "broker.rights", f"user {broker.username!r}" if broker.username else "whoever gives no name"
    if found.refused:
        topics = ", ".join(sorted(found.refused))
        said = sorted(set(found.refused.values()))
        return fail(
            id, f"refused: {topics} ({', '.join(said)})",
            f"give {who} the rights of examples/mosquitto/acl at the broker",
        )  # fmt: skip
    if found.silent:
        return fail(id, f"no answer about {', '.join(found.silent)}", "look at the broker's log")
    if found.protocol != "5":
        return ok(id, "subscriptions are granted; MQTT 3.1.1 does not tell of publishing")
    return ok(id, "granted: grants and events to publish, challenges, verdicts and commands to subscribe to")


def _controllers(patient: Patient, settings: Config) -> Findings:
    """All at once: each takes as long as it is listened to."""
    at = [Address(settings.device, door.name, name) for door in settings.door for name in door.controllers]
    found: list[Sequence[Finding]] = [()] * len(at)

    def listen(number: int) -> None:
        id = f"controller.{at[number].door}.{at[number].controller}"
        found[number] = list(guarded(id, lambda: _controller(id, patient, settings.broker, at[number])))

    threads = [threading.Thread(target=listen, args=(number,), daemon=True) for number in range(len(at))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for findings in found:
        yield from findings


def _controller(id: str, patient: Patient, broker: Broker, at: Address) -> Findings:
    try:
        keys = keys_of(patient.state, at.door, at.controller)
    except FaceedgeError as error:
        yield told(id, error)
        return
    with Probe(broker, at, keys) as probe:
        ends = time.monotonic() + LISTEN_S
        while not (found := probe.listen(STEP_S)).answering and time.monotonic() < ends:
            pass
    yield judged(id, at, found, newest=keys[-1].kid)


def judged(id: str, at: Address, found: Found, newest: str) -> Finding:
    """What was heard of a controller. newest: the key that it should have."""
    if not found.answering:
        if found.ignored.get("challenge mac"):
            return fail(
                id, "it asks under another key than this device has",
                f"give it the key file of this device, or make both a new one: faceedge door key rotate {at.door}"
                f" --controller {at.controller}",
            )  # fmt: skip
        return fail(
            id, f"nothing heard of it in {LISTEN_S:g} s",
            "check its power, network and broker, its name, and that the broker lets us read its challenges",
        )  # fmt: skip
    if found.kid != newest:
        return warn(
            id, f"it answers, still with the old key {found.kid}",
            f"hand the new key over, then: faceedge door key finish {at.door} --controller {at.controller}",
        )  # fmt: skip
    if found.state in ("fault", "offline"):
        return warn(id, f"it answers, and says {found.state}", "look at the door and its wiring")
    return ok(id, f"it answers under key {found.kid}, {found.state}")
