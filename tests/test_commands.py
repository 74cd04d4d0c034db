"""Commands in: what is obeyed, once, and what is not, with messages handed over one at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from faceedge import commands
from faceedge.commands import Commands, Identity, spoken
from faceedge.door.connection import Message
from faceedge.door.contract import fresh_token, parse
from faceedge.door.orders import ORDERS, Values
from faceedge.door.signed import Command, Result, SecondFactor, sign, unsign
from faceedge.door.site_key import SiteSecret
from faceedge.errors import BadInput, StoreError
from faceedge.journal.signing import Signer
from tests.door.running import until
from tests.fakes.clock import FakeClock

SITE, OTHER = SiteSecret(bytes(range(32))), SiteSecret(bytes(32))
DEVICE = Signer(b"d" * 32)


class Desk:
    """Commands of the device `dev`, without a broker: what they are handed, and what they do and say."""

    prefix = "faceedge/dev"

    def __init__(self, handlers: Mapping[str, commands.Handler] | None = None) -> None:
        self.clock = FakeClock()
        self.posted: list[Message] = []
        self.noted: list[dict[str, Any]] = []
        self.noted_later: list[dict[str, Any]] = []
        self.done: list[tuple[str, Values, str]] = []
        self.nonces_told = 0
        self.trusted = [SITE.public]
        self.is_journal_well = True
        own: dict[str, commands.Handler] = {name: self._handler(name) for name in ORDERS}
        self.topics: dict[str, Callable[[bytes], None]] = {}
        identity = Identity("dev", DEVICE, lambda: self.trusted)
        self.commands = Commands(self, identity, self, {**own, **(handlers or {})}, self._told, self.clock)

    def subscribe(self, topic: str, qos: int, handler: Callable[[bytes], None]) -> None:
        assert qos == 1
        self.topics[topic] = handler

    def post(self, message: Message) -> None:
        assert (message.qos, message.retain) == (1, False)
        self.posted.append(message)

    def append(self, kind: str, body: Mapping[str, Any]) -> None:
        assert kind == "command"
        self.noted_later.append(dict(body))

    def append_now(self, kind: str, body: Mapping[str, Any], wait_s: float) -> int:
        assert kind == "command"
        assert wait_s < 1
        if not self.is_journal_well:
            raise StoreError("journal: the disk is full")
        answers = [message for message in self.posted if message.topic.endswith(f"/{body['cmd']}/result")]
        assert body["id"] not in [_genuine(answer).id for answer in answers], "written down before it is answered"
        self.noted.append(dict(body))
        return len(self.noted)

    def wire(self, cmd: str = "ping", *, key: SiteSecret = SITE, **rest: Any) -> bytes:
        command = {"id": fresh_token(), "dev": "dev", "cmd": cmd, "n": self.commands.nonce, "args": {}, **rest}
        return sign(key, Command(**command))

    def send(self, wire: bytes, topic: str = "ping") -> list[tuple[bool, str]]:
        """What was answered to this message."""
        before = len(self.posted)
        self.topics[f"faceedge/dev/cmd/{topic}"](wire)
        self.commands.turn()
        return [(result.ok, result.why) for result in map(_genuine, self.posted[before:])]

    @property
    def results(self) -> list[Result]:
        return [_genuine(message) for message in self.posted]

    def _handler(self, name: str) -> commands.Handler:
        def handle(args: Values, key: str) -> str:
            self.done.append((name, dict(args), key))
            return ""

        return handle

    def _told(self) -> None:
        self.nonces_told += 1


def _genuine(message: Message) -> Result:
    return unsign(Result, message.payload, [DEVICE.public])[0]


def test_a_command_is_obeyed_journalled_and_answered_with_the_next_nonce() -> None:
    desk = Desk()
    nonce = desk.commands.nonce
    assert desk.send(desk.wire("lockdown", args={"on": 1}), "lockdown") == [(True, "")]
    assert desk.done == [("lockdown", {"on": 1}, SITE.public.kid)]
    assert desk.posted[0].topic == "faceedge/dev/cmd/lockdown/result"
    assert desk.results[0].n == desk.commands.nonce != nonce
    assert desk.nonces_told == 1
    said = {"cmd": "lockdown", "key": SITE.public.kid, "args": {"on": 1}, "ok": True, "why": ""}
    assert desk.noted == [{"id": desk.results[0].id, **said}]


def test_a_copy_of_a_command_is_neither_obeyed_nor_answered() -> None:
    desk = Desk()
    wire = desk.wire()
    assert desk.send(wire) == [(True, "")]
    assert desk.send(wire) == []
    assert len(desk.done) == 1
    assert desk.commands.counts == {"accepted": 1, "repeated": 1}


def test_two_commands_with_one_nonce_are_one_command() -> None:
    desk = Desk()
    first, second = desk.wire(), desk.wire()
    assert desk.send(first) == [(True, "")]
    assert desk.send(second) == [(False, "used nonce")]
    assert desk.send(second) == [], "answered once"
    assert len(desk.done) == 1
    assert len(desk.noted) == 1


def test_a_command_that_was_held_back_for_two_minutes_is_worth_nothing() -> None:
    desk = Desk()
    held = desk.wire()
    for _ in range(4):
        desk.clock.advance(30)
        desk.commands.turn()
    assert desk.send(held) == [(False, "unknown nonce")]
    assert desk.done == []


def test_a_command_is_good_for_half_a_minute_and_not_for_more_than_one() -> None:
    desk = Desk()
    held = [desk.wire(), desk.wire()]
    desk.clock.advance(30)
    desk.commands.turn()
    assert desk.send(held[0]) == [(True, "")]
    desk = Desk()
    held = desk.wire()
    desk.clock.advance(61)  # the thread was away and made no fresh one
    assert desk.send(held) == [(False, "old nonce")] or desk.done == []


def test_after_a_restart_no_old_command_is_obeyed() -> None:
    before, after = Desk(), Desk()
    used, unused = before.wire(), before.wire()
    before.send(used)
    assert after.send(used) == after.send(unused) == [(False, "unknown nonce")]
    assert after.done == []


@pytest.mark.parametrize(
    ("changed", "topic", "why"),
    [
        ({"dev": "other"}, "ping", "for another device"),
        ({"cmd": "lockdown", "args": {"on": 0}}, "ping", "on the topic of another command"),
        ({"cmd": "format_disk"}, "ping", "on the topic of another command"),
        ({"n": fresh_token()}, "ping", "unknown nonce"),
    ],
)
def test_a_genuine_command_out_of_place_is_refused_and_uses_no_nonce_up(
    changed: dict[str, Any], topic: str, why: str
) -> None:
    desk = Desk()
    nonce = desk.commands.nonce
    wire = desk.wire(**changed)
    assert desk.send(wire, topic) == [(False, why)]
    assert desk.send(wire, topic) == []
    assert desk.commands.nonce == nonce
    assert desk.noted == desk.done == []
    assert desk.send(desk.wire()) == [(True, "")]


def test_a_copy_on_the_topic_of_another_command_does_not_void_the_original() -> None:
    desk = Desk()
    wire = desk.wire("lockdown", args={"on": 1})
    assert desk.send(wire, "ping") == [(False, "on the topic of another command")]
    assert desk.posted[-1].topic == "faceedge/dev/cmd/ping/result", "not where the answer to the original is awaited"
    assert desk.send(wire, "lockdown") == [(True, "")]
    assert desk.done == [("lockdown", {"on": 1}, SITE.public.kid)]


def bad_wires(desk: Desk) -> dict[str, bytes]:
    good = desk.wire()
    text = good[87:]
    sealed = {"id": fresh_token(), "dev": "dev", "decision": "0" * 16, "camera": "entry", "doors": ["main"]}
    factor = SecondFactor(**sealed, sub="s", reason="grey_zone", valid_ms=1000)
    doubled = text[:-1] + b',"cmd":"ping"}'
    return {
        "empty": b"",
        "huge": b"x" * 1_000_000,
        "too long by one": good[:87] + b" " * 1025,
        "no dot": good.replace(b".", b"x", 1),
        "a bit flipped in the body": good[:100] + bytes([good[100] ^ 1]) + good[101:],
        "a bit flipped in the signature": bytes([good[0] ^ 1]) + good[1:],
        "another spelling of the signature": good[:85] + bytes([good[85] ^ 1]) + good[86:],
        "another key": desk.wire(key=OTHER),
        "signed by the device": sign(DEVICE, Command(id=fresh_token(), dev="dev", cmd="ping", n="n" * 22, args={})),
        "unsigned": b"A" * 86 + b"." + text,
        "another label": sign(SITE, factor),
        "not JSON": _signed(b"ping"),
        "a key twice": _signed(doubled),
        "a key too many": _signed(text[:-1] + b',"x":1}'),
        "a float": _signed(text.replace(b'"args":{}', b'"args":{"on":1.0}')),
        "not ASCII": _signed(text.replace(b"ping", "pïng".encode())),
        "deep": _signed(b"[" * 1000),
        "an argument a hundred times": _signed(text.replace(b'"args":{}', b'"args":{' + b'"a":1,' * 100 + b'"b":1}')),
    }


def _signed(text: bytes) -> bytes:
    from faceedge.door.contract import base64url

    return base64url(SITE.sign(b"faceedge-command-1\0" + text)).encode() + b"." + text


@pytest.mark.parametrize("kind", sorted(bad_wires(Desk())))
def test_a_bad_message_gets_no_answer_and_uses_no_nonce_up(kind: str) -> None:
    desk = Desk()
    nonce = desk.commands.nonce
    assert desk.send(bad_wires(desk)[kind]) == []
    assert desk.commands.nonce == nonce
    assert desk.done == desk.noted == []
    assert sum(desk.commands.counts.values()) == 1
    assert desk.send(desk.wire()) == [(True, "")]


def test_between_two_thousand_bad_messages_every_good_one_is_obeyed() -> None:
    desk = Desk()
    bad = list(bad_wires(desk).values())
    good = 0
    for number in range(2000):
        assert desk.send(bad[number % len(bad)]) == []
        if number % 200 == 199:
            good += desk.send(desk.wire()) == [(True, "")]
    assert good == 10
    assert len(desk.done) == len(desk.posted) == len(desk.noted) == desk.nonces_told == 10
    counts = desk.commands.counts
    assert counts.pop("accepted") == 10
    assert sum(counts.values()) == 2000


def test_a_flood_takes_no_more_memory_than_its_queue() -> None:
    desk = Desk()
    for _ in range(1000):
        desk.commands.receive("ping", b"x" * 1_000_000)
        desk.commands.receive("ping", b"x" * 1000)
    assert desk.commands.counts == {"size": 1000, "dropped": 1000 - commands.MOST_WAITING}


def test_who_is_no_longer_trusted_is_not_obeyed() -> None:
    desk = Desk()
    desk.trusted = [OTHER.public, SITE.public]
    assert desk.send(desk.wire()) == [(True, "")]
    desk.trusted = [OTHER.public]
    assert desk.send(desk.wire()) == []
    assert desk.commands.counts["signature"] == 1
    desk.trusted = []
    assert desk.send(desk.wire(key=OTHER)) == []


@pytest.mark.parametrize(
    ("cmd", "args", "why"),
    [
        ("ping", {"x": 1}, "ping: x: no such argument; ping takes none"),
        ("lockdown", {}, "lockdown: on: is missing; add it"),
        ("lockdown", {"on": 2}, "lockdown: on: input should be 0 or 1"),
        ("lockdown", {"on": "1"}, "lockdown: on: input should be 0 or 1"),
        (
            "confirm",
            {"decision": "x"},
            "confirm: decision: has letters that may not be there, or too few or many; it matches ^[0-9a-f]{16}$",
        ),
        ("model_rollback", {"role": "door"}, "role: input should be"),
    ],
)
def test_bad_arguments_are_answered_journalled_and_cost_the_nonce(cmd: str, args: dict[str, Any], why: str) -> None:
    desk = Desk()
    nonce = desk.commands.nonce
    desk.commands.start()
    desk.topics[f"faceedge/dev/cmd/{cmd}"](desk.wire(cmd, args=args))
    until(lambda: len(desk.posted) == 1)
    desk.commands.stop()
    assert not desk.results[0].ok
    assert why in desk.results[0].why
    assert desk.commands.nonce != nonce
    assert desk.done == []
    assert desk.noted[0]["why"] == desk.results[0].why


def test_a_command_that_this_device_cannot_obey_is_answered() -> None:
    desk = Desk()
    desk.commands._handlers = {}  # type: ignore[assignment]
    assert desk.send(desk.wire()) == [(False, "this device has no ping")]


def _raises(error: Exception) -> commands.Handler:
    def handle(_args: Values, _key: str) -> str:
        raise error

    return handle


@pytest.mark.parametrize(
    ("handler", "why"),
    [
        (lambda _args, _key: "the camera is busy", "the camera is busy"),
        (_raises(BadInput('"entry" is no camera…')), "'entry' is no camera..."),
        (_raises(ZeroDivisionError()), "internal fault; see the log of the device"),
        (_raises(BadInput("")), "refused"),
    ],
)
def test_what_a_handler_says_or_raises_is_the_answer_and_the_next_command_is_obeyed(
    handler: commands.Handler, why: str
) -> None:
    desk = Desk({"ping": handler})
    assert desk.send(desk.wire()) == [(False, why)]
    assert desk.noted[0]["why"] == why
    assert desk.send(desk.wire("lockdown", args={"on": 0}), "lockdown") == [(True, "")]


def _noted(cmd: str, args: dict[str, Any]) -> tuple[Desk, bool]:
    """The desk after one command, in the threads that obey; and whether it did."""
    desk = Desk()
    desk.commands.start()
    desk.topics[f"faceedge/dev/cmd/{cmd}"](desk.wire(cmd, args=args))
    until(lambda: len(desk.posted) == 1)
    assert desk.commands.stop()
    return desk, desk.results[0].ok


def test_names_of_people_do_not_reach_the_journal() -> None:
    args = {"camera": "entry", "name": "Ada Lovelace", "seconds": 20}
    desk, is_done = _noted("enrol", args)
    assert is_done
    assert desk.done[0][1] == args
    assert desk.noted[0]["args"] == {"camera": "entry", "seconds": 20}


@pytest.mark.parametrize("cmd", ["enrol", "enrol_stop", "ping"])
def test_a_name_under_a_key_that_a_command_does_not_take_does_not_reach_the_journal(cmd: str) -> None:
    desk, is_done = _noted(cmd, {"camera": "entry", "nmae": "Ada Lovelace"})
    assert not is_done
    assert "Ada" not in str(desk.noted)


def test_what_was_done_is_answered_even_when_it_can_be_written_down_only_later() -> None:
    desk = Desk()
    desk.is_journal_well = False
    assert desk.send(desk.wire("lockdown", args={"on": 1}), "lockdown") == [(True, "")]
    assert [entry["args"] for entry in desk.noted_later] == [{"on": 1}]


def test_a_fresh_nonce_is_made_every_half_minute_and_told() -> None:
    desk = Desk()
    nonce = desk.commands.nonce
    desk.clock.advance(29)
    desk.commands.turn()
    assert (desk.commands.nonce, desk.nonces_told) == (nonce, 0)
    desk.clock.advance(1)
    desk.commands.turn()
    assert desk.commands.nonce != nonce
    assert desk.nonces_told == 1


@pytest.mark.parametrize("cmd", ["enrol", "reload", "model_activate", "model_rollback"])
def test_a_lockdown_waits_for_nothing_that_opens_files(cmd: str) -> None:
    assert ORDERS[cmd].is_slow, "a backup may hold the gallery for as long as it likes"


def test_a_lockdown_does_not_wait_behind_a_slow_command_and_a_second_slow_one_is_refused() -> None:
    begun, may_end = threading.Event(), threading.Event()

    def slow(_args: Values, _key: str) -> str:
        begun.set()
        assert may_end.wait(10)
        return ""

    desk = Desk({"model_activate": slow})
    desk.commands.start()
    desk.topics["faceedge/dev/cmd/model_activate"](desk.wire("model_activate", args={"name": "net"}))
    assert begun.wait(10)
    desk.topics["faceedge/dev/cmd/lockdown"](desk.wire("lockdown", args={"on": 1}))
    until(lambda: len(desk.posted) == 1)
    desk.topics["faceedge/dev/cmd/reload"](desk.wire("reload"))
    until(lambda: len(desk.posted) == 2)
    may_end.set()
    until(lambda: len(desk.posted) == 3)
    assert [(result.cmd, result.ok, result.why) for result in desk.results] == [
        ("lockdown", True, ""), ("reload", False, "busy with another command; try again"), ("model_activate", True, ""),
    ]  # fmt: skip
    desk.topics["faceedge/dev/cmd/reload"](desk.wire("reload"))
    until(lambda: len(desk.posted) == 4)
    assert desk.results[3].ok
    assert desk.commands.stop()


def test_a_stop_waits_for_the_answer_of_what_is_being_obeyed() -> None:
    begun, may_end = threading.Event(), threading.Event()

    def slow(_args: Values, _key: str) -> str:
        begun.set()
        assert may_end.wait(10)
        return ""

    desk = Desk({"reload": slow})
    desk.commands.start()
    desk.topics["faceedge/dev/cmd/reload"](desk.wire("reload"))
    assert begun.wait(10)
    threading.Timer(0.1, may_end.set).start()
    assert desk.commands.stop()
    assert [result.ok for result in desk.results] == [True]


def test_a_stop_before_the_start_is_nothing() -> None:
    assert Desk().commands.stop()


@pytest.mark.parametrize("text", ["", 'a "b" \\ c', "Größe … 5 – 6\nnext\tline", "x" * 500, "\x00\x7f\u2028"])
def test_whatever_is_to_be_said_fits_the_contract(text: str) -> None:
    result = Result(id=fresh_token(), dev="d", cmd="ping", ok=False, why=spoken(text), n=fresh_token())
    assert parse(Result, result.model_dump_json().encode("ascii")) == result
