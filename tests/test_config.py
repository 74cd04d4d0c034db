"""A wrong configuration is refused with file, key and expectation; a right one is read whole."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from faceedge.config import Config, load
from faceedge.errors import ConfigError

GOOD = """
device = "porch"
[broker]
port = 18830
[[camera]]
name = "entry"
uri = "file:clip.avi"
[[door]]
name = "main"
cameras = ["entry"]
"""


def read(tmp_path: Path, text: str, environ: dict[str, str] | None = None) -> Config:
    path = tmp_path / "faceedge.toml"
    path.write_text(text)
    return load(path, environ or {})


def test_a_file_is_read_and_defaults_fill_the_rest(tmp_path: Path) -> None:
    config = read(tmp_path, GOOD)
    assert (config.device, config.broker.port, config.broker.host) == ("porch", 18830, "127.0.0.1")
    assert (config.decide.votes, config.decide.of, config.door[0].liveness) == (3, 5, "off")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[broker]\nprot = 1\n", ["faceedge.toml", "broker.prot", "did you mean 'port'"]),
        ("[broker]\nport = 99999\n", ["broker.port", "65535"]),
        ("[decide]\nvotes = 6\nof = 5\n", ["votes (6) cannot exceed of (5)"]),
        ('[[camera]]\nuri="a"\n[[camera]]\nuri="b"\n', ["two [[camera]] entries share a name"]),
        ('[[door]]\ncameras = ["yard"]\n', ["'main'", "'yard'", "no [[camera]] declares"]),
        ('[[camera]]\nurl="a"\n', ["camera.0.url", "unknown key", "did you mean 'uri'"]),
        ('[[camera]]\nuri="a"\nsecret="b"\n', ["camera.0.secret: unknown key; known are ", "loop, name", "uri"]),
        ('[[camera]]\nname="a"\n', ["camera.0.uri: is missing"]),
        ('[[camera]]\nuri=""\n', ["camera.0.uri", "at least 1 character"]),
        ('[[camera]]\nuri="a"\nname="B A"\n', ["camera.0.name: use up to 32 of a-z"]),
        ('[broker]\ntls=true\npin="AB:CD"\n', ["broker.pin: give the SHA-256", "64 hex digits"]),
        ('[broker]\npassword_credential="a/b"\n', ["broker.password_credential: use up to 64 of a-z, A-Z"]),
        ('[home_assistant]\nprefix="a/b"\n', ["home_assistant.prefix: use up to 64 of a-z, A-Z"]),
        ('[camera]\nuri="a"\n', ["camera: is a list: write [[camera]]"]),
        ('[[camera]]\nuri="a"\nroi=[0.8,0,0.2,1]\n', ["camera.0", "roi is x0, y0, x1, y1 with x0 < x1"]),
        ('[[camera]]\nuri="a"\nroi=[0,0,100,200]\n', ["camera.0.roi"]),
        ('[[door]]\nname="a"\n[door.decide]\nmatsch=0.9\n', ["door.0.decide.matsch: unknown key"]),
        ('[[door]]\nname="a"\n[door.decide]\nusable=0.2\n', ["door.0.decide.usable", "0.4"]),
        ("device = \n", ["faceedge.toml", "not valid TOML", "line 1"]),
    ],
)
def test_a_wrong_file_is_explained_in_one_line(tmp_path: Path, text: str, words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    assert "\n" not in str(caught.value)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_a_missing_file_names_itself_and_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml.*--config"):
        load(tmp_path / "nowhere.toml", {})


def test_the_environment_overrides_a_field_and_is_checked_alike(tmp_path: Path) -> None:
    assert read(tmp_path, GOOD, {"FACEEDGE__BROKER__PORT": "1999"}).broker.port == 1999
    with pytest.raises(ConfigError, match=r"broker\.port"):
        read(tmp_path, GOOD, {"FACEEDGE__BROKER__PORT": "many"})
    with pytest.raises(ConfigError, match="list"):
        read(tmp_path, GOOD, {"FACEEDGE__CAMERA__URI": "0"})


@pytest.mark.parametrize("controllers", ['["a", "a"]', "[]", '["a/+"]', '["../b"]'])
def test_controllers_that_cannot_be_told_apart_or_named_are_refused(tmp_path: Path, controllers: str) -> None:
    with pytest.raises(ConfigError, match="controller"):
        read(tmp_path, f"{GOOD}controllers = {controllers}\n")


def test_a_wrong_override_is_told_by_the_name_of_its_variable(tmp_path: Path) -> None:
    for variable in ("FACEEDGE__BROKER__PRT", "FACEEDGE__X", "FACEEDGE__"):
        with pytest.raises(ConfigError, match=f"^{variable}: .*unknown key"):
            read(tmp_path, GOOD, {variable: "1"})
    with pytest.raises(ConfigError, match=r"^FACEEDGE__DEVICE__X: the file has no section device"):
        read(tmp_path, GOOD, {"FACEEDGE__DEVICE__X": "1"})


def test_a_list_of_the_file_is_overridden_by_number(tmp_path: Path) -> None:
    assert read(tmp_path, GOOD, {"FACEEDGE__CAMERA__0__URI": "0"}).camera[0].uri == "0"
    with pytest.raises(ConfigError, match=r"^FACEEDGE__CAMERA__1__URI: the file has no section camera\.1"):
        read(tmp_path, GOOD, {"FACEEDGE__CAMERA__1__URI": "0"})


def test_a_pipe_or_a_device_is_no_configuration(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.toml")
    for path in (tmp_path / "pipe.toml", Path("/dev/zero"), tmp_path):
        with pytest.raises(ConfigError, match=f"^{path}: .*(is not a file|directory)"):
            load(path, {})


def test_a_huge_file_is_no_configuration(tmp_path: Path) -> None:
    with (tmp_path / "huge.toml").open("wb") as file:
        file.truncate(10**9)
    with pytest.raises(ConfigError, match=r"huge\.toml: more than 1 MB"):
        load(tmp_path / "huge.toml", {})


def test_a_door_may_have_numbers_of_its_own(tmp_path: Path) -> None:
    config = read(tmp_path, '[[door]]\nname="lab"\n[door.decide]\nmatch=0.9\nvotes=4\n[[door]]\nname="main"\n')
    lab, main = config.door
    assert lab.decide is not None
    assert (lab.decide.match, lab.decide.votes, lab.decide.margin) == (0.9, 4, None)
    assert main.decide is None
