"""Recipes of engines: the installed ones hold for every known network, a site's takes their place, faults are named."""

from __future__ import annotations

import datetime
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from faceedge.backends.base import TensorSpec
from faceedge.backends.fingerprint import BuildOptions
from faceedge.config import cache_dir
from faceedge.errors import BadInput, EngineError
from faceedge.jobs import engine_recipe, recipes
from faceedge.jobs.engine_recipe import Recipe, build_options, precision_of, profile_of, read_recipe
from faceedge.manifest import Calibration, Graph, InputSize, Manifest, Normalisation, Source
from faceedge.models.recipe import read_recipe as read_model_recipe
from faceedge.models.recipe import recipe_names
from faceedge.package import Package

SHA = "0" * 64
FREE = TensorSpec("input", "float32", (-1, 3, -1, -1))
CROPS = TensorSpec("input", "float32", (-1, 3, 112, 112))
RECIPE = Recipe()


def package(**changes: Any) -> Package:
    manifest = Manifest(
        **{
            "name": "toy", "version": "1", "role": "recognizer", "family": "embedding", "alignment": "arcface_112",
            "normalisation": Normalisation(colour="rgb"), "source": Source(sha256=SHA, licence="MIT"), **changes,
        }
    )  # fmt: skip
    return Package(Path("/nowhere"), manifest, None, "space", "0123456789ab")


def detector(**changes: Any) -> Package:
    return package(
        **{"role": "detector", "family": "yunet", "landmarks": "eyes_nose_mouth", "alignment": "", **changes}
    )


def calibrated(verdict: str) -> Package:
    calibration = Calibration(
        sha256=SHA, date=datetime.date(2026, 1, 1), images=9, method="error", seed=1, verdict=verdict, kept_float=0,
        report_sha256=SHA,
    )  # fmt: skip
    return package(precision="int8", calibration=calibration, plain=Graph(sha256=SHA))


@pytest.mark.parametrize("role", ["detector", "recognizer", "quality"])
def test_the_installed_recipes_are_read_and_are_the_defaults(role: Any, tmp_path: Path) -> None:
    recipe, path = read_recipe(role, tmp_path)
    assert path.parent.name == "engines"
    assert (recipe.precision, recipe.workspace_mib, recipe.package) == ("auto", 256, "")


def test_every_known_network_has_a_profile_that_holds_its_usual_input(tmp_path: Path) -> None:
    for name in recipe_names():
        known = read_model_recipe(name)
        manifest = Manifest(source=Source(sha256=SHA, **known.source), **known.model)
        one = replace(package(), manifest=manifest)
        spec = FREE if manifest.role == "detector" and not manifest.input.fixed else CROPS
        recipe, _ = read_recipe(manifest.role, tmp_path)
        options = build_options(one, recipe, spec, "weak")
        low, usual, high = options.profile["input"]
        assert low[1] == usual[1] == high[1] == 3, name
        assert high[0] <= manifest.max_batch, name


def test_a_recipe_of_the_site_takes_the_place_of_the_installed_one_whole(tmp_path: Path) -> None:
    (tmp_path / "detector.toml").write_text("[batch]\nlargest = 2\nusual = 2\n")
    recipe, path = read_recipe("detector", tmp_path)
    assert path == tmp_path / "detector.toml"
    assert (recipe.batch.usual, recipe.batch.largest, recipe.frame.usual) == (2, 2, (1280, 720))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('precision = "fp8"', "precision: input should be"),
        ("workspace = 3", "workspace: extra inputs"),
        ("optimisation_level = 9", "optimisation_level"),
        ("[batch]\nsmallest = 4\nusual = 2", "batch: value error, smallest, usual and largest must rise"),
        ("[frame]\nsmallest = [9, 9]", "sides are 16 to 8192"),
        ("[frame]\nlargest = [640, 480]", "must rise"),
        ("precision = ", "detector.toml"),
    ],
)
def test_a_fault_in_a_recipe_is_told_with_its_file_and_key(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "detector.toml").write_text(text)
    with pytest.raises(BadInput) as raised:
        read_recipe("detector", tmp_path)
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_role_without_a_recipe_says_to_install_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipes, "_shared", lambda _kind: [])
    with pytest.raises(BadInput, match="install faceedge again"):
        read_recipe("poet", tmp_path)  # type: ignore[arg-type]


def test_a_free_detector_takes_every_canvas_between_its_smallest_and_largest_frame() -> None:
    assert profile_of(detector(), RECIPE, FREE) == ((1, 3, 128, 160), (1, 3, 384, 640), (8, 3, 384, 640))


def test_a_detector_of_one_size_and_a_graph_of_one_batch_keep_them() -> None:
    fixed = TensorSpec("input", "float32", (1, 3, 320, 320))
    one = detector(input=InputSize(width=320, height=320, fixed=True))
    assert profile_of(one, RECIPE, fixed) == ((1, 3, 320, 320),) * 3


def test_crops_are_of_the_alignment_and_of_no_more_than_the_package_takes() -> None:
    free = TensorSpec("input", "float32", (-1, 3, -1, -1))
    assert profile_of(package(max_batch=1), RECIPE, free) == ((1, 3, 112, 112),) * 3


def test_an_input_that_is_no_picture_is_left_to_onnx_runtime() -> None:
    with pytest.raises(EngineError, match="ONNX Runtime runs it"):
        profile_of(package(), RECIPE, TensorSpec("input", "float32", (-1, 512)))


@pytest.mark.parametrize(
    ("own", "wanted", "typing", "comes_to"),
    [
        ("fp32", "auto", "weak", "fp16"), ("fp32", "fp32", "weak", "fp32"), ("fp16", "fp16", "weak", "fp16"),
        ("fp32", "auto", "strong", "fp32"), ("fp16", "auto", "strong", "fp16"), ("fp32", "fp16", "strong", ""),
        ("fp32", "int8", "weak", ""),
    ],
)  # fmt: skip
def test_the_precision_is_what_recipe_package_and_tensorrt_allow(
    own: Any, wanted: Any, typing: Any, comes_to: str
) -> None:
    one, recipe = package(precision=own), Recipe(precision=wanted)
    if comes_to:
        assert precision_of(one, recipe, typing) == comes_to
        return
    with pytest.raises(EngineError, match="write auto there"):
        precision_of(one, recipe, typing)


def test_int8_is_only_for_a_package_whose_calibration_has_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EngineError, match="failed its gates"):
        precision_of(calibrated("failed"), RECIPE, "weak")
    with pytest.raises(EngineError, match="cannot show that its gates passed"):
        precision_of(calibrated("passed"), RECIPE, "weak")  # there is no report
    monkeypatch.setattr(engine_recipe, "doubt", lambda package: "")
    for typing in ("weak", "strong"):
        assert precision_of(calibrated("passed"), RECIPE, typing) == "int8"  # type: ignore[arg-type]
        with pytest.raises(EngineError, match="is int8"):
            precision_of(calibrated("passed"), Recipe(precision="fp16"), typing)  # type: ignore[arg-type]


def test_the_default_networks_have_options(default_models: Path) -> None:
    from faceedge.models.store import find_package

    options = [
        build_options(find_package(name, Path("/nowhere"), cache_dir()), RECIPE, spec, "weak")
        for name, spec in (("dlib-mmod", FREE), ("dlib-resnet", TensorSpec("input", "float32", (-1, 3, 150, 150))))
    ]
    assert all(isinstance(one, BuildOptions) and one.precision == "fp16" for one in options)
    assert options[1].profile["input"][2] == (8, 3, 150, 150)
