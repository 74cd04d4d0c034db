"""`bench` as a person uses it: pictures from everywhere, one short run with the default networks, and its refusals."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from faceedge.__main__ import main
from faceedge.cli import bench, opening
from faceedge.cli.bench_frames import BUILT_IN_SIZE, MOST, frames_of
from faceedge.demo import photos
from faceedge.errors import BadInput, CameraError, MissingExtra


def answer(capsys: pytest.CaptureFixture[str], *argv: object) -> tuple[int, str, str]:
    try:
        code = main([str(word) for word in argv])
    except SystemExit as end:
        code = int(end.code or 0)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.fixture
def never_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the networks were opened before the words of the command were checked")

    monkeypatch.setattr(opening, "open_vision", refuse)


@pytest.fixture
def no_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent() -> None:
        raise MissingExtra("not installed")

    monkeypatch.setattr(photos, "astronaut", absent)


@pytest.mark.system
def test_a_short_run_names_machine_models_and_everything_measured(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, default_models: Path
) -> None:
    monkeypatch.setenv("FACEEDGE_STATE", str(tmp_path / "state"))
    monkeypatch.delenv("FACEEDGE_CONFIG", raising=False)
    target = tmp_path / "bench.png"
    code, out, _ = answer(capsys, "bench", "--seconds", 0.5, "--size", "320x180", "--json", "--plot", target)
    assert code == 0
    document = json.loads(out)
    assert set(document) == {
        "version", "machine", "engine", "models", "frames", "seconds", "latency", "throughput", "left_out", "memory",
        "notes",
    }  # fmt: skip
    assert {role: model["package"] for role, model in document["models"].items()} == {
        "detector": "dlib-mmod@1", "recognizer": "dlib-resnet@1",
    }  # fmt: skip
    assert document["frames"] == {"source": "two portraits of the extra demo", "count": 1, "sizes": [[320, 180]]}
    stages = {row["stage"]: row["ms"]["median"] for row in document["latency"]}
    assert all(ms > 0 for ms in stages.values())
    if "recognise" in stages:  # at this size the faces are at the limit of the detector
        assert stages["total"] >= stages["detect"]
    assert {"role": "detector", "batch": 1}.items() <= document["throughput"][0].items()
    memory = document["memory"]
    assert 0 < memory["before"] <= memory["most"]
    assert set(memory["engines"]) == {"detector", "recognizer"}
    drawn = cv2.imread(str(target))
    assert drawn.shape[1] > 1000
    assert len(np.unique(drawn)) > 20


DOCUMENT: dict[str, Any] = {
    "version": "1.2.3",
    "machine": {
        "name": "a [board]", "cores": 4, "python": "3.11", "load_average": 0.1, "others_share": 0.0, "slowed": 1.0,
        "throttled": 0,
    },
    "engine": {"backend": "onnx", "threads": 1},
    "models": {"detector": {"package": "d@1", "build": "0123456789ab", "precision": "fp32", "device": "cpu"}},
    "frames": {"source": "[photos]", "count": 2, "sizes": [(640, 480)]},
    "seconds": 20.2,
    "latency": [{"stage": "detect", "per": "frame", "ms": {"median": 8.124, "q1": 8, "q3": 9, "p95": 9.9, "samples": 7}}],  # noqa: E501
    "throughput": [{"role": "detector", "batch": 2, "per_s": {"median": 99.5, "q1": 9, "q3": 9, "samples": 7}}],
    "left_out": [],
    "memory": {"before": 1e8, "opened": 2e8, "most": 3e8, "engines": {"detector": {"weights": 1e6, "working": 2e6}}},
}  # fmt: skip


def test_the_tables_say_every_figure_with_its_unit(capsys: pytest.CaptureFixture[str]) -> None:
    from faceedge.cli.bench_table import show

    show({**DOCUMENT, "notes": ["take [care]"]})
    out = capsys.readouterr().out
    assert "faceedge 1.2.3 on a [board], 4 cores, onnx, 1 thread an engine, 20 s" in out
    assert "detector: d@1, build 0123456789ab, fp32, on cpu" in out
    assert "2 pictures of 640x480 px: [photos]" in out
    for words in (["detect, a frame", "8.12", "9.90"], ["detector, frames/s", "2", "99.5"], ["weights", "1.0 + 2.0"]):
        assert any(all(word in line for word in words) for line in out.splitlines()), words
    assert "note: take [care]" in out


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        ({}, None),
        ({"others_share": 0.31, "slowed": 2.0}, "other programs took 31% of the processor time"),
        ({"slowed": 1.2}, "it became 20% slower while it ran"),
        ({"load_average": 3.0}, "busy before (load average 3.0)"),
        ({"throttled": 3}, "the processor was throttled"),
    ],
)
def test_a_machine_that_was_not_at_rest_is_told(seen: dict[str, float], said: str | None) -> None:
    notes = bench._notes({**DOCUMENT, "machine": DOCUMENT["machine"] | seen})
    assert notes[-1].startswith("no face was found, so only detection was measured")
    assert len(notes) == 1 + (said is not None)
    assert said is None or said in notes[0]


def test_the_built_in_picture_is_two_portraits_side_by_side() -> None:
    found = frames_of(None, None, None)
    assert found.source == "two portraits of the extra demo"
    (image,) = found.images
    assert image.shape == (BUILT_IN_SIZE[1], BUILT_IN_SIZE[0], 3)
    assert all(half.std() > 30 for half in (image[:, :640], image[:, 640:]))


def test_without_the_extra_it_is_a_pattern(no_demo: None) -> None:
    pattern = frames_of(None, None, None)
    assert pattern.source == "a made-up pattern"
    assert pattern.images[0].shape == (BUILT_IN_SIZE[1], BUILT_IN_SIZE[0], 3)
    assert pattern.images[0].std() > 20


def test_a_folder_gives_its_first_photos_in_their_own_sizes(tmp_path: Path) -> None:
    for number in range(MOST + 2):
        cv2.imwrite(str(tmp_path / f"{number:02}.png"), np.full((40, 60 + number, 3), number, np.uint8))
    found = frames_of(tmp_path, None, None)
    assert [image.shape[1] for image in found.images] == list(range(60, 60 + MOST))
    assert found.as_json()["sizes"][0] == (60, 40)


def test_pictures_keep_their_proportions_when_they_are_fitted(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "white.png"), np.full((50, 200, 3), 255, np.uint8))
    (fitted,) = frames_of(tmp_path / "white.png", None, (100, 100)).images
    assert fitted.shape == (100, 100, 3)
    assert (fitted == 255).all(axis=2).sum() == 100 * 25


def test_of_a_clip_one_picture_a_second_counts(tmp_path: Path) -> None:
    path = tmp_path / "clip.avi"
    video = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 48))
    for number in range(25):
        video.write(np.full((48, 64, 3), 10 * number, np.uint8))
    video.release()
    found = frames_of(None, path, None)
    assert [round(float(image.mean()), -2) for image in found.images] == [0, 100, 200]


def test_a_clip_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CameraError, match="no such clip"):
        frames_of(None, tmp_path / "missing.mp4", None)
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="no JPEG, PNG or WebP file"):
        frames_of(tmp_path / "empty", None, None)


@pytest.mark.usefixtures("never_opened")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--seconds", "0"], "--seconds is above 0"),
        (["--seconds", "nan"], "--seconds is above 0"),
        (["--seconds", "1e9"], "at most 3600"),
        (["--size", "12x"], "'12x' is no size in pixels; write it as 1280x720"),
        (["--size", "8x99999"], "is no size in pixels"),
        (["--plot", "/tmp/plot.jpg"], "pictures are drawn as PNG"),
        (["--plot", "/nonexistent/plot.png"], "there is no folder"),
        (["--images", "a", "--clip", "b"], "not allowed with"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_opened(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = answer(capsys, "bench", *words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err


@pytest.mark.usefixtures("never_opened")
def test_a_plot_without_matplotlib_names_the_extra_before_the_measuring(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    code, _, err = answer(capsys, "bench", "--plot", tmp_path / "plot.png")
    assert code == 2
    assert err == 'faceedge: the plot needs matplotlib; run: pip install "faceedge[demo]"\n'
