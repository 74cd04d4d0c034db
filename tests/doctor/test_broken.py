"""Set-ups that are broken for real: doctor names each under its own id, with the remedy that mends it."""

from __future__ import annotations

import socket
import threading
from dataclasses import dataclass

import pytest
import tomli_w

from faceedge.checks.doctor.base import Finding, Status
from faceedge.checks.doctor.configuration import line_of
from faceedge.journal.signing import key_path as journal_key
from faceedge.lockdown import switch
from tests.doctor.breaks import (
    Break,
    altered_network,
    both,
    door_key,
    history,
    jetson,
    licence,
    little_memory,
    mode,
    nobody,
    not_set,
    of_the_future,
    other_device_key,
    other_space,
    password,
    removed,
    rotating,
    scribble,
    serving,
    set_to,
    sql,
    text,
    unit,
)
from tests.doctor.ward import Ward


@dataclass(frozen=True)
class Broken:
    """break_it: does to a healthy installation what happened. check: that is asked. remedy: words of it."""

    what: str
    break_it: Break
    check: str
    id: str
    status: Status
    said: str
    remedy: str


SET_UPS = (
    Broken("unknown key", lambda ward: ward.write(tomli_w.dumps(ward.settings).replace("[models]", "[modles]")),
           "config.file", "config.file", "fail", "line 4: modles: unknown key", "did you mean 'models'?"),
    Broken("no TOML", text("device = \n"), "config.file", "config.file", "fail", "line 1", "mend it"),
    Broken("no camera", set_to("camera", to=[]), "config.file", "config.file", "fail", "names camera 'entry'", "mend"),
    Broken("no camera and no door", text("device = 'lab'\n"), "config.file", "config.camera", "fail",
           "no camera is configured", "add [[camera]]"),
    Broken("no door", set_to("door", to=[]), "config.file", "config.door",
           "warn", "nothing can open", "add a [[door]]"),
    Broken("open configuration", mode(lambda ward: ward.path, 0o666), "config.file", "config.mode", "fail",
           "everybody may change it", "chmod 640"),
    Broken("clip that is not there", set_to("camera", 0, "uri", to="file:/nowhere/clip.mp4"),
           "camera.entry", "camera.entry", "fail", "no such clip", "use file:"),
    Broken("folder without pictures", removed(lambda ward: ward.folder / "pictures"), "camera.entry", "camera.entry",
           "fail", "pictures", "[[camera]] uri"),
    Broken("L4T with the memory fault", jetson("36.4.7"), "platform.board", "platform.board", "fail",
           "refuses large allocations", "update to L4T 36.5"),
    Broken("JetPack for Thor", jetson("38.2.0"), "platform.board", "platform.board", "fail", "L4T 38.2.0",
           "flash JetPack 6.2.2"),
    Broken("JetPack 5", jetson("35.4.1"), "platform.board", "platform.board", "fail", "too old", "flash JetPack 6.2.2"),
    Broken("extra of TensorRT missing", set_to("engine", to={"backend": "tensorrt"}), "platform.packages",
           "platform.extra.jetson", "fail", "pycuda is not installed", "faceedge[jetson]"),
    Broken("TensorRT missing", set_to("engine", to={"backend": "tensorrt"}), "engine", "engine.tensorrt", "fail",
           "No module named 'tensorrt'", "--system-site-packages"),
    Broken("network missing", set_to("models", "recognizer", to="edgeface-s"), "models", "models.recognizer", "fail",
           "no model package 'edgeface-s'", "faceedge model add"),
    Broken("network altered", altered_network, "models", "models.recognizer", "fail", "damaged or changed",
           "faceedge model add"),
    Broken("licence not accepted", licence, "models", "models.recognizer", "fail", "not on the allowed list",
           "accept_licences"),
    Broken("gallery damaged", scribble("gallery.db"), "gallery.file", "gallery.file", "fail", "malformed",
           "restore a backup"),
    Broken("gallery no database", lambda ward: (ward.state / "gallery.db").write_bytes(b"x" * 9000) and None,
           "gallery.file", "gallery.file", "fail", "not a database", "restore a backup"),
    Broken("gallery of a later version", sql("gallery.db", "PRAGMA user_version = 99"), "gallery.file", "gallery.file",
           "fail", "schema 99", "later version"),
    Broken("device key of another board", other_device_key, "gallery.file", "gallery.key", "fail", "does not open",
           "put back the key"),
    Broken("nobody enrolled", nobody, "gallery.file", "gallery.people", "warn", "nobody is enrolled",
           "faceedge enroll"),
    Broken("people of another network", other_space, "gallery.file", "gallery.people", "warn", "knows 0 of 1",
           "faceedge model rollback"),
    Broken("journal damaged", scribble("journal.db"), "journal.file", "journal.file", "fail", "is damaged",
           "move it away"),
    Broken("journal forged", sql("journal.db", "DROP TRIGGER entries_are_never_changed",
                                 "UPDATE entries SET body = '{}' WHERE seq = 7"),
           "journal.chain", "journal.chain", "fail", "entry 7", "keep it as evidence"),
    Broken("journal cut", sql("journal.db", "DELETE FROM entries WHERE seq = 9"), "journal.chain", "journal.chain",
           "fail", "after entry 8 comes entry 10", "keep it as evidence"),
    Broken("journal without its key", lambda ward: journal_key(ward.state).unlink(), "journal.file", "journal.key",
           "fail", "nothing is granted", "put it back"),
    Broken("key open to others", mode(door_key, 0o644), "keys", "keys.mode", "fail", "mode 0644", "chmod 600"),
    Broken("door without a key", removed(door_key), "keys", "keys.main.main", "fail", "missing", "faceedge door add"),
    Broken("door key damaged", lambda ward: door_key(ward).write_text("nonsense") and None, "keys", "keys.main.main",
           "fail", "not a door key", "faceedge door add"),
    Broken("rotation not ended", rotating, "keys", "keys.main.main", "warn", "two keys open",
           "faceedge door key finish"),
    Broken("password file missing", password(None), "keys", "keys.broker", "fail", "missing", "broker.password_file"),
    Broken("password open to others", password(0o644), "keys", "keys.broker", "fail", "others can read it",
           "chmod 600"),
    Broken("credential missing", set_to("broker", to={"password_credential": "faceedge-mqtt-password"}), "keys",
           "keys.broker", "fail", "no credentials here", "LoadCredential=faceedge-mqtt-password"),
    Broken("memory short", little_memory, "memory", "memory", "fail", "memory 98 %", "end other programs"),
    Broken("clock behind the journal", of_the_future, "clock", "clock", "fail", "the newest journal entry",
           "timedatectl set-ntp true"),
    Broken("clock not set", both(set_to("clock", to={"require_sync": "always"}), not_set),
           "clock", "clock", "fail", "not set from the network", "timedatectl set-ntp true"),
    Broken("service failed", unit(ActiveState="failed", SubState="failed", Result="watchdog"), "service",
           "service.unit", "fail", "last end: watchdog", "journalctl -u faceedge.service"),
    Broken("service dies again and again", unit(ActiveState="activating", SubState="auto-restart"), "service",
           "service.unit", "fail", "auto-restart", "journalctl"),
    Broken("service never started", unit(ActiveState="inactive", SubState="dead"), "service", "service.unit", "fail",
           "inactive", "systemctl enable --now"),
    Broken("service restarted often", unit(NRestarts="7"), "service", "service.unit", "warn", "restarted 7 times",
           "journalctl"),
    Broken("safe mode", history(mode="safe"), "service", "service.mode", "fail", "safe mode", "systemctl restart"),
    Broken("bad ends", history(ends=[1.0, 2.0]), "service", "service.mode", "warn", "2 of the last runs", "journalctl"),
    Broken("lockdown", lambda ward: switch(ward.state, True), "service", "service.lockdown", "warn", "no door opens",
           "faceedge lockdown off"),
    Broken("liveness off", lambda ward: None, "liveness", "liveness.main", "warn", "a photo", "a door that matters"),
    Broken("liveness without a model", set_to("door", 0, "liveness", to="required"), "liveness", "liveness.main",
           "fail", "opens for nobody", 'liveness = "off"'),
    Broken("state open to others", lambda ward: ward.state.chmod(0o755), "disk", "disk.writable", "warn",
           "open to other users", "chmod 700"),
)  # fmt: skip


