"""The model owner's guide is executed: every shell block of docs/models.md, in order, in one state directory.

A block that needs the internet is marked so and only parsed (by test_docs.py): tests open no network.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from pathlib import Path

import pytest

from faceedge.models.recipe import read_recipe, recipe_names
from tests.guides import DOCS, ONLINE, blocks, ran
from tests.models.networks import AT_HAND

PAGE = DOCS / "models.md"
NETWORKS = {
    "yunet_n.onnx": "yunet_n.onnx",
    "edgeface_xs.onnx": "edgeface_xs_512.onnx",
    "mobileface.onnx": "mobileface_v2_256.onnx",
    "lightqnet.onnx": "lightqnet.onnx",
    "stick/face_detection_yunet_2023mar.onnx": "yunet_n.onnx",
}
PHOTOS = {"ada-1.jpg": "jack_dorsey/1.jpg", "ada-2.jpg": "jack_dorsey/3.jpg"}
REFUSALS = re.findall(
    r"^\| `([^`]+)` \| ", PAGE.read_text(encoding="utf-8").partition("## What refusals mean")[2], re.MULTILINE
)


@pytest.fixture
def site(tmp_path: Path, assets: Path) -> Path:
    """A folder with the files that the page names, and a catalogue whose yunet is the network at hand."""
    (tmp_path / "stick").mkdir()
    for name, file in NETWORKS.items():
        shutil.copy(assets / "models" / file, tmp_path / name)
    for name, file in PHOTOS.items():
        shutil.copy(assets / "data" / "dev" / "faces" / file, tmp_path / name)
    content = (tmp_path / "yunet_n.onnx").read_bytes()
    models = tmp_path / "state" / "models"
    models.mkdir(parents=True)
    entry = (
        '[[model]]\nname = "yunet"\nversion = "2023mar"\nrole = "detector"\nrecipe = "yunet"\nlicence = "MIT"\n'
        f'url = "https://example.org/face_detection_yunet_2023mar.onnx"\ngood_for = "the test"\n'
        f'sha256 = "{hashlib.sha256(content).hexdigest()}"\nsize = {len(content)}\n'
    )
    (models / "catalogue.toml").write_text(entry, encoding="utf-8")
    return tmp_path


@pytest.mark.assets
@pytest.mark.system
@pytest.mark.timeout(600)
def test_every_block_of_the_page_runs_as_it_stands(site: Path, default_models: Path) -> None:
    printed = "".join(ran(block.body, site) for block in blocks(PAGE, "sh") if block.mark != ONLINE)
    shown = next(block.body for block in blocks(PAGE, "text") if block.body.startswith("added "))
    assert shown in printed, "what the page shows is what adding prints"
    assert "yunet@2023mar" in printed


def test_a_block_is_left_out_only_because_it_needs_the_internet() -> None:
    marks = [block.mark for block in blocks(PAGE, "sh") if block.mark]
    assert marks == [ONLINE, "the file of the catalogue lies in stick/"]
    assert len(blocks(PAGE, "sh")) >= 8


def test_the_page_names_every_recipe_and_what_became_of_it() -> None:
    text = PAGE.read_text(encoding="utf-8")
    table = text[text.index("| recipe |") : text.index("Where there are no numbers")]
    rows = [row.split("|") for row in table.splitlines()[2:] if row.startswith("|")]
    told = {name: (cells[4].strip(), cells[5].strip()) for cells in rows for name in re.findall("`(.+?)`", cells[1])}
    assert sorted(told) == recipe_names()
    for name, (numbers, state) in told.items():
        assert state == ("run" if name in AT_HAND else "documented"), name
        has_numbers = read_recipe(name).fit is not None
        assert numbers == ("LFW" if has_numbers else "" if read_recipe(name).model["role"] == "detector" else "none")


@pytest.mark.parametrize("words", REFUSALS)
def test_every_refusal_that_the_page_explains_is_one_that_the_code_makes(words: str) -> None:
    package = PAGE.parents[1] / "faceedge"
    source = "\n".join(path.read_text(encoding="utf-8") for path in package.rglob("*.py"))
    assert all(part.strip() in source for part in re.split("…|, not", words)), words
