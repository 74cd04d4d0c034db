"""A detector is calibrated on whole photos, and judged on those held out."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from faceedge.config import EngineSettings, Models, cache_dir
from faceedge.errors import BadInput
from faceedge.jobs.calibrate import calibrate
from faceedge.jobs.calibration.case import Order
from faceedge.jobs.calibration.recipe import Recipe
from faceedge.jobs.site import Site
from faceedge.models.store import make_package
from faceedge.quantize.gates import Gates
from faceedge.quantize.report import read_report
from faceedge.quantize.set_faults import Floors
from tests.jobs.made_up_calibration import hurry, quiet

pytestmark = [pytest.mark.assets, pytest.mark.system, pytest.mark.timeout(300)]
SMALL = Recipe(methods=("percentile",), images=48, gates=Gates(min_faces=10, rounds=20), floors=Floors(least=32))


@pytest.fixture
def site(assets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """YuNet in a store, and `photos` of 48 people."""
    hurry(monkeypatch)
    make_package(assets / "models" / "yunet_n.onnx", "yunet", tmp_path / "state" / "models")
    (tmp_path / "photos").mkdir()
    people = sorted((assets / "data" / "dev" / "lfw" / "images").iterdir())
    for person in people[:480:10]:
        shutil.copy(min(person.iterdir()), tmp_path / "photos")
    return Site(tmp_path / "state", cache_dir(), Models())


def test_a_detector_passes_on_photos_that_it_was_not_calibrated_on(site: Site, tmp_path: Path) -> None:
    order = Order(role="detector", model="yunet", images=tmp_path / "photos")
    done = calibrate(order, site, EngineSettings(), quiet, SMALL)
    assert done.passed, done.build.judged.verdict.sentence
    assert done.images < 48
    assert "held out of the calibration" in done.shown
    report = read_report(done.package.folder)
    assert report.landmarks is not None
    assert {one.name for one in report.verdict.findings} >= {"detector_f1", "landmark_error", "box_overlap"}


def test_photos_with_too_few_faces_to_judge_are_told_before_the_work(site: Site, tmp_path: Path) -> None:
    strict = SMALL.model_copy(update={"gates": Gates(min_faces=500)})
    order = Order(role="detector", model="yunet", images=tmp_path / "photos")
    with pytest.raises(BadInput, match="the gates need 500 faces on the"):
        calibrate(order, site, EngineSettings(), quiet, strict)
