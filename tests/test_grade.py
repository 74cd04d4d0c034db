"""Crops in, raw quality out: batches, names and what is refused; the network itself is in jobs/test_vision.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from faceedge.assess import UNCLEAR, lowered
from faceedge.backends.base import Memory, Tensor, TensorSpec
from faceedge.backends.cpu import CpuPreprocessor
from faceedge.errors import EngineError
from faceedge.fit import QualityHead
from faceedge.grade import Grader
from faceedge.manifest import Manifest, Normalisation, Source
from faceedge.types import Assessment

HEAD = QualityHead(knots=((0.0, 0.0), (100.0, 1.0)))


class MeanEngine:
    """Answers with the mean of each crop, in one buffer that the next call writes over, as an engine may."""

    inputs = (TensorSpec("x", "float32", (-1, 3, 4, 4)),)
    max_batch = 2
    device = "cpu"
    memory = Memory(0, 0)

    def __init__(self, name: str = "quality", shape: tuple[int, ...] = (-1, 1)) -> None:
        self.outputs = (TensorSpec(name, "float32", shape),)
        self.batches: list[int] = []
        self._buffer = np.zeros((2, *shape[1:]), np.float32)

    def infer(self, arrays: Mapping[str, Tensor]) -> dict[str, Tensor]:
        means = arrays["x"].mean(axis=(1, 2, 3))
        self.batches.append(len(means))
        answer = self._buffer[: len(means)]
        answer[...] = means.reshape(-1, *[1] * (answer.ndim - 1))
        return {self.outputs[0].name: answer}

    def trim(self) -> None:
        pass

    def close(self) -> None:
        pass


def grader(engine: MeanEngine, **fields: Any) -> Grader:
    manifest = Manifest(
        name="mean", version="1", role="quality", family="quality", normalisation=Normalisation(colour="rgb"),
        source=Source(sha256="0" * 64, licence="MIT"), alignment="arcface_112", **fields,
    )  # fmt: skip
    return Grader(engine, CpuPreprocessor(), manifest, HEAD)


def crops(*levels: int) -> list[np.ndarray]:
    return [np.full((4, 4, 3), level, np.uint8) for level in levels]


@pytest.mark.parametrize("shape", [(-1, 1), (-1,)])
def test_each_crop_gets_its_own_number_in_batches_of_what_the_engine_takes(shape: tuple[int, ...]) -> None:
    engine = MeanEngine(shape=shape)
    assert grader(engine).grades(crops(10, 20, 30, 40, 50)) == [10, 20, 30, 40, 50]
    assert engine.batches == [2, 2, 1]


def test_no_crop_is_no_work() -> None:
    engine = MeanEngine()
    assert grader(engine).grades([]) == []
    assert engine.batches == []


def test_the_manifest_says_what_the_graph_calls_the_quality() -> None:
    assert grader(MeanEngine("out_7"), outputs={"quality": "out_7"}).grades(crops(9)) == [9]


def test_a_graph_without_that_output_is_refused_at_the_start() -> None:
    with pytest.raises(EngineError, match=r"^mean: the graph has no output 'quality' but out_7; [^\n]*\[outputs\]"):
        grader(MeanEngine("out_7"))


def test_an_embedding_is_no_quality() -> None:
    with pytest.raises(
        EngineError, match=r"^quality: the quality network answers \[1, 8\] instead of \[1, 1\];[^\n]*$"
    ):
        grader(MeanEngine(shape=(-1, 8))).grades(crops(1))


def test_the_lower_of_features_and_network_counts() -> None:
    plain = Assessment(0.7)
    assert lowered(plain, 80, 0.8) == Assessment(0.7, (), 80)
    assert lowered(plain, 65, 0.65) == Assessment(0.65, (), 65)
    assert lowered(plain, 30, 0.3) == Assessment(0.3, (UNCLEAR,), 30)


def test_the_reason_of_the_network_comes_first_only_when_it_is_the_worst() -> None:
    dark = Assessment(0.5, ("too dark",))
    assert lowered(dark, 55, 0.55).reasons == ("too dark",)
    assert lowered(dark, 45, 0.45).reasons == (UNCLEAR, "too dark")


def test_what_is_not_a_number_is_worth_nothing() -> None:
    assert lowered(Assessment(0.9), float("nan"), HEAD.quality(float("nan"))) == Assessment(0.0, (UNCLEAR,), None)
