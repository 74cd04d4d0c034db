"""The controller with a relay behind it: what it says on the wire is what the relay did."""

from __future__ import annotations

import threading

import pytest

from faceedge.config import Broker
from faceedge.door import controller as controller_module
from faceedge.door.contract import Challenge, DoorKey, Grant, Status, Verdict, fresh_token, seal, unseal
from faceedge.door.controller import HELD_OPEN_S, Controller, DoorEvent
from faceedge.door.latch import AGAIN_S, OBEYS_S
from tests.door.conftest import ADDRESS, KEY
from tests.door.test_relays import SlowRelay
from tests.fakes.clock import FakeClock
from tests.fakes.memory_mqtt import MemoryBroker


class Scene:
    """A controller over a broker in memory; the test plays the device and the relay."""

    def __init__(self, clock: FakeClock, *keys: DoorKey, max_pulse_ms: int = 30_000) -> None:
        self.clock = clock
        self.broker = MemoryBroker()
        self.relay = SlowRelay()
        self.events: list[DoorEvent] = []
        self.stands_open = False
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(controller_module, "MqttClient", self.broker.client)
            self.controller = Controller(
                Broker(), ADDRESS, keys or (KEY,), self.events.append, clock,
                relay=self.relay, max_pulse_ms=max_pulse_ms, stands_open=lambda: self.stands_open,
            )  # fmt: skip
        (self.client,) = self.broker.clients
        self.client.start()
        self.tick()
        self.relay.answer()
        self.tick()

    def tick(self, seconds: float = 0.0) -> None:
        self.clock.advance(seconds)
        self.controller.tick()

    def grant(self, key: DoorKey = KEY, pulse_ms: int = 3000) -> None:
        """What the device answers to the newest challenge."""
        challenge, _ = unseal(Challenge, self.broker.on("/challenge")[-1], [KEY, key])
        body = Grant(
            id=fresh_token(), dev="dev", door="main", ctl="inner", kid=key.kid, n=challenge.n, ttl_ms=2500,
            reason="match", sub="somebody", pulse_ms=pulse_ms,
        )  # fmt: skip
        self.client.session.on_message(ADDRESS.topic("grant"), seal(key, body))

    @property
    def verdicts(self) -> list[tuple[bool, str]]:
        bodies = [unseal(Verdict, wire, [KEY])[0] for wire in self.broker.on("/verdict")]
        return [(verdict.opened, verdict.why) for verdict in bodies]

    @property
    def states(self) -> list[str]:
        return [unseal(Status, wire, [KEY])[0].state for wire in self.broker.on("/status")]

    @property
    def told(self) -> list[str]:
        return [event.event for event in self.events]


@pytest.fixture
def scene(clock: FakeClock) -> Scene:
    return Scene(clock)


def test_nothing_is_said_until_the_relay_has_obeyed(scene: Scene) -> None:
    scene.grant()
    assert (scene.verdicts, scene.states, scene.told) == ([], ["locked"], ["connected"])
    scene.relay.answer()
    scene.tick(0.2)
    assert (scene.verdicts, scene.states, scene.told) == ([(True, "")], ["locked", "unlocked"], ["connected", "opened"])
    scene.tick(3.0)
    scene.relay.answer()
    scene.tick()
    assert (scene.states[-1], scene.told[-1]) == ("locked", "closed")


@pytest.mark.parametrize("answers", [True, False])
def test_a_verdict_never_says_open_when_the_relay_failed(scene: Scene, answers: bool) -> None:
    scene.grant()
    if answers:
        scene.relay.answer("gpio: Input/output error")
    scene.tick(OBEYS_S)
    assert scene.verdicts == [(False, "relay")]
    assert scene.states == ["locked", "fault"]
    assert scene.told == ["connected", "refused", "fault"]
    assert scene.events[-1].why == ("gpio: Input/output error" if answers else "no answer")
    assert scene.relay.words[-1] == "off"


def test_a_fault_is_retained_and_ends_when_the_relay_obeys_again(scene: Scene) -> None:
    scene.grant()
    scene.relay.answer("http: answer 500")
    scene.tick()
    retained = scene.broker.retained[ADDRESS.topic("status")]
    assert unseal(Status, retained, [KEY])[0].state == "fault"
    scene.relay.answer("http: answer 500")
    scene.tick()
    scene.tick(AGAIN_S)
    scene.relay.answer()
    scene.tick()
    assert (scene.states[-1], scene.told[-1]) == ("locked", "mended")
    assert scene.told.count("fault") == 1


