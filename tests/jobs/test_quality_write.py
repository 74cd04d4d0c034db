"""A fitted quality goes into the recogniser's package, whole or not at all; nothing else of the package changes."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from faceedge.config import Models, cache_dir
from faceedge.errors import BadInput
from faceedge.fit import Fit, Judging, LightHead, RecogniserQuality, Thresholds
from faceedge.jobs import calibrate_quality as job
from faceedge.jobs.calibration import write
from faceedge.jobs.calibration.quality_report import Judged
from faceedge.jobs.site import Site
from faceedge.models.store import find_package
from faceedge.package import FIT, Package, read_package
from tests.jobs.made_up_calibration import site_with

FITTED = RecogniserQuality(output="norm", knots=((1.0, 0.0), (9.0, 1.0)), evidence="made up for a test")
ORDER = job.Order(images=())
KINDS = {"detector": 0.6, "plain": 0.7, "fitted": 0.9}
JUDGED = Judged(
    photos=9, looks=99, people=5, mates=3, fails=0.2, auc=KINDS, area=KINDS, curve=dict.fromkeys(KINDS, (0.2,) * 20),
    refused=0.0, trusted=1.0, no_faces=4, named=4,
)  # fmt: skip


@pytest.fixture(autouse=True)
def _no_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("faceedge.jobs.calibrate_quality.page", lambda report: f"<p>{report.package}</p>")


def written(source: Package, site: Site) -> Package:
    assert source.fit is not None
    return job._write(source, source, source.fit.model_copy(update={"quality": FITTED}), JUDGED, ORDER, site)


def test_a_package_of_the_store_gets_it_in_its_place(tmp_path: Path) -> None:
    site = site_with(tmp_path)
    source = find_package("toy", tmp_path, cache_dir())
    now = written(source, site)
    assert (now.label, now.folder, now.build, now.space) == (source.label, source.folder, source.build, source.space)
    assert now.fit is not None
    assert source.fit is not None
    assert now.fit == source.fit.model_copy(update={"quality": FITTED})
    assert (now.folder / "quality.html").read_text(encoding="utf-8") == "<p>toy@1</p>"
    again = written(now, site)
    assert again.fit == now.fit


def test_a_built_in_package_stays_as_it_is_and_a_copy_gets_it(tmp_path: Path, default_models: Path) -> None:
    site = Site(tmp_path, cache_dir(), Models())
    source = find_package("dlib-resnet", tmp_path, cache_dir())
    now = written(source, site)
    assert (now.label, now.build, now.space) == ("dlib-resnet-own@1", source.build, source.space)
    assert read_package(source.folder).fit == source.fit
    assert find_package("dlib-resnet", tmp_path, cache_dir()).folder == source.folder


def test_a_package_that_changed_meanwhile_is_left_alone(tmp_path: Path) -> None:
    site = site_with(tmp_path)
    source = find_package("toy", tmp_path, cache_dir())
    before = (source.folder / FIT).read_text(encoding="utf-8")
    (source.folder / "model.onnx").write_bytes(b"another")
    with pytest.raises(BadInput, match="was replaced"):
        written(source, site)
    assert (source.folder / FIT).read_text(encoding="utf-8") == before


@pytest.mark.parametrize("quality", [FITTED, None])
def test_a_calibrated_build_keeps_numbers_whose_evidence_holds_for_it(quality: RecogniserQuality | None) -> None:
    assert _carried(quality).judging == Judging(margin=0.05, evidence="measured")


def test_a_calibrated_build_has_no_evidence_that_a_head_of_its_source_gave() -> None:
    head = LightHead(
        detector="0" * 12, scheme="eyes_nose_mouth", dimension=1, units=1, means=(0.0,), scales=(1.0,), weights="AA==",
        steps=((1.0,),) * 3, bias=(0.0,), out=((1.0,),) * 3, out_bias=(0.0, 0.0, 0.0), covered=0.0, face=0.0,
    )  # fmt: skip
    carried = _carried(RecogniserQuality(output="head", knots=FITTED.knots, head=head, evidence="made up"))
    assert (carried.quality, carried.judging) == (None, Judging(margin=0.05))


def _carried(quality: RecogniserQuality | None) -> Fit:
    source = Fit(
        thresholds=Thresholds(grey=0.3, match=0.4, strict=0.5), evidence="pairs", quality=quality,
        judging=Judging(margin=0.05, evidence="measured"),
    )  # fmt: skip
    judged = SimpleNamespace(refit=None, unfitted="too few pairs")
    story = SimpleNamespace(
        case=SimpleNamespace(package=SimpleNamespace(fit=source)), build=SimpleNamespace(judged=judged)
    )
    carried = write._fit(story)  # type: ignore[arg-type]
    assert carried is not None
    return carried
