"""What a similarity is. cosine: A·B of unit vectors. euclidean: 1 - |A-B|²/2 of the vectors before normalisation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faceedge.errors import FaceedgeError
from faceedge.types import Floats

METRICS = ("cosine", "euclidean")
ROUNDING = np.float32(2.0**-19)  # covers the float32 operations of `rough`, each within 2^-24 of the largest term

Exact = NDArray[np.float64]


def check_metric(metric: str) -> None:
    """Raises FaceedgeError for one that is not known."""
    if metric not in METRICS:
        raise FaceedgeError(f"unknown metric {metric!r}; a recogniser's metric is {' or '.join(METRICS)}")


def similarities(cosines: Exact, a_norms: Exact, b_norms: Exact, metric: str) -> Exact:
    """Exactly, which is in float64 throughout; element by element."""
    if metric == "cosine":
        return cosines
    squares = a_norms**2 + b_norms**2 - 2 * a_norms * b_norms * cosines
    return np.asarray(1 - squares / 2, np.float64)


def rough(products: Floats, allowed: Floats, asked: Floats, scaled: Floats, norms: Floats) -> tuple[Floats, Floats]:
    """Euclidean similarities of rough products, and what is allowed for their error.

    products: float32 (m, c), of some unit. allowed: float32 (m,), their error. asked: float32 (m,), norms of the
    queries; scaled: the same times that unit. norms: float32 (c,), of the rows. No norm is negative.
    """
    largest = norms.max()
    scores = scaled[:, None] * norms
    scores *= products
    scores += 1 - (asked[:, None] ** 2 + norms**2) / 2
    rounding = ROUNDING * (1 + asked**2 + largest**2 + 2 * asked * largest)
    return scores, np.asarray(allowed * (scaled * largest) * (1 + ROUNDING) + rounding, np.float32)
