"""Crops in, templates out, in batches of at most what the engine takes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from faceedge.backends.base import Engine, Preprocessor
from faceedge.errors import EngineError
from faceedge.package import Normalisation
from faceedge.types import Image, Template


class Recognizer:
    """One recogniser network. space: templates compare only within one space."""

    def __init__(self, engine: Engine, preprocessor: Preprocessor, norm: Normalisation, space: str) -> None:
        self.space = space
        self._engine = engine
        self._preprocessor = preprocessor
        self._norm = norm
        self._input = engine.inputs[0].name
        self._output = engine.outputs[0].name

    def embed(self, crops: Sequence[Image]) -> list[Template]:
        """One template a crop (uint8 BGR, all of the recogniser's size).

        Raises EngineError when the network fails or answers with a vector that is zero or not finite.
        """
        step = self._engine.max_batch
        return [one for at in range(0, len(crops), step) for one in self._batch(crops[at : at + step])]

    def _batch(self, crops: Sequence[Image]) -> list[Template]:
        tensor = self._preprocessor.tensor(crops, self._norm)
        raw = np.asarray(self._engine.infer({self._input: tensor})[self._output], np.float32)
        norms = np.linalg.norm(raw, axis=1)
        if not np.isfinite(norms).all() or norms.min() == 0:
            raise EngineError("the recogniser answered with a vector that is zero or not finite; verify the model")
        units = raw / norms[:, None]
        return [Template(unit, float(norm), self.space) for unit, norm in zip(units, norms, strict=True)]
