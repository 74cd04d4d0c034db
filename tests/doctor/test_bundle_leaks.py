"""What was once found in an archive for support, or might be: each way by itself."""

from __future__ import annotations

import base64
import dataclasses
import json
import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from faceedge.checks.doctor import bundle
from faceedge.checks.doctor.base import Finding, Patient, fail, ok
from faceedge.checks.doctor.contraband import Contraband
from faceedge.checks.doctor.gather import gather
from faceedge.checks.doctor.words import plain, vocabulary
from faceedge.gallery.vault import device_key_path
from tests.doctor.ward import NAME, Ward

HEAD = "2026-11-22T00:00:01+0000 faceedge[12]: "
URI = "rtsp://ann:pa/ss@wo?rd@192.0.2.7/secretpath/stream"
ORDINARY = (
    "INFO door main: granted, match 0.83, 31.5 ms",
    "WARNING camera entry: lost, trying again in 5s",
    "Traceback (most recent call last):",
    "ValueError: no such camera",
    "INFO broker: connected to 192.0.2.7:8883",
)
ZOE = "Zoë Müller"
NFD = unicodedata.normalize("NFD", "Müller")


def archive(ward: Ward, patient: Patient | None = None, log: Sequence[str] = ()) -> dict[str, Any]:
    """What is in it, by file. log: what the system's journal answers."""
    (ward.folder / "log").write_text("\n".join(HEAD + line for line in log), encoding="utf-8")
    ward.program("journalctl", f"cat '{ward.folder / 'log'}'")
    return members(patient or ward.patient())


def members(patient: Patient, findings: Sequence[Finding] = (ok("a", "fine"),)) -> dict[str, Any]:
    contraband = gather(patient)
    files = bundle.members(patient, findings, contraband)
    assert [kind for content in files.values() for kind in contraband.found_in(content)] == []
    return {name: json.loads(content) for name, content in files.items() if name.endswith("json")}


def bodies(held: dict[str, Any]) -> list[str]:
    return [line.removeprefix(HEAD) for line in held["log.json"]]


def with_camera(ward: Ward, uri: str) -> Contraband:
    ward.settings["camera"][0]["uri"] = uri
    ward.write()
    return gather(ward.patient())


def test_an_ordinary_log_is_sent_word_for_word(ward: Ward) -> None:
    assert bodies(archive(ward, log=ORDINARY)) == list(ORDINARY)


def test_a_wrong_configuration_sends_no_log_and_repeats_nothing(ward: Ward) -> None:
    guessed = ward.folder / "elsewhere"
    guessed.mkdir()
    ward.path.write_text(ward.path.read_text() + f'\n[[camera]]\nname = "{NAME}"\nuri = "images:/tmp"\n')
    for state in (guessed, ward.state):
        held = archive(ward, dataclasses.replace(ward.patient(), state=state), [f"decision for {NAME}"])
        assert held["log.json"] == [bundle.LEFT_OUT]
        assert held["metrics.json"] == bundle.LEFT_OUT
        assert list(held["configuration.json"]) == ["error"]
        assert "Lovelace" not in json.dumps(held)


def test_a_complaint_about_a_wrong_file_repeats_nothing_of_it(ward: Ward) -> None:
    fault = "door.0.name: 'grace' is no name; use \"hall\""
    patient = dataclasses.replace(ward.patient(), settings=None, fault=fault)
    held = members(patient, [fail("config.file", fault, "mend")])
    assert held["configuration.json"]["error"] == "door.0.name: […] is no name; use […]"
    assert held["report.json"][0]["what"] == held["configuration.json"]["error"]


def test_a_house_without_a_gallery_sends_no_log_and_no_labels(ward: Ward) -> None:
    (ward.state / "gallery.db").unlink()
    held = archive(ward, log=[f"decision for {NAME}"])
    assert held["log.json"] == [bundle.LEFT_OUT]
    assert held["configuration.json"] == bundle.LEFT_OUT


def test_a_template_in_a_traceback_goes_though_every_line_has_a_head(ward: Ward) -> None:
    rng = np.random.default_rng(1)
    vector = rng.normal(size=512).astype(np.float32) / np.float32(22)
    told = repr(vector).replace("array", "").splitlines()
    pixels = repr(rng.integers(10, 99, (16, 16), np.uint8)).replace("array", "").splitlines()
    sent = bodies(archive(ward, log=[*told, "between", *pixels]))
    assert len(sent) == len(told) + 1 + len(pixels)
    assert not [line for line in sent if sum(sign.isdigit() for sign in line) > 4]


