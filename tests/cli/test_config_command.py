"""`faceedge config`: the first file, and whether one will do."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from faceedge import config
from faceedge.__main__ import main


def _new(out: Path, *more: str) -> int:
    return main(["config", "new", "--out", str(out), "--camera", "rtsp://192.0.2.1/door", *more])


def test_a_new_file_is_one_that_a_daemon_reads(tmp_path: Path) -> None:
    out = tmp_path / "door.toml"
    assert _new(out, "--door", "lab", "--device", "entrance", "--broker", "mqtt://127.0.0.1:1884") == 0
    settings = config.load(out)
    assert settings.device == "entrance"
    assert (settings.broker.host, settings.broker.port, settings.broker.tls) == ("127.0.0.1", 1884, False)
    assert settings.camera[0].uri == "rtsp://192.0.2.1/door"
    assert [(door.name, door.cameras) for door in settings.door] == [("lab", ("entry",))]
    assert main(["config", "check", "--config", str(out)]) == 0


def test_a_new_file_is_not_for_everybody_to_read(tmp_path: Path) -> None:
    assert _new(tmp_path / "door.toml") == 0
    assert not stat.S_IMODE((tmp_path / "door.toml").stat().st_mode) & stat.S_IRWXO


def test_mqtts_means_tls_on_its_own_port(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("open sesame")
    password.chmod(0o600)
    out = tmp_path / "door.toml"
    words = ("--broker", "mqtts://broker.example", "--broker-user", "door", "--broker-password-file", str(password))
    assert _new(out, *words) == 0
    broker = config.load(out).broker
    assert (broker.host, broker.port, broker.tls) == ("broker.example", 8883, True)
    assert (broker.username, broker.password_file) == ("door", password)


def test_a_broker_may_be_known_by_the_digest_of_its_certificate(tmp_path: Path) -> None:
    out = tmp_path / "door.toml"
    assert _new(out, "--broker", "mqtts://broker.example", "--broker-pin", "ab" * 32) == 0
    assert config.load(out).broker.pin == "ab" * 32


def test_a_file_that_is_there_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "door.toml"
    out.write_text("mine")
    assert _new(out) == 2
    assert out.read_text() == "mine"
    assert "is there already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--door", "The Lab"), "these words do not make a configuration: door.0.name"),
        (("--broker", "broker.example"), "mqtt://host:port"),
        (("--broker", "mqtt://ann:pw@broker.example"), "flags of their own"),
        (("--broker", "mqtt://broker.example:99999"), "mqtt://host:port"),
        (("--broker", "mqtt://broker.example"), "tls"),
    ],
)
def test_words_that_make_no_configuration_leave_no_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    assert _new(tmp_path / "door.toml", *words) == 2
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_file_without_a_camera_will_not_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "door.toml").write_text('device = "entrance"\n')
    assert main(["config", "check", "--config", str(tmp_path / "door.toml")]) == 2
    assert "no camera" in capsys.readouterr().err


def test_check_says_so_in_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _new(tmp_path / "door.toml")
    capsys.readouterr()
    assert main(["config", "check", "--config", str(tmp_path / "door.toml"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"path": str(tmp_path / "door.toml"), "good": True}
