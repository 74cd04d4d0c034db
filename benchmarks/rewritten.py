"""PReLU rewritten for ONNX Runtime against the plain form: the same networks, frames and threads, turn by turn.

The networks are those of FACEEDGE_TEST_ASSETS; without them there is nothing to compare. A form that `model add` would
leave out because it is no faster is measured as well.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.measure import Row, compare_times, interleaved
from faceedge.backends.onnx import OnnxEngine
from faceedge.models import foreign
from faceedge.models.optimise import as_bytes, folded
from faceedge.models.prelu import rewritten

ASSETS = Path(os.environ.get("FACEEDGE_TEST_ASSETS", Path(__file__).parents[2] / "shared")) / "models"
SIDES_PX = {
    "mobilefacenet_128": 112, "mobilefacenet_casia_128": 112, "minifasnet_v2": 80, "bench_iresnet50_noweights": 112,
}  # fmt: skip
READY, PLAIN = "mobilefacenet_128_fast", "mobilefacenet_128"
THREADS, BATCHES = (1, 2), (1, 8)
TURNS, LONG_TURNS = 40, 3
SLOW = "bench_iresnet50_noweights"


def rows() -> list[Row]:
    """Milliseconds a picture: the rewritten form against the plain one, and against the one made by hand."""
    if not ASSETS.is_dir():
        return []
    with tempfile.TemporaryDirectory() as scratch:
        forms = {name: _forms(name, Path(scratch)) for name in SIDES_PX}
        found = [
            _row(f"{name}: rewritten against plain", *forms[name], side, threads, batch, _turns(name, batch))
            for name, side in SIDES_PX.items() for threads in THREADS for batch in BATCHES if name != SLOW or batch == 1
        ]  # fmt: skip
        ours, ready = forms[PLAIN][0], ASSETS / f"{READY}.onnx"
        name = f"{PLAIN}: our rewriting against {READY}"
        return found + [_row(name, ours, ready, 112, threads, 8, _turns(PLAIN, 8)) for threads in THREADS]


def _forms(name: str, scratch: Path) -> tuple[Path, Path]:
    """The rewritten form and the plain one, as `model add` makes them."""
    model = foreign.parse((ASSETS / f"{name}.onnx").read_bytes())
    lean = folded(model, scratch)
    plain = lean[0] if lean is not None else model
    fast = rewritten(plain)
    assert fast is not None, "these networks have PReLU"
    paths = scratch / f"{name}.fast.onnx", scratch / f"{name}.onnx"
    for path, form in zip(paths, (fast[0], plain), strict=True):
        path.write_bytes(as_bytes(form))
    return paths


def _turns(name: str, batch: int) -> int:
    return LONG_TURNS if name == SLOW else TURNS // (batch if batch < 8 else 4)


def _row(name: str, ours: Path, theirs: Path, side_px: int, threads: int, batch: int, turns: int) -> Row:
    engines = [OnnxEngine(path, max_batch=batch, threads=threads) for path in (ours, theirs)]
    pictures = np.random.default_rng(0).uniform(-1, 1, (batch, 3, side_px, side_px)).astype(np.float32)
    inputs = {engines[0].inputs[0].name: pictures}
    times = interleaved(turns, *(lambda engine=engine: engine.infer(inputs) for engine in engines))
    for engine in engines:
        engine.close()
    return compare_times(f"{name}, {threads} thread(s), batch {batch}", times[0], times[1], batch, None)
