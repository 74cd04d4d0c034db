"""The commands as installed, with the default networks, on photos that ship in libraries."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from faceedge.__main__ import main
from faceedge.demo.photos import admiral_path, astronaut_path, cat_path


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, default_models: Path) -> Path:
    monkeypatch.setenv("FACEEDGE_STATE", str(tmp_path / "state"))
    monkeypatch.delenv("FACEEDGE_CONFIG", raising=False)
    return tmp_path / "state"


def answer(capsys: pytest.CaptureFixture[str], *argv: object) -> tuple[int, str, str]:
    code = main([str(word) for word in argv])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.mark.system
def test_from_photo_to_gallery_and_back(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, _ = answer(capsys, "enroll", "Eileen Collins", astronaut_path(), "--json")
    assert code == 0
    assert json.loads(out)["person"]["templates"] == 1
    code, _, err = answer(capsys, "enroll", "Somebody Else", astronaut_path())
    assert code == 2
    assert "looks like 'Eileen Collins'" in err
    code, _, err = answer(capsys, "enroll", "Cat", cat_path())
    assert code == 2
    assert err.count("\n") == 1
    assert answer(capsys, "enroll", "Grace Hopper", admiral_path())[0] == 0
    assert answer(capsys, "people", "remove", "Eileen Collins")[0] == 0
    people = json.loads(answer(capsys, "people", "list", "--json")[1])["people"]
    assert [person["name"] for person in people] == ["Grace Hopper"]


@pytest.mark.system
def test_two_people_do_not_match_and_one_does(capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(capsys, "compare", astronaut_path(), astronaut_path())[0] == 0
    code, out, _ = answer(capsys, "compare", astronaut_path(), admiral_path(), "--json")
    assert (code, json.loads(out)["verdict"]) == (1, "no_match")


def test_extract_finds_the_face_and_no_face_in_the_cat(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    target = tmp_path / "faces.png"
    code, out, _ = answer(capsys, "extract", astronaut_path(), cat_path(), "--json", "--draw", target)
    assert code == 0
    person, cat = json.loads(out)["images"]
    assert cat["faces"] == []
    (face,) = person["faces"]
    x0, y0, x1, y1 = face["box"]
    assert x0 < 220 < x1
    assert y0 < 110 < y1
    assert np.linalg.norm(face["embedding"]) == pytest.approx(1, abs=1e-5)
    assert target.stat().st_size > 10_000
