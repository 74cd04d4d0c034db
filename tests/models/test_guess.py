"""What a graph's shapes settle, what is assumed and said, and what is refused because it could be anything."""

from __future__ import annotations

from typing import Any

import pytest

from faceedge.backends.base import TensorSpec
from faceedge.errors import PackageError
from faceedge.families import FAMILY_OUTPUTS
from faceedge.manifest import Manifest, Source
from faceedge.models import heads
from faceedge.models.guess import Guess, guess, guess_source
from faceedge.models.licence import is_allowed

FREE = [TensorSpec("input", "float32", (-1, 3, -1, -1))]
CROP = [TensorSpec("data", "float32", (1, 3, 112, 112))]
SOURCE = Source(sha256="a" * 64, licence="MIT")


def specs(*shapes: tuple[str, tuple[int, ...]]) -> list[TensorSpec]:
    return [TensorSpec(name, "float32", shape) for name, shape in shapes]


def manifest(found: Guess, **known: Any) -> Manifest:
    return Manifest.model_validate({"name": "toy", "version": "1", "source": SOURCE} | found.parts | known)


INSIGHTFACE = specs(
    ("443", (12800, 1)), ("468", (3200, 1)), ("493", (800, 1)), ("446", (12800, 4)), ("471", (3200, 4)),
    ("496", (800, 4)), ("449", (12800, 10)), ("474", (3200, 10)), ("499", (800, 10)),
)  # fmt: skip


def test_a_detector_with_the_outputs_of_its_family_by_name_needs_no_words() -> None:
    outputs = specs(*((head.name, (-1, -1, head.columns)) for head in heads.FAMILIES["scrfd"]))
    found = guess(FREE, outputs)
    assert (found.parts["role"], found.parts["family"], found.parts["outputs"]) == ("detector", "scrfd", {})
    made = manifest(found)
    assert (made.landmarks, made.input.width, made.input.fixed) == ("eyes_nose_mouth", 640, False)
    assert made.normalisation.colour == "rgb"


def test_the_numbers_that_insightface_exports_for_names_are_told_apart_by_their_shapes() -> None:
    shuffled = [INSIGHTFACE[index] for index in (8, 3, 5, 0, 7, 2, 1, 6, 4)]
    for outputs in (INSIGHTFACE, shuffled):
        found = guess(FREE, outputs)
        assert found.parts["family"] == "scrfd"
        assert found.parts["outputs"] == {
            "score_8": "443", "score_16": "468", "score_32": "493", "bbox_8": "446", "bbox_16": "471",
            "bbox_32": "496", "kps_8": "449", "kps_16": "474", "kps_32": "499",
        }  # fmt: skip
        assert any("score_8 = 443" in line for line in found.assumed)


def test_heads_without_known_rows_are_taken_in_the_usual_order_and_that_is_said() -> None:
    outputs = specs(*((str(at), (-1, -1, spec.shape[-1])) for at, spec in enumerate(INSIGHTFACE)))
    found = guess(FREE, outputs)
    assert found.parts["outputs"]["score_8"] == "0"
    assert found.parts["outputs"]["kps_32"] == "8"
    assert any("the order score_8, score_16, score_32" in line for line in found.assumed)


def test_rows_that_are_not_those_of_strides_are_no_detector() -> None:
    outputs = [TensorSpec(spec.name, spec.dtype, (spec.shape[0] + 1, spec.shape[1])) for spec in INSIGHTFACE]
    with pytest.raises(PackageError, match="not those of a known network"):
        guess(FREE, outputs)


def test_retinaface_is_known_by_four_two_and_ten_numbers_an_anchor() -> None:
    found = guess(FREE, specs(("out0", (1, 16800, 4)), ("out1", (1, 16800, 2)), ("out2", (1, 16800, 10))))
    assert found.parts["family"] == "retinaface"
    assert found.parts["outputs"] == {"bbox": "out0", "cls": "out1", "landmark": "out2"}
    assert manifest(found).normalisation.mean == (104, 117, 123)


def test_anchors_that_differ_in_number_are_no_retinaface() -> None:
    with pytest.raises(PackageError, match="not those of a known network"):
        guess(FREE, specs(("a", (1, 16800, 4)), ("b", (1, 16800, 2)), ("c", (1, 99, 10))))


def test_twelve_heads_of_other_names_are_a_yunet_and_the_doubt_is_said() -> None:
    rows = {8: 6400, 16: 1600, 32: 400}
    named = [(head, (1, rows[head.stride], head.columns)) for head in heads.FAMILIES["yunet"]]
    found = guess(FREE, specs(*((f"x{at}", shape) for at, (_, shape) in enumerate(named))))
    assert found.parts["outputs"] == {head.name: f"x{at}" for at, (head, _) in enumerate(named)}
    assert any("cls comes before obj" in line for line in found.assumed)


def test_a_fixed_canvas_is_taken_from_the_graph_even_over_a_recipe() -> None:
    outputs = specs(*((head.name, (1, -1, head.columns)) for head in heads.FAMILIES["yunet"]))
    found = guess([TensorSpec("input", "float32", (1, 3, 320, 480))], outputs)
    assert found.parts["input"] == {"width": 480, "height": 320, "fixed": True}


