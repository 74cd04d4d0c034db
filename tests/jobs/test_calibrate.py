"""A calibration from folder to package, with a network and people that are made up; no photos, no detector."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from faceedge.config import EngineSettings
from faceedge.errors import BadInput, PackageError
from faceedge.gallery.base import Origin
from faceedge.gallery.store import Gallery
from faceedge.jobs import calibrate as flow
from faceedge.jobs.calibrate import Calibrated, calibrate
from faceedge.jobs.calibration.case import Order
from faceedge.jobs.calibration.gates import Judged, RecogniserJudge
from faceedge.jobs.calibration.recipe import Recipe
from faceedge.jobs.choose_precision import choices
from faceedge.jobs.site import Site
from faceedge.models.store import find_package
from faceedge.package import read_package
from faceedge.quantize.gates import Gates
from faceedge.quantize.report import read_report
from faceedge.types import Template
from tests.jobs.made_up_calibration import SMALL, face, hurry, people_folder, quiet, site_with

STRICT = SMALL.model_copy(update={"gates": Gates(min_crops=24, rounds=20, cosine_mean=0.999999, cosine_p1=0.99999)})
"""Gates that nothing in INT8 holds."""


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`images` to calibrate on, `people` for the gates: nobody is in both."""
    folder = tmp_path_factory.mktemp("pictures")
    people_folder(folder / "images", range(30), 2)
    people_folder(folder / "people", range(100, 116), 3)
    return folder


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return site_with(tmp_path / "state")


def run(site: Site, pictures: Path, recipe: Recipe = SMALL, **more: Any) -> Calibrated:
    words = {"images": pictures / "images", "people": pictures / "people", "crops": True} | more
    return calibrate(Order(role="recognizer", model="toy", **words), site, EngineSettings(), quiet, recipe)


@pytest.fixture(scope="module")
def passed(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Site, Calibrated]:
    site = site_with(tmp_path_factory.mktemp("passed") / "state")
    return site, run(site, pictures)


def test_the_new_package_lies_beside_its_source_in_the_same_space(passed: tuple[Site, Calibrated]) -> None:
    site, done = passed
    assert done.passed
    assert done.package.label == "toy@1-int8"
    assert done.package.folder == site.state / "models" / "toy" / "1-int8"
    assert done.package.space == done.source.space
    assert done.package.build != done.source.build
    assert sorted(path.name for path in done.package.folder.iterdir()) == [
        "fit.toml", "model.onnx", "model.toml", "onnxruntime.onnx", "report.html", "report.json",
    ]  # fmt: skip


def test_the_manifest_records_how_it_was_made_and_the_report_bears_it_out(passed: tuple[Site, Calibrated]) -> None:
    _, done = passed
    record = done.package.manifest.calibration
    assert record is not None
    assert (record.verdict, record.images, record.seed) == ("passed", 60, 1)
    report = read_report(done.package.folder, record.report_sha256)
    assert report.verdict.passed
    assert report.images.digest == record.sha256
    assert report.graph == done.package.manifest.plain.sha256  # type: ignore[union-attr]
    assert [one.chosen for one in report.candidates].count(True) == 1
    assert "p100" not in (done.package.folder / "report.json").read_text(), "no name of anybody"


def test_what_was_finished_leaves_nothing_behind(passed: tuple[Site, Calibrated]) -> None:
    site, _ = passed
    assert [path.name for path in (site.state / "calibration").iterdir() if path.is_dir()] == []


def test_the_choice_is_written_down_for_this_machine(passed: tuple[Site, Calibrated]) -> None:
    site, done = passed
    assert done.choice is not None
    assert choices(site.state) == (done.choice,)
    fast = {one.package: one.times for one in done.choice.timings if one.batch == 1}
    if done.choice.package == done.package.label:
        assert fast[done.package.label] >= 1.0, "INT8 slower than float is never chosen"


def test_a_bare_name_still_means_the_float_package(passed: tuple[Site, Calibrated]) -> None:
    site, _ = passed
    assert find_package("toy", site.state, site.cache).manifest.precision == "fp32"
    assert find_package("toy@1-int8", site.state, site.cache).manifest.precision == "int8"


@pytest.mark.system
def test_the_same_seed_gives_the_same_graph(passed: tuple[Site, Calibrated], site: Site, pictures: Path) -> None:
    again = run(site, pictures)
    assert again.package.build == passed[1].package.build


def test_a_label_that_is_taken_is_refused_before_any_work(passed: tuple[Site, Calibrated], pictures: Path) -> None:
    site, _ = passed
    with pytest.raises(PackageError, match="toy@1-int8 is there already"):
        run(site, pictures)


def test_a_failed_build_is_kept_marked_in_a_space_of_its_own(site: Site, pictures: Path) -> None:
    done = run(site, pictures, STRICT, most_float=0.0)
    assert not done.passed
    assert done.choice is None
    assert "most" not in done.build.judged.verdict.sentence or done.build.judged.verdict.sentence.startswith("Failed")
    assert "more of the multiply-adds" in done.build.ended
    package = read_package(done.package.folder)
    assert package.manifest.calibration is not None
    assert package.manifest.calibration.verdict == "failed"
    assert package.space != done.source.space
    assert choices(site.state) == ()


