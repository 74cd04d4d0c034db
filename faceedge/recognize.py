"""Crops in, templates out, in batches of at most what the engine takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from faceedge.backends.base import Engine, Preprocessor, Tensor
from faceedge.errors import EngineError
from faceedge.manifest import Manifest
from faceedge.portions import WHOLE, Portions
from faceedge.types import Floats, Image, Template

EMBEDDING = "embedding"


class Recognizer:
    """One recogniser network. space: templates compare only within one space.

    The embedding is the output that the manifest calls so, else the graph's first. Each other output of one number a
    crop, as a temperature, goes into `Template.aux` under the family's name for it, else the graph's.

    Raises EngineError when the graph answers with another length than the manifest's `dimension`.
    """

    def __init__(
        self, engine: Engine, preprocessor: Preprocessor, manifest: Manifest, space: str,
        portions: Portions = WHOLE,
    ) -> None:  # fmt: skip
        self.space = space
        self._engine = engine
        self._portions = portions
        self._preprocessor = preprocessor
        self._norm = manifest.normalisation
        self._dimension = manifest.dimension
        self._input = engine.inputs[0].name
        names = [spec.name for spec in engine.outputs]
        wanted = manifest.output(EMBEDDING)
        self._output = wanted if wanted in names else names[0]
        family_names = {graph: family for family, graph in manifest.outputs.items()}
        self._aux = {name: family_names.get(name, name) for name in names if name != self._output}
        if declared := engine.outputs[names.index(self._output)].shape:
            self._check(declared)

    @property
    def most(self) -> int:
        """So many crops run at once."""
        return self._portions.most(self._engine)

    def embed(self, crops: Sequence[Image]) -> list[Template]:
        """One template a crop (uint8 BGR, all of the recogniser's size).

        Raises EngineError when the network fails or its vector is zero, not finite or of another length.
        """
        return self._portions.run(self._engine, crops, self._batch)

    def tidy(self) -> None:
        """For the stage's thread when it has nothing to do: see `Engine.tidy`."""
        self._engine.tidy()
        self._preprocessor.tidy()

    def _batch(self, crops: Sequence[Image]) -> list[Template]:
        outputs = self._engine.infer({self._input: self._preprocessor.tensor(crops, self._norm)})
        raw = np.asarray(outputs[self._output], np.float32)
        self._check(raw.shape, len(crops))
        norms = np.linalg.norm(raw, axis=1)
        if not np.isfinite(norms).all() or norms.min() == 0:
            raise EngineError("the recogniser answered with a vector that is zero or not finite; verify the model")
        units: Floats = raw / norms[:, None]  # also the copy that outlives the engine's next call
        aux = self._numbers(outputs, len(crops))
        return [
            Template(unit, float(norm), self.space, numbers)
            for unit, norm, numbers in zip(units, norms, aux, strict=True)
        ]

    def _numbers(self, outputs: Mapping[str, Tensor], count: int) -> list[dict[str, float]]:
        """Every further output that is one number a crop, by crop."""
        found: list[dict[str, float]] = [{} for _ in range(count)]
        for name, called in self._aux.items():
            if outputs[name].shape in ((count,), (count, 1)):
                for numbers, value in zip(found, outputs[name].reshape(-1), strict=True):
                    numbers[called] = float(value)
        return found

    def _check(self, shape: tuple[int, ...], count: int | None = None) -> None:
        """count: of the crops it was asked about; None where only the graph was asked."""
        is_counted = len(shape) == 2 and count in (None, shape[0])
        if not is_counted or (self._dimension and shape[1] not in (-1, self._dimension)):
            wanted = f"[{'n' if count is None else count}, {self._dimension or 'd'}]"
            raise EngineError(f"{self._output}: the recogniser answers {list(shape)} instead of {wanted}; add it anew")