@pytest.mark.parametrize("dimension", [128, 256, 512])
def test_one_vector_a_crop_is_a_recogniser_of_that_dimension(dimension: int) -> None:
    found = guess(CROP, specs(("fc1", (1, dimension))))
    made = manifest(found)
    assert (made.role, made.dimension, made.alignment) == ("recognizer", dimension, "arcface_112")
    assert made.outputs == {"embedding": "fc1"}
    assert any(line.startswith("assumed RGB, (x - 127.5) / 127.5") for line in found.assumed)


def test_a_number_beside_the_vector_is_a_temperature_and_that_is_said() -> None:
    found = guess(CROP, specs(("feat", (-1, 512)), ("logvar", (-1, 1))))
    assert found.parts["outputs"] == {"embedding": "feat", "temperature": "logvar"}
    assert any("logvar is a temperature" in line for line in found.assumed)


def test_feature_maps_beside_the_vector_are_left_aside() -> None:
    found = guess(CROP, specs(("feat", (-1, 512)), ("maps", (-1, 512, 7, 7))))
    assert found.parts["dimension"] == 512
    assert any("left output maps aside" in line for line in found.assumed)


def test_nothing_is_assumed_of_what_a_recipe_settles() -> None:
    settled = {
        "role": "recognizer", "family": "embedding", "alignment": "arcface_112", "metric": "cosine",
        "normalisation": {"colour": "bgr"}, "input": {}, "outputs": {"embedding": "fc1"},
    }  # fmt: skip
    assert guess(CROP, specs(("fc1", (1, 128))), settled).assumed == ()


def test_one_number_a_picture_is_quality_only_when_somebody_says_so() -> None:
    outputs = specs(("score", (-1, 1)))
    with pytest.raises(PackageError, match=r"may be anything.*--role quality"):
        guess(CROP, outputs)
    assert guess(CROP, outputs, {"role": "quality"}).parts["outputs"] == {"quality": "score"}


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        (specs(("input", (1, 112, 112, 3))), "channels last.*export it as"),
        (specs(("input", (1, 1, 112, 112))), r"not \[n, 3, h, w\]"),
        (specs(("input", (1, 3))), r"not \[n, 3, h, w\]"),
        (specs(("a", (1, 3, 112, 112)), ("b", (1,))), "2 inputs"),
        ([TensorSpec("input", "uint8", (1, 3, 112, 112))], "uint8, not float32"),
        (specs(("input", (1, 3, 160, 160))), "there are alignments for 112x112 and 150x150"),
        (specs(("input", (1, 3, 112, 96))), "crops of 96x112 px"),
    ],
)
def test_an_input_that_no_part_can_feed_is_refused_in_one_line(inputs: list[TensorSpec], words: str) -> None:
    with pytest.raises(PackageError, match=words) as caught:
        guess(inputs, specs(("embedding", (-1, 512))))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("known", "words"),
    [
        ({"role": "detector"}, "not those of a detector"),
        ({"role": "quality"}, "not those of a quality"),
        ({"family": "scrfd"}, "not those of a scrfd"),
        ({"family": "mmod"}, "not those of a mmod"),
        ({"role": "detector", "family": "embedding"}, "not those of a embedding"),
    ],
)
def test_shapes_win_over_what_somebody_says(known: dict[str, str], words: str) -> None:
    with pytest.raises(PackageError, match=words):
        guess(CROP, specs(("embedding", (-1, 512))), known)


def test_what_a_file_says_of_itself_is_told_and_kept_short() -> None:
    found, said = guess_source({"licence": "BSD-3-Clause (repo)", "source": "github.com/x\n\x1b[31m" + "y" * 900})
    assert found["licence"] == "BSD-3-Clause"
    assert "BSD-3-Clause (repo)" in said[0]
    assert found["note"].isprintable()
    assert len(found["note"]) < 250
    assert guess_source({"licence": "MIT-like, ask us"})[0]["licence"] == "MIT-like, ask us"
    assert guess_source({}) == ({}, [])


@pytest.mark.parametrize(
    "licence",
    ["MIT AND CC-BY-NC-4.0", "MIT, for research only", "MIT (code), weights non-commercial", "Apache-2.0 (code only)",
     "MIT OR GPL-3.0", "BSD-3-Clause WITH limits", "MIT (non-commercial)", "Apache-2.0; weights: CC-BY-NC-4.0"],
)  # fmt: skip
def test_a_licence_with_a_limit_behind_it_is_not_taken_for_the_one_that_it_begins_with(licence: str) -> None:
    found, _ = guess_source({"licence": licence})
    assert found["licence"] == licence
    assert not is_allowed(found["licence"])


@pytest.mark.parametrize("family", heads.FAMILIES)
def test_a_guessed_family_has_the_outputs_that_its_code_reads(family: str) -> None:
    assert {head.name for head in heads.FAMILIES[family]} == set(FAMILY_OUTPUTS[family])