def test_nodes_return_to_float_until_the_gates_hold_and_the_curve_tells(
    site: Site, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    strictly, judged = RecogniserJudge.judge, list[Path]()

    def first_fails(judge: RecogniserJudge, graph: Path, oddities: Sequence[str] = ()) -> Judged:
        judged.append(graph)
        found = strictly(judge, graph, oddities)
        failed = found.verdict.model_copy(update={"outcome": "failed", "sentence": "Failed: made up."})
        return replace(found, verdict=failed) if graph == judged[0] else found

    monkeypatch.setattr(RecogniserJudge, "judge", first_fails)
    done = run(site, pictures, most_float=1.0)
    assert done.passed
    assert done.build.returned
    assert done.build.made.kept_float > 0
    assert done.build.curve[0].passed is False
    assert done.build.curve[-1].returned >= 1
    report = read_report(done.package.folder)
    assert len(report.sensitivity) >= 2
    assert "returned to float" in report.method


def test_a_budget_of_no_seconds_ends_the_search(site: Site, pictures: Path) -> None:
    done = run(site, pictures, STRICT, most_float=1.0, budget_s=0.0)
    assert not done.passed
    assert "the search had 0 s" in done.build.ended


def test_an_interrupted_calibration_goes_on_where_it_was(
    site: Site, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []
    real = flow.Bench
    monkeypatch.setattr(flow, "Bench", lambda *given: opened.append(1) or real(*given))

    def interrupted(*_given: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(flow, "_chosen", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(site, pictures)
    assert opened == [1]
    assert not (site.state / "models" / "toy" / "1-int8").exists(), "nothing half made"
    done = run(site, pictures)
    assert done.passed
    assert opened == [1], "ranges and graph were not made again"
    assert done.build.judged.refit is not None or done.build.judged.unfitted


@pytest.mark.system
def test_other_pictures_do_not_take_up_what_was_finished(
    site: Site, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    real = flow.Bench
    monkeypatch.setattr(flow, "Bench", lambda *given: made.append(1) or real(*given))
    with monkeypatch.context() as broken:
        broken.setattr(RecogniserJudge, "judge", lambda *given: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            run(site, pictures)
    people_folder(tmp_path / "others", range(200, 230), 2)
    run(site, pictures, images=tmp_path / "others")
    assert made == [1, 1]


@pytest.mark.system
def test_damaged_notes_of_finished_steps_are_done_again(
    site: Site, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(flow, "_chosen", lambda *given: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            run(site, pictures)
    for path in (site.state / "calibration").rglob("*"):
        if path.is_file() and path.suffix in (".json", ".onnx"):
            path.write_bytes(path.read_bytes()[:20])
    assert run(site, pictures).passed


def test_two_calibrations_of_one_build_do_not_meet(site: Site, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow, "_chosen", lambda *given: run(site, pictures))
    with pytest.raises(BadInput, match="another calibration of that build is running"):
        run(site, pictures)


@pytest.mark.system
def test_without_labelled_people_the_cosines_decide_on_crops_held_out(site: Site, pictures: Path) -> None:
    done = run(site, pictures, people=None)
    assert done.passed
    assert "held out" in done.shown
    assert done.images < 60
    assert done.package.fit is not None
    assert done.package.fit.thresholds == done.source.fit.thresholds  # type: ignore[union-attr]
    assert "nobody is labelled" in done.package.fit.evidence


@pytest.mark.system
def test_the_enrolled_and_their_crops_serve_the_gates(site: Site, pictures: Path) -> None:
    space = find_package("toy", site.state, site.cache).space
    rng = np.random.default_rng(5)
    with Gallery.open(site.state) as gallery:
        for person in range(300, 312):
            who = gallery.add_person(f"Person {person}")
            for pose in range(3):
                vector = rng.normal(size=64)
                template = Template((vector / np.linalg.norm(vector)).astype(np.float32), 1.0, space)
                gallery.add_template(who.id, template, Origin(0.9, "made up", "b"), face(person, pose))
    done = run(site, pictures, people=None)
    assert "36 crops of 12 enrolled people" in done.shown
    assert done.images == 60


@pytest.mark.system
def test_people_of_the_calibration_set_are_left_out_of_the_gates(site: Site, pictures: Path, tmp_path: Path) -> None:
    people = tmp_path / "people"
    shutil.copytree(pictures / "people", people)
    shutil.copytree(pictures / "images" / "p1", people / "p1")
    shutil.copy(pictures / "images" / "p2" / "0.png", people / "p101" / "same.png")
    done = run(site, pictures, people=people)
    assert "2 are in the calibration set and were left out" in done.shown
    assert read_report(done.package.folder).dropped == 2


def test_gates_on_the_calibration_people_alone_are_refused(site: Site, pictures: Path) -> None:
    with pytest.raises(BadInput, match="in the calibration set"):
        run(site, pictures, people=pictures / "images")


def test_too_few_crops_for_the_gates_are_told_before_the_work(site: Site, pictures: Path, tmp_path: Path) -> None:
    people_folder(tmp_path / "few", range(400, 404), 2)
    with pytest.raises(BadInput, match="the gates need 24 crops and have 8"):
        run(site, pictures, people=tmp_path / "few")


@pytest.mark.system
def test_a_list_of_pairs_serves_the_gates(site: Site, pictures: Path, tmp_path: Path) -> None:
    shutil.copytree(pictures / "people", tmp_path / "people")
    rows = ["imgA,imgB,same"]
    for person in range(100, 116):
        rows += [f"people/p{person}/{a}.png,people/p{person}/{b}.png,1" for a, b in ((0, 1), (1, 2))]
        rows += [f"people/p{person}/0.png,people/p{100 + (person - 99) % 16}/1.png,0"]
    (tmp_path / "pairs.csv").write_text("\n".join(rows) + "\n")
    done = run(site, pictures, people=None, pairs=tmp_path / "pairs.csv")
    assert done.passed
    assert "48 crops of 16 labelled people" in done.shown
    assert "cannot place a threshold" in done.build.judged.unfitted


@pytest.fixture
def bad_sets(tmp_path: Path) -> Path:
    folder = tmp_path / "bad"
    for name in ("noise", "few", "alike", "inverted"):
        (folder / name).mkdir(parents=True)
    rng = np.random.default_rng(3)
    for at in range(40):
        cv2.imwrite(str(folder / "noise" / f"{at}.png"), rng.integers(0, 256, (112, 112, 3), np.uint8))
        cv2.imwrite(
            str(folder / "alike" / f"{at}.png"), np.clip(face(1, 1).astype(int) + at % 5, 0, 255).astype(np.uint8)
        )
        cv2.imwrite(str(folder / "inverted" / f"{at}.png"), 255 - face(at, 0))
        if at < 10:
            cv2.imwrite(str(folder / "few" / f"{at}.png"), face(at, 0))
    return folder


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("noise", "random noise"), ("few", "give at least 16"), ("alike", "differ"), ("inverted", "bluer than red"),
    ],
)  # fmt: skip
def test_a_set_that_is_not_fit_is_refused_by_name(
    site: Site, pictures: Path, bad_sets: Path, name: str, said: str
) -> None:
    with pytest.raises(BadInput, match="the calibration images are refused: ") as refused:
        run(site, pictures, images=bad_sets / name)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not (site.state / "models" / "toy" / "1-int8").exists()


def test_crops_of_another_size_are_named(site: Site, pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "large").mkdir()
    cv2.imwrite(str(tmp_path / "large" / "a.png"), np.full((200, 150, 3), 90, np.uint8))
    with pytest.raises(BadInput, match="150x200 px, but crops of this recogniser have 112x112"):
        run(site, pictures, images=tmp_path / "large")


@pytest.mark.system
def test_files_that_cannot_be_read_are_counted_and_left_out(site: Site, pictures: Path, tmp_path: Path) -> None:
    shutil.copytree(pictures / "images", tmp_path / "images")
    (tmp_path / "images" / "p1" / "broken.jpg").write_bytes(b"not a photo")
    done = run(site, pictures, images=tmp_path / "images")
    assert "1 files could not be read and are left out" in done.looked.remarks
    assert done.build.judged.verdict.outcome == "unusual"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"role": "quality"}, "only a detector or a recognizer is calibrated"),
        ({"role": "detector", "people": Path("x")}, "are for a recognizer"),
        ({"role": "detector", "model": "toy"}, "no detector can be calibrated"),
        ({"role": "recognizer", "model": "toy"}, "--images DIR"),
    ],
)
def test_words_that_cannot_be_are_refused(site: Site, words: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        calibrate(Order(**words), site, EngineSettings(), quiet, SMALL)


def test_an_int8_build_is_not_calibrated_again(passed: tuple[Site, Calibrated], pictures: Path) -> None:
    site, _ = passed
    with pytest.raises(BadInput, match="is int8 already; name its float source"):
        calibrate(
            Order(role="recognizer", model="toy@1-int8", images=pictures / "images"),
            site,
            EngineSettings(),
            quiet,
            SMALL,
        )


@pytest.mark.system
def test_asked_for_precision_is_chosen_and_the_speed_is_still_told(site: Site, pictures: Path) -> None:
    done = run(site, pictures, precision="int8")
    assert done.choice is not None
    assert done.choice.package == "toy@1-int8"
    assert "asked for with --precision int8; by speed alone: " in done.choice.why


@pytest.mark.system
def test_faces_are_in_the_report_only_where_somebody_asked_for_them(
    passed: tuple[Site, Calibrated], site: Site, pictures: Path
) -> None:
    assert "data:image/png" not in (passed[1].package.folder / "report.html").read_text()
    done = run(site, pictures, show_pairs=True)
    assert "data:image/png" in (done.package.folder / "report.html").read_text()
    assert "data:image" not in (done.package.folder / "report.json").read_text()


def test_the_report_is_one_json_document_without_numbers_that_are_none(passed: tuple[Site, Calibrated]) -> None:
    text = (passed[1].package.folder / "report.json").read_text()
    json.loads(text, parse_constant=pytest.fail)
