"""Do the networks answer as their packages say, and TensorRT as ONNX Runtime? Self-test pictures in, findings out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from faceedge.backends.base import Engine, Tensor
from faceedge.backends.fingerprint import Precision, Shapes
from faceedge.checks.base import Bench, Finding, Share, judged
from faceedge.errors import EngineError
from faceedge.jobs.check_model import MOST_DEVIATION
from faceedge.jobs.engine_check import MOST
from faceedge.jobs.engine_recipe import profile_of, read_recipe
from faceedge.models import selftest
from faceedge.package import Package
from faceedge.types import Floats

PRECISIONS: tuple[Precision, ...] = ("fp32", "fp16", "int8")


@dataclass(frozen=True, slots=True)
class Apart:
    """How far answers lie from those noted (None: none are noted) and from another engine's, and how far they may."""

    label: str
    noted: float | None
    other: float | None
    most: float

    @property
    def words(self) -> str:
        parts = [f"{value:.2g} from {whose}" for value, whose in self._both if value is not None]
        return f"{self.label} {' and '.join(parts) or 'answers with numbers (no vector is noted)'}"

    @property
    def fault(self) -> str:
        """Nothing when both are near enough."""
        is_near = all(value is None or value <= self.most for value, _ in self._both)
        return "" if is_near else f"{self.words}, more than {self.most:g}"

    @property
    def _both(self) -> tuple[tuple[float | None, str], ...]:
        return (self.noted, "its self-test vector"), (self.other, "ONNX Runtime")


def check_onnx(bench: Bench, tell: Share) -> Finding:
    """ONNX Runtime against what each package notes; without a note its answers must at least be numbers."""
    found = []
    for number, package in enumerate(bench.packages.values()):
        tell(number / len(bench.packages))
        engine = bench.reference(package)
        try:
            rows, is_noted = _pictures(package, engine, any_size=True)
            answers = run_rows(engine, rows[:1])
        finally:
            engine.close()
        if faulty := [name for name, values in answers.items() if not np.isfinite(values).all()]:
            raise EngineError(f"{package.label}: {', '.join(faulty)}: numbers that are none; add the package again")
        found.append(Apart(package.label, _from_noted(package, answers) if is_noted else None, None, _most(package)))
    return _told(found)


def no_precision(bench: Bench, precision: Precision) -> str:
    """Why no engine of this precision is to be looked at."""
    if why := bench.no_gpu():
        return why
    try:
        wanted = dict(_wanted(bench))
    except EngineError:
        return ""  # the check itself says what is wrong
    if precision in wanted.values():
        return ""
    need = "calibrate one and activate it: faceedge calibrate" if precision == "int8" else "see engines/<role>.toml"
    return f"no network that serves is to run in {precision}; {need}"


def check_tensorrt(bench: Bench, tell: Share, precision: Precision) -> Finding:
    """TensorRT's engines of one precision against ONNX Runtime, and against what each package notes."""
    labels = [label for label, its in _wanted(bench) if its == precision]
    packages = [package for package in bench.packages.values() if package.label in labels]
    found = []
    for number, package in enumerate(packages):
        tell(number / len(packages))
        engine, reference = bench.on_gpu(package), bench.reference(package)
        try:
            rows, is_noted = _pictures(package, reference)
            answers, right = run_rows(engine, rows), run_rows(reference, rows)
        finally:
            reference.close()
        first = {name: values[:1] for name, values in answers.items()}
        noted = _from_noted(package, first) if is_noted else None
        found.append(Apart(package.label, noted, selftest.deviation_of_all(right, answers), MOST[precision]))
    return _told(found)


def run_rows(engine: Engine, rows: Floats) -> dict[str, Tensor]:
    """All outputs, in batches that the engine takes, copied."""
    name, most = engine.inputs[0].name, engine.max_batch
    parts = []
    for start in range(0, len(rows), most):
        outputs = engine.infer({name: rows[start : start + most]})
        parts.append({key: np.array(values) for key, values in outputs.items()})
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


def pictures(size: tuple[int, ...], count: int) -> Floats:
    """(count, 3, height, width), -1..1: neighbours differ, so that rows that change places are found out."""
    height, width = size
    different = [selftest.tensor(image) for image in selftest.others(selftest.picture(width, height))]
    return np.concatenate([different[number % len(different)] for number in range(count)])


def usual_shapes(package: Package, engine: Engine) -> Shapes:
    """Smallest, usual and largest input, as its recipe says. Raises EngineError, BadInput."""
    return profile_of(package, read_recipe(package.manifest.role)[0], engine.inputs[0])


def _wanted(bench: Bench) -> Iterator[tuple[str, Precision]]:
    """Label and precision of each engine that there should be. Raises EngineError."""
    engines = bench.gpu_engines()
    for role, package in bench.packages.items():
        plan = engines.plan_of(package, bench.vision.engines[role].inputs[0])
        yield package.label, plan.wanted.options.precision


def _pictures(package: Package, engine: Engine, *, any_size: bool = False) -> tuple[Floats, bool]:
    """Up to three pictures, and whether the first has an answer noted. any_size: of the network itself, which takes
    sizes that no engine is built for."""
    low, usual, high = usual_shapes(package, engine)
    count = max(low[0], min(3, engine.max_batch))
    noted = package.manifest.selftest
    if noted is None:
        return pictures(usual[2:], count), False
    size = (noted.height, noted.width)
    if any_size or all(a <= side <= b for a, side, b in zip(low[2:], size, high[2:], strict=True)):
        return pictures(size, count), True
    return pictures(usual[2:], count), False


def _from_noted(package: Package, answers: Mapping[str, Tensor]) -> float:
    assert package.manifest.selftest is not None, "asked for only where there is one"
    return selftest.deviation_from_noted(package.manifest.selftest, answers)


def _most(package: Package) -> float:
    """An INT8 graph that was rewritten for speed rounds otherwise than its source, by a difference that is known."""
    fast = package.manifest.fast
    return MOST_DEVIATION + (fast.difference if fast is not None and package.manifest.precision == "int8" else 0.0)


def _told(found: list[Apart]) -> Finding:
    figures = [{"package": one.label, "noted": one.noted, "onnx": one.other, "most": one.most} for one in found]
    faults = [one.fault for one in found if one.fault]
    return judged(faults, "; ".join(one.words for one in found), packages=figures)
