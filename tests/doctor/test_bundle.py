"""The support archive: nothing that was hidden in the house is in it, in no form; and one that would hold some is not
written.
"""

from __future__ import annotations

import base64
import json
import os
import tarfile
from pathlib import Path
from urllib.parse import quote

import cv2
import numpy as np
import pytest

from faceedge.checks.doctor import bundle
from faceedge.checks.doctor.base import Finding, fail, ok
from faceedge.checks.doctor.contraband import Contraband
from faceedge.checks.doctor.gather import gather
from faceedge.door.keys import key_path
from faceedge.errors import StoreError
from faceedge.gallery.base import Origin
from faceedge.gallery.rows import crop_to_png
from faceedge.gallery.store import Gallery
from faceedge.gallery.vault import device_key_path
from faceedge.safe_mode import remember
from faceedge.types import Template
from tests.doctor.ward import NAME, Ward

OTHER = "Zoë O'Brien-Şahin"
BROKER, CAMERA, QUERY = "correct horse battery", "c@m/era:päss", "token=q9w8e7r6t5"
LOUD = (
    f"decision for {NAME} and {OTHER.upper()}, {{json}}",
    f"opening rtsp://ann:{quote(CAMERA, safe='')}@192.0.2.7/live failed",
    "mqtt said {password} or {hex}, key {key}, vector {vector}",
    "crop {png} of 0123abcd-4567-49ab-8def-0123456789ab",
    "embedding [{floats}]",
)
"""Lines that a careless daemon might have logged."""


@pytest.fixture
def planted(ward: Ward) -> dict[str, bytes]:
    """Secrets of every kind in the house; and a log that tells them all."""
    rng = np.random.default_rng(5)
    vector = rng.normal(size=512).astype(np.float32)
    vector /= np.linalg.norm(vector)
    crop = rng.integers(0, 255, (32, 32, 3), np.uint8)
    with Gallery.open(ward.state) as gallery:
        zoe = gallery.add_person(OTHER)
        gallery.add_template(zoe.id, Template(vector, 1.0, "0123456789ab"), Origin(0.9, "zoe.jpg", "b"), crop)
    password = ward.folder / "broker.password"
    password.write_text(f"{BROKER}\n")
    password.chmod(0o600)
    ward.settings["broker"] = {"username": "gatekeeper", "password_file": str(password)}
    ward.settings["camera"][0]["uri"] = f"rtsp://ann:{quote(CAMERA, safe='')}@192.0.2.7/live?{QUERY}"
    ward.write()
    settings = ward.patient().settings
    assert settings is not None
    remember(ward.state, settings)
    secrets = {
        "name": NAME.encode(), "other": OTHER.encode(), "broker": BROKER.encode(), "camera": CAMERA.encode(),
        "query": QUERY.encode(), "device key": device_key_path(ward.state).read_bytes(),
        "door key": key_path(ward.state, "main", "main").read_bytes().strip(),
        "door key, meant": base64.urlsafe_b64decode(key_path(ward.state, "main", "main").read_bytes().strip()),
        "embedding": vector.tobytes(), "photo": crop_to_png(crop),
        "a number": str(float(vector[5])).encode(), "id": zoe.id.encode(),
    }  # fmt: skip
    loud = {
        "json": json.dumps(OTHER), "password": BROKER, "hex": BROKER.encode().hex(), "png": code(secrets["photo"]),
        "key": code(secrets["device key"]), "vector": code(secrets["embedding"]),
        "floats": ", ".join(str(one) for one in vector[:60].tolist()),
    }  # fmt: skip
    (ward.folder / "log").write_text("\n".join(line.format_map(loud) for line in LOUD), encoding="utf-8")
    ward.program("journalctl", f"cat '{ward.folder / 'log'}'")
    return secrets


def code(value: bytes) -> str:
    return base64.b64encode(value).decode()


def forms(value: bytes) -> set[bytes]:
    """How it could stand in a file: as it is, in hex and base64 at every place, as JSON and as part of an address."""
    found = {value, value.hex().encode(), value.hex().upper().encode()}
    for shift in range(3):
        inner = base64.b64encode(b"\0" * shift + value)[4:-4]
        found |= {inner, inner.replace(b"+", b"-").replace(b"/", b"_")}
    if len(value) > 200:  # a part of a picture or a template is too much already
        found |= {form[at : at + 48] for form in list(found) for at in range(0, len(form) - 48, 48)}
    else:
        text = value.decode("utf-8", "replace")
        found |= {json.dumps(text)[1:-1].encode(), quote(text, safe="").encode(), text.upper().encode()}
    return {form for form in found if len(form) > 5}


