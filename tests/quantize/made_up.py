"""Made-up people with known score distributions, for the gates, the thresholds and the report."""

from __future__ import annotations

from functools import cache

import numpy as np

from faceedge.quantize.pairs import all_pairs
from faceedge.quantize.scores import PairScores, scored
from faceedge.types import Floats


def embeddings(
    people: int, each: int, seed: int, dimension: int = 64, spread: float = 0.1
) -> tuple[Floats, np.ndarray]:
    """Outputs of a made-up recogniser, and the person of each. spread: how far a person's photos lie apart."""
    chance = np.random.default_rng(seed)
    centres = chance.normal(size=(people, dimension)) / np.sqrt(dimension)
    numbers = np.repeat(np.arange(people), each)
    rows = centres[numbers] + spread * chance.normal(size=(len(numbers), dimension))
    return rows.astype(np.float32), numbers


def noisy(rows: Floats, noise: float, seed: int = 99) -> Floats:
    """The same outputs after a rounding that adds `noise`."""
    chance = np.random.default_rng(seed)
    return (rows + noise * chance.normal(size=rows.shape)).astype(np.float32)


@cache
def pair_scores(people: int = 60, each: int = 6, noise: float = 0.0, seed: int = 1, spread: float = 0.1) -> PairScores:
    rows, numbers = embeddings(people, each, seed, spread=spread)
    return scored(rows, noisy(rows, noise), numbers, all_pairs(numbers, seed), "cosine")
