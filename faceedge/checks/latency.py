"""How long a batch takes, by network, precision and batch size: an installation in, a table out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from faceedge.checks.base import Bench, Finding, Share, part_of, passed
from faceedge.jobs.bench import NAMES, measure
from faceedge.jobs.vision import Vision
from faceedge.manifest import Role

TIME_SHARE = 0.35
Row = dict[str, Any]


def check_latency(bench: Bench, tell: Share) -> Finding:
    """The networks as they serve and, where that is on the GPU, in ONNX Runtime too."""
    seconds = TIME_SHARE * bench.measuring_s
    if bench.no_gpu():
        return told(_measured(bench, bench.vision, {}, seconds, tell))
    engines = bench.gpu_engines()
    precisions = {
        role: engines.plan_of(package, bench.vision.engines[role].inputs[0]).wanted.options.precision
        for role, package in bench.packages.items()
        if bench.vision.engines[role].device != "cpu"
    }
    rows = _measured(bench, bench.vision, precisions, seconds / 2, part_of(tell, 0, 2))
    with bench.reference_vision() as reference:
        rows += _measured(bench, reference, {}, seconds / 2, part_of(tell, 1, 2))
    return told(rows)


def told(rows: list[Row]) -> Finding:
    """The batches of one in words, all as figures."""
    singles = [f"{row['engine']} {row['role']} {row['ms']:.1f} ms" for row in rows if row["batch"] == 1]
    return passed("one at a time: " + ", ".join(singles), table=rows)


def _measured(bench: Bench, vision: Vision, precisions: Mapping[Role, str], seconds: float, tell: Share) -> list[Row]:
    """precisions: of the engines that run on the GPU; the others run in ONNX Runtime."""
    result = measure(vision, [bench.frame], seconds, lambda _words, share: tell(share))
    return [
        {
            "engine": "TensorRT" if speed.role in precisions else "ONNX Runtime",
            "role": NAMES[speed.role],
            "package": bench.packages[speed.role].label,
            "precision": precisions.get(speed.role, bench.packages[speed.role].manifest.precision),
            "batch": speed.batch,
            "ms": 1000 * speed.batch / speed.per_s.median,
        }
        for speed in result.speeds
    ]
