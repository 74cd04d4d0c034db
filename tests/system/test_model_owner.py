"""A model owner's way with every network at hand: added by its recipe, verified, activated, and used on real photos."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from faceedge.__main__ import main
from faceedge.models.recipe import read_recipe
from faceedge.models.store import make_package
from faceedge.package import read_package
from tests.fakes.shared_workshop import share_workshop
from tests.models.networks import AT_HAND

pytestmark = [pytest.mark.assets, pytest.mark.system]

ONE, SAME, OTHER = (f"data/dev/faces/{name}.jpg" for name in ("jack_dorsey/1", "jack_dorsey/3", "sylvester_stallone/1"))
Call = Callable[..., Any]


def of_role(role: str) -> list[str]:
    return [name for name in AT_HAND if read_recipe(name).model["role"] == role]


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    share_workshop(monkeypatch)
    monkeypatch.setenv("FACEEDGE_STATE", str(tmp_path / "state"))
    monkeypatch.delenv("FACEEDGE_CONFIG", raising=False)
    accepted = {read_recipe(name).source["licence"] for name in AT_HAND}
    monkeypatch.setenv("FACEEDGE__MODELS__ACCEPT_LICENCES", ",".join(accepted))
    return tmp_path / "state"


@pytest.fixture
def call(state: Path, capsys: pytest.CaptureFixture[str]) -> Call:
    """`call("model", "list")` is the JSON document; the exit code must be the one that is expected."""

    def run(*argv: object, code: int = 0) -> Any:
        capsys.readouterr()
        assert main([*(str(word) for word in argv), "--json"]) == code, capsys.readouterr().err
        return json.loads(capsys.readouterr().out)

    return run


@pytest.fixture
def settled(call: Call, state: Path, assets: Path) -> Callable[[str], dict[str, Any]]:
    """Adds, verifies and activates the network of a recipe; returns what `model add` said."""

    def settle(name: str) -> dict[str, Any]:
        said: dict[str, Any] = call("model", "add", assets / "models" / AT_HAND[name], "--recipe", name)
        assert said["assumed"] == [], "a recipe leaves nothing to assume"
        (verdict,) = call("model", "verify", name)["packages"]
        assert verdict["ok"]
        assert verdict["deviation"] < 1e-4
        assert call("model", "activate", name)["changed"]
        rows = {row["package"]: row for row in call("model", "list")["models"]}
        assert rows[said["package"]]["standing"] == "active"
        assert rows[said["package"]]["build"] == said["build"]
        return said

    return settle


def faces(call: Call, *photos: Path) -> list[list[dict[str, Any]]]:
    return [image["faces"] for image in call("extract", *photos)["images"]]


@pytest.mark.parametrize("name", of_role("detector"))
def test_a_detector_finds_the_faces_that_the_built_in_one_finds(
    name: str, call: Call, settled: Callable[[str], dict[str, Any]], assets: Path
) -> None:
    photos = [assets / one for one in (ONE, SAME, OTHER)]
    before = faces(call, *photos)
    settled(name)
    for mine, theirs in zip(faces(call, *photos), before, strict=True):
        # MMOD's boxes are tighter than these detectors': the middles must lie together.
        one, two = np.array(mine[0]["box"]), np.array(theirs[0]["box"])
        side = two[2] - two[0]
        assert np.abs((one[:2] + one[2:]) / 2 - (two[:2] + two[2:]) / 2).max() < 0.25 * side
        assert mine[0]["score"] > 0.5


@pytest.mark.parametrize("name", of_role("recognizer"))
def test_a_recogniser_tells_two_people_apart_and_knows_one_again(
    name: str, call: Call, settled: Callable[[str], dict[str, Any]], state: Path, assets: Path
) -> None:
    make_package(assets / "models" / AT_HAND["yunet"], "yunet", state / "models")
    call("model", "activate", "yunet")
    settled(name)
    package = read_package(state / "models" / name / "1")
    assert package.fit is not None
    same = call("compare", assets / ONE, assets / SAME)
    other = call("compare", assets / ONE, assets / OTHER, code=1)
    assert same["thresholds"] == package.fit.thresholds.model_dump()
    assert same["similarity"] > package.fit.thresholds.strict
    assert other["similarity"] < package.fit.thresholds.grey
    ((face, *_),) = faces(call, assets / ONE)
    assert len(face["embedding"]) == package.manifest.dimension


def test_a_fast_form_answers_as_the_plain_one_and_stays_in_its_space(
    call: Call, settled: Callable[[str], dict[str, Any]], state: Path, assets: Path
) -> None:
    said = settled("mobilefacenet")
    assert any("PReLU" in change for change in said["changes"]["fast"])
    package = read_package(state / "models" / "mobilefacenet" / "1")
    assert package.fast_graph != package.graph
    plain = make_package(assets / "models" / AT_HAND["mobilefacenet"], "mobilefacenet", state / "plain")
    assert plain.space == package.space
    assert plain.build != package.build
    ((fast, *_),) = faces(call, assets / ONE)
    document = call("extract", assets / ONE, "--recognizer", plain.folder)
    slow = document["images"][0]["faces"][0]
    assert np.dot(fast["embedding"], slow["embedding"]) > 1 - 1e-5


def test_a_quality_network_lowers_what_is_blurred(
    call: Call, settled: Callable[[str], dict[str, Any]], assets: Path, tmp_path: Path
) -> None:
    settled("lightqnet")
    image = cv2.imread(str(assets / ONE))
    blurred = tmp_path / "blurred.png"
    cv2.imwrite(str(blurred), cv2.GaussianBlur(image, (0, 0), max(image.shape) / 60))
    clear, poor = faces(call, assets / ONE, blurred)
    assert clear[0]["quality"] > 0.6
    assert poor[0]["quality"] < 0.4
    call("model", "rollback", "quality")
    assert call("extract", assets / ONE)["models"].keys() == {"detector", "recognizer"}
