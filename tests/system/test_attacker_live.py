"""An attacker with every right, live: a real broker, the real device's side, and both controllers as they run."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from faceedge.config import Broker
from faceedge.door.broker import LocalBroker, local_broker
from faceedge.door.contract import Address, BadMessage, DoorKey, Grant, unseal
from faceedge.door.keys import key_path, read_key
from faceedge.door.verifier import Verifier
from tests.door.running import until
from tests.fakes.board import Board, settings
from tests.system.attacker import Attacker
from tests.system.entrance import Entrance, Guard

pytestmark = [pytest.mark.system, pytest.mark.broker]

REFERENCE, EXAMPLE = Address("dev", "main", "inner"), Address("dev", "main", "outer")
PULSE_S = 0.1
GRANTS = 40
WARM_S = 30.0
"""Other work on the machine may keep a controller from its first challenges for that long."""


@dataclass
class Siege:
    """The door with its two controllers, and who attacks it."""

    entrance: Entrance
    guard: Guard
    board: Board
    attacker: Attacker
    keys: dict[Address, DoorKey]

    @property
    def opened(self) -> tuple[int, int]:
        return self.guard.count("opened"), self.board.console.count("opened")

    def genuine(self, at: Address) -> set[str]:
        """Names of the grants that the device has sealed for this controller, as heard on the broker."""
        ids = set()
        for topic, wire in self.attacker.grants:
            if topic == at.topic("grant"):
                try:
                    ids.add(unseal(Grant, wire, [self.keys[at]])[0].id)
                except BadMessage:
                    continue
        return ids

    def open_both(self) -> bool:
        """One decision; says whether both controllers have opened for it. Never two pulses at once."""
        before = self.opened
        told = self.entrance.decide().verdict
        time.sleep(2 * PULSE_S)
        after = self.opened
        assert all(now - then <= 1 for now, then in zip(after, before, strict=True))
        return told == "opened" and after == (before[0] + 1, before[1] + 1)


@contextmanager
def siege(folder: Path, broker: LocalBroker, patch: tuple[str, str] = ("", "")) -> Iterator[Siege]:
    """patch: spoils the example's program."""
    settings_of = Broker(host=broker.host, port=broker.port)
    with Entrance(folder, settings_of, REFERENCE.controller, EXAMPLE.controller) as entrance:
        paths = {at: key_path(entrance.state, at.door, at.controller) for at in (REFERENCE, EXAMPLE)}
        keys = {at: read_key(path) for at, path in paths.items()}
        config = settings(
            BROKER_HOST=broker.host, BROKER_PORT=broker.port, CONTROLLER=EXAMPLE.controller,
            KEYS=(paths[EXAMPLE].read_text().strip(),),
        )  # fmt: skip
        guard = entrance.guard(settings_of, REFERENCE.controller)
        with Board(config, patch=patch).powered() as board, Attacker(broker.port, REFERENCE, EXAMPLE) as attacker:
            scene = Siege(entrance, guard, board, attacker, keys)
            until(lambda: "connected" in board.console and guard.count("connected") == 1)
            entrance.until_ready()
            yield scene


def test_under_fire_only_genuine_grants_open_and_they_go_on_opening(tmp_path: Path) -> None:
    with local_broker(kind="mosquitto") as broker, siege(tmp_path, broker) as scene:
        until(scene.open_both, within_s=WARM_S)
        scene.attacker.fire()
        before = scene.opened
        time.sleep(4)  # nobody is at the door
        assert scene.opened == before
        both = sum(scene.open_both() for _ in range(GRANTS))
        scene.board.reset()
        until(lambda: scene.board.console.count("connected") == 2, within_s=WARM_S)
        after_reboot = sum(scene.open_both() for _ in range(GRANTS // 4))
        scene.attacker.cease()
        reference = [event.id for event in scene.guard.events if event.event == "opened"]
    assert both >= GRANTS - 2
    assert after_reboot >= GRANTS // 4 - 2
    assert len(reference) == len(set(reference))
    assert set(reference) <= scene.genuine(REFERENCE)
    assert scene.board.opened == scene.opened[1] <= len(scene.genuine(EXAMPLE))
    assert sum(scene.attacker.fired.values()) > 2000


def test_controllers_that_forget_what_is_spent_would_open_for_the_attacker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tests beside this one can fail."""
    monkeypatch.setattr(Verifier, "_objection", lambda *_: "")
    patch = ("if answered[0].is_spent:", "if False:")
    with local_broker(kind="mosquitto") as broker, siege(tmp_path, broker, patch) as scene:
        scene.attacker.fire()

        def both_are_fooled() -> bool:
            scene.entrance.decide()  # a grant that was lost on its way cannot be replayed in time
            genuine = len(scene.genuine(REFERENCE)), len(scene.genuine(EXAMPLE))
            return all(opened > sent for opened, sent in zip(scene.opened, genuine, strict=True))

        until(both_are_fooled, within_s=WARM_S)


def test_a_restored_database_of_the_device_opens_nothing(tmp_path: Path) -> None:
    backup = tmp_path / "backup"
    with local_broker(kind="mosquitto") as broker:
        with siege(tmp_path, broker) as scene:
            until(scene.open_both, within_s=WARM_S)
            assert sum(scene.open_both() for _ in range(5)) >= 4
            recorded = list(scene.attacker.grants)
        shutil.copytree(tmp_path / "state", backup)
        with siege(tmp_path, broker) as scene:
            until(scene.open_both, within_s=WARM_S)
            assert sum(scene.open_both() for _ in range(5)) >= 4
            recorded += scene.attacker.grants
        shutil.rmtree(tmp_path / "state")
        shutil.copytree(backup, tmp_path / "state")
        with siege(tmp_path, broker) as scene:
            scene.attacker.grants.extend(recorded)
            for _ in range(5):
                scene.attacker.replay_all_grants()
                time.sleep(0.5)
            assert scene.opened == (0, 0)
            until(scene.open_both, within_s=WARM_S)
            assert sum(scene.open_both() for _ in range(5)) >= 4