def found(ward: Ward, check: str, id: str) -> Finding:
    findings = ward.findings(check)
    (one,) = [finding for finding in findings if finding.id == id] or [None]
    assert one is not None, findings
    return one


@pytest.mark.parametrize("broken", SET_UPS, ids=lambda broken: broken.what)
def test_what_is_broken_is_named_with_its_remedy(ward: Ward, broken: Broken) -> None:
    broken.break_it(ward)
    finding = found(ward, broken.check, broken.id)
    assert (finding.status, broken.said in finding.what, broken.remedy in finding.remedy) == (
        broken.status, True, True,
    ), finding  # fmt: skip


@pytest.mark.parametrize(
    ("steps", "line"),
    [
        (("devcie",), 1), (("modles",), 2), (("modles", "detector"), 3), (("door", "1", "ttl"), 7),
        (("door", "0", "ttl"), None), (("door", "1"), 6), (("broker", "host"), None),
    ],
)  # fmt: skip
def test_a_fault_of_the_configuration_is_told_with_its_line(steps: tuple[str, ...], line: int | None) -> None:
    text = 'devcie = "x"\n[modles]\ndetector = "yunet"\n[[door]]\nname = "main"\n[[door]]\nttl = 5\n'
    assert line_of(text, steps) == line


def test_at_least_thirty_set_ups_are_broken_in_as_many_ways() -> None:
    assert len({(broken.id, broken.said) for broken in SET_UPS}) >= 30


