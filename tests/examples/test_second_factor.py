"""The service beside the keypad: whom a code lets in, and whom it never does."""

from __future__ import annotations

import importlib.util
import json
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from faceedge.config import Broker
from faceedge.door.broker import LocalBroker, local_broker, mosquitto
from faceedge.door.connection import Message
from faceedge.door.contract import fresh_token
from faceedge.door.signed import Command, Result, SecondFactor, sign, unsign
from faceedge.door.site_key import make_secret
from faceedge.door.uplink import Uplink
from faceedge.journal.signing import Signer
from tests.door.running import until
from tests.fakes.clock import FakeClock

SCRIPT = Path(__file__).parents[2] / "examples" / "home_assistant" / "second_factor.py"
DEVICE, STRANGER = Signer(b"d" * 32), Signer(b"s" * 32)
DECISION = "0123456789abcdef"


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("second_factor", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


service: Any = load()


def asked(key: Signer = DEVICE, **changes: object) -> bytes:
    body: dict[str, object] = {
        "id": fresh_token(), "dev": "dev", "decision": DECISION, "camera": "entry", "doors": ["main"], "sub": "p1",
        "reason": "grey", "valid_ms": 30_000, **changes,
    }  # fmt: skip
    return sign(key, SecondFactor.model_validate(body))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def requests(clock: FakeClock) -> Any:
    return service.Requests("dev", "main", DEVICE.public, clock)


@pytest.fixture
def code(clock: FakeClock) -> Any:
    return service.Code(service.Code.hashed("4711", b"salt"), clock)


def test_a_signed_request_is_what_a_code_confirms(requests: Any) -> None:
    assert requests.only() is None
    assert requests.hear(asked())
    assert requests.only() == DECISION


@pytest.mark.parametrize(
    "wire",
    [
        asked(STRANGER), asked(dev="other"), asked(doors=["side"]), asked()[:-1], b"", b"x" * 10_000,
        asked().replace(DECISION.encode(), b"f" * 16),
    ],
    ids=["forged", "other device", "other door", "torn", "empty", "huge", "changed"],
)  # fmt: skip
def test_what_the_device_did_not_ask_for_at_this_door_is_never_confirmed(wire: bytes, requests: Any) -> None:
    assert not requests.hear(wire)
    assert requests.only() is None


def test_a_request_is_over_after_its_time_and_cannot_be_played_again(requests: Any, clock: FakeClock) -> None:
    wire = asked()
    assert requests.hear(wire)
    clock.advance(30.1)
    assert requests.only() is None
    assert not requests.hear(wire)
    assert requests.only() is None


def test_the_newest_request_of_one_person_counts(requests: Any) -> None:
    assert requests.hear(asked())
    assert requests.hear(asked(decision="f" * 16))
    assert requests.only() == "f" * 16


def test_while_two_people_wait_neither_is_let_in(requests: Any, clock: FakeClock) -> None:
    assert requests.hear(asked())
    clock.advance(10)
    assert requests.hear(asked(decision="f" * 16, sub="p2"))
    assert requests.only() is None
    clock.advance(21)
    assert requests.only() == "f" * 16


def test_a_wrong_code_shuts_the_keypad_longer_each_time(code: Any, clock: FakeClock) -> None:
    for pause_s in (2, 4, 8):
        assert not code.is_right("0000")
        clock.advance(pause_s - 0.1)
        assert not code.is_right("4711")
        clock.advance(0.2)
    assert code.is_right("4711")
    assert not code.is_right("0000")
    clock.advance(2.1)
    assert code.is_right("4711")


def test_one_line_is_answered_by_one_line_and_only_a_right_code_confirms(requests: Any, code: Any) -> None:
    confirmed: list[str] = []
    told: list[str] = []

    def confirm(decision: str) -> str:
        confirmed.append(decision)
        return "confirmed"

    service.serve(["4711\n"], requests, code, confirm, told.append)
    assert told == ["nobody waits, or more than one"]
    requests.hear(asked())
    service.serve(["4711\n", "4712\n", "4711\n"], requests, code, confirm, told.append)
    assert told[1:] == ["confirmed", "refused", "refused"]
    assert confirmed == [DECISION]


class Door:
    """A device that asks once and obeys one `confirm`."""

    def __init__(self, broker: LocalBroker, site: Any) -> None:
        self.confirmed: list[str] = []
        self._site = site
        self._nonce = fresh_token()
        self.uplink = Uplink(Broker(host=broker.host, port=broker.port), "dev")
        self.uplink.subscribe("faceedge/dev/cmd/confirm", 1, self._obey)
        self.uplink.retain("faceedge/dev/state", json.dumps({"nonce": self._nonce}).encode())
        self.uplink.start()
        assert self.uplink.wait_connected(10)

    def asks_until(self, is_heard: Callable[[], bool]) -> bool:
        """Again and again, since nobody knows when the service begins to listen."""
        if not is_heard():
            self.uplink.post(Message("faceedge/dev/event/second_factor", asked(), qos=1))
        return is_heard()

    def _obey(self, wire: bytes) -> None:
        command, _ = unsign(Command, wire, [self._site])
        assert command.n == self._nonce
        self.confirmed.append(str(command.args["decision"]))
        answer = Result(id=command.id, dev="dev", cmd="confirm", ok=True, why="", n=fresh_token())
        self.uplink.post(Message("faceedge/dev/cmd/confirm/result", sign(DEVICE, answer), qos=1))


@pytest.fixture
def broker() -> Iterator[LocalBroker]:
    if mosquitto() is None:
        pytest.skip("mosquitto is not installed")
    with local_broker(kind="mosquitto") as broker:
        yield broker


@pytest.mark.broker
def test_a_code_typed_at_the_door_confirms_over_a_real_broker(broker: LocalBroker, tmp_path: Path) -> None:
    door = Door(broker, make_secret(tmp_path / "site.key"))
    (tmp_path / "journal.pub").write_bytes(DEVICE.public.pem())
    settings = f'device = "dev"\n[broker]\nhost = "{broker.host}"\nport = {broker.port}\n'
    (tmp_path / "site.toml").write_text(settings, encoding="ascii")
    new_code = [sys.executable, str(SCRIPT), "--new-code", "code"]
    subprocess.run(new_code, input=b"4711\n", cwd=tmp_path, check=True, timeout=60)
    assert stat.S_IMODE((tmp_path / "code").stat().st_mode) == 0o600
    assert b"4711" not in (tmp_path / "code").read_bytes()
    run = [sys.executable, str(SCRIPT), "--config", "site.toml"]
    said: list[str] = []
    with subprocess.Popen(run, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as keypad:
        assert keypad.stdin is not None
        assert keypad.stdout is not None
        listener = threading.Thread(target=said.extend, args=(keypad.stdout,))
        listener.start()
        until(lambda: door.asks_until(lambda: bool(said)), within_s=30)
        keypad.stdin.write("4711\n")
        keypad.stdin.close()
        assert keypad.wait(timeout=30) == 0
        listener.join(10)
    door.uplink.stop()
    assert said[-1] == "confirmed\n"
    assert door.confirmed[0] == DECISION
