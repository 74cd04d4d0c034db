"""Rewrites a chain of layers so that it costs less and answers the same, up to the rounding of float32 sums."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from faceedge.errors import PackageError
from faceedge.models.importers.dlib_layers import Affine, Conv, Layer, Relu

BLOCK = 16
"""Channels that CPUs and GPUs compute at once; a convolution into 45 costs more than one into 48."""


def lean(layers: Sequence[Layer]) -> list[Layer]:
    """Folds affine layers; in a plain chain also fills channels up to whole blocks and parts the last convolution."""
    folded = fold(layers)
    if not all(isinstance(layer, Conv | Relu) for layer in folded):
        return folded
    filled = _filled(folded)
    last = filled[-1]
    return [*filled[:-1], *_parted(last)] if isinstance(last, Conv) and len(last.weights) == 1 else filled


def fold(layers: Sequence[Layer]) -> list[Layer]:
    """Multiplies every affine layer into the convolution before it. Raises PackageError when there is none."""
    folded: list[Layer] = []
    for layer in layers:
        if isinstance(layer, Affine):
            before = folded.pop() if folded else None
            if not isinstance(before, Conv) or len(before.bias) != len(layer.gamma):
                raise PackageError("a dlib affine layer does not fit what is before it; the model file is not known")
            weights = before.weights * layer.gamma[:, None, None, None]
            folded.append(Conv(weights, before.bias * layer.gamma + layer.beta, before.stride, before.padding))
        else:
            folded.append(layer)
    return folded


def _filled(layers: Sequence[Layer]) -> list[Layer]:
    """Zero filters up to a whole block; they stay zero behind every ReLU and the next convolution ignores them."""
    filled: list[Layer] = []
    extra = 0
    last = max(index for index, layer in enumerate(layers) if isinstance(layer, Conv))
    for index, layer in enumerate(layers):
        if isinstance(layer, Conv):
            weights = np.pad(layer.weights, ((0, 0), (0, extra), (0, 0), (0, 0)))
            extra = 0 if index == last else -len(weights) % BLOCK
            weights = np.pad(weights, ((0, extra), (0, 0), (0, 0), (0, 0)))
            filled.append(Conv(weights, np.pad(layer.bias, (0, extra)), layer.stride, layer.padding))
        else:
            filled.append(layer)
    return filled


def _parted(layer: Conv) -> list[Layer]:
    """A convolution into one channel as two: down the columns for each horizontal tap, then along the rows.

    One output channel is computed as a whole block of them; 9x1 into 9 channels and 1x9 into 1 waste less.
    """
    taps = layer.weights.shape[3]
    columns = np.ascontiguousarray(layer.weights[0].transpose(2, 0, 1)[..., None])
    rows = np.eye(taps, dtype=np.float32).reshape(1, taps, 1, taps)
    (down, right), (above, left) = layer.stride, layer.padding
    first = Conv(columns, np.zeros(taps, np.float32), (down, 1), (above, 0))
    return [first, Conv(rows, layer.bias, (1, right), (0, left))]
