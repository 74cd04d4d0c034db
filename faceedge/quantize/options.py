"""What a quantisation is told to do. All else follows from the graph and the images: nothing is left to chance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Method = Literal["entropy", "minmax", "percentile", "error"]


@dataclass(frozen=True, slots=True)
class Options:
    """method: how an activation's step is found; `error` tries steps and measures the node's output.

    equalise: even the channels out first. correct_bias: take the mean of the rounding errors out of the biases.
    centre: move lopsided activations to the middle of int8's range; only where both of the others are on.
    keep_float: nodes left alone, by name. sample: how many of the images `error` and the biases are measured on, evenly
    from the set; ranges are taken on all.
    """

    method: Method = "error"
    equalise: bool = True
    centre: bool = True
    correct_bias: bool = True
    keep_float: tuple[str, ...] = ()
    sample: int = 96
