"""The guide to calibration is executed: every shell block of docs/calibration.md, in order, in one state directory."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from faceedge.jobs.calibration.recipe import Recipe
from faceedge.quantize.gates import Gates
from faceedge.quantize.set_faults import Floors
from tests.guides import DOCS, blocks, ran

PAGE = DOCS / "calibration.md"
TEXT = PAGE.read_text(encoding="utf-8")
REFUSALS = re.findall(r"^\| `([^`]+)` \| ", TEXT.partition("## What refusals mean")[2], re.MULTILINE)


@pytest.fixture
def site(tmp_path: Path, assets: Path) -> Path:
    """A folder with the files that the page names: 130 photos of as many people, 40 other people with three each."""
    for name, file in (("yunet_n", "yunet_n"), ("mobileface", "mobileface_v2_256")):
        shutil.copy(assets / "models" / f"{file}.onnx", tmp_path / f"{name}.onnx")
    people = sorted((assets / "data" / "dev" / "lfw" / "images").iterdir())
    many = [person for person in people if len(list(person.iterdir())) >= 3][:40]
    single = [person for person in people if len(list(person.iterdir())) == 1][:170]
    (tmp_path / "photos").mkdir()
    for person in single:
        for photo in person.iterdir():
            shutil.copy(photo, tmp_path / "photos")
    for person in many:
        (tmp_path / "people" / person.name).mkdir(parents=True)
        for photo in sorted(person.iterdir())[:3]:
            shutil.copy(photo, tmp_path / "people" / person.name)
    return tmp_path


@pytest.mark.assets
@pytest.mark.system
@pytest.mark.timeout(600)
def test_every_block_of_the_page_runs_as_it_stands(site: Path, default_models: Path) -> None:
    *bodies, worse, quality = (block.body for block in blocks(PAGE, "sh"))
    printed = [ran(body, site) for body in bodies]
    assert len(printed) == 5
    assert "chosen: " in printed[1]
    assert "int8, passed" in printed[2]
    assert "is the recogniser from the next start on" in printed[4]
    manifest = site / "state" / "models" / "mobileface-v2" / "1-int8" / "model.toml"
    manifest.write_text(manifest.read_text().replace('verdict = "passed"', 'verdict = "failed"'))
    assert "mobileface-v2@1-int8 is the recogniser" in ran(worse, site)
    assert quality == "faceedge calibrate quality photos/\n", "tests/jobs/test_calibrate_quality.py runs it"


@pytest.mark.parametrize("part", [Recipe, Gates, Floors], ids=lambda part: part.__name__)
def test_the_page_explains_every_key_of_a_recipe(part: type[Recipe]) -> None:
    missing = [key for key in part.model_fields if f"`{key}`" not in TEXT and f"`[{key}]`" not in TEXT]
    assert missing == []


@pytest.mark.parametrize("words", REFUSALS)
def test_every_refusal_that_the_page_explains_is_one_that_the_code_makes(words: str) -> None:
    sources = (PAGE.parents[1] / "faceedge").rglob("*.py")
    source = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    assert all(part.strip() in source for part in words.split("…; ")), words
