"""One daemon after another: what a reload takes over, and what it leaves as it is."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from faceedge.cli.generations import Check, Generations, read_startable
from faceedge.config import Config
from faceedge.daemon import BEGIN_ANEW
from faceedge.door.keys import make_key
from faceedge.errors import ConfigError, FaceedgeError

FIRST, SECOND, THIRD = (Config(device=name) for name in ("first", "second", "third"))


class Life:
    """Daemons that do as they are told; each notes what it was made of."""

    def __init__(self, *deeds: Callable[[Check], int]) -> None:
        self._deeds = list(deeds)
        self.made: list[str] = []
        self.on_disk = SECOND
        self.generations = Generations(FIRST, self._make, lambda: self.on_disk)

    def _make(self, settings: Config, check: Check) -> Any:
        self.made.append(settings.device)
        deed = self._deeds.pop(0)

        class Daemon:
            def run(self) -> int:
                return deed(check)

            def stop(self) -> None:
                """Runs no longer anyway."""

        return Daemon()


def reload(check: Check) -> int:
    check()
    return BEGIN_ANEW


def fail(_check: Check) -> int:
    raise ConfigError("the model is broken")


def test_a_daemon_that_ends_is_the_end() -> None:
    life = Life(lambda _: 75)
    assert life.generations.run() == 75
    assert life.made == ["first"]


def test_after_a_reload_the_next_daemon_has_the_configuration_that_was_checked() -> None:
    life = Life(reload, lambda _: 0)

    def reload_and_spoil(check: Check) -> int:
        check()
        life.on_disk = THIRD
        return BEGIN_ANEW

    life._deeds[0] = reload_and_spoil
    assert life.generations.run() == 0
    assert life.made == ["first", "second"]


def test_a_new_configuration_that_does_not_start_gives_way_to_the_one_before() -> None:
    life = Life(reload, fail, lambda _: 0)
    assert life.generations.run() == 0
    assert life.made == ["first", "second", "first"]


def test_the_one_before_may_be_made_anew_before_it_is_gone_back_to() -> None:
    life = Life(reload, fail, lambda _: 0)
    life.generations = Generations(FIRST, life._make, lambda: life.on_disk, lambda before: THIRD)
    assert life.generations.run() == 0
    assert life.made == ["first", "second", "third"]


def test_a_configuration_that_did_not_start_can_be_mended_and_loaded() -> None:
    life = Life(reload, fail, reload, lambda _: 0)
    assert life.generations.run() == 0
    assert life.made == ["first", "second", "first", "second"]


@pytest.mark.parametrize("deeds", [(fail,), (reload, fail, fail)])
def test_a_first_start_that_fails_is_the_end(deeds: tuple[Callable[[Check], int], ...]) -> None:
    with pytest.raises(ConfigError, match="the model is broken"):
        Life(*deeds).generations.run()


def test_a_signal_between_two_daemons_starts_no_other() -> None:
    life = Life(reload, lambda _: 99)

    def reload_and_leave(check: Check) -> int:
        check()
        os.kill(os.getpid(), signal.SIGTERM)
        return BEGIN_ANEW

    life._deeds[0] = reload_and_leave
    before = signal.getsignal(signal.SIGTERM)
    assert life.generations.run_until_signal() == 0
    assert signal.getsignal(signal.SIGTERM) is before


TOML = 'state_dir = "{state}"\n[[camera]]\nuri = "{uri}"\n[[door]]\nname = "{door}"\n'


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., Path]:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.png").write_bytes(b"none")
    make_key(tmp_path / "state", "main", "main")

    def write(more: str = "", **other: object) -> Path:
        values = {"state": tmp_path / "state", "uri": f"images:{tmp_path}/pictures", "door": "main", **other}
        path = tmp_path / "door.toml"
        path.write_text(TOML.format(**values) + more)
        return path

    return write


def test_what_would_start_is_read(tmp_path: Path, file: Callable[..., Path]) -> None:
    assert read_startable(file(), tmp_path / "state").door[0].name == "main"
    assert read_startable(file(uri="/dev/video9"), tmp_path / "state"), "a live camera may come later"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"more": "colour = 1\n"}, "unknown key"),
        ({"uri": "file:/nowhere/clip.mp4"}, "nowhere"),
        ({"state": "/somewhere/else"}, "state_dir: cannot change"),
        ({"door": "lab"}, "door-lab.main.key: missing"),
        ({"more": '[broker]\nhost = "192.0.2.1"\n'}, "broker.tls is off"),
        ({"more": '[broker]\ntls = true\nca_file = "/nowhere"\n'}, "ca_file"),
    ],
)
def test_what_would_not_start_is_refused(
    tmp_path: Path, file: Callable[..., Path], change: dict[str, str], why: str
) -> None:
    with pytest.raises(FaceedgeError, match=why):
        read_startable(file(**change), tmp_path / "state")


def test_a_configuration_without_a_camera_is_refused(tmp_path: Path) -> None:
    (tmp_path / "door.toml").write_text(f'state_dir = "{tmp_path}"\n')
    with pytest.raises(ConfigError, match="no camera"):
        read_startable(tmp_path / "door.toml", tmp_path)
