"""What commands do: the lockdown on the disk, models chosen as by hand, and a reload after each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from faceedge import lockdown
from faceedge.config import Models
from faceedge.door.orders import ORDERS
from faceedge.errors import BadInput, ConfigError
from faceedge.jobs import choose_model
from faceedge.jobs.obey import Handler, handlers
from faceedge.jobs.site import Site
from faceedge.lockdown import Lockdown


class House:
    """reloads: how often it began anew. chosen: what was asked of the models."""

    def __init__(self, state: Path, monkeypatch: pytest.MonkeyPatch, models: Models | None = None) -> None:
        self.reloads = 0
        self.chosen: list[tuple[str, str]] = []
        self.agreed: list[bool] = []
        self.site = Site(state, state, models or Models())
        self.lockdown = Lockdown(state)
        self.do: dict[str, Handler] = handlers(self.lockdown, self.site, self._reload)
        for verb in ("activate", "rollback"):
            monkeypatch.setattr(choose_model, verb, self._chooser(verb))

    def _chooser(self, verb: str) -> Any:
        def choose(name: str, site: Site, progress: Any, *, agreed: bool) -> None:
            assert site is self.site
            progress("checking", 0.5)
            self.chosen.append((verb, name))
            self.agreed.append(agreed)
            if name == "broken":
                raise BadInput("broken: is broken")

        return choose

    def _reload(self) -> None:
        self.reloads += 1
        if self.reloads > 1:
            raise ConfigError("door.toml: is wrong")


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    return House(tmp_path, monkeypatch)


def test_every_handler_is_of_a_command_of_the_contract(house: House) -> None:
    assert set(house.do) <= set(ORDERS)


def test_a_lockdown_is_on_the_disk_when_it_is_done(house: House, tmp_path: Path) -> None:
    assert house.do["lockdown"]({"on": 1}, "") == ""
    assert lockdown.is_on(tmp_path)
    assert house.do["lockdown"]({"on": 0}, "") == ""
    assert not lockdown.is_on(tmp_path)


def test_a_model_is_chosen_and_then_everything_begins_anew(house: House) -> None:
    assert house.do["model_activate"]({"name": "net@2"}, "") == ""
    assert house.chosen == [("activate", "net@2")]
    assert house.reloads == 1


def test_only_who_says_so_makes_enrolled_people_unknown(house: House) -> None:
    house.do["model_activate"]({"name": "net@2"}, "")
    with pytest.raises(ConfigError):
        house.do["model_activate"]({"name": "net@3", "yes": 1}, "")
    assert house.agreed == [False, True]


def test_a_model_is_taken_back_and_then_everything_begins_anew(house: House) -> None:
    assert house.do["model_rollback"]({"role": "detector"}, "") == ""
    assert house.chosen == [("rollback", "detector")]
    assert house.reloads == 1


def test_a_model_that_is_refused_begins_nothing_anew(house: House) -> None:
    with pytest.raises(BadInput, match="is broken"):
        house.do["model_activate"]({"name": "broken"}, "")
    assert house.reloads == 0


def test_a_configuration_that_is_wrong_is_the_answer(house: House) -> None:
    house.reloads = 1
    with pytest.raises(ConfigError, match="is wrong"):
        house.do["reload"]({}, "")
