"""An ONNX Runtime engine that gets no memory says so, and runs what fits."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CHILD = """
import resource, sys
import numpy as np
from pathlib import Path
from faceedge.backends.onnx import OnnxEngine
from faceedge.effort import Effort
from faceedge.errors import NoMemory
from faceedge.portions import Portions

engine = OnnxEngine(Path(sys.argv[1]), max_batch=64)
side = int(sys.argv[2])
rows = np.zeros((64, 3, side, side), np.float32)
name = engine.inputs[0].name
engine.infer({name: rows[:1]})
held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (held + 40_000_000, resource.RLIM_INFINITY))
try:
    engine.infer({name: rows})
except NoMemory as error:
    print("told:", error)
told = []
def work(part):
    return [one.copy() for one in engine.infer({name: part})[engine.outputs[0].name]]
found = Portions(lambda: Effort(batch=64), lambda: told.append(1)).run(engine, rows, work)
print("found", len(found), "told", len(told))
"""


@pytest.mark.assets
@pytest.mark.system
def test_a_batch_that_finds_no_memory_is_answered_one_by_one(assets: Path) -> None:
    graph = assets / "models" / "mobilefacenet_128_fast.onnx"
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(graph), "112"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "told: ONNX Runtime has no memory left" in done.stdout, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "found 64 told 1"
