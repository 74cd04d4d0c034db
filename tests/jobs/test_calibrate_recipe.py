"""Recipes of calibration: the installed ones hold, a site's own takes their place, faults are named with their key."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from faceedge.errors import BadInput
from faceedge.jobs import recipes
from faceedge.jobs.calibration.recipe import Recipe, read_recipe
from faceedge.manifest import Role
from faceedge.quantize.gates import Gates

ROOT = Path(__file__).parents[2]
INSTALLED = "share/faceedge/calibration"
ROLES: tuple[Role, ...] = ("detector", "recognizer")


@pytest.mark.parametrize("role", ROLES)
def test_the_installed_recipes_demand_what_is_promised(role: Role, tmp_path: Path) -> None:
    recipe, path = read_recipe(role, tmp_path)
    assert path == ROOT / "calibration" / f"{role}.toml"
    gates = recipe.gates
    assert (gates.cosine_mean, gates.cosine_p1, gates.accuracy_drop) == (0.99, 0.97, 0.002)
    assert gates.detector_f1 == 0.98
    assert recipe.worth > 1, "INT8 slower than float never serves by default"
    assert gates == Gates()


def test_a_sites_own_recipe_takes_the_place_of_the_installed_one_whole(tmp_path: Path) -> None:
    (tmp_path / "recognizer.toml").write_text("seed = 7\n[gates]\ncosine_mean = 0.995\n")
    recipe, path = read_recipe("recognizer", tmp_path)
    assert path == tmp_path / "recognizer.toml"
    assert (recipe.seed, recipe.gates.cosine_mean) == (7, 0.995)
    assert recipe.images == Recipe().images


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sed = 7\n", "sed: extra inputs"),
        ("seed = -1\n", "seed: "),
        ("methods = ['best']\n", "methods.0: "),
        ("[gates]\ncosine_mean = 2\n", "gates.cosine_mean: "),
        ("worth = 0.5\n", "worth: "),
        ("worth = nan\n", "worth: "),
        ("seed = \n", "not valid TOML"),
    ],
)
def test_a_fault_is_named_with_file_and_key_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "recognizer.toml").write_text(text)
    with pytest.raises(BadInput) as refused:
        read_recipe("recognizer", tmp_path)
    assert str(refused.value).startswith(f"{tmp_path / 'recognizer.toml'}: ")
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_installed_wheel_finds_its_recipes_among_its_data_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = tmp_path / INSTALLED
    shared.mkdir(parents=True)
    (shared / "recognizer.toml").write_text("seed = 9\n")

    class Installed:
        def as_posix(self) -> str:
            return f"../../../{INSTALLED}/recognizer.toml"

        def locate(self) -> Path:
            return shared / "recognizer.toml"

    monkeypatch.setattr(recipes, "CHECKOUT", tmp_path / "site")
    monkeypatch.setattr(recipes.metadata, "files", lambda name: [Installed()])
    assert read_recipe("recognizer", tmp_path / "none")[0].seed == 9


def test_without_any_recipe_the_refusal_says_where_it_was_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recipes, "CHECKOUT", tmp_path / "site")
    monkeypatch.setattr(recipes.metadata, "files", lambda name: [])
    with pytest.raises(BadInput, match=f"no such recipe in {re.escape(str(tmp_path))}"):
        read_recipe("detector", tmp_path)
