"""A whole house in one process: the daemon with made-up networks, two controllers, and an integrator.

Ada stands before the camera `entry` all the time, well to be seen, and hardly to be known before the camera `yard`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import cv2
import numpy as np

from faceedge.config import Broker, Config
from faceedge.daemon import Daemon
from faceedge.door.asking import Answer, Device, ask
from faceedge.door.connection import Message, Session
from faceedge.door.contract import Address
from faceedge.door.controller import Controller, DoorEvent
from faceedge.door.keys import key_path, make_key, read_key
from faceedge.door.mqtt import MqttClient
from faceedge.door.signed import SecondFactor, unsign
from faceedge.door.site_key import make_secret, read_site_secret, trust
from faceedge.gallery.base import Origin
from faceedge.gallery.store import Gallery
from faceedge.journal.signing import public_path, read_public
from tests.door.running import until
from tests.fakes.vision import Sitter, template

ADA = 2
PICTURES = 150
"""Half a minute; when they begin anew, so does the track."""
KNOWN, DOUBTFUL = 0, 229
"""Poses: in the second one she is a little less alike than it takes."""
DEVICE, DOOR, CONTROLLERS = "faceedge", "main", ("main", "inner")
SettingsOf = Callable[[str], Broker]
"""How an account reaches the broker."""


class House:
    """Use it in a `with` block; `open_vision` must be replaced before."""

    def __init__(self, folder: Path, settings: SettingsOf) -> None:
        self._state = furnished(folder)
        self._settings = settings
        self._site = read_site_secret(folder / "site.key")
        self.events: dict[str, list[DoorEvent]] = {name: [] for name in CONTROLLERS}
        self.told: list[dict[str, Any]] = []
        self._stop = threading.Event()
        self._controllers = [self._controller(name) for name in CONTROLLERS]
        self.daemon = Daemon(self._config(folder), self._state, self._state, self.told.append)
        self._threads = [
            *(threading.Thread(target=each.run, args=(self._stop,)) for each in self._controllers),
            threading.Thread(target=self.daemon.run),
        ]

    def __enter__(self) -> House:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.daemon.stop()
        self._threads[-1].join()
        self._stop.set()
        for thread in self._threads:
            thread.join()

    @property
    def protocols(self) -> set[str]:
        return {each.protocol for each in self._controllers}

    def opened(self, controller: str) -> int:
        return sum(event.event == "opened" for event in self.events[controller])

    def command(self, name: str, **args: str | int) -> Answer:
        key = read_public(public_path(self._state))
        return ask(self._settings("site"), Device(DEVICE, key), self._site, name, args)

    def second_factor(self, wire: bytes) -> SecondFactor:
        """The request, if this device has signed it."""
        request, _ = unsign(SecondFactor, wire, [read_public(public_path(self._state))])
        return request

    def refresh(self) -> None:
        """Somebody presses the button in Home Assistant."""
        client = MqttClient(self._settings("home"), Session("home", (), lambda: None, lambda: None, lambda *_: None))
        client.start()
        assert client.wait_connected(10)
        until(lambda: client.publish(Message(f"faceedge/{DEVICE}/button/refresh", b"PRESS")))
        client.stop()

    def _controller(self, name: str) -> Controller:
        key = read_key(key_path(self._state, DOOR, name))
        broker = self._settings(f"{DEVICE}.{DOOR}.{name}")
        return Controller(broker, Address(DEVICE, DOOR, name), [key], self.events[name].append)

    def _config(self, folder: Path) -> Config:
        return Config.model_validate({
            "device": DEVICE,
            "broker": self._settings(DEVICE).model_dump(),
            "camera": [{"name": name, "uri": f"images:{folder / name}", "loop": True} for name in ("entry", "yard")],
            "door": [{"name": DOOR, "controllers": CONTROLLERS, "pulse_ms": 100}],
            "decide": {"cooldown_s": 0, "motion": False},
            "home_assistant": {"discovery": True},
        })  # fmt: skip


def furnished(folder: Path) -> Path:
    """A state directory in which Ada is enrolled and all keys are made, and pictures of her."""
    state = folder / "state"
    with Gallery.open(state) as gallery:
        ada = gallery.add_person("Ada")
        gallery.add_template(ada.id, template(Sitter(ADA, 99)), Origin(0.9, "photo", "fake0build00"))
    for controller in CONTROLLERS:
        make_key(state, DOOR, controller)
    trust(state, make_secret(folder / "site.key"))
    for camera, pose in (("entry", KNOWN), ("yard", DOUBTFUL)):
        (folder / camera).mkdir()
        for number in range(PICTURES):
            picture = np.random.default_rng(number).integers(0, 255, (112, 112, 3), np.uint8)
            picture[0, 0] = (230, pose, ADA)
            cv2.imwrite(str(folder / camera / f"{number}.png"), picture)
    return state
