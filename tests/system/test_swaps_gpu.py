"""Another recogniser on a device: its engine is built in a process of its own while the one before decides. On the
stand-in device.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.swapping import furnished
from benchmarks.visits import Door
from faceedge.jobs.swap import Order
from tests.door.running import until
from tests.fakes.gpu.fixture import StandinGpu
from tests.jobs.gpu_site import device  # noqa: F401 - a fixture

pytestmark = [pytest.mark.system, pytest.mark.assets]


def built(door: Door, label: str) -> tuple[float, float]:
    """From when to when an engine was built."""
    told = {event["done"]: at for at, event in door.builds if event["package"] == label}
    return told["begun"], told["serves"]


@pytest.mark.parametrize("gpu", ["10.3.0"], indirect=True)
def test_the_engine_of_another_recogniser_is_built_while_the_one_before_decides_and_one_that_fails_changes_nothing(
    device: StandinGpu,  # noqa: F811
    assets: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert assets
    world = furnished(tmp_path, 1, people=3, strangers=1)
    first, other = world.labels["recognizer"]
    with Door(world.state, world.films, world.models, backend="auto") as door:
        until(lambda: len([event for _, event in door.builds if event["done"] == "serves"]) == 2, 90)
        monkeypatch.setenv("FACEEDGE_STANDIN_BUILD_FAIL", "no kernel for this layer")
        why, _ = door.ordered(Order(name=other))
        assert "no kernel for this layer" in why
        assert door.serving().packages["recognizer"].label == first  # type: ignore[union-attr]
        monkeypatch.delenv("FACEEDGE_STANDIN_BUILD_FAIL")
        monkeypatch.setenv("FACEEDGE_STANDIN_BUILD_SECONDS", "5")
        door.builds.clear()
        why, _ = door.ordered(Order(name=other))
        assert why == ""
        assert {role: engine.device for role, engine in door.serving().engines.items()} == {
            "detector": "cuda:0", "recognizer": "cuda:0",
        }  # fmt: skip
        start, end = built(door, other)
        count = len(door.seen.decided)
        until(lambda: len(door.seen.decided) > count, 60)
    assert any(start < one.at < end for one in door.seen.decided), "the one before decides meanwhile"
    assert not door.seen.wrong(world.cast)
    assert not door.seen.undecided()
