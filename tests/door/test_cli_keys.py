"""`faceedge door add|list|remove|key|test` as a person or a script meets them."""

from __future__ import annotations

import io
import json
import os
import pty
import sys
from pathlib import Path

import pytest

from faceedge import lockdown
from faceedge.__main__ import main
from faceedge.cli import door_keys
from faceedge.door import handover
from faceedge.door.broker import LocalBroker
from faceedge.door.contract import Address, DoorKey
from faceedge.door.keys import key_path, keys_of, make_key, next_path, read_key
from faceedge.door.probe import Found, Probe
from faceedge.journal.reading import entries, reading
from tests.door.conftest import ADDRESS
from tests.door.test_probe import running

CONFIG = """
device = "dev"
state_dir = "{state}"
[broker]
port = {port}
[[door]]
name = "main"
controllers = ["inner", "outer"]
pulse_ms = 200
"""


class Command:
    """Runs `faceedge door …` against one state directory."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str], port: int = 1) -> None:
        self.state = folder / "state"
        self._config = folder / "door.toml"
        self._config.write_text(CONFIG.format(state=self.state, port=port))
        self._capsys = capsys
        self.out = self.err = ""

    def __call__(self, *words: str) -> int:
        code = main(["door", *words, "--config", str(self._config)])
        self.out, self.err = self._capsys.readouterr()
        return code

    @property
    def json(self) -> dict[str, object]:
        said: dict[str, object] = json.loads(self.out)
        return said

    @property
    def journal(self) -> list[tuple[str, dict[str, object]]]:
        with reading(self.state / "journal.db") as connection:
            return [(entry.draft.kind, entry.body) for entry in entries(connection) if entry.draft.kind != "checkpoint"]

    def secrets(self) -> list[str]:
        return [path.read_text().strip() for path in (self.state / "keys").glob("door-*.key")]


@pytest.fixture
def door(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(tmp_path, capsys)


@pytest.fixture
def served(tmp_path: Path, capsys: pytest.CaptureFixture[str], real_broker: LocalBroker) -> Command:
    """As `door`, with a broker that runs and a key for the inner controller."""
    command = Command(tmp_path, capsys, real_broker.port)
    make_key(command.state, "main", "inner")
    return command


def test_no_command_prints_a_key_and_the_journal_names_it_only(door: Command) -> None:
    said = ""
    steps = (
        ("add", "main", "--controller", "inner"),
        ("list",),
        ("key", "rotate", "main"),
        ("list",),
        ("key", "finish", "main", "--unheard"),
        ("key", "rotate", "main"),
        ("key", "cancel", "main", "--unheard"),
        ("remove", "main", "--yes"),
    )
    known: list[str] = []
    for step in steps:
        for flags in ((), ("--json",)) if step == ("list",) else ((),):
            door(*step, *flags)
            said += door.out + door.err
            known += door.secrets()
    assert len(set(known)) == 3
    whats = [body["what"] for kind, body in door.journal if kind == "key"]
    assert whats == [
        "made", "rotation begun", "rotation finished", "rotation begun", "rotation cancelled", "removed",
    ]  # fmt: skip
    assert not any(secret in said + str(door.journal) for secret in known)


def test_add_says_where_the_key_lies_and_its_name(door: Command) -> None:
    assert door("add", "main", "--controller", "inner", "--json") == 0
    path = key_path(door.state, "main", "inner")
    kid = read_key(path).kid
    assert door.json == {"door": "main", "controller": "inner", "path": str(path), "kid": kid}


def test_add_says_when_the_configuration_does_not_name_the_controller_yet(door: Command) -> None:
    door("add", "main", "--controller", "inner")
    assert "does not know it yet" not in door.out
    door("add", "main", "--controller", "spare")
    assert 'add "spare" to controllers of the [[door]] "main"' in door.out


def test_add_hands_the_key_over_on_a_serial_line(door: Command) -> None:
    controller, port = pty.openpty()
    assert door("add", "main", "--controller", "inner", "--serial", os.ttyname(port)) == 0
    address, key = handover.parse(os.read(controller, 1000).decode())
    assert (address, key) == (ADDRESS, read_key(key_path(door.state, "main", "inner")))
    assert "by hand" not in door.out
    os.close(controller)
    os.close(port)


def test_a_handover_that_fails_says_that_the_key_is_made_and_where(door: Command) -> None:
    assert door("add", "main", "--controller", "inner", "--serial", "/dev/none") == 2
    path = key_path(door.state, "main", "inner")
    assert str(path) in door.err
    assert door.err.count("\n") == 1
    assert read_key(path)


def test_a_qr_code_is_drawn_on_a_terminal_only_and_warns(door: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    assert door("add", "main", "--controller", "inner", "--qr") == 2
    assert not (door.state / "keys").exists()

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdout", terminal := Terminal())
    assert door("add", "main", "--controller", "inner", "--qr") == 0
    assert "Whoever photographs this" in terminal.getvalue()
    assert "▀" in terminal.getvalue()


def test_list_shows_what_is_missing_rotating_open_to_others_or_not_named(door: Command) -> None:
    for controller in ("inner", "outer"):
        make_key(door.state, "main", controller)
    assert door("list") == 0
    make_key(door.state, "rear", "main")
    key_path(door.state, "main", "outer").chmod(0o644)
    door("key", "rotate", "main", "--controller", "inner")
    assert door("list") == 1
    inner, outer, rear = door.out.splitlines()
    assert "faceedge door key finish main --controller inner" in inner
    assert "FAULT" in outer
    assert "chmod 600" in outer
    assert "no [[door]] names it" in rear
    door("list", "--json")
    rows = door.json["controllers"]
    assert isinstance(rows, list)
    assert [row["controller"] for row in rows] == ["inner", "outer", "main"]
    assert rows[0]["next_kid"] == read_key(next_path(door.state, "main", "inner")).kid


def test_remove_asks_first_and_says_what_to_take_out_of_the_configuration(door: Command) -> None:
    make_key(door.state, "main", "inner")
    assert door("remove", "main") == 2
    assert "--yes" in door.err
    assert door("remove", "main", "--yes") == 0
    assert 'controllers of the [[door]] with name = "main"' in door.out
    assert list((door.state / "keys").glob("door-*")) == []
    make_key(door.state, "rear", "main")
    door("remove", "rear", "--yes", "--json")
    assert door.json["take_out"] == ""


def test_a_damaged_key_can_be_removed(door: Command) -> None:
    make_key(door.state, "main", "inner").write_text("damaged")
    assert door("remove", "main", "--yes", "--json") == 0
    assert door.json["kid"] is None


@pytest.mark.broker
@pytest.mark.parametrize(("step", "used", "done"), [("finish", 0, False), ("finish", 1, True), ("cancel", 1, False)])
def test_a_rotation_ends_only_with_the_key_that_the_controller_uses(
    served: Command, real_broker: LocalBroker, monkeypatch: pytest.MonkeyPatch, step: str, used: int, done: bool
) -> None:
    monkeypatch.setattr(door_keys, "LISTEN_S", 1.2)
    served("key", "rotate", "main")
    keys = keys_of(served.state, "main", "inner")
    with running(real_broker, keys[used]):
        assert served("key", step, "main") == (0 if done else 1)
    assert keys_of(served.state, "main", "inner") == ((keys[1],) if done else keys)
    assert ("nothing done" in served.err) != done


@pytest.mark.broker
def test_a_rotation_does_not_end_unheard_unless_told(served: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door_keys, "LISTEN_S", 0.1)
    served("key", "rotate", "main")
    assert served("key", "finish", "main") == 1
    assert "does not answer" in served.err
    assert served("key", "finish", "main", "--unheard") == 0


@pytest.mark.broker
def test_test_opens_once_journals_it_before_and_after_and_says_what_it_heard(
    served: Command, real_broker: LocalBroker
) -> None:
    (key,) = keys_of(served.state, "main", "inner")
    with running(real_broker, key) as controller:
        assert served("test", "main", "--seconds", "1.2", "--open", "--yes", "--json") == 0
        assert controller.verifier.counts["opened"] == 1
    said = served.json
    assert (said["answering"], said["kid"], said["boot"]) == (True, key.kid, controller.verifier.boot)
    assert said["opened"]["verdict"] == "opened"  # type: ignore[index]
    notes = [(body["verdict"], body["controller"]) for kind, body in served.journal if kind == "door_test"]
    assert notes == [(None, "inner"), ("opened", "inner")]


@pytest.mark.broker
def test_test_says_no_of_a_silent_controller_and_of_one_with_another_key(
    served: Command, real_broker: LocalBroker
) -> None:
    assert served("test", "main", "--seconds", "0.1", "--open", "--yes") == 1
    assert "does NOT answer" in served.out
    with running(real_broker, DoorKey(b"x" * 32)):
        assert served("test", "main", "--seconds", "1.2") == 1
    assert "the controller has another key" in served.out


def test_test_opens_nothing_in_a_lockdown(door: Command) -> None:
    make_key(door.state, "main", "inner")
    lockdown.switch(door.state, True)
    assert door("test", "main", "--open", "--yes") == 2
    assert "lockdown" in door.err


@pytest.mark.broker
def test_test_opens_nothing_when_a_lockdown_comes_while_it_listens(
    served: Command, real_broker: LocalBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    (key,) = keys_of(served.state, "main", "inner")
    genuine = Probe.listen

    def listen(probe: Probe, seconds: float) -> Found:
        found = genuine(probe, seconds)
        lockdown.switch(served.state, True)
        return found

    monkeypatch.setattr(Probe, "listen", listen)
    with running(real_broker, key) as controller:
        assert served("test", "main", "--seconds", "1.2", "--open", "--yes") == 2
        assert controller.verifier.counts["opened"] == 0
    assert "lockdown" in served.err


def test_the_line_of_a_key_is_that_of_its_address() -> None:
    assert handover.line(Address("a", "b", "c"), DoorKey(bytes(32))).startswith("faceedge-door-1 a b c AAAA")
