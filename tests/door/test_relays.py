"""Relays that obey, refuse, hang and come back: the door never says open when it is not, and never stays open."""

from __future__ import annotations

import inspect
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from faceedge.door import http_relay
from faceedge.door.http_relay import HttpRelay
from faceedge.door.latch import AGAIN_S, OBEYS_S, Latch
from faceedge.door.relays import GpioContact, GpioRelay, NoRelay, Order
from faceedge.errors import BadInput, StoreError
from tests.door.running import until
from tests.fakes.clock import FakeClock
from tests.fakes.gpio import Bias, Board
from tests.fakes.relay_server import RelayServer, relay_server


class SlowRelay:
    """Answers when the test says so. told: every order, in order."""

    def __init__(self) -> None:
        self.told: list[tuple[str, int, Order]] = []

    def on(self, pulse_ms: int) -> Order:
        self.told.append(("on", pulse_ms, Order()))
        return self.told[-1][2]

    def off(self) -> Order:
        self.told.append(("off", 0, Order()))
        return self.told[-1][2]

    def close(self) -> str:
        return ""

    def answer(self, why: str = "") -> None:
        """The last order was obeyed, or not."""
        self.told[-1][2].why = why

    @property
    def words(self) -> list[str]:
        return [word for word, _, _ in self.told]


@pytest.fixture
def relay() -> SlowRelay:
    return SlowRelay()


@pytest.fixture
def latch(relay: SlowRelay, clock: FakeClock) -> Latch:
    """At rest: the relay was told off and has obeyed."""
    latch = Latch(relay, clock)
    latch.tick()
    relay.answer()
    latch.tick()
    return latch


# -- the latch --


def test_a_relay_is_told_off_at_the_start(relay: SlowRelay, clock: FakeClock) -> None:
    Latch(relay, clock).tick()
    assert relay.words == ["off"]


def test_a_pulse_is_open_from_the_moment_the_relay_obeys_until_it_lets_go(
    latch: Latch, relay: SlowRelay, clock: FakeClock
) -> None:
    latch.open(3000)
    assert (latch.tick(), latch.is_open) == ([], False)
    clock.advance(0.4)
    relay.answer()
    assert (latch.tick(), latch.is_open, latch.left_s) == (["opened"], True, 3.0)
    clock.advance(2.9)
    assert latch.tick() == []
    clock.advance(0.1)
    assert (latch.tick(), latch.is_open) == ([], True)
    relay.answer()
    assert (latch.tick(), latch.is_open) == (["closed"], False)
    assert relay.words == ["off", "on", "off"]


def test_no_pulse_is_longer_than_allowed(relay: SlowRelay, clock: FakeClock) -> None:
    latch = Latch(relay, clock, max_pulse_ms=2000)
    latch.open(30_000)
    latch.tick()
    assert relay.told[-1][:2] == ("on", 2000)
    relay.answer()
    assert latch.tick() == ["opened"]
    clock.advance(2.0)
    latch.tick()
    assert relay.words[-1] == "off"


def test_a_relay_that_refuses_has_not_opened_and_is_told_off_to_be_sure(latch: Latch, relay: SlowRelay) -> None:
    latch.open(3000)
    latch.tick()
    relay.answer("http: answer 500")
    assert latch.tick() == ["failed", "fault"]
    assert (latch.is_open, latch.fault) == (False, "http: answer 500")
    assert relay.words == ["off", "on", "off"]
    relay.answer()
    assert latch.tick() == ["mended"]
    assert latch.fault == ""


def test_a_relay_that_does_not_answer_has_failed_after_a_second(
    latch: Latch, relay: SlowRelay, clock: FakeClock
) -> None:
    latch.open(3000)
    latch.tick()
    order = relay.told[-1][2]
    clock.advance(OBEYS_S)
    assert latch.tick() == ["failed", "fault"]
    order.why = ""  # too late: it did open, and the next order shuts it
    assert order.is_void
    assert relay.words == ["off", "on", "off"]
    relay.answer()
    assert latch.tick() == ["mended"]
    assert not latch.is_open


def test_a_relay_that_does_not_let_go_is_told_again_for_ever_and_the_fault_once(
    latch: Latch, relay: SlowRelay, clock: FakeClock
) -> None:
    latch.open(1000)
    latch.tick()
    relay.answer()
    latch.tick()
    clock.advance(1.0)
    latch.tick()
    heard = []
    for _ in range(20):
        relay.answer("http: answer 500")
        heard += latch.tick()
        clock.advance(AGAIN_S)
        latch.tick()
    assert heard == ["fault"]
    assert relay.words.count("off") == 22
    assert latch.is_open
    relay.answer()
    assert latch.tick() == ["closed", "mended"]


def test_a_grant_while_the_relay_lets_go_waits_for_it_but_not_longer_than_a_second(
    latch: Latch, relay: SlowRelay, clock: FakeClock
) -> None:
    latch.open(1000)
    latch.tick()
    relay.answer()
    latch.tick()
    clock.advance(1.0)
    latch.tick()  # off is on its way
    latch.open(1000)
    assert latch.tick() == []
    assert relay.words[-1] == "off"
    relay.answer()
    assert latch.tick() == ["closed"]
    assert relay.words[-1] == "on"
    clock.advance(OBEYS_S)
    assert latch.tick() == ["failed", "fault"]


