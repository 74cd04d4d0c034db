"""What the check of an engine finds out before it may serve, with ONNX Runtime in place of TensorRT."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from faceedge.backends.base import Input, Tensor
from faceedge.backends.fingerprint import BuildOptions
from faceedge.backends.onnx import OnnxEngine
from faceedge.errors import EngineError
from faceedge.jobs.engine_check import MOST, check_answers, expected_answers
from faceedge.manifest import SelfTest
from faceedge.models import selftest
from faceedge.models.store import make_package
from faceedge.package import Package
from tests.fakes.small_networks import crop_network

Change = Callable[[Tensor], Tensor]


class Changed(OnnxEngine):
    """Answers a little otherwise."""

    change: Change = staticmethod(lambda values: values)

    def infer(self, arrays: Mapping[str, Input]) -> dict[str, Tensor]:
        return {name: self.change(np.array(values)) for name, values in super().infer(arrays).items()}


@pytest.fixture
def package(tmp_path: Path) -> Package:
    return make_package(crop_network(tmp_path / "crop.onnx", {"embedding": 512}), "edgeface-xxs", tmp_path / "models")


def options(precision: str = "fp16", batch: int = 8, side: int = 112) -> BuildOptions:
    profile = {"input": ((1, 3, side, side), (min(2, batch), 3, side, side), (batch, 3, side, side))}
    return BuildOptions.model_validate({"precision": precision, "profile": profile})


def engine(package: Package, change: Change = lambda values: values, batch: int = 8) -> Changed:
    made = Changed(package.graph, max_batch=batch)
    made.change = change  # type: ignore[method-assign]
    return made


def noted(package: Package, factor: float = 1.0, width: int = 112) -> Package:
    """With a self-test, as `faceedge model add` notes one."""
    answer = OnnxEngine(package.graph, max_batch=1).infer({"input": selftest.tensor(selftest.picture(112, 112))})
    answers = selftest.answers({name: values * np.float32(factor) for name, values in answer.items()})
    test = SelfTest(width=width, height=width, outputs=answers)
    return replace(package, manifest=package.manifest.model_copy(update={"selftest": test}))


@pytest.mark.parametrize("batch", [1, 2, 8])
def test_an_engine_that_answers_alike_may_serve(package: Package, batch: int) -> None:
    expected = expected_answers(engine(package), package, options(batch=batch))
    check_answers(engine(package, batch=batch), package, options(batch=batch), expected)
    check_answers(engine(noted(package), batch=batch), noted(package), options(batch=batch))


@pytest.mark.parametrize(
    "change",
    [
        lambda values: values * np.float32(1.1),
        lambda values: np.roll(values, 1, axis=0),
        lambda values: values[:, ::-1],
        lambda values: np.full_like(values, np.nan),
        np.zeros_like,
        lambda values: values[:1],
        lambda values: values[:, :256],
    ],
    ids=["scaled", "rows changed places", "columns changed places", "no numbers", "zeros", "too few", "too short"],
)
def test_an_engine_that_answers_otherwise_may_not(package: Package, change: Change) -> None:
    expected = expected_answers(engine(package), package, options())
    with pytest.raises(EngineError, match="differ by"):
        check_answers(engine(package, change), package, options(), expected)


def test_what_the_package_notes_counts_without_another_engine(package: Package) -> None:
    with pytest.raises(EngineError, match="differ by"):
        check_answers(engine(package), noted(package, factor=1.2), options())


def test_an_output_that_is_missing_is_named(package: Package) -> None:
    other = noted(package)
    assert other.manifest.selftest is not None
    answers = {"other": other.manifest.selftest.outputs["embedding"]}
    test = other.manifest.selftest.model_copy(update={"outputs": answers})
    other = replace(other, manifest=other.manifest.model_copy(update={"selftest": test}))
    with pytest.raises(EngineError, match="has no output 'other'"):
        check_answers(engine(package), other, options())


def test_a_self_test_picture_that_the_engine_will_never_see_does_not_count(package: Package) -> None:
    check_answers(engine(package), noted(package, factor=9.0, width=320), options())


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_the_bound_is_that_of_the_precision(package: Package, precision: str) -> None:
    bound = MOST[precision]  # type: ignore[index]
    expected = expected_answers(engine(package), package, options(precision))
    for share, fits in ((0.9, True), (1.1, False)):
        rounded = engine(package, lambda values, share=share: values * np.float32(1 + share * bound))  # type: ignore[misc]
        if fits:
            check_answers(rounded, package, options(precision), expected)
        else:
            with pytest.raises(EngineError, match=f"more than {bound:g}"):
                check_answers(rounded, package, options(precision), expected)


def test_a_reference_that_fails_is_not_the_engines_fault(package: Package) -> None:
    closed = engine(package)
    closed.close()
    with pytest.raises(EngineError, match="closed"):
        expected_answers(closed, package, options())