def test_a_second_grant_while_the_relay_is_asked_is_refused_and_a_later_one_opens(scene: Scene) -> None:
    scene.grant()
    scene.grant()
    assert scene.verdicts == [(False, "relay busy")]
    scene.relay.answer()
    scene.tick()
    scene.grant()
    scene.relay.answer()
    scene.tick()
    assert scene.verdicts == [(False, "relay busy"), (True, ""), (True, "")]
    assert scene.relay.words == ["off", "on", "on"]


def test_a_state_that_a_slow_link_does_not_take_is_told_later(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.grant()
    scene.relay.answer()
    scene.tick()
    assert scene.states[-1] == "unlocked"
    with monkeypatch.context() as link:
        link.setattr(scene.client, "publish", lambda _: False)
        scene.tick(3.0)
        scene.relay.answer("http: answer 500")
        scene.tick()
    assert scene.states[-1] == "unlocked"
    scene.tick()
    assert scene.states[-1] == "fault"
    scene.tick()
    assert scene.states.count("fault") == 1


def test_a_slow_relay_does_not_stop_the_challenges(scene: Scene) -> None:
    scene.grant()
    before = len(scene.broker.on("/challenge"))
    for _ in range(20):
        scene.tick(0.5)
        if scene.relay.told[-1][2].why is None:
            scene.relay.answer("http: ReadTimeoutError")
    assert len(scene.broker.on("/challenge")) - before == 10


def test_the_own_limit_of_a_controller_shortens_a_pulse(clock: FakeClock) -> None:
    scene = Scene(clock, max_pulse_ms=1000)
    scene.grant(pulse_ms=30_000)
    assert scene.relay.told[-1][:2] == ("on", 1000)
    scene.relay.answer()
    scene.tick()
    assert scene.events[-1].pulse_ms == 1000
    scene.tick(1.0)
    assert scene.relay.words[-1] == "off"


def test_a_grant_that_comes_while_the_controller_leaves_opens_nothing(scene: Scene) -> None:
    stop = threading.Event()
    stop.set()
    close = scene.relay.close

    def late_grant() -> str:
        scene.grant()
        return close()

    scene.relay.close = late_grant  # type: ignore[method-assign]
    scene.controller.run(stop)
    assert scene.verdicts == []
    assert scene.relay.words == ["off"]
    assert scene.states[-1] == "offline"


def test_leaving_while_open_locks_and_says_so(scene: Scene) -> None:
    scene.grant()
    scene.relay.answer()
    scene.tick()
    stop = threading.Event()
    stop.set()
    scene.controller.run(stop)
    assert scene.states[-3:] == ["unlocked", "locked", "offline"]
    assert scene.told[-1] == "closed"


def test_a_door_that_stands_open_long_after_its_pulse_is_held_open_until_it_is_shut(scene: Scene) -> None:
    scene.grant()
    scene.relay.answer()
    scene.stands_open = True
    scene.tick()
    scene.tick(3.0)
    scene.relay.answer()
    scene.tick()
    scene.tick(HELD_OPEN_S)
    assert scene.states[-1] == "locked"
    scene.tick(0.1)
    assert scene.states[-1] == "held_open"
    retained = scene.broker.retained[ADDRESS.topic("status")]
    assert unseal(Status, retained, [KEY])[0].state == "locked"  # nobody shall read it from the past
    scene.stands_open = False
    scene.tick(0.1)
    assert scene.states[-1] == "locked"


def test_with_two_keys_the_first_one_signs_and_both_open(clock: FakeClock) -> None:
    new = DoorKey(b"n" * 32)
    scene = Scene(clock, KEY, new)
    for key in (KEY, new):
        scene.grant(key)
        scene.relay.answer()
        scene.tick()
    assert scene.verdicts == [(True, ""), (True, "")]


def test_a_glance_shows_state_pulse_challenges_and_what_was_ignored(scene: Scene) -> None:
    scene.client.session.on_message(ADDRESS.topic("grant"), b"noise")
    scene.grant()
    scene.relay.answer()
    scene.tick()
    scene.tick(1.0)
    sight = scene.controller.sight()
    assert (sight.state, sight.is_connected, sight.left_s) == ("unlocked", True, 2.0)
    assert sight.asked == len(scene.broker.on("/challenge"))
    assert sight.counts == {"size": 1, "opened": 1}
