"""A door that asks look-alikes for more, of a daemon with made-up networks and a gallery where nobody was compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from faceedge import house as houses
from faceedge.config import Config
from faceedge.daemon import Daemon
from faceedge.gallery.base import Origin
from faceedge.gallery.store import Gallery
from faceedge.jobs.audit.flagging import flag_everybody
from faceedge.jobs.look_alikes import Measure
from tests.fakes.vision import Sitter, template
from tests.test_daemon_capture import FakeNetworks

ADA = 1


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ada was enrolled by a version that knows no look-alikes, and stands before the camera."""
    monkeypatch.setattr(houses, "open_vision", lambda *_args, **_more: FakeNetworks())
    monkeypatch.setattr(houses.House, "_open_exchange", lambda _self: None)
    with Gallery.open(tmp_path / "state") as gallery:
        ada = gallery.add_person("Ada")
        gallery.add_template(ada.id, template(Sitter(ADA, 99)), Origin(0.9, "photo", "fake0build00"))
    (tmp_path / "entry").mkdir()
    for number in range(5):
        picture = np.random.default_rng(number).integers(0, 255, (112, 112, 3), np.uint8)
        picture[0, 0] = (230, number, ADA)
        cv2.imwrite(str(tmp_path / "entry" / f"{number}.png"), picture)
    return tmp_path / "state"


def shown(state: Path, **door: Any) -> tuple[list[tuple[str, str]], list[str]]:
    """Outcome and reason of the decision, and what waits for somebody."""
    camera, told = {"name": "entry", "uri": f"images:{state.parent / 'entry'}"}, []
    config = Config.model_validate({"camera": [camera], "door": [door], "decide": {"motion": False}})
    daemon = Daemon(config, state, state, told.append, once=True)
    assert daemon.run() == 0
    made = [(event["outcome"], event["reason"]) for event in told if event["event"] == "decision"]
    return made, [notice for notice in daemon._house.report.notices() if "look" in notice]


def test_a_door_that_asks_look_alikes_for_more_asks_everybody_until_people_were_compared(state: Path) -> None:
    made, notices = shown(state, look_alikes="review")
    assert made == [("review", "look_alike")]
    assert len(notices) == 1
    with Gallery.open(state) as gallery:
        flag_everybody(gallery, Measure.of(FakeNetworks()), lambda _done: None)
    assert shown(state, look_alikes="review") == ([("grant", "match")], [])
    lower = {"grey": -1.0, "match": -1.0}
    assert shown(state, look_alikes="review", decide=lower)[0] == [("review", "look_alike")]


def test_a_door_that_does_not_ask_is_told_nothing(state: Path) -> None:
    assert shown(state) == ([("grant", "match")], [])
