"""A wrong configuration is refused with file, key and expectation; a right one is read whole."""

from __future__ import annotations

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
