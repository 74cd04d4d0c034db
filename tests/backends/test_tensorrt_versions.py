"""Where the TensorRT engine meets what differs between the versions: plans and what is told about them."""

from __future__ import annotations

from pathlib import Path

import pytest

from faceedge.backends.tensorrt import TensorRtEngine
from faceedge.errors import EngineError
from tests.backends.conftest import Box
from tests.contract import standin
from tests.contract.made_up import made_up, no_network
from tests.contract.plans import plan as build_plan
from tests.fakes.gpu import driver


def test_a_plan_that_tensorrt_refuses_is_told_in_its_words(box: Box, plan: bytes, tmp_path: Path) -> None:
    for spoilt in (no_network(tmp_path).read_bytes(), plan[:-7], b""):
        with pytest.raises(EngineError, match=r"^TensorRT does not take the plan: (?!TensorRT gives)[^\n]+; build it"):
            box.open(spoilt)


def test_a_plan_of_another_version_is_refused(box: Box, tmp_path: Path) -> None:
    other = next(version for version in driver.VERSIONS if version != box.standin.version)
    foreign = build_plan(standin.trt(other), made_up(tmp_path), 4)
    with pytest.raises(EngineError, match="not compatible with this version"):
        box.open(foreign)


def test_weights_are_what_tensorrt_tells_or_the_size_of_the_plan(engine: TensorRtEngine, box: Box, plan: bytes) -> None:
    if box.standin.version == "10.3.0":
        assert engine.memory.weights == len(plan)
    else:
        assert 0 < engine.memory.weights < len(plan)
