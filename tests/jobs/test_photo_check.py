"""The photo that comes along: real networks know the face in it, and those that are fed or read wrongly do not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from faceedge.errors import FaceedgeError, PackageError
from faceedge.jobs.photo_check import check_photo
from faceedge.models.store import make_package
from faceedge.package import Package, read_package
from tests.fakes.small_networks import crop_network, yunet_network
from tests.models.networks import AT_HAND

pytestmark = pytest.mark.assets


@pytest.fixture(scope="module")
def real(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Package]:
    root = tmp_path_factory.mktemp("real")
    return {name: make_package(assets / "models" / file, name, root) for name, file in AT_HAND.items()}


@pytest.mark.parametrize("name", [name for name in AT_HAND if name not in ("yunet", "edgeface-xxs")])
def test_every_network_at_hand_passes_beside_others(real: dict[str, Package], name: str) -> None:
    check_photo({"detector": real["yunet"], "recognizer": real["edgeface-xxs"], real[name].manifest.role: real[name]})


def test_the_built_in_ones_pass(default_models: Path) -> None:
    mmod, resnet = (read_package(default_models / name / "1") for name in ("dlib-mmod", "dlib-resnet"))
    check_photo({"detector": mmod, "recognizer": resnet, "quality": None})


def test_networks_of_made_up_weights_do_not(real: dict[str, Package], tmp_path: Path) -> None:
    toy = make_package(crop_network(tmp_path / "toy.onnx", {"embedding": 512}), "edgeface-xs", tmp_path)
    seer = make_package(yunet_network(tmp_path / "seer.onnx"), "yunet", tmp_path)
    for pair in ({"detector": real["yunet"], "recognizer": toy}, {"detector": seer, "recognizer": toy}):
        with pytest.raises(PackageError, match="yunet@n and edgeface-xs@1: "):
            check_photo(pair)  # type: ignore[arg-type]


def test_a_recogniser_that_is_fed_wrongly_does_not(real: dict[str, Package]) -> None:
    good = real["edgeface-xxs"]
    manifest = good.manifest.model_copy(
        update={"normalisation": good.manifest.normalisation.model_copy(update={"scale": 0.0})}
    )
    with pytest.raises(FaceedgeError):
        check_photo({"detector": real["yunet"], "recognizer": replace(good, manifest=manifest)})


def test_half_a_pair_is_not_asked(real: dict[str, Package]) -> None:
    check_photo({"detector": real["yunet"], "recognizer": None})
