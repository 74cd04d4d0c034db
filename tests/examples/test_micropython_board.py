"""The wires of examples/micropython_door: boot, pulse, exit button, a hanging loop. Time moves while it sleeps."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest

from faceedge.door.contract import Challenge, Grant, fresh_token, seal, unseal
from tests.door.conftest import KEY
from tests.fakes.board import CONTACT, EXIT, LED, PROGRAM, RELAY, TICKS, Board, Reset, settings

START_MS = 2000
WATCHDOG_MS = 8000


class PowerCut(BaseException):
    """Ends a test's run."""


def run(board: Board, script: dict[int, Callable[[], object]], until_ms: int) -> None:
    """Boots and runs the program; at each millisecond of the script something happens. Raises what ends it."""
    due = sorted(script.items(), reverse=True)

    def on_wait() -> None:
        while due and board.ms >= due[-1][0]:
            due.pop()[1]()
        if board.ms >= until_ms:
            raise PowerCut

    board.on_wait = on_wait
    board.has_wifi = False
    board.load().main()


def press(board: Board) -> Callable[[], None]:
    return lambda: board.wired.update({EXIT: 0})


def let_go(board: Board) -> Callable[[], None]:
    return lambda: board.wired.update({EXIT: 1})


def fail(error: BaseException) -> Callable[[], None]:
    def action() -> None:
        raise error

    return action


