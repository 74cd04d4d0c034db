"""Starting a broker of one's own."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from faceedge.door import broker
from faceedge.door.broker import local_broker
from faceedge.errors import LinkError, MissingExtra


def test_without_any_broker_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker, "mosquitto", lambda: None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(MissingExtra, match=r"faceedge\[demo\]"), local_broker():
        pass


def test_without_mosquitto_the_embedded_broker_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("amqtt")
    monkeypatch.setattr(broker, "mosquitto", lambda: None)
    assert broker._best_kind() == "amqtt"


def test_mosquitto_is_found_off_the_path_of_ordinary_users(monkeypatch: pytest.MonkeyPatch) -> None:
    if not Path("/usr/sbin/mosquitto").exists():
        pytest.skip("mosquitto is not installed in /usr/sbin")
    monkeypatch.setenv("PATH", "/nowhere")
    assert broker.mosquitto() == Path("/usr/sbin/mosquitto")


@pytest.mark.broker
def test_a_broker_that_does_not_start_says_its_last_words() -> None:
    if broker.mosquitto() is None:
        pytest.skip("mosquitto is not installed")
    with pytest.raises(LinkError, match="nonsense"), local_broker(kind="mosquitto", extra="nonsense yes"):
        pass
