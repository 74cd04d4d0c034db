"""`extract`: the JSON that others build on, whole even when some files are bad, and the painted picture."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from faceedge.errors import DeviceLost
from faceedge.types import Image
from tests.cli.conftest import Run
from tests.fakes.vision import DIMENSION, FakeVision, Sitter, save


def test_every_face_of_a_photo_is_given_in_full(run: Run, tmp_path: Path) -> None:
    path = save(tmp_path / "two.png", Sitter(1), Sitter(2, quality=0.5))
    answer = run("extract", path, "--json")
    assert answer.code == 0
    document = answer.document
    assert document["models"] == {"detector": "fake0detect0", "recognizer": "fake0build00"}
    (image,) = document["images"]
    assert (image["path"], image["width"], image["height"], image["error"]) == (str(path), 80, 40, None)
    large, small = image["faces"]
    assert set(large) == {"box", "score", "landmarks", "quality", "reasons", "embedding"}
    assert (large["box"], small["box"]) == ([0, 0, 40, 40], [40, 0, 78, 38])
    assert np.array(large["landmarks"]).shape == (5, 2)
    assert np.linalg.norm(large["embedding"]) == pytest.approx(1, abs=1e-5)
    assert len(large["embedding"]) == DIMENSION
    assert (large["reasons"], small["reasons"]) == ([], ["too dark"])


def test_a_quality_network_is_named_and_quoted_where_there_is_one(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeVision, "raw", 0.57)
    document = run("extract", save(tmp_path / "one.png", Sitter(1)), "--json").document
    assert document["models"]["quality"] == "fake0quality"
    assert document["images"][0]["faces"][0]["raw_quality"] == 0.57


def test_no_face_is_an_answer(run: Run, tmp_path: Path) -> None:
    answer = run("extract", save(tmp_path / "wall.png"), "--json")
    assert answer.code == 0
    assert answer.document["images"][0]["faces"] == []


def test_bad_files_are_named_and_the_others_are_still_shown(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    good = save(tmp_path / "good.png", Sitter(1))
    answer = run("extract", tmp_path / "empty.jpg", good, "/dev/zero", "--json")
    assert answer.code == 2
    images = answer.document["images"]
    assert [image["error"] is None for image in images] == [False, True, False]
    assert images[0]["error"] == f"{tmp_path / 'empty.jpg'}: the file is empty; copy it again"
    assert (images[0]["width"], images[0]["height"], images[0]["faces"]) == (None, None, [])
    assert len(images[1]["faces"]) == 1
    spoken = run("extract", tmp_path / "empty.jpg", good)
    assert spoken.code == 2
    assert "the file is empty" in spoken.out
    assert "good.png: 40x40 px, 1 face\n" in spoken.out


def test_a_device_that_is_lost_ends_the_command_with_75(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(_eyes: FakeVision, _image: Image) -> None:
        raise DeviceLost("the CUDA device is lost")

    monkeypatch.setattr(FakeVision, "portraits", lost)
    answer = run("extract", save(tmp_path / "a.png", Sitter(1)), save(tmp_path / "b.png", Sitter(2)))
    assert answer.code == 75
    assert answer.err.count("lost") == 1


def test_one_photo_is_painted_in_its_own_size(run: Run, tmp_path: Path) -> None:
    path, target = save(tmp_path / "a.png", Sitter(1), Sitter(2)), tmp_path / "out.png"
    assert run("extract", path, "--draw", target).code == 0
    painted = cv2.imread(str(target))
    assert painted.shape == (40, 80, 3)
    assert not np.array_equal(painted, cv2.imread(str(path)))
    assert sorted(os.listdir(tmp_path)) == ["a.png", "out.png"]


def test_several_photos_share_one_sheet(run: Run, tmp_path: Path) -> None:
    photos = [save(tmp_path / f"{who}.png", Sitter(who)) for who in (1, 2, 3)]
    target = tmp_path / "sheet.png"
    assert run("extract", *photos, tmp_path / "missing.png", "--draw", target).code == 2
    assert cv2.imread(str(target)).shape == (2 * 508, 2 * 480, 3)


def test_nothing_is_drawn_when_every_file_is_bad(run: Run, tmp_path: Path) -> None:
    assert run("extract", tmp_path / "missing.png", "--draw", tmp_path / "out.png").code == 2
    assert os.listdir(tmp_path) == []


def test_a_photo_is_never_overwritten(run: Run, tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", Sitter(1))
    before = path.read_bytes()
    answer = run("extract", path, "--draw", tmp_path / "." / "a.png")
    assert (answer.code, path.read_bytes()) == (2, before)
    assert "is one of the photos" in answer.err


def test_a_folder_without_photos_is_one_bad_entry_among_the_others(run: Run, tmp_path: Path) -> None:
    (tmp_path / "hollow").mkdir()
    good = save(tmp_path / "good.png", Sitter(1))
    answer = run("extract", tmp_path / "hollow", good, "--json")
    assert answer.code == 2
    hollow, image = answer.document["images"]
    assert hollow["path"] == str(tmp_path / "hollow")
    assert "no JPEG, PNG or WebP file in this folder" in hollow["error"]
    assert len(image["faces"]) == 1


def test_an_empty_word_is_not_the_current_folder(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path / "here.png", Sitter(1))
    monkeypatch.chdir(tmp_path)
    for words in (("extract", ""), ("enroll", "Ada", ""), ("compare", "here.png", "")):
        answer = run(*words)
        assert (answer.code, answer.out) == (2, "")
        assert "an empty word is no file" in answer.err


def test_a_name_that_is_too_long_for_a_file_is_told_in_one_line(run: Run) -> None:
    answer = run("extract", "a" * 10_000, "--json")
    assert answer.code == 2
    assert "too long" in answer.document["images"][0]["error"]
