"""The rows of `faceedge selftest` as tests, on a Jetson with its own configuration: pytest -m device tests/device"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from faceedge import config, selftest
from faceedge.backends.machine_facts import ROOT
from faceedge.checks.base import Bench, Check
from faceedge.cli.bench_frames import frames_of

pytestmark = [pytest.mark.device, pytest.mark.timeout(600)]
MINUTES = 4


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    if not (ROOT / "etc/nv_tegra_release").exists():
        pytest.skip("not a Jetson: there is no /etc/nv_tegra_release")
    settings = config.load(None)
    (frame,) = frames_of(None, None, None).images
    state, cache = config.state_dir(settings), config.cache_dir()
    with Bench(settings.models, settings.engine, state, cache, frame, 60 * MINUTES) as opened:
        yield opened


@pytest.mark.parametrize("check", selftest.CHECKS, ids=lambda check: check.name)
def test_the_device_passes(bench: Bench, check: Check) -> None:
    (row,) = selftest.run(bench, lambda name, share: None, [check])
    if row.verdict == "not run":
        pytest.skip(row.finding.said)
    assert row.verdict == "passed", row.finding.said
