"""Plans of one device: a package in; where its plan lies, the engine of a plan that may serve, or a plan built.

Used by `gpu_engines.py`. Nothing is opened that is not signed and as the recipe wants it, nothing serves unchecked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faceedge.backends import guarded
from faceedge.backends.arena import Arena
from faceedge.backends.base import Engine, TensorSpec
from faceedge.backends.build import Build, Order
from faceedge.backends.cuda import Gpu
from faceedge.backends.fingerprint import Fingerprint, fingerprint_of, typing_of
from faceedge.backends.machine_facts import Machine
from faceedge.backends.plan import Place, place_of, read_plan
from faceedge.backends.switch import Inner
from faceedge.backends.tensorrt import TensorRtEngine
from faceedge.errors import DeviceLost, EngineError, NoDeviceMemory, StoreError
from faceedge.gallery.devicekey import candidates, first_key
from faceedge.jobs.build_engines import Ending
from faceedge.jobs.engine_check import check_answers, expected_answers
from faceedge.jobs.engine_recipe import build_options, read_recipe
from faceedge.package import Package

Share = Callable[[float], None]


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What is to be opened or built. place: where it lies, built or not."""

    package: Package
    place: Place
    wanted: Fingerprint

    @property
    def facts(self) -> dict[str, Any]:
        """For whoever is told of it."""
        return {"precision": self.wanted.options.precision, "tensorrt": self.wanted.tensorrt}


class Plans:
    """machine: what plans are bound to. note: receives sentences about plans that serve."""

    def __init__(self, state: Path, gpu: Gpu, machine: Machine, note: Callable[[str], None]) -> None:
        self._state = state
        self._gpu = gpu
        self._machine = machine
        self._note = note
        self._arena = Arena(gpu)

    def of(self, package: Package, spec: TensorSpec) -> Plan:
        """spec: of the network's input. Raises EngineError when the recipe does not suit the package, BadInput for a
        broken recipe."""
        recipe, _ = read_recipe(package.manifest.role)
        options = build_options(package, recipe, spec, typing_of(self._machine.tensorrt))
        wanted = fingerprint_of(package.build, package.graph_digest(), options, self._machine)
        return Plan(package, place_of(self._state, package.label, package.build, options.precision), wanted)

    def opened(self, plan: Plan, reference: Engine | None = None) -> Inner:
        """The engine of a plan that may serve. reference: serves, too. Raises EngineError."""
        if next(candidates(self._state), None) is None:
            raise EngineError("no engine has been built yet")  # nor anything else that would need a key
        reading = read_plan(plan.place, plan.wanted, self.key(), self._machine.power_mode)
        if reading.plan is None:
            raise EngineError(reading.reason)
        if reading.note:
            self._note(reading.note)
        package, options = plan.package, plan.wanted.options
        expected = expected_answers(reference, package, options) if reference is not None else None
        engine: Engine | None = None
        try:
            engine = TensorRtEngine(reading.plan, self._gpu, self._arena)
            check_answers(engine, package, options, expected)
        except EngineError as error:
            if engine is not None:
                engine.close()
            if not isinstance(error, DeviceLost | NoDeviceMemory):
                guarded.set_aside([plan.place.plan, plan.place.sidecar])
            raise
        profile = plan.wanted.options.profile
        bounds = {name: (low, high) for name, (low, _, high) in profile.items()}
        return Inner(engine, bounds, self._gpu.fetch)

    def build(self, plan: Plan, tell: Share, ending: Ending) -> tuple[float, tuple[str, ...]]:
        """Seconds it took, and notes. Raises BuildFailed."""
        power_mode = self._machine.power_mode
        order = Order(plan.package.graph, plan.place, plan.wanted, self.key(), power_mode)
        with Build.start(order) as build, ending.calls(build.cancel):
            for progress in build.events():
                tell(progress.share)
            outcome = build.result()
        return outcome.seconds, outcome.notes

    def key(self) -> bytes:
        """What signs plans and kernels. Raises StoreError; a key that was lost is not replaced under a gallery."""
        if next(candidates(self._state), None) is None and (self._state / "gallery.db").exists():
            raise StoreError(f"{self._state}: the device key of the gallery is missing; put it back")
        return guarded.engines_key(first_key(self._state).secret)
