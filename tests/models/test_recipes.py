"""Recipes: every one is a sound manifest, and numbers stand only where a network was at hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from faceedge import align
from faceedge.errors import PackageError
from faceedge.families import FAMILY_OUTPUTS
from faceedge.fit import Fit, QualityFit
from faceedge.manifest import Manifest, Source
from faceedge.models.apart import read_facts
from faceedge.models.guess import guess
from faceedge.models.recipe import read_recipe, recipe_names
from faceedge.models.workshop import Workshop
from tests.models.networks import AT_HAND

RECIPES = recipe_names()


def manifest(name: str) -> Manifest:
    recipe = read_recipe(name)
    return Manifest(source=Source(sha256="a" * 64, **recipe.source), **recipe.model)


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_a_sound_manifest_under_its_own_name(name: str) -> None:
    made = manifest(name)
    assert made.name == name
    assert made.source.url.startswith("https://")
    assert made.source.note, "whoever reads the manifest learns what is known of the weights"


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_names_parts_that_exist(name: str) -> None:
    made = manifest(name)
    if made.role == "detector":
        assert made.family in FAMILY_OUTPUTS
        assert made.landmarks in align.SCHEMES
    else:
        crop = align.crop_spec(made.alignment)
        assert (made.input.width, made.input.height) == (crop.width, crop.height)
        align.check("eyes_nose_mouth", made.alignment)


@pytest.mark.parametrize("name", RECIPES)
def test_numbers_stand_only_beside_their_evidence(name: str) -> None:
    recipe, made = read_recipe(name), manifest(name)
    kinds = {"detector": type(None), "recognizer": Fit | None, "quality": QualityFit | None}
    assert isinstance(recipe.fit, kinds[made.role])
    if recipe.fit is not None:
        assert len(recipe.fit.evidence) > 40
        assert name in AT_HAND, "numbers of a network that nobody has run here would be invented"


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_of_a_network_that_is_not_at_hand_says_so(name: str) -> None:
    assert ("not run here" in read_recipe(name).source["note"]) == (name not in AT_HAND)


def test_an_unknown_recipe_is_refused_with_the_known_ones() -> None:
    with pytest.raises(PackageError, match=r"'nonsense'; there are .*retinaface.*yunet"):
        read_recipe("nonsense")
    with pytest.raises(PackageError, match="no recipe"):
        read_recipe("../../secrets")


@pytest.mark.assets
@pytest.mark.system
def test_what_is_guessed_from_a_graph_is_what_its_recipe_says(assets: Path) -> None:
    with Workshop() as shop:
        for name, file in AT_HAND.items():
            facts = read_facts(assets / "models" / file, shop)
            wanted = manifest(name)
            role = {"role": "quality"} if wanted.role == "quality" else {}
            parts = {"name": name, "version": wanted.version, "source": wanted.source}
            guessed = Manifest.model_validate(guess(facts.inputs, facts.outputs, role).parts | parts)
            assert guessed == wanted, name


@pytest.mark.assets
def test_every_network_of_the_assets_that_is_no_liveness_or_attribute_has_a_recipe(assets: Path) -> None:
    others = {
        "minifasnet_v2",
        "minifasnet_v1se",
        "age_gender_62",
        "bench_iresnet50_noweights",
        "mobilefacenet_128_fast",
    }
    there = {path.stem for path in (assets / "models").glob("*.onnx")} - others
    assert {Path(file).stem for file in AT_HAND.values()} == there


@pytest.mark.parametrize("name", RECIPES)
def test_numbers_that_judge_have_evidence_of_their_own(name: str) -> None:
    fit = read_recipe(name).fit
    if isinstance(fit, Fit) and "judging" in fit.model_fields_set:
        assert len(fit.judging.evidence) > 40
