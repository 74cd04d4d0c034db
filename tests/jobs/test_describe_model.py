"""A manifest from what is said, the catalogue, a recipe, and the graph, in this order; doubts are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from faceedge.backends.base import TensorSpec
from faceedge.errors import BadInput, PackageError
from faceedge.fit import Fit, QualityFit, QualityHead, Thresholds
from faceedge.jobs.describe_model import Wish, describe
from faceedge.models import heads
from faceedge.models.bring import Origin
from faceedge.models.catalogue import Entry
from faceedge.models.graph import Facts

FIT = Fit(thresholds=Thresholds(grey=0.3, match=0.4, strict=0.5), evidence="made up for a test")
KNOTS = QualityFit(quality=QualityHead(knots=((0.0, 0.0), (1.0, 1.0))), evidence="made up for a test")
YUNET = tuple((head.name, (-1, -1, head.columns)) for head in heads.FAMILIES["yunet"])
ENTRY = Entry(
    name="listed", version="7", role="detector", recipe="yunet", licence="MIT", url="https://example.org/y.onnx",
    sha256="b" * 64, size=9, good_for="nothing",
)  # fmt: skip


def facts(*outputs: tuple[str, tuple[int, ...]], size: tuple[int, int] = (112, 112), **notes: str) -> Facts:
    specs = tuple(TensorSpec(name, "float32", shape) for name, shape in outputs)
    return Facts(17, (TensorSpec("x", "float32", (-1, 3, *size)),), specs, {}, 0, notes, False, "a" * 64)


def found(name: str = "My_Net v2.onnx", **more: Any) -> Origin:
    return Origin(Path(name), Path(name).stem, **more)


RECOGNIZER = facts(("fc1", (-1, 512)))


def test_a_recipe_settles_everything_but_what_the_graph_calls_its_outputs() -> None:
    draft = describe(RECOGNIZER, found(), Wish(source="x", recipe="edgeface-xs"))
    manifest = draft.manifest
    assert (manifest.name, manifest.version, manifest.source.licence) == ("edgeface-xs", "1", "BSD-3-Clause")
    assert manifest.outputs == {"embedding": "fc1"}
    assert draft.fit is not None
    assert draft.assumed == ("outputs by their shapes: embedding = fc1",)


@pytest.mark.parametrize(
    ("recipe", "outputs", "names"),
    [
        ("arcface-r50", [("683", (-1, 512))], {"embedding": "683"}),
        ("arcface-r100", [("1333", (-1, 512))], {"embedding": "1333"}),
        ("sface", [("fc1", (-1, 128))], {"embedding": "fc1"}),
        ("curricularface", [("output", (-1, 512)), ("maps", (-1, 512, 7, 7))], {"embedding": "output"}),
        ("rts", [("emb", (-1, 512)), ("logvar", (-1, 1))], {"embedding": "emb", "temperature": "logvar"}),
        ("ediffiqa", [("output", (-1, 1))], {"quality": "output"}),
    ],
)
def test_a_documented_recipe_takes_whatever_its_file_calls_the_outputs(
    recipe: str, outputs: list[tuple[str, tuple[int, ...]]], names: dict[str, str]
) -> None:
    fit = KNOTS if recipe == "ediffiqa" else FIT
    assert describe(facts(*outputs), found(), Wish(source="x", recipe=recipe, fit=fit)).manifest.outputs == names
    with pytest.raises(BadInput, match="--evidence TEXT"):
        describe(facts(*outputs), found(), Wish(source="x", recipe=recipe))


def test_the_catalogue_counts_before_its_recipe_and_the_command_line_before_both() -> None:
    listed = found(url="https://example.org/y.onnx", entry=ENTRY)
    free = facts(*YUNET, size=(-1, -1))
    manifest = describe(free, listed, Wish(source="listed")).manifest
    assert (manifest.name, manifest.version, manifest.source.licence) == ("listed", "7", "MIT")
    assert manifest.source.url == "https://example.org/y.onnx"
    wish = Wish(source="listed", name="mine", version="8", licence="BSD-3-Clause")
    manifest = describe(free, listed, wish).manifest
    assert (manifest.name, manifest.version, manifest.source.licence) == ("mine", "8", "BSD-3-Clause")


def test_a_graph_of_one_size_wins_over_the_recipes_canvas_and_that_is_said() -> None:
    draft = describe(facts(*YUNET, size=(320, 480)), found(), Wish(source="x", recipe="yunet"))
    assert (draft.manifest.input.width, draft.manifest.input.height, draft.manifest.input.fixed) == (480, 320, True)
    assert "the graph takes 480x320 px only" in draft.assumed


def test_without_a_recipe_the_files_own_name_is_made_to_fit_and_its_notes_are_told() -> None:
    draft = describe(facts(("fc1", (-1, 512)), licence="Apache License 2.0"), found(), Wish(source="x", fit=FIT))
    assert (draft.manifest.name, draft.manifest.version) == ("my_net-v2", "1")
    assert draft.manifest.source.licence == "Apache-2.0"
    assert any("the file says 'Apache License 2.0'" in line for line in draft.assumed)


def test_a_file_without_notes_has_no_licence_and_that_is_said() -> None:
    draft = describe(RECOGNIZER, found(), Wish(source="x", fit=FIT))
    assert draft.manifest.source.licence == ""
    assert any("say it with --licence" in line for line in draft.assumed)


@pytest.mark.parametrize("name", ["…", ".", "-", "x" * 200])
def test_any_file_name_becomes_a_name(name: str) -> None:
    assert describe(RECOGNIZER, found(f"{name}.onnx"), Wish(source="x", fit=FIT)).manifest.name


@pytest.mark.parametrize(
    ("graph", "wish", "said"),
    [
        (RECOGNIZER, {}, "a recogniser without thresholds cannot decide"),
        (RECOGNIZER, {"fit": KNOTS}, "--knots: my_net-v2 is a recogniser, which has none"),
        (RECOGNIZER, {"fit": FIT, "name": "Toy One"}, "--name 'Toy One': use a-z"),
        (RECOGNIZER, {"fit": FIT, "version": "../1"}, "--version '../1': use a-z"),
        (RECOGNIZER, {"fit": FIT, "licence": "MIT\x1b[31m"}, "--licence: at most 200 printable"),
        (RECOGNIZER, {"fit": FIT, "licence": "M" * 201}, "--licence: at most 200 printable"),
        (RECOGNIZER, {"recipe": "sface", "role": "detector"}, "the role of recipe sface is recognizer"),
        (RECOGNIZER, {"recipe": "sface", "family": "yunet"}, "the family of recipe sface is embedding"),
        (facts(*YUNET, size=(-1, -1)), {"fit": FIT}, "--thresholds: my_net-v2 is a detector, which has none"),
        (facts(("score", (-1, 1))), {"role": "quality"}, "--knots RAW:QUALITY"),
    ],
)
def test_words_that_do_not_go_together_are_refused(graph: Facts, wish: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput) as caught:
        describe(graph, found(), Wish(source="x", **wish))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("graph", "wish", "said"),
    [
        (RECOGNIZER, {"recipe": "sface"}, "dimension: 128, but the graph's 'fc1' has 512 numbers"),
        (RECOGNIZER, {"recipe": "nonsense"}, "no recipe 'nonsense'"),
        (RECOGNIZER, {"recipe": "yunet"}, "its outputs are not those of a yunet"),
        (facts(("fc1", (-1, 512)), size=(160, 160)), {"fit": FIT}, "it takes crops of 160x160 px"),
    ],
)
def test_a_graph_that_is_not_what_is_said_is_refused(graph: Facts, wish: dict[str, Any], said: str) -> None:
    with pytest.raises(PackageError) as caught:
        describe(graph, found(), Wish(source="x", **wish))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
