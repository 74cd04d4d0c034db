"""Passes all calibration images through a network and keeps the ranges of what its quantised nodes take.

An interrupted collection goes on where it stopped, if it is given the same folder again.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from faceedge.errors import BadInput
from faceedge.quantize.network import Network
from faceedge.quantize.observe import Observer
from faceedge.quantize.ranges import Ranges
from faceedge.types import Floats

Batches = Callable[[], Iterator[Floats]]
Progress = Callable[[str, float], None]
SAVE_EVERY_S = 20.0


def collect(
    network: Network, batches: Batches, state: Path | None = None, clock: Callable[[], float] = time.monotonic
) -> Ranges:
    """The ranges of all tensors that nodes with weights take.

    batches: gives the same batches, float32 (n, …), in the same order at each call. state: a folder of these images for
    what must outlive an interruption; the file in it bears the digest of the graph. Raises EngineError, StoreError,
    and BadInput when there is no batch.
    """
    axes = {node.data: channel_axis(node.kind) for node in network.weighted()}
    ranges, observer = Ranges(axes), Observer(network.model, list(axes))
    digest = hashlib.sha256(network.model.SerializeToString(deterministic=True)).hexdigest()
    path = state / f"ranges-{digest[:16]}.npz" if state is not None else None
    if path is not None and ranges.load(path, digest) and ranges.is_whole:
        return ranges
    saved = clock()
    for batch in islice(batches(), ranges.batches, None):
        for tensors in observer.run(batch):
            ranges.add(tensors)
        ranges.batches += 1
        if path is not None and clock() - saved > SAVE_EVERY_S:
            ranges.save(path, digest)
            saved = clock()
    if not ranges.images:
        raise BadInput("there is no image to calibrate with; name a folder that holds some")
    ranges.is_whole = True
    if path is not None:
        ranges.save(path, digest)
    return ranges


def channel_axis(kind: str) -> int:
    """Where the channels lie in what a node of this kind takes and gives."""
    return -1 if kind in ("MatMul", "Gemm") else 1
