"""Crops in, raw quality out, in batches of at most what the engine takes: networks such as LightQNet and eDifFIQA."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from faceedge.backends.base import Engine, Preprocessor
from faceedge.errors import EngineError
from faceedge.fit import QualityHead
from faceedge.manifest import Manifest
from faceedge.portions import WHOLE, Portions
from faceedge.types import Image

QUALITY = "quality"


class Grader:
    """One quality network: a single number a crop, higher is better. alignment: of the crops that it takes.

    head: maps the raw number to quality 0..1; NaN is worth nothing. Raises EngineError when the graph lacks the output.
    """

    def __init__(
        self, engine: Engine, preprocessor: Preprocessor, manifest: Manifest, head: QualityHead,
        portions: Portions = WHOLE,
    ) -> None:  # fmt: skip
        self.alignment = manifest.alignment
        self.head = head
        self._engine = engine
        self._portions = portions
        self._preprocessor = preprocessor
        self._norm = manifest.normalisation
        self._input = engine.inputs[0].name
        self._output = manifest.output(QUALITY)
        names = [spec.name for spec in engine.outputs]
        if self._output not in names:
            raise EngineError(
                f"{manifest.name}: the graph has no output {self._output!r} but {', '.join(names)}; "
                f"name the right one in model.toml: [outputs] {QUALITY} = …"
            )

    def grades(self, crops: Sequence[Image]) -> list[float]:
        """The raw number of each crop (uint8 BGR, all of the network's size), as it came: NaN too.

        Raises EngineError when the network fails or answers with anything but one number a crop.
        """
        return self._portions.run(self._engine, crops, self._batch)

    def tidy(self) -> None:
        """For the stage's thread when it has nothing to do: see `Engine.tidy`."""
        self._engine.tidy()
        self._preprocessor.tidy()

    def _batch(self, crops: Sequence[Image]) -> list[float]:
        raw = self._engine.infer({self._input: self._preprocessor.tensor(crops, self._norm)})[self._output]
        if raw.shape not in ((len(crops),), (len(crops), 1)):
            raise EngineError(
                f"{self._output}: the quality network answers {list(raw.shape)} instead of [{len(crops)}, 1]; "
                "verify the model"
            )
        return [float(value) for value in np.ravel(raw)]