def test_a_second_grant_while_open_makes_the_pulse_longer(latch: Latch, relay: SlowRelay, clock: FakeClock) -> None:
    for _ in range(2):
        latch.open(3000)
        latch.tick()
        relay.answer()
        assert latch.tick() == ["opened"]
        clock.advance(2.0)
    assert latch.tick() == []
    clock.advance(1.0)
    latch.tick()
    relay.answer()
    assert latch.tick() == ["closed"]


def test_a_pulse_that_has_not_begun_never_does_once_the_latch_closes(latch: Latch, relay: SlowRelay) -> None:
    latch.open(1000)
    latch.tick()
    (_, _, order) = relay.told[-1]
    assert not order.is_void
    latch.close()
    assert order.is_void


def test_a_relay_without_delay_needs_one_tick(clock: FakeClock) -> None:
    latch = Latch(NoRelay(), clock)
    latch.open(100)
    assert latch.tick() == ["opened"]
    clock.advance(0.1)
    assert latch.tick() == ["closed"]


# -- GPIO, over a fake with the real one's signatures --


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch) -> Board:
    board = Board()
    board.install(monkeypatch)
    return board


@pytest.mark.parametrize(("text", "when_on"), [("/dev/gpiochip0:17", True), ("/dev/gpiochip0:17:low", False)])
def test_a_line_is_off_when_taken_on_when_told_and_off_when_left(board: Board, text: str, when_on: bool) -> None:
    relay = GpioRelay.parse(text)
    assert board.taken == {17: "faceedge-door"}
    seen = [board.pins[17]]
    for order in (relay.on, relay.on):
        assert order(1000).why == ""
        seen.append(board.pins[17])
    assert relay.off().why == ""
    seen.append(board.pins[17])
    relay.on(1000)
    assert relay.close() == ""
    seen.append(board.pins[17])
    assert seen == [not when_on, when_on, when_on, not when_on, not when_on]
    assert board.taken == {}


def test_a_line_that_breaks_says_so(board: Board) -> None:
    relay = GpioRelay.parse("/dev/gpiochip0:17")
    board.breaks = True
    assert relay.on(1000).why == relay.off().why == "gpio: Input/output error"
    assert relay.close() == "gpio: Input/output error"


@pytest.mark.parametrize("text", ["/dev/gpiochip9:17", "/dev/gpiochip0:99", "/dev/gpiochip0:3"])
def test_a_line_that_cannot_be_had_is_one_sentence(board: Board, text: str) -> None:
    board.taken[3] = "heating"
    with pytest.raises(StoreError, match="gpioinfo"):
        GpioRelay.parse(text)


@pytest.mark.parametrize("text", ["17", "gpiochip0:17", "/dev/gpiochip0", "/dev/gpiochip0:17:high", "/dev/x:1:low "])
def test_a_line_that_is_none_is_explained(text: str) -> None:
    with pytest.raises(BadInput, match="/dev/gpiochip0:17"):
        GpioRelay.parse(text)


@pytest.mark.parametrize("low", [False, True])
def test_a_contact_to_ground_says_whether_the_door_stands_open(board: Board, low: bool) -> None:
    stands_open = GpioContact.parse("/dev/gpiochip0:18" + ":low" * low)
    seen = [stands_open()]  # nothing connected: pulled up
    board.pins[18] = False
    seen.append(stands_open())
    assert seen == [not low, low]
    board.breaks = True
    assert stands_open()


def test_the_real_library_takes_what_the_fake_takes(tmp_path: Path) -> None:
    gpiod = pytest.importorskip("gpiod")
    ours, theirs = (inspect.signature(each).parameters for each in (Board.request_lines, gpiod.request_lines))
    assert [*ours][1:] == [*theirs]
    assert {"direction", "active_low", "output_value", "bias"} <= set(inspect.signature(gpiod.LineSettings).parameters)
    assert [*inspect.signature(gpiod.LineRequest.set_value).parameters] == ["self", "line", "value"]
    assert [*inspect.signature(gpiod.LineRequest.get_value).parameters] == ["self", "line"]
    assert {each.name for each in Bias} <= {each.name for each in gpiod.line.Bias}
    with pytest.raises(StoreError, match="gpioinfo"):
        GpioRelay("/dev/null", 17)


# -- HTTP, over a real server --


@pytest.fixture
def server() -> Iterator[RelayServer]:
    with relay_server() as server:
        yield server


