"""What commands do: the lockdown on the disk, orders for other models, a reload."""

from __future__ import annotations

from pathlib import Path

import pytest

from faceedge import lockdown
from faceedge.door.orders import ORDERS
from faceedge.errors import ConfigError
from faceedge.jobs.obey import Handler, handlers
from faceedge.jobs.swap_order import Order
from faceedge.lockdown import Lockdown


class House:
    """reloads: how often it began anew. ordered: what was asked of the models."""

    def __init__(self, state: Path) -> None:
        self.reloads = 0
        self.ordered: list[Order] = []
        self.lockdown = Lockdown(state)
        self.do: dict[str, Handler] = handlers(self.lockdown, self._swap, self._reload)

    def _swap(self, order: Order) -> str:
        self.ordered.append(order)
        return "broken: is broken" if order.name == "broken" else ""

    def _reload(self) -> None:
        self.reloads += 1
        if self.reloads > 1:
            raise ConfigError("door.toml: is wrong")


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_every_handler_is_of_a_command_of_the_contract(house: House) -> None:
    assert set(house.do) <= set(ORDERS)


def test_a_lockdown_is_on_the_disk_when_it_is_done(house: House, tmp_path: Path) -> None:
    assert house.do["lockdown"]({"on": 1}, "") == ""
    assert lockdown.is_on(tmp_path)
    assert house.do["lockdown"]({"on": 0}, "") == ""
    assert not lockdown.is_on(tmp_path)


def test_a_model_is_ordered_by_the_key_that_signed_and_nothing_begins_anew(house: House) -> None:
    assert house.do["model_activate"]({"name": "net@2"}, "k1") == ""
    assert house.ordered == [Order(name="net@2", by="mqtt:k1")]
    assert house.reloads == 0


def test_minutes_percent_and_words_of_a_command_become_an_order(house: House) -> None:
    args = {"name": "net@2", "shadow": 30, "canary": 10, "dual": 1, "yes": 1}
    assert house.do["model_activate"](args, "k1") == ""
    assert house.ordered == [Order(None, "net@2", 1800.0, 0.1, dual=True, agreed=True, by="mqtt:k1")]


def test_a_model_is_taken_back_by_its_role(house: House) -> None:
    assert house.do["model_rollback"]({"role": "detector"}, "k1") == ""
    assert house.do["model_rollback"]({"role": "recognizer", "yes": 1}, "k1") == ""
    assert house.ordered == [Order("detector", by="mqtt:k1"), Order("recognizer", agreed=True, by="mqtt:k1")]


def test_a_model_that_is_refused_is_the_answer(house: House) -> None:
    assert house.do["model_activate"]({"name": "broken"}, "k1") == "broken: is broken"


def test_a_configuration_that_is_wrong_is_the_answer(house: House) -> None:
    house.reloads = 1
    with pytest.raises(ConfigError, match="is wrong"):
        house.do["reload"]({}, "")