def test_numbers_below_each_other_are_a_row(ward: Ward) -> None:
    column = ["0.1234,", "-0.4321,", "0.1111,"]
    sent = bodies(archive(ward, log=["before", *column, "behind"]))
    assert not [line for line in sent if "0." in line]
    assert (sent[0], sent[-1]) == ("before", "behind")


@pytest.mark.parametrize(
    "told", ["0.01659846, 0.1234, 1.e-05", " ".join(["7"] * 12), "[[0.12345]\\n [0.54321]\\n 0.1111"]
)
def test_few_fine_numbers_and_many_plain_ones_are_a_row(told: str) -> None:
    nobody = Contraband((), ())
    assert nobody.found_in(f"so ({told})".encode()) == ["a row of numbers"]
    assert nobody.found_in(nobody.cleaned(f"so ({told})").encode()) == []
    assert nobody.cleaned("0.5, 0.25, 1.125 and 1, 2, 3") == "0.5, 0.25, 1.125 and 1, 2, 3"


@pytest.mark.parametrize(
    "line",
    [
        f"{URI} failed",
        "password pa/ss@wo?rd",
        f"Basic {base64.b64encode(b'ann:pa/ss@wo?rd').decode()}",
        "GET /secretpath/stream 404",
    ],
)
def test_nothing_of_an_address_is_left_however_its_password_is_made(ward: Ward, line: str) -> None:
    cleaned = with_camera(ward, URI).cleaned(line)
    assert not [part for part in ("ann", "pa/", "wo?", "rd@", "secretpath", "YW5u") if part in cleaned]


def test_nothing_is_left_of_an_address_that_nobody_knows_any_more() -> None:
    assert Contraband((), ()).cleaned("rtsp://ann:pa/ss@192.0.2.7/live") == "rtsp://192.0.2.7/…"


def test_a_short_password_is_found_as_a_browser_sends_it(ward: Ward) -> None:
    basic = base64.b64encode(b"admin:12345").decode()
    contraband = with_camera(ward, "rtsp://admin:12345@192.0.2.7/live")
    assert contraband.found_in(basic.encode()) == ["a secret"]
    assert contraband.cleaned(f"Basic {basic}").startswith("Basic […]")


def test_each_value_of_a_query_is_a_secret(ward: Ward) -> None:
    contraband = with_camera(ward, "http://192.0.2.7/x?user=bob&token=q9w8e7r6t5")
    assert contraband.cleaned("auth q9w8e7r6t5 of bob") == "auth […] of […]"


def test_a_password_that_is_a_number_is_no_number_of_the_archive(ward: Ward) -> None:
    with_camera(ward, "rtsp://admin:3000@192.0.2.7/live")
    assert archive(ward)["configuration.json"]["door"][0]["pulse_ms"] == "[…]"


@pytest.mark.parametrize("told", ["rtmp://h/streamkey", "srt://h?passphrase=sesame", "HTTP://h/Secret"])
def test_paths_of_unknown_addresses_go_whatever_their_scheme(told: str) -> None:
    nobody = Contraband((), ())
    assert nobody.found_in(told.encode()) == ["an address with credentials"]
    assert nobody.cleaned(told) == f"{told[: told.index('://')]}://h/…"


@pytest.mark.parametrize(
    "told",
    [
        "lovelace-1.jpg", "LOVELACE", "MÜLLER", NFD, "M\\u00fcller", "M%C3%BCller", "AdaLovelace.jpg", "adalovelace",
        "Zo%C3%AB%20M%C3%BCller", "the ada", "Li was",
    ],
)  # fmt: skip
def test_names_go_in_every_spelling(told: str) -> None:
    house = Contraband((NAME, ZOE, "Bo Li"), ())
    assert "the name of a person" in house.found_in(told.encode())
    assert house.found_in(house.cleaned(told).encode()) == []


def test_a_camera_and_a_door_called_like_a_person_are_not_named(ward: Ward) -> None:
    ward.settings["camera"][0]["name"] = "ada"
    ward.settings["door"][0] |= {"name": "lovelace", "cameras": ["ada"]}
    ward.write()
    held = archive(ward)
    assert held["configuration.json"]["camera"][0]["name"] == "[…]"
    assert held["configuration.json"]["door"][0]["name"] == "[…]"
    assert held["configuration.json"]["door"][0]["pulse_ms"] == 3000