@pytest.fixture
def http(server: RelayServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[HttpRelay]:
    monkeypatch.setattr(http_relay, "ANSWER_S", 0.2)
    monkeypatch.setattr(http_relay, "CLOSE_S", 0.3)
    relay = HttpRelay(server.url("/on?ms={ms}&timer={s}"), server.url("/off"))
    yield relay
    server.done.set()
    relay.close()


def answered(order: Order) -> str:
    until(lambda: order.why is not None, within_s=5)
    assert order.why is not None
    return order.why


def test_the_pulse_stands_in_the_url(server: RelayServer, http: HttpRelay) -> None:
    assert answered(http.on(2500)) == answered(http.off()) == ""
    assert server.asked == ["/on?ms=2500&timer=3", "/off"]


def test_a_relay_that_counts_itself_needs_no_second_url(server: RelayServer) -> None:
    relay = HttpRelay(server.url("/relay/0?turn=on&timer={s}"))
    assert answered(relay.on(3000)) == ""
    assert relay.off().why == ""
    assert relay.close() == ""
    assert server.asked == ["/relay/0?turn=on&timer=3"]


def test_the_last_thing_it_is_told_is_off(server: RelayServer, http: HttpRelay) -> None:
    http.on(1000)
    assert http.close() == ""
    assert server.asked[-1] == "/off"


def test_orders_are_carried_out_in_turn(server: RelayServer, http: HttpRelay) -> None:
    orders = [http.on(100), http.off(), http.on(200), http.off()]
    assert {answered(order) for order in orders} == {""}
    assert server.asked == ["/on?ms=100&timer=1", "/off", "/on?ms=200&timer=1", "/off"]


@pytest.mark.parametrize(
    ("manner", "why"),
    [("error", "http: answer 500"), ("moved", "http: answer 302"), ("silent", "http: ReadTimeoutError")],
)
def test_a_relay_that_does_not_say_yes_has_not_obeyed(
    server: RelayServer, http: HttpRelay, manner: str, why: str
) -> None:
    server.manner = manner  # type: ignore[assignment]
    assert answered(http.on(1000)) == why
    assert len(server.asked) == 1  # it did not follow, and did not try again


def test_a_relay_that_is_not_there_has_not_obeyed() -> None:
    relay = HttpRelay("http://127.0.0.1:1/on?{s}")
    assert answered(relay.on(1000)) == "http: NewConnectionError"
    relay.close()


def test_an_endless_answer_is_not_read(server: RelayServer, http: HttpRelay) -> None:
    server.manner = "endless"
    start = time.monotonic()
    assert answered(http.on(1000)) == ""
    assert time.monotonic() - start < 2.0


def test_a_relay_that_trickles_costs_its_own_thread_only(
    server: RelayServer, http: HttpRelay, clock: FakeClock
) -> None:
    server.manner = "trickles"
    latch = Latch(http, clock)
    latch.open(1000)
    start = time.monotonic()
    latch.tick()
    until(lambda: len(server.asked) == 1)
    clock.advance(OBEYS_S)
    assert latch.tick() == ["failed", "fault"]
    orders = [http.on(1000) for _ in range(10)]
    assert orders[-1].why == "http: too slow"
    assert latch.close() == []  # the fault is known already
    assert latch.fault == "http: too slow"
    assert time.monotonic() - start < 2.0


def test_an_order_that_was_given_up_is_never_carried_out(server: RelayServer, http: HttpRelay) -> None:
    server.manner = "silent"
    http.off()
    late = http.on(1000)
    late.is_void = True
    assert answered(late) == "given up"
    assert server.asked == ["/off"]


def test_an_order_that_was_given_up_while_a_name_was_looked_up_is_not_carried_out_late(
    server: RelayServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, known, genuine = threading.Event(), threading.Event(), socket.getaddrinfo

    def slowly(_host: str, *rest: Any, **more: Any) -> Any:
        asked.set()
        assert known.wait(10)
        return genuine("127.0.0.1", *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", slowly)
    relay = HttpRelay(server.url("/on?{s}").replace("127.0.0.1", "relay.example"))
    late = relay.on(1000)
    assert asked.wait(10)
    late.is_void = True
    known.set()
    assert answered(late)
    in_time = relay.on(2000)
    assert answered(in_time) == ""
    assert server.asked == ["/on?2"]
    relay.close()


def test_the_password_is_sent_and_never_told(server: RelayServer) -> None:
    relay = HttpRelay(server.url("/on?{s}"), user_password="admin:secret")
    server.manner = "error"
    assert "secret" not in answered(relay.on(1000))
    assert server.passwords == ["Basic YWRtaW46c2VjcmV0"]
    relay.close()


@pytest.mark.parametrize(
    ("on", "off", "words"),
    [
        ("ftp://relay/{s}", "", "http://"),
        ("relay/on?{s}", "", "http://"),
        ("http://", "http://relay/off", "http://"),
        ("http://relay/on", "", "nothing would end the pulse"),
        ("http://admin:secret@relay/on?{s}", "", "--http-password"),
        ("http://relay/on", "http://relay:99999999/", "--http-off"),
    ],
)
def test_urls_that_cannot_work_are_explained_without_their_secrets(on: str, off: str, words: str) -> None:
    with pytest.raises(BadInput, match=words) as caught:
        HttpRelay(on, off)
    assert "secret" not in str(caught.value)
