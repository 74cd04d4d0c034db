"""Device and controller together over a broker in memory, with one clock that moves when told."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from faceedge.config import Broker, Door
from faceedge.door import controller as controller_module
from faceedge.door import uplink as uplink_module
from faceedge.door.connection import Message
from faceedge.door.contract import Address, DoorKey, Status, Verdict, fresh_token, seal, unseal
from faceedge.door.controller import Controller, DoorEvent
from faceedge.door.link import DoorLink, GrantResult
from faceedge.door.uplink import Uplink
from tests.fakes.clock import FakeClock
from tests.fakes.memory_mqtt import MemoryBroker

KEYS = {("main", "inner"): DoorKey(b"i" * 32), ("main", "outer"): DoorKey(b"o" * 32)}


class Scene:
    """One device and its two controllers of one door."""

    def __init__(self, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = clock
        self.broker = MemoryBroker()
        for module in (uplink_module, controller_module):
            monkeypatch.setattr(module, "MqttClient", self.broker.client)
        self.results: list[GrantResult] = []
        self.events: list[DoorEvent] = []
        door = Door(name="main", controllers=("inner", "outer"))
        self.uplink = Uplink(Broker(), "dev")
        keys = {at: (key,) for at, key in KEYS.items()}
        self.link = DoorLink(self.uplink, "dev", [door], keys, self.results.append, clock)
        self.inner, self.outer = self.controller("inner"), self.controller("outer")

    def controller(self, name: str) -> Controller:
        return Controller(Broker(), Address("dev", "main", name), [KEYS["main", name]], self.events.append, self.clock)

    def start(self) -> None:
        self.uplink.start()
        self.broker.clients.insert(0, self.broker.clients.pop())
        for client in self.broker.clients[1:]:
            client.start()

    def send(self, token: str = "t1", ttl_ms: int = 1500) -> str | None:
        return self.link.send_grant("main", reason="match", sub="somebody", pulse_ms=3000, ttl_ms=ttl_ms, token=token)

    def tick(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.inner.tick()
        self.outer.tick()
        self.link.sweep()

    @property
    def opened(self) -> int:
        return sum(event.event == "opened" for event in self.events)

    @property
    def verdicts(self) -> list[tuple[str, str, str]]:
        return [(result.controller, result.verdict, result.why) for result in self.results]


@pytest.fixture
def scene(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(clock, monkeypatch)


def test_a_grant_opens_at_every_controller_and_each_verdict_returns(scene: Scene) -> None:
    scene.start()
    assert scene.send("t1") is None
    assert scene.verdicts == [("inner", "opened", ""), ("outer", "opened", "")]
    assert {result.token for result in scene.results} == {"t1"}
    assert scene.opened == 2


def test_nothing_is_sent_while_offline(scene: Scene) -> None:
    assert scene.send() == "offline"
    assert scene.broker.on("/grant") == []


def test_nothing_is_sent_without_a_fresh_challenge(scene: Scene) -> None:
    scene.start()
    scene.clock.advance(2.1)
    assert not scene.link.has_challenge("main")
    assert scene.send() == "no fresh challenge"


def test_a_challenge_is_answered_once(scene: Scene) -> None:
    scene.start()
    scene.broker.hold()
    assert scene.send() is None
    assert scene.send() == "no fresh challenge"


def test_after_an_open_the_next_grant_can_follow_at_once(scene: Scene) -> None:
    scene.start()
    assert [scene.send(str(turn)) for turn in range(20)] == [None] * 20
    assert scene.opened == 40


def test_a_controller_that_is_away_loses_its_grant_and_the_other_opens(scene: Scene) -> None:
    scene.uplink.start()
    scene.inner._mqtt.start()
    assert scene.send() is None
    assert scene.verdicts == [("inner", "opened", "")]
    scene.link.sweep()
    assert scene.verdicts == [("inner", "opened", ""), ("outer", "lost", "no fresh challenge")]


def test_a_grant_without_a_verdict_in_its_time_is_lost_once(scene: Scene) -> None:
    scene.start()
    scene.broker.hold()
    scene.send(ttl_ms=1500)
    scene.clock.advance(1.5)
    scene.link.sweep()
    assert scene.results == []
    scene.clock.advance(0.01)
    scene.link.sweep()
    scene.link.sweep()
    assert scene.verdicts == [("inner", "lost", "no verdict"), ("outer", "lost", "no verdict")]


@pytest.mark.parametrize("age_s", [0.0, 0.4, 0.9])
@pytest.mark.parametrize("ttl_ms", [200, 1500])
def test_a_grant_that_counts_as_lost_cannot_open_any_more(scene: Scene, age_s: float, ttl_ms: int) -> None:
    """However old the challenge was when it was answered: held for the time to live, the grant is void."""
    scene.start()
    scene.clock.advance(age_s)
    scene.broker.hold()
    assert scene.send(ttl_ms=ttl_ms) is None
    scene.clock.advance(ttl_ms / 1000 + 0.002)
    scene.link.sweep()
    assert len(scene.results) == 2
    scene.broker.release()
    assert scene.opened == 0
    assert {event.why for event in scene.events if event.event == "refused"} == {"too late"}


def test_a_grant_that_is_late_but_in_time_opens(scene: Scene) -> None:
    scene.start()
    scene.clock.advance(0.9)
    scene.broker.hold()
    scene.send(ttl_ms=1500)
    scene.clock.advance(1.4)
    scene.broker.release()
    assert scene.opened == 2
    assert [result.seconds for result in scene.results] == pytest.approx([1.4, 1.4])


def test_a_half_open_link_of_ten_seconds_opens_nothing_late_and_recovers(scene: Scene) -> None:
    scene.start()
    scene.broker.hold()
    sent = [scene.send(str(second)) for second in range(10) if scene.tick(1.0) is None]
    assert sent.count(None) == 1, "only the challenges heard before the link broke could be answered"
    scene.broker.release()
    assert scene.opened == 0
    scene.tick(1.0)
    assert scene.send("after") is None
    assert scene.opened == 2


def test_a_verdict_that_is_forged_or_replayed_changes_nothing(scene: Scene) -> None:
    scene.start()
    scene.broker.hold()
    scene.send()
    topic = Address("dev", "main", "inner").topic("verdict")
    forged = Verdict(id=fresh_token(), opened=True, why="", boot=fresh_token(), ctr=1)
    for wire in (seal(DoorKey(b"x" * 32), forged), seal(KEYS["main", "inner"], forged), b"", b"x" * 1000):
        scene.uplink._dispatch(topic, wire)
    assert scene.results == []
    assert scene.link.counts == {"verdict mac": 1, "verdict late or replayed": 1, "verdict size": 2}


def test_a_verdict_of_one_controller_does_not_count_for_another(scene: Scene) -> None:
    scene.start()
    scene.broker.hold()
    scene.send()
    (outer,) = [grant_id for grant_id, sent in scene.link._sent.items() if sent.address.controller == "outer"]
    stolen = seal(KEYS["main", "inner"], Verdict(id=outer, opened=True, why="", boot=fresh_token(), ctr=9))
    scene.uplink._dispatch(Address("dev", "main", "inner").topic("verdict"), stolen)
    assert scene.results == []


def test_replayed_challenges_of_old_boots_cost_at_most_one_grant(scene: Scene) -> None:
    recorded = [scene.controller("inner").verifier.challenge() for _ in range(20)]
    del scene.broker.clients[3:]  # those were boots of long ago
    scene.start()
    topic = Address("dev", "main", "inner").topic("challenge")

    def flood() -> None:
        for wire in recorded:
            scene.broker.deliver(Message(topic, wire))

    flood()
    scene.send("first")
    assert ("inner", "refused", "unknown challenge") in scene.verdicts
    for turn in range(5):
        scene.tick(1.0)
        flood()
        scene.send(str(turn))
    inner = [result.verdict for result in scene.results if result.controller == "inner"]
    assert inner == ["refused", *["opened"] * 5]


def test_a_reason_that_the_contract_does_not_allow_sends_nothing(scene: Scene) -> None:
    scene.start()
    refusal = scene.link.send_grant("main", reason='a"b', sub="", pulse_ms=3000, ttl_ms=1500, token="t")
    assert refusal == "the grant cannot be written"
    assert scene.send() is None, "and the challenge is still there for a proper one"


def test_a_decision_tells_outcome_reason_and_band_only(scene: Scene) -> None:
    scene.start()
    told = {"outcome": "deny", "reason": "unknown", "band": "none", "similarity": 0.93, "person": "x"}
    scene.link.publish_decision(told)  # type: ignore[arg-type]
    (body,) = scene.broker.on("/decision")
    assert json.loads(body) == {"outcome": "deny", "reason": "unknown", "band": "none"}


def test_birth_and_state_are_retained_and_told_again_after_a_reconnect(scene: Scene) -> None:
    scene.uplink.retain("faceedge/dev/state", b'{"version":"1"}')
    assert scene.broker.sent == []
    scene.start()
    client = scene.broker.clients[0]
    client.cut()
    assert scene.broker.retained["faceedge/dev/availability"] == b"offline"
    client.start()
    assert scene.broker.retained["faceedge/dev/availability"] == b"online"
    assert scene.broker.on("dev/state") == [b'{"version":"1"}'] * 2
    scene.uplink.stop()
    assert scene.broker.retained["faceedge/dev/availability"] == b"offline"


def test_no_grant_and_no_unlocked_status_is_ever_retained(scene: Scene) -> None:
    scene.start()
    scene.send()
    states = {
        unseal(Status, message.payload, list(KEYS.values()))[0].state: message.retain
        for message in scene.broker.sent
        if message.topic.endswith("/status")
    }
    assert states == {"locked": True, "unlocked": False}
    assert not any(message.retain for message in scene.broker.sent if message.topic.endswith(("/grant", "/challenge")))


def test_a_grant_carries_the_whole_seconds_of_its_life_as_expiry(scene: Scene) -> None:
    scene.start()
    scene.send(ttl_ms=1500)
    assert {message.expiry_s for message in scene.broker.sent if message.topic.endswith("/grant")} == {2}


def test_the_relay_lets_go_after_the_pulse(scene: Scene) -> None:
    scene.start()
    scene.send()
    assert scene.inner.is_open
    scene.tick(2.9)
    assert scene.inner.is_open
    scene.tick(0.2)
    assert not scene.inner.is_open
    assert [event.event for event in scene.events].count("closed") == 2


def test_a_flood_at_the_controller_is_one_event_a_second(scene: Scene) -> None:
    scene.start()
    for _ in range(10):
        for _ in range(500):
            scene.inner._on_grant("", b"x" * 100)
        scene.tick(0.1)
    ignored = [event for event in scene.events if event.event == "ignored"]
    assert len(ignored) <= 2
    assert scene.send() is None
    assert replace(scene.events[-1], id="") == DoorEvent("opened", "", "", "match", "somebody", 3000)


def test_a_message_on_a_topic_that_was_not_asked_for_is_ignored(scene: Scene) -> None:
    scene.uplink._dispatch("faceedge/dev/elsewhere", b"{}")
    assert scene.link.counts == {}
