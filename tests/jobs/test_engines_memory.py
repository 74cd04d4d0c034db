"""A device without room for an engine: the network runs on ONNX Runtime, and the plan is not blamed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.fakes.gpu.fixture import StandinGpu
from tests.jobs.gpu_site import Door, device, package, state  # noqa: F401 - fixtures

OUT_OF_MEMORY = 2
ROWS = {"input": np.zeros((1, 3, 112, 112), np.float32)}


@pytest.mark.parametrize("gpu", ["10.3.0"], indirect=True)
@pytest.mark.system
def test_a_plan_that_finds_no_memory_is_kept_and_serves_at_the_next_start(
    device: StandinGpu,  # noqa: F811
    state: Path,  # noqa: F811
) -> None:
    first = Door(state)
    built = first.engines.open(package(state, "edgeface-xxs"))
    first.builder.start()
    first.wait("serves")
    first.builder.stop()
    built.close()

    device.fail("cuMemAlloc", OUT_OF_MEMORY, times=-1)
    without = Door(state)
    engine = without.engines.open(package(state, "edgeface-xxs"))
    assert engine.device == "cpu"
    assert engine.infer(ROWS)["embedding"].shape[0] == 1
    assert any("memory" in notice for notice in without.engines.notices())
    without.builder.start()
    assert without.told == [], "nothing to build"
    without.builder.stop()
    engine.close()
    device.fail("cuMemAlloc", 0)

    engine = Door(state).engines.open(package(state, "edgeface-xxs"))
    assert engine.device == "cuda:0"
    engine.close()