@pytest.mark.parametrize("id", ["6F1F3F0E-2C9E-4F3A-9D38-1D6F3F9C2B11", "6f1f3f0e2c9e4f3a9d381d6f3f9c2b11"])
def test_ids_go_in_every_spelling(id: str) -> None:
    nobody = Contraband((), ())
    assert nobody.cleaned(f"person {id}!") == "person […]!"
    assert nobody.found_in(id.encode()) == ["an id"]


@pytest.mark.parametrize("wrong", ['[broker]\npassword = "door camera"\n', '[broker\npassword = "door camera"\n'])
def test_a_password_in_the_wrong_place_is_known(ward: Ward, wrong: str) -> None:
    ward.path.write_text(f"{ward.path.read_text()}\n{wrong}")
    assert gather(ward.patient()).cleaned("tried door camera twice") == "tried […] twice"


def test_what_lies_closed_beside_the_configuration_is_secret(ward: Ward) -> None:
    for name, text, mode in (
        ("backup-passphrase", "door camera broker\n", 0o600),
        ("environment", "FACEEDGE__BROKER__PASSWORD='journal entry'\n", 0o640 & ~0o077),
        ("notes", "lamp\n", 0o644),
    ):
        (ward.folder / name).write_text(text)
        (ward.folder / name).chmod(mode)
    lines = ["passed door camera broker", "passed journal entry", "passed lamp"]
    assert bodies(archive(ward, log=lines)) == ["passed […]", "passed […]", "passed lamp"]


@pytest.mark.parametrize("line", ["password=door", "token: door", 'secret = "door"', '"passphrase": "door"'])
def test_what_is_told_behind_a_password_goes_though_it_is_a_word_of_ours(ward: Ward, line: str) -> None:
    assert "door" not in bodies(archive(ward, log=[line]))[0]


def test_keys_are_found_as_python_and_openssl_write_them(ward: Ward) -> None:
    key = device_key_path(ward.state).read_bytes()
    contraband = gather(ward.patient())
    for form in (repr(key), key.hex(":"), key.hex(":").upper(), json.dumps(repr(key))):
        assert "a secret" in contraband.found_in(f"key {form}".encode())
        assert len(contraband.cleaned(f"key {form}")) < 15


@pytest.mark.parametrize("part", ["a", "a://b", "a:", "7 ", "password "])
def test_a_hostile_line_is_left_out_and_costs_no_minutes(ward: Ward, part: str) -> None:
    long, short = part * (100_000 // len(part)), part * (3900 // len(part))
    sent = bodies(archive(ward, log=[long, "between", short]))
    assert (len(sent), sent[0], sent[1]) == (3, "[…]", "between")


@pytest.mark.parametrize("answer", ["echo half of it; exit 1", "exit 0"])
def test_a_log_that_cannot_be_read_says_how_to_add_it(ward: Ward, answer: str) -> None:
    ward.program("journalctl", answer)
    (line,) = members(ward.patient())["log.json"]
    assert "cannot be read" in line
    assert "journalctl -u faceedge.service -n 400 > log.txt" in line


@pytest.mark.parametrize(
    ("line", "left"),
    [
        ("granted to Wolfgang Šmid at door main", "granted to […] at door main"),
        ("opening rtsp://an n:x@host/live failed", "opening rtsp://[…] failed"),
        ("id 6f1f3f0e-2c9e-4567-9a38-1d6f3f9c2b11 in 12 ms", "id […] in 12 ms"),
        ("pin 1234567 is wrong", "pin […] is wrong"),
        ("a hunter2secret word", "a […] word"),
        ("user ann:door@host came", "user […] came"),
        ("key 9jqo^BlbD-BleB1DJ+*+F(f,q", "key […]"),
        ("camera 相机 lost", "camera […] lost"),
    ],
)
def test_only_words_of_ours_and_short_numbers_are_left_of_free_text(line: str, left: str) -> None:
    assert plain(line) == left


def test_names_are_no_words_of_ours() -> None:
    assert not vocabulary() & {"Lovelace", "Eileen", "Gauss"}
    assert vocabulary() >= {"door", "Camera", "FaceedgeError", "TOML"}
