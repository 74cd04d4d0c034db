"""Do a constant's bytes fit what it says of itself? Before anything is allocated by its word. For `foreign.py`."""

from __future__ import annotations

import math
from typing import Any

import onnx

from faceedge.errors import PackageError, one_line

MAX_RANK = 8
_KINDS = onnx.TensorProto
_BITS = {
    _KINDS.FLOAT: 32, _KINDS.UINT8: 8, _KINDS.INT8: 8, _KINDS.UINT16: 16, _KINDS.INT16: 16, _KINDS.INT32: 32,
    _KINDS.INT64: 64, _KINDS.BOOL: 8, _KINDS.FLOAT16: 16, _KINDS.DOUBLE: 64, _KINDS.UINT32: 32, _KINDS.UINT64: 64,
    _KINDS.BFLOAT16: 16, _KINDS.UINT4: 4, _KINDS.INT4: 4,
}  # fmt: skip
_FIELDS = {
    _KINDS.FLOAT: "float_data", _KINDS.DOUBLE: "double_data", _KINDS.INT64: "int64_data", _KINDS.UINT64: "uint64_data",
    _KINDS.UINT32: "uint64_data",
}  # fmt: skip


def check_tensor(tensor: Any) -> None:
    """Raises PackageError when the weights lie in another file, or are more or fewer than the shape says."""
    name = one_line(tensor.name, 40)
    if tensor.data_location == _KINDS.EXTERNAL or tensor.external_data:
        raise PackageError(
            f"keeps {name!r} in another file; merge it: onnx.save(onnx.load('in.onnx'), 'out.onnx') puts all in one"
        )
    if tensor.data_type not in _BITS:
        raise PackageError(f"holds {name!r} as type {tensor.data_type}, no numbers that are served; export float32")
    if len(tensor.dims) > MAX_RANK or any(size < 0 for size in tensor.dims) or tensor.HasField("segment"):
        raise PackageError(f"gives {name!r} an impossible shape; fetch or export it again")
    if held_bits(tensor) != stated_bits(tensor):
        raise PackageError(f"holds more or fewer numbers in {name!r} than its shape says; fetch or export it again")


def stated_bits(tensor: Any) -> int:
    """Bits of the numbers that the shape asks for, filled up to whole bytes."""
    return -(-math.prod(int(size) for size in tensor.dims) * _BITS[tensor.data_type] // 8) * 8


def held_bits(tensor: Any) -> int:
    """Bits of the numbers that are there. Small types lie in a list of int32 each."""
    if tensor.HasField("raw_data"):
        return 8 * len(tensor.raw_data)
    bits = _BITS[tensor.data_type]
    count = len(getattr(tensor, _FIELDS.get(tensor.data_type, "int32_data")))
    return count * 8 if bits < 8 else count * bits
