"""Does an engine answer as its package says? Self-test picture in; nothing out, or the reason why it must not serve."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from faceedge.backends.base import Engine, Tensor
from faceedge.backends.fingerprint import BuildOptions, Precision
from faceedge.errors import EngineError, PackageError
from faceedge.manifest import SelfTest
from faceedge.models import selftest
from faceedge.package import Package
from faceedge.types import Floats

MOST: dict[Precision, float] = {"fp32": 0.01, "fp16": 0.05, "int8": 0.2}
"""Share by which an answer may differ, as in `models.selftest`: TensorRT rounds otherwise than ONNX Runtime. Chosen to
tell a wrong engine from a rounded one, not measured on a device: `faceedge selftest` says what it is there."""


def expected_answers(reference: Engine, package: Package, options: BuildOptions) -> dict[str, Tensor]:
    """What an engine that serves says to the pictures of the check. Raises EngineError when it fails."""
    _, name, rows = _asked(package, options)
    return _answers(reference, name, rows)


def check_answers(
    engine: Engine, package: Package, options: BuildOptions, expected: Mapping[str, Tensor] | None = None
) -> None:
    """Holds the answers against those that the package notes, and against `expected_answers` where there are any.

    Raises EngineError when they are too far apart, or the engine fails.
    """
    noted, name, rows = _asked(package, options)
    got = _answers(engine, name, rows)
    apart = _apart_from_noted(package, noted, got) if noted is not None else 0.0
    if expected is not None:
        apart = max(apart, selftest.deviation_of_all(expected, got))
    if not apart <= (most := MOST[options.precision]):
        raise EngineError(
            f"{package.label}: the answers of the {options.precision} engine differ by {apart:.2g} from the package's, "
            f"more than {most:g}; try another precision in the recipe of its role"
        )


def _asked(package: Package, options: BuildOptions) -> tuple[SelfTest | None, str, Floats]:
    """The self-test that the engine can be held to, its input, and as many pictures as are a batch to it."""
    noted = package.manifest.selftest
    (name, (low, _, high)) = next(iter(options.profile.items()))
    size = (noted.height, noted.width) if noted is not None else low[2:]  # the smallest: others are at work meanwhile
    if not all(a <= side <= b for a, side, b in zip(low[2:], size, high[2:], strict=True)):
        noted, size = None, low[2:]  # the self-test picture is none that this engine will ever see
    return noted, name, _pictures(size, min(max(low[0], 3), high[0]))


def _pictures(size: tuple[int, ...], count: int) -> Floats:
    """(count, 3, height, width): no two neighbours alike, so that rows that change places are found out."""
    height, width = size
    different = [selftest.tensor(image) for image in selftest.others(selftest.picture(width, height))]
    return np.concatenate([different[number % len(different)] for number in range(count)])


def _answers(engine: Engine, name: str, rows: Floats) -> dict[str, Tensor]:
    parts = []
    for start in range(0, len(rows), engine.max_batch):
        outputs = engine.infer({name: rows[start : start + engine.max_batch]})
        parts.append({key: np.array(values) for key, values in outputs.items()})  # the next batch overwrites them
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


def _apart_from_noted(package: Package, noted: SelfTest, got: Mapping[str, Tensor]) -> float:
    try:
        return selftest.deviation_from_noted(noted, {key: values[:1] for key, values in got.items()})
    except PackageError as error:
        raise EngineError(f"{package.label}: the engine {error}") from error
