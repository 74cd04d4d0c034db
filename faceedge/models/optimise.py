"""The same network with constants and batch-norms folded in: a graph in, a leaner one out, or none. Pure but for a
scratch file. Whether its answers are the same is for `prepare.py` to show.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import onnx
import onnxruntime

from faceedge.errors import PackageError
from faceedge.models import foreign
from faceedge.models.running import opened, quiet_options

GROWTH, MARGIN_BYTES = 1.5, 1 << 20
"""A graph whose constants are made by operators (a long one of zeros) stays short: its file may not grow by more."""


def folded(model: Any, scratch: Path) -> tuple[Any, tuple[str, ...]] | None:
    """What ONNX Runtime's basic optimisations make of the graph, and what was done in words.

    None when there is nothing to fold, and when it would not stay ONNX's own operators and a file of about that size.
    scratch: a folder that can be written. Raises MemoryError.
    """
    content = model.SerializeToString(deterministic=True)
    with tempfile.TemporaryDirectory(dir=scratch, prefix=".fold-") as folder:
        target = Path(folder) / "folded.onnx"
        options = quiet_options()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(target)
        try:
            opened(content, options)
            size = target.stat().st_size
        except (PackageError, OSError):
            return None
        if size > GROWTH * len(content) + MARGIN_BYTES:
            return None
        lean = onnx.ModelProto()
        lean.ParseFromString(target.read_bytes())
    if foreign.operators(lean) == foreign.operators(model) or not _is_plain(lean, model):
        return None
    _restore(lean, model)
    return lean, (f"{len(model.graph.node)} operators folded into {len(lean.graph.node)}",)


def as_bytes(model: Any) -> bytes:
    """The file's content: the same graph gives the same bytes."""
    return bytes(model.SerializeToString(deterministic=True))


def _is_plain(lean: Any, model: Any) -> bool:
    same = foreign.opset_of(lean) == foreign.opset_of(model)
    return same and all(node.domain in foreign.OWN for node in lean.graph.node)


def _restore(lean: Any, model: Any) -> None:
    """Inputs, outputs, notes and versions as they were; ONNX Runtime writes its own."""
    foreign.clean(lean)
    for field in ("input", "output"):
        del getattr(lean.graph, field)[:]
        getattr(lean.graph, field).extend(getattr(model.graph, field))
    del lean.metadata_props[:]
    lean.metadata_props.extend(model.metadata_props)
    lean.ir_version = model.ir_version
    lean.producer_name, lean.producer_version, lean.graph.name = model.producer_name, "", model.graph.name
