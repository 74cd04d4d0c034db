"""`faceedge calibrate quality` with real networks: fitted, written, used, refused."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faceedge.cli import calibrate as command
from faceedge.config import EngineSettings, Models, cache_dir
from faceedge.demo.photos import astronaut
from faceedge.jobs.calibration import quality_gather, quality_report
from faceedge.jobs.calibration.eyes import Eyes
from faceedge.jobs.open_vision import open_vision
from faceedge.jobs.vision import Vision
from faceedge.models.store import find_package, make_package
from faceedge.package import Package

pytestmark = [pytest.mark.assets, pytest.mark.system]

PHOTOS = 42
Run = Callable[..., int]
SEEN: dict[int, list[quality_gather.Look]] = {}


@pytest.fixture
def photos(assets: Path, tmp_path: Path) -> Path:
    """Links to the first photos of LFW, a folder a person."""
    for photo in islice(sorted((assets / "data" / "dev" / "lfw" / "images").rglob("*.jpg")), PHOTOS):
        folder = tmp_path / "photos" / photo.parent.name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / photo.name).symlink_to(photo)
    return tmp_path / "photos"


@pytest.fixture
def state(assets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state directory with YuNet and EdgeFace, which serve."""
    root = tmp_path / "state"
    for file, recipe in (("yunet_n", "yunet"), ("edgeface_xxs_512", "edgeface-xxs"), ("scrfd_500m", "scrfd-500m")):
        (root / "models").mkdir(parents=True, exist_ok=True)
        make_package(assets / "models" / f"{file}.onnx", recipe, root / "models")
    monkeypatch.setenv("FACEEDGE_STATE", str(root))
    monkeypatch.setenv("FACEEDGE__MODELS__DETECTOR", "yunet")
    monkeypatch.setenv("FACEEDGE__MODELS__RECOGNIZER", "edgeface-xxs")
    monkeypatch.delenv("FACEEDGE_CONFIG", raising=False)
    return root


@pytest.fixture
def easy(monkeypatch: pytest.MonkeyPatch) -> None:
    """So few photos prove nothing: here the way is tried, not the gate."""
    monkeypatch.setattr(quality_report, "WORTH", 99.0)
    monkeypatch.setattr(quality_report, "MOST_REFUSED", 1.0)
    monkeypatch.setattr(quality_report, "LEAST_FAILURES", 0)


@pytest.fixture
def remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was seen of a photo in one test is known in the next: looking takes longer than all the rest."""
    whole = quality_gather.Gatherer._looks

    def looked(self: quality_gather.Gatherer, number: int, *rest: Any) -> list[quality_gather.Look]:
        if number not in SEEN:
            SEEN[number] = list(whole(self, number, *rest))
        return SEEN[number]

    monkeypatch.setattr(quality_gather.Gatherer, "_looks", looked)


@pytest.fixture
def run() -> Run:
    def call(*words: object) -> int:
        parser = argparse.ArgumentParser(prog="faceedge")
        command.add(parser.add_subparsers(required=True))
        args = parser.parse_args(["calibrate", "quality", *(str(word) for word in words)])
        return int(args.run(args))

    return call


def package(state: Path) -> Package:
    return find_package("edgeface-xxs", state, cache_dir())


def opened(state: Path, detector: str = "yunet") -> Vision:
    models = Models(
        detector=detector, recognizer="edgeface-xxs", accept_licences=("LicenseRef-InsightFace-non-commercial",)
    )
    return open_vision(models, EngineSettings(threads=1), state, cache_dir())


@pytest.fixture
def fitted(
    easy: None, remembered: None, state: Path, photos: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> dict[str, object]:
    before = package(state)
    assert run(photos, "--json") == 0
    return json.loads(capsys.readouterr().out) | {"before": before}


def test_a_fitted_head_is_in_the_package_is_used_and_changes_neither_build_nor_space(
    state: Path, fitted: dict[str, object]
) -> None:
    before, now = fitted["before"], package(state)
    assert isinstance(before, Package)
    assert (now.build, now.space, now.label) == (before.build, before.space, before.label)
    assert now.fit is not None
    assert before.fit is not None
    assert now.fit.quality is not None
    assert now.fit.quality.head is not None
    assert (now.fit.thresholds, before.fit.quality) == (before.fit.thresholds, None)
    assert (now.folder / "quality.json").exists()
    assert "held out" in now.fit.quality.evidence
    assert now.fit.judging == before.fit.judging.model_copy(update={"evidence": now.fit.judging.evidence})
    assert "each searched among all others" in now.fit.judging.evidence
    assert not (state / "calibration" / now.build).exists(), "nothing of the photos stays"
    with opened(state) as vision:
        (one,) = vision.portraits(astronaut())
        assert one.assessment.raw is not None
        assert not vision.notices
    with opened(state, "scrfd-500m") as other:
        assert other.source is None
        assert any("another detector" in notice for notice in other.notices)


def test_a_head_that_proves_nothing_is_not_written(
    remembered: None, state: Path, photos: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(photos) == 1
    told = capsys.readouterr().out
    assert "not written" in told
    assert "1000 or more" in told
    fit = package(state).fit
    assert fit is not None
    assert fit.quality is None


def test_an_interrupted_fit_goes_on_with_the_faces_that_were_found(
    easy: None, state: Path, photos: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = quality_gather.Gatherer._looks
    seen: list[int] = []

    def cut_short(self: quality_gather.Gatherer, number: int, *rest: object) -> Iterator[quality_gather.Look]:
        if number == 10:
            raise KeyboardInterrupt
        return whole(self, number, *rest)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(quality_gather.Gatherer, "_looks", cut_short)
        with pytest.raises(KeyboardInterrupt):
            run(photos, "--json")
    opening = Eyes._opened
    monkeypatch.setattr(Eyes, "_opened", lambda self: seen.append(1) or opening(self))  # type: ignore[func-returns-value]
    assert run(photos, "--json") == 0
    assert 0 < len(seen) <= (PHOTOS - 10) * 32


def test_the_norm_can_be_scaled_in_place_of_a_head(
    easy: None, remembered: None, state: Path, photos: Path, run: Run
) -> None:
    assert run(photos, "--output", "norm", "--json") == 0
    with opened(state) as vision:
        (one,) = vision.portraits(astronaut())
        assert one.assessment.raw == pytest.approx(one.template.norm)
        assert np.isfinite(one.assessment.quality)
