"""Signs with their times, and decisions dated by what the daemon said of them."""

from __future__ import annotations

from datetime import datetime, timezone

from faceedge.chaos.observer import Observer

WALL = 1_800_000_000.0


def event(latency_ms: float) -> dict[str, object]:
    time = datetime.fromtimestamp(WALL - 0.25, timezone.utc).isoformat(timespec="milliseconds")
    return {
        "event": "decision", "time": time, "outcome": "grant", "reason": "match", "person": "her", "verdict": "opened",
        "why": "", "latency_ms": latency_ms,
    }  # fmt: skip


def observer() -> Observer:
    return Observer(clock=lambda: 50.0, wall=lambda: WALL)


def test_a_decision_is_dated_by_its_picture_not_by_its_line() -> None:
    seen = observer()
    seen.event(event(100.0))
    (decided,) = seen.decided
    assert (round(decided.told, 3), round(decided.captured, 3)) == (49.75, 49.65)
    assert seen.decisions(49.0, 49.7) == [decided]
    assert seen.decisions(49.7, 60.0) == []


def test_a_sign_is_found_by_what_it_says() -> None:
    seen = observer()
    seen.note("log", "ERROR", "ERROR faceedge: it burns")
    assert seen.first(lambda sign: "burns" in sign.text, 49.0)
    assert seen.first(lambda sign: "burns" in sign.text, 51.0) is None


def test_opens_are_those_of_the_controller() -> None:
    seen = observer()
    seen.door("connected", "", "")
    seen.door("opened", "her", "")
    assert [one.person for one in seen.opens(0.0, 60.0)] == ["her"]


def test_waiting_ends_when_it_has_happened_or_time_is_over() -> None:
    seen = observer()
    assert seen.wait(lambda: True, 0.0)
    assert not seen.wait(lambda: False, 49.0)