UNSEEN = {"broker.reach"}
"""Needs a broker: see test_broken_broker.py."""


def test_a_healthy_installation_is_green_and_only_its_liveness_is_told(ward: Ward) -> None:
    unit()(ward)
    patient_checks = [name for name in CHECKS if name not in UNSEEN]
    findings = ward.findings(*patient_checks)
    assert [one for one in findings if one.status == "fail"] == []
    assert [one.id for one in findings if one.status == "warn"] == ["liveness.main"]
    assert {one.id for one in findings if one.status == "ok"} >= {
        "platform.board", "platform.python", "platform.packages", "config.file", "models.detector",
        "models.recognizer", "camera.entry", "keys.mode", "keys.main.main", "gallery.file", "gallery.key",
        "gallery.people", "journal.file", "journal.chain", "disk.state", "disk.writable", "memory", "clock",
        "service.unit", "service.mode",
    }  # fmt: skip


CHECKS = (
    "platform.board", "platform.python", "platform.packages", "engine", "config.file", "models", "camera.entry",
    "broker.reach", "keys", "gallery.file", "journal.file", "journal.chain", "disk", "memory", "clock", "service",
    "liveness",
)  # fmt: skip


def test_what_the_daemon_has_given_up_is_told(ward: Ward) -> None:
    with serving(governor_step=2, pressure_ratio=0.93) as where:
        set_to("health", to={"metrics": where})(ward)
        finding = found(ward, "service", "alert.governor")
    assert (finding.status, finding.what) == ("warn", "the daemon has given up 2 steps of work, memory pressure 93%")


def test_what_the_daemon_cannot_do_is_red(ward: Ward) -> None:
    with serving(governor_step=0, journal_ok=0, camera_ok=0, broker_connected=0, too_slow=1) as where:
        set_to("health", to={"metrics": where})(ward)
        red = {one.id for one in ward.findings("service") if one.status == "fail"}
    assert red == {"alert.journal", "alert.camera", "alert.broker", "alert.too_slow"}


def test_a_camera_in_the_hands_of_the_daemon_is_left_there(ward: Ward) -> None:
    set_to("camera", 0, "uri", to="/dev/video63")(ward)
    with serving(governor_step=0, camera_ok=0) as where:
        set_to("health", to={"metrics": where})(ward)
        assert found(ward, "camera.entry", "camera.entry").what.startswith("the running daemon says")
    with serving(governor_step=0) as where:
        set_to("health", to={"metrics": where})(ward)
        assert found(ward, "camera.entry", "camera.entry").status == "skip"


def test_a_password_that_only_the_running_service_has_is_no_fault(ward: Ward) -> None:
    set_to("broker", to={"password_credential": "faceedge-mqtt-password"})(ward)
    with serving(broker_connected=1) as where:
        set_to("health", to={"metrics": where})(ward)
        assert found(ward, "keys", "keys.broker").status == "skip"
        assert found(ward, "broker.reach", "broker.login").status == "ok"
    unit()(ward)
    assert found(ward, "broker.reach", "broker.login").status == "skip"


def test_a_port_that_somebody_else_has_is_told(ward: Ward) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        other.settimeout(0)
        set_to("health", to={"metrics": f"127.0.0.1:{other.getsockname()[1]}"})(ward)
        # It takes the connection and hangs up: what another program does with a request it does not know.

        def hang_up() -> None:
            other.settimeout(5)
            other.accept()[0].close()

        threading.Thread(target=hang_up).start()
        finding = found(ward, "service", "service.metrics")
    assert (finding.status, "somebody else" in finding.what, "another place" in finding.remedy) == ("fail", True, True)
