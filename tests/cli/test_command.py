"""`faceedge command`, `site-key` and `lockdown` as a person or a script meets them, with a real broker between."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from faceedge import lockdown
from faceedge.__main__ import main
from faceedge.config import Broker
from faceedge.door import asking
from faceedge.door.broker import LocalBroker
from faceedge.door.connection import Message
from faceedge.door.contract import fresh_token
from faceedge.door.orders import Values
from faceedge.door.signed import Command, sign
from faceedge.door.site_key import make_secret, read_site_secret, trusted
from faceedge.journal.chain import Chain
from faceedge.journal.reading import newest, reading
from tests.cli.conftest import Answer
from tests.door.commanded import Commanded
from tests.door.conftest import real_broker
from tests.door.running import until

__all__ = ["real_broker"]


class Site:
    """Commands to one device, as a person types them."""

    def __init__(self, device: Commanded, broker: LocalBroker, capsys: pytest.CaptureFixture[str]) -> None:
        self.device = device
        self.broker = broker
        self._capsys = capsys

    def __call__(self, *words: str, **flags: object) -> Answer:
        given = {"key": self.device.key, "device": "dev", "broker": f"127.0.0.1:{self.broker.port}", **flags}
        options = [word for name, value in given.items() for word in (f"--{name.replace('_', '-')}", str(value))]
        code = main(["command", *words, *options])
        said = self._capsys.readouterr()
        return Answer(code, said.out, said.err)


@pytest.fixture
def site(tmp_path: Path, real_broker: LocalBroker, capsys: pytest.CaptureFixture[str]) -> Iterator[Site]:
    with Commanded(tmp_path, Broker(port=real_broker.port)) as device:
        yield Site(device, real_broker, capsys)


@pytest.fixture(autouse=True)
def _no_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FACEEDGE_CONFIG", raising=False)


@pytest.mark.broker
def test_a_command_is_done_and_the_answer_proven(site: Site) -> None:
    said = site("ping", "--json", device_key=site.device.public)
    assert said.code == 0
    document = said.document
    assert document.pop("id") == site.device.noted()[0]["id"]
    assert document == {"device": "dev", "command": "ping", "ok": True, "why": "", "is_proven": True}
    assert site("ping", device_key=site.device.state).out == "dev: ping done\n"


@pytest.mark.broker
def test_an_answer_that_nothing_proves_is_said_to_be_so(site: Site) -> None:
    said = site("ping")
    assert (said.code, said.out) == (0, "dev: ping done\n")
    assert "nothing proves that the device said so" in said.err


@pytest.mark.broker
def test_a_lockdown_over_the_broker_is_on_the_disk_when_it_is_answered(site: Site) -> None:
    assert site("lockdown", "on=1", device_key=site.device.public).code == 0
    assert lockdown.is_on(site.device.state)
    assert site("lockdown", "on=0").code == 0
    assert not lockdown.is_on(site.device.state)
    assert [(entry["cmd"], entry["args"], entry["ok"]) for entry in site.device.noted()] == [
        ("lockdown", {"on": 1}, True), ("lockdown", {"on": 0}, True),
    ]  # fmt: skip


@pytest.mark.broker
def test_a_reload_is_asked_for(site: Site) -> None:
    assert site("reload").code == 0
    assert site.device.reloads == 1


@pytest.mark.broker
@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["model_activate", "name=nothing"], "nothing"),
        (["model_rollback", "role=quality"], "nothing to go back to"),
        (["confirm", "decision=0123456789abcdef"], "this device has no confirm"),
        (["enrol", "camera=entry", "name=Ada"], "this device has no enrol"),
    ],
)
def test_a_refusal_is_exit_code_1_with_the_reason(site: Site, words: list[str], why: str) -> None:
    said = site(*words)
    assert said.code == 1
    assert said.out.startswith(f"dev: {words[0]} refused: ")
    assert why in said.out
    assert site.device.reloads == 0
    assert not site.device.noted()[0]["ok"]
    assert "Ada" not in str(site.device.noted())


@pytest.mark.broker
def test_a_nonce_that_somebody_else_used_up_is_no_trouble(site: Site) -> None:
    site.device.lies = fresh_token()
    site.device.show()
    behind = site.device.uplink.post(Message("faceedge/dev/note", b"", qos=1))
    until(lambda: behind is not None and behind.is_done())
    assert site("ping", device_key=site.device.public).code == 0
    counts = site.device.commands.counts
    assert (counts["unknown nonce"], counts["accepted"]) == (1, 1)


@pytest.mark.broker
def test_of_two_at_the_same_time_both_are_done_once(tmp_path: Path, real_broker: LocalBroker) -> None:
    done: list[str] = []
    both_know = threading.Barrier(2)

    def handle(args: Values, _key: str) -> str:
        done.append(str(args["decision"]))
        return ""

    class Hurried(asking._Talk):
        def message(self) -> Message | None:
            said = super().message()
            if said is not None and not self._has_retried and self.send_at == 0:
                both_know.wait(10)
            return said

    with Commanded(tmp_path, Broker(port=real_broker.port), {"confirm": handle}) as device:
        secret = read_site_secret(device.key)
        answers: list[asking.Answer] = []

        def send(decision: str) -> None:
            broker = Broker(port=real_broker.port)
            answers.append(asking.ask(broker, asking.Device("dev"), secret, "confirm", {"decision": decision}))

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(asking, "_Talk", Hurried)
            threads = [threading.Thread(target=send, args=(letter * 16,)) for letter in "ab"]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert [answer.ok for answer in answers] == [True, True]
        assert sorted(done) == ["a" * 16, "b" * 16]
        assert device.commands.counts["used nonce"] == 1


@pytest.mark.broker
@pytest.mark.parametrize(
    ("flags", "why"),
    [
        ({"device": "other"}, "no device other has published its state here"),
        ({"broker": "127.0.0.1:1"}, "no broker at 127.0.0.1:1"),
        ({"key": "stranger"}, "does dev trust this site key?"),
        ({"device_key": "wrong"}, "that the key of dev has not signed"),
    ],
)
def test_no_answer_is_exit_code_2_and_says_where_to_look(
    site: Site, tmp_path: Path, flags: dict[str, Any], why: str
) -> None:
    if "key" in flags:
        make_secret(tmp_path / "stranger")
        flags = {"key": tmp_path / "stranger"}
    if "device_key" in flags:
        with Chain.open(tmp_path / "elsewhere"):
            flags = {"device_key": tmp_path / "elsewhere"}
    said = site("ping", wait=1, **flags)
    assert said.code == 2
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert why in said.err


@pytest.mark.broker
def test_a_device_that_is_away_is_said_to_be_offline(
    tmp_path: Path, real_broker: LocalBroker, capsys: pytest.CaptureFixture[str]
) -> None:
    with Commanded(tmp_path, Broker(port=real_broker.port)) as device:
        until(lambda: device.uplink.connected)
    said = Site(device, real_broker, capsys)("ping", wait=0.5)
    assert said.code == 2
    assert "the device dev is offline" in said.err


@pytest.mark.broker
def test_a_command_that_the_broker_kept_is_not_obeyed_at_the_next_start(
    tmp_path: Path, real_broker: LocalBroker
) -> None:
    broker = Broker(port=real_broker.port)
    device = Commanded(tmp_path, broker)
    secret = read_site_secret(device.key)
    command = Command(id=fresh_token(), dev="dev", cmd="lockdown", n=device.commands.nonce, args={"on": 1})
    (tmp_path / "other").mkdir()
    with Commanded(tmp_path / "other", broker) as other:
        kept = Message("faceedge/dev/cmd/lockdown", sign(secret, command), qos=1, retain=True)
        receipt = other.uplink.post(kept)
        until(lambda: receipt is not None and receipt.is_done())
    with device:
        assert asking.ask(broker, asking.Device("dev"), secret, "ping", {}).ok
        assert device.commands.counts["accepted"] == 1  # the ping; its first try may meet the nonce of the other one
        assert not lockdown.is_on(device.state)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["explode"], "invalid choice"),
        (["ping", "x=1"], "ping: x: no such argument; ping takes none"),
        (["lockdown"], "lockdown: on: is missing; add it"),
        (["lockdown", "on"], "write key=value"),
        (["lockdown", "on=1", "on=0"], "lockdown: on is there twice; keep one"),
        (["ping", "--wait", "never"], "give seconds"),
        (["ping", "--broker", "host:port"], "no address of a broker"),
        (["ping", "--device", "Dev 1"], "is no name"),
        (["ping", "--device-key", "/nowhere"], "name the journal's public key"),
    ],
)
def test_bad_use_is_one_line_and_exit_code_2(
    tmp_path: Path, words: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    make_secret(tmp_path / "site.key")
    try:
        code = main(["command", *words, "--key", str(tmp_path / "site.key")])
    except SystemExit as end:
        code = int(end.code or 0)
    said = capsys.readouterr()
    assert code == 2
    assert why in said.err
    assert said.err.count("\n") == 1


# site-key and lockdown, on the device itself


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FACEEDGE_STATE", str(tmp_path / "state"))
    (tmp_path / "state").mkdir()
    return tmp_path / "state"


def last_note(state: Path, kind: str) -> dict[str, Any]:
    with reading(state / "journal.db") as connection:
        entry = newest(connection, kind)
    assert entry is not None
    return entry.body


def test_a_site_key_is_made_carried_trusted_and_removed(
    tmp_path: Path, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["site-key", "new", "--out", str(tmp_path / "site.key")]) == 0
    line = capsys.readouterr().out.splitlines()[2].removeprefix("faceedge ")
    assert (tmp_path / "site.key").read_text().split()[1] not in line
    assert main(line.split()) == 0
    (key,) = trusted(state)
    assert last_note(state, "key") == {"done": "trusted", "site": key.kid}
    assert main(["site-key", "list"]) == 0
    assert f"{key.kid}  {key.text}" in capsys.readouterr().out
    assert main(["site-key", "remove", key.kid]) == 0
    assert last_note(state, "key") == {"done": "removed", "site": key.kid}
    assert trusted(state) == ()


def test_a_site_key_is_also_trusted_from_a_file_and_told_as_json(
    tmp_path: Path, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["site-key", "new", "--out", str(tmp_path / "site.key"), "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert main(["site-key", "trust", str(tmp_path / "site.pub"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["kid"] == made["kid"]
    assert main(["site-key", "list", "--json"]) == 0
    listed = {"kid": made["kid"], "public": made["public"]}
    assert json.loads(capsys.readouterr().out) == {"keys": [listed], "bad": []}


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["trust", "SECRET"], "private part"),
        (["trust", "/nowhere"], "cannot be read"),
        (["trust", "faceedge-site-1", "x"], "no public site key"),
        (["remove", "00000000"], "not trusted here"),
        (["new", "--out", "SECRET"], "site.pub: exists already"),
        (["new", "--out", "/nowhere/site.key"], "cannot be written"),
    ],
)
def test_bad_use_of_site_keys_is_one_line_and_trusts_nothing(
    tmp_path: Path, state: Path, words: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    make_secret(tmp_path / "site.key")
    assert main(["site-key", *(str(tmp_path / "site.key") if word == "SECRET" else word for word in words)]) == 2
    said = capsys.readouterr()
    assert why in said.err
    assert said.err.count("\n") == 1
    assert trusted(state) == ()


def test_a_lockdown_by_hand_is_switched_shown_and_journalled(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lockdown", "show"]) == 0
    assert capsys.readouterr().out == "no lockdown\n"
    assert main(["lockdown", "on"]) == 0
    assert lockdown.is_on(state)
    assert last_note(state, "command")["args"] == {"on": 1}
    assert "end it with: faceedge lockdown off" in capsys.readouterr().out
    assert main(["lockdown", "show", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["on"]
    assert shown["since"].startswith("20")
    assert main(["lockdown", "off"]) == 0
    assert not lockdown.is_on(state)
    assert last_note(state, "command")["args"] == {"on": 0}


def test_a_lockdown_of_a_device_that_is_not_there_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FACEEDGE_STATE", str(tmp_path / "none"))
    assert main(["lockdown", "on"]) == 2
    assert "no state directory" in capsys.readouterr().err