def files(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as archive:
        held = {member.name: archive.extractfile(member) for member in archive}
        return {name: file.read() for name, file in held.items() if file is not None}


FINDINGS = (
    ok("a", "fine"),
    fail("camera.entry", f"{OTHER}, gatekeeper, stands before rtsp://ann:x@192.0.2.7", "go away"),
)


def test_nothing_that_is_hidden_in_the_house_is_in_the_archive(ward: Ward, planted: dict[str, bytes]) -> None:
    path = ward.folder / "support.tar.gz"
    bundle.write(path, ward.patient(), FINDINGS)
    held = files(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert {name.rpartition("/")[2] for name in held} == {
        "README.txt", "report.json", "versions.json", "configuration.json", "models.json", "databases.json",
        "metrics.json", "log.json",
    }  # fmt: skip
    told = {
        (name, kind)
        for name, content in held.items()
        for kind, value in planted.items()
        for form in forms(value)
        if form in content
    }
    assert told == set()
    whole = b"\n".join(held.values())
    for part in (
        b"Lovelace",
        b"Ada",
        b"gatekeeper",
        "Zoë".encode(),
        b"ann:",
        b"zoe.jpg",
        b"192.0.2.7/live",
        planted["a number"],
    ):
        assert part not in whole
    assert b"opening rtsp://" in held["faceedge-support/log.json"]


def test_what_support_needs_is_in_it(ward: Ward) -> None:
    path = ward.folder / "support.tar.gz"
    bundle.write(path, ward.patient(), FINDINGS)
    held = {name.rpartition("/")[2]: json.loads(text) for name, text in files(path).items() if name.endswith("json")}
    assert held["report.json"][0] == {"id": "a", "status": "ok", "what": "fine", "remedy": ""}
    assert held["versions.json"]["packages"]["numpy"]
    assert held["configuration.json"]["door"][0]["name"] == "main"
    assert held["databases.json"]["gallery.db"]["people"] == 1
    assert held["databases.json"]["journal.db"]["entries"] > 30
    assert [model["label"] for model in held["models.json"] if model["standing"] == "pinned"] == [
        "edgeface-xxs@1", "yunet@n",
    ]  # fmt: skip


def test_every_secret_is_found_again_in_every_form(ward: Ward, planted: dict[str, bytes]) -> None:
    contraband = gather(ward.patient())
    for kind, value in planted.items():
        for leak in (value, value.hex().encode(), base64.b64encode(value), base64.b64encode(b"x" + value + b"yz")):
            if kind not in ("a number", "id"):
                assert contraband.found_in(b"so: " + leak + b"\n"), (kind, leak)


def test_an_archive_that_would_tell_is_not_written(
    ward: Ward, planted: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = ward.folder / "support.tar.gz"
    whole = bundle.members
    monkeypatch.setattr(bundle, "members", lambda *of: {**whole(*of), "leak.txt": b"so: " + planted["broker"]})
    with pytest.raises(StoreError, match=r"leak\.txt would hold a secret"):
        bundle.write(path, ward.patient(), FINDINGS)
    assert not path.exists()


def test_a_house_whose_names_cannot_be_read_sends_no_log(ward: Ward, planted: dict[str, bytes]) -> None:
    device_key_path(ward.state).write_bytes(os.urandom(32))
    patient = ward.patient()
    assert not gather(patient).is_whole
    path = ward.folder / "support.tar.gz"
    bundle.write(path, patient, FINDINGS[:1])
    assert b"Lovelace" not in b"".join(files(path).values())
    assert b"left out" in files(path)["faceedge-support/log.json"]


def test_a_broken_house_sends_what_it_has(ward: Ward) -> None:
    ward.write("device = \n")
    (ward.state / "journal.db").write_bytes(b"nonsense" * 999)
    path = ward.folder / "support.tar.gz"
    bundle.write(path, ward.patient(), [Finding("x", "ok", "y")])
    held = files(path)
    assert b"not valid TOML" in held["faceedge-support/configuration.json"]
    assert b"not a database" in held["faceedge-support/databases.json"]


def test_digests_and_ordinary_words_may_leave() -> None:
    contraband = Contraband(("Max", "Ada Lovelace"), (b"hunter2",))
    for text in (
        f"sha256 {'0a' * 32}",
        "max_wait_ms = 20",
        "an adapter of /usr/lib/python3/dist-packages/numpy",
        "1, 2, 3",
    ):
        assert contraband.found_in(contraband.cleaned(text).encode()) == []
    assert contraband.cleaned("an adapter") == "an adapter"
    assert contraband.found_in(b"Adapters, ADA LOVELACE") == ["the name of a person"]
    assert contraband.found_in(b"my hunter2") == ["a secret"]
    assert contraband.found_in(cv2.imencode(".png", np.zeros((4, 4), np.uint8))[1].tobytes()) == [
        "bytes that are no text"
    ]
