"""A package is what it says: no other network takes the place of its source, and trying it stays cheap."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from faceedge.config import EngineSettings, Models
from faceedge.errors import PackageError
from faceedge.fit import Fit, Thresholds
from faceedge.jobs import check_model, choose_model
from faceedge.jobs.add_model import add_model
from faceedge.jobs.check_model import check_kin, check_package
from faceedge.jobs.choose_model import check_choice, choose
from faceedge.jobs.describe_model import Wish
from faceedge.jobs.open_vision import open_vision
from faceedge.jobs.site import Site
from faceedge.manifest import Answer, InputSize, Manifest
from faceedge.models.workshop import Workshop
from faceedge.package import Package, as_toml, read_package
from faceedge.types import Image
from tests.fakes.shared_workshop import share_workshop
from tests.fakes.small_networks import crop_network, yunet_network

FIT = Fit(thresholds=Thresholds(grey=0.3, match=0.4, strict=0.5), evidence="made up for a test")


def added(source: Path, state: Path) -> Package:
    fit = None if source.is_dir() or source.stem == "seer" else FIT
    licence = "" if source.is_dir() else "MIT"
    wish = Wish(source=str(source), fit=fit, licence=licence)
    return add_model(wish, Site(state, state, Models()), lambda text, done: None).package


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state directory with two recognisers of equal shape, and a detector."""
    folder = tmp_path_factory.mktemp("packages")
    with pytest.MonkeyPatch.context() as patched:
        share_workshop(patched)
        for name, seed in (("toy", 1), ("twin", 2)):
            added(crop_network(folder / f"{name}.onnx", {"embedding": 64}, seed=seed), folder)
        added(yunet_network(folder / "seer.onnx"), folder)
    return folder


@pytest.fixture(autouse=True)
def _one_workshop(monkeypatch: pytest.MonkeyPatch) -> None:
    share_workshop(monkeypatch)


def rewritten(folder: Path, manifest: Manifest) -> Path:
    (folder / "model.toml").write_text(as_toml(manifest))
    return folder


def liar(packages: Path, folder: Path, **changes: object) -> Path:
    """The twin's network in a package that says it comes from the toy's source."""
    shutil.copytree(packages / "models" / "twin" / "1", folder)
    source = read_package(packages / "models" / "toy" / "1").manifest.source
    manifest = read_package(folder).manifest
    return rewritten(folder, manifest.model_copy(update={"name": "liar", "source": source} | changes))


def test_another_network_cannot_join_a_space_by_naming_its_source(packages: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    shutil.copytree(packages / "models", state / "models")
    for number, changes in enumerate(({}, {"selftest": None})):
        folder = liar(packages, tmp_path / f"liar{number}", **changes)
        with pytest.raises(PackageError, match="names the source of toy@1") as caught:
            added(folder, state)
        assert "\n" not in str(caught.value)
    assert not (state / "models" / "liar").exists()


def test_one_that_was_put_there_by_hand_is_not_activated(
    packages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choose_model, "check_package", lambda package, shop: None)
    shutil.copytree(packages / "models", tmp_path / "models")
    liar(packages, tmp_path / "models" / "liar" / "1")
    site = Site(tmp_path, tmp_path, Models())
    choice = choose("liar", site, lambda text, done: None)
    with pytest.raises(PackageError, match="names the source of toy@1"):
        check_choice(choice, {}, site, lambda text, done: None, accept_worse="", is_known=False)


def test_a_package_that_notes_no_digest_of_its_graph_is_added_with_a_warning(packages: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(packages / "models" / "toy" / "1", tmp_path / "bare")
    rewritten(folder, read_package(folder).manifest.model_copy(update={"plain": None, "fast": None}))
    wish = Wish(source=str(folder))
    made = add_model(wish, Site(tmp_path / "state", tmp_path, Models()), lambda text, done: None)
    assert any("notes no digest of its graph" in line for line in made.warnings)


def test_an_unproven_int8_network_that_the_configuration_names_is_told_at_the_start(
    packages: Path, tmp_path: Path
) -> None:
    shutil.copytree(packages / "models", tmp_path / "models")
    folder = tmp_path / "models" / "seer" / "1"
    rewritten(folder, read_package(folder).manifest.model_copy(update={"precision": "int8"}))
    with open_vision(Models(detector="seer", recognizer="toy"), EngineSettings(), tmp_path, tmp_path) as vision:
        assert vision.notices == ("seer@1 is INT8, but nobody has measured what it costs: its gates are missing",)


def test_the_same_network_may_stand_there_twice(packages: Path) -> None:
    toy, twin = (read_package(packages / "models" / name / "1") for name in ("toy", "twin"))
    check_kin(toy, [toy, twin, None])
    selftest = toy.manifest.selftest
    assert selftest is not None
    nearly = {name: Answer(shape=one.shape, values=tuple(1.00001 * value for value in one.values))
              for name, one in selftest.outputs.items()}  # fmt: skip
    manifest = toy.manifest.model_copy(update={"selftest": selftest.model_copy(update={"outputs": nearly})})
    check_kin(replace(toy, build="other", manifest=manifest), [toy])


def test_what_was_replaced_while_it_was_checked_is_noticed(packages: Path, tmp_path: Path) -> None:
    shutil.copytree(packages / "models", tmp_path / "models")
    place = tmp_path / "models" / "toy" / "1"
    choice = choose("toy", Site(tmp_path, tmp_path, Models(detector="seer")), lambda text, done: None)
    choice.check_unchanged()
    manifest = read_package(packages / "models" / "twin" / "1").manifest
    shutil.copyfile(packages / "models" / "twin" / "1" / "model.onnx", place / "model.onnx")
    rewritten(place, manifest.model_copy(update={"name": "toy"}))
    with pytest.raises(PackageError, match="was replaced while it was checked"):
        choice.check_unchanged()


def test_a_detector_is_tried_on_a_small_picture_whatever_its_manifest_says(
    packages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A picture of 8192 x 8192 px would take gigabytes in this process, which nobody bounds."""
    folder = shutil.copytree(packages / "models" / "seer" / "1", tmp_path / "seer")
    manifest = read_package(folder).manifest
    rewritten(folder, manifest.model_copy(update={"input": InputSize(width=8192, height=8192)}))
    tried: list[tuple[int, int]] = []
    picture = check_model.picture

    def spied(width: int, height: int) -> Image:
        tried.append((width, height))
        return picture(min(width, 320), min(height, 320))

    monkeypatch.setattr(check_model, "picture", spied)
    with Workshop() as shop:
        assert np.isfinite(check_package(read_package(folder), shop) or 0.0)
    assert tried == [(320, 320)]