def pulses(board: Board) -> list[float]:
    """How long the relay was on, each time."""
    times = [at for at, _ in board.switched]
    assert [level for _, level in board.switched] == [1, 0] * (len(times) // 2)
    return [off - on for on, off in zip(times[::2], times[1::2], strict=True)]


def test_the_relay_is_off_before_anything_else_is_looked_at() -> None:
    board, held = Board(settings(KEYS=("not a key",))), []
    with pytest.raises(Reset):
        run(board, {0: lambda: held.append(dict(board._levels))}, 10_000)
    assert held == [{RELAY: 0}]
    assert board.switched == []
    assert any("KEYS" in line for line in board.console)


def test_a_relay_that_pulls_at_low_level_is_held_high_from_the_start() -> None:
    board = Board(settings(RELAY_ON=0))
    seen: list[bool] = []
    with pytest.raises(PowerCut):
        run(board, {0: lambda: seen.append(board.is_open), 5000: lambda: seen.append(board.is_open)}, 6000)
    assert seen == [False, False]
    assert board._levels[RELAY] == 1


def test_the_exit_button_opens_without_any_network() -> None:
    board = Board()
    with pytest.raises(PowerCut):
        run(board, {3000: press(board), 3200: let_go(board)}, 10_000)
    assert pulses(board) == pytest.approx([3000], abs=40)


def test_an_exit_button_that_is_stuck_opens_once() -> None:
    board = Board()
    with pytest.raises(PowerCut):
        run(board, {3000: press(board)}, 60_000)
    assert len(pulses(board)) == 1


def test_an_exit_button_that_is_stuck_from_the_start_opens_never() -> None:
    board = Board()
    press(board)()
    with pytest.raises(PowerCut):
        run(board, {}, 10_000)
    assert board.switched == []


def test_a_spike_on_the_exit_wire_does_not_open() -> None:
    board = Board()
    spikes = {at: (press, let_go)[at % 100 > 0](board) for at in range(3000, 5000, 20) if at % 100 in (0, 20)}
    with pytest.raises(PowerCut):
        run(board, spikes, 6000)
    assert board.switched == []


def test_no_pulse_is_longer_than_the_board_allows() -> None:
    board = Board(settings(EXIT_PULSE_MS=30_000, MAX_PULSE_MS=1000))
    with pytest.raises(PowerCut):
        run(board, {3000: press(board), 3200: let_go(board)}, 40_000)
    assert pulses(board) == pytest.approx([1000], abs=40)


def test_a_loop_that_hangs_lets_the_relay_go_in_time_and_the_watchdog_restarts_it() -> None:
    board = Board()
    with pytest.raises(Reset):
        run(board, {3000: press(board), 4000: lambda: board.advance(60_000)}, 100_000)
    assert pulses(board) == pytest.approx([3000], abs=40)
    assert board.ms == pytest.approx(4000 + WATCHDOG_MS, abs=50)


def test_even_without_the_timer_a_hanging_loop_opens_for_no_longer_than_the_watchdog_waits() -> None:
    board = Board()

    def hang() -> None:
        board._timer = None
        board.advance(60_000)

    with pytest.raises(Reset):
        run(board, {3000: press(board), 4000: hang}, 100_000)
    assert pulses(board)[0] < 1000 + WATCHDOG_MS + 50
    assert not board.is_open


@pytest.mark.parametrize("error", [ValueError("a fault"), MemoryError()])
def test_any_fault_shuts_at_once_and_starts_afresh(error: Exception) -> None:
    board = Board()
    with pytest.raises(Reset):
        run(board, {3000: press(board), 4000: fail(error)}, 100_000)
    assert pulses(board)[0] < 1000
    assert repr(error) in board.console


def test_ctrl_c_shuts_and_stays_on_the_console() -> None:
    board = Board()
    with pytest.raises(KeyboardInterrupt):
        run(board, {3000: press(board), 4000: fail(KeyboardInterrupt())}, 100_000)
    assert not board.is_open
    assert pulses(board)[0] < 1000


def test_a_pin_that_is_on_by_itself_stops_the_feeding_of_the_watchdog(monkeypatch: pytest.MonkeyPatch) -> None:
    board = Board()
    pin = board._modules["machine"].Pin
    value = pin.value

    def stuck(self: Any, level: int | None = None) -> int | None:
        is_asked = level is None and self._number == RELAY and board.ms > 3000
        return 1 if is_asked else value(self, level)

    monkeypatch.setattr(pin, "value", stuck)
    with pytest.raises(Reset):
        run(board, {}, 100_000)
    assert board.ms == pytest.approx(3000 + WATCHDOG_MS, abs=50)


def test_five_minutes_without_a_broker_end_in_a_fresh_start() -> None:
    board = Board()
    with pytest.raises(Reset):
        run(board, {}, 1_000_000)
    assert board.ms == pytest.approx(START_MS + 300_000 + WATCHDOG_MS, abs=100)


def test_the_led_tells_what_is_missing() -> None:
    board = Board()
    levels: list[int] = []
    with pytest.raises(PowerCut):
        run(board, {at: lambda: levels.append(board._levels[LED]) for at in range(2500, 6500, 250)}, 7000)
    changes = sum(a != b for a, b in pairwise(levels))
    assert 3 <= changes <= 5


def test_the_clock_goes_on_when_the_ticks_begin_anew() -> None:
    """ticks_ms of an ESP32 begins anew every 12 days."""
    board = Board(ticks_at_start=TICKS - 1000)
    clock = board.load().Clock()
    days = [clock()]
    for _ in range(40):
        board.ms += 86_400_000
        days.append(clock())
    assert days == [day * 86_400_000 for day in range(41)]


def test_a_challenge_is_too_old_also_when_the_ticks_have_gone_round() -> None:
    board = Board(ticks_at_start=TICKS - 1000)
    program = board.load()
    clock = program.Clock()
    verifier = program.Verifier("dev", "main", "inner", [program.Key(board.config.KEYS[0])], clock)
    asked, _ = unseal(Challenge, verifier.challenge(), [KEY])
    for _ in range(13):
        board.ms += 86_400_000
        clock()
    grant = Grant(
        id=fresh_token(), dev="dev", door="main", ctl="inner", kid=KEY.kid, n=asked.n, ttl_ms=10_000, reason="match",
        sub="s", pulse_ms=1,
    )  # fmt: skip
    assert verifier.judge(seal(KEY, grant))[:2] == (0, "too late")


def test_the_example_configuration_names_everything_that_the_program_reads() -> None:
    example: dict[str, object] = {}
    exec((PROGRAM.parent / "config.example.py").read_text(), example)
    assert {name for name in example if name.isupper()} == set(vars(settings()))
    text = PROGRAM.read_text()
    assert all(f"onfig.{name}" in text for name in vars(settings()))


def test_a_door_left_open_is_told_once_the_time_is_over() -> None:
    board = Board(settings(CONTACT_PIN=CONTACT))
    board.wired[CONTACT] = 0
    program = board.load()
    door = program.Door(board.config, program.Relay(RELAY, 1))
    told: list[tuple[str, bool]] = []
    door._mqtt = SimpleNamespace(publish=lambda topic, wire, qos, retain: told.append((wire[44:].decode(), retain)))
    for ms, contact in ((1000, 0), (45_000, 1), (1000, 0)):
        board.wired[CONTACT] = contact
        for _ in range(5):
            board.ms += ms / 5
            door._look_at_inputs(door._clock())
            door._tell_state(door._clock())
    assert [(wire.split('"')[3], retain) for wire, retain in told] == [
        ("locked", True), ("held_open", False), ("locked", True),
    ]  # fmt: skip
