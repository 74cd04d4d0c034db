"""Engines on the GPU: a package in; TensorRT where a good plan lies, else ONNX Runtime at once and the wish for a plan.

Imported only where TensorRT is asked for or there. Opened by `engines.py`; `faceedge build` makes plans with it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from faceedge.backends import cuda_kernels
from faceedge.backends.base import Engine, Preprocessor, TensorSpec
from faceedge.backends.cpu import CpuPreprocessor
from faceedge.backends.cuda import Gpu, process_gpu
from faceedge.backends.cuda_preprocess import CudaPreprocessor
from faceedge.backends.machine_facts import Machine, l4t_fault, read_machine
from faceedge.backends.plan import kept_until_better
from faceedge.backends.switch import Inner, SwitchEngine, SwitchPreprocessor
from faceedge.config import EngineSettings
from faceedge.errors import BadInput, DeviceLost, EngineError, NoDeviceMemory, StoreError
from faceedge.jobs.build_engines import Builder, Ending, Fate, Wish
from faceedge.jobs.engines import open_onnx
from faceedge.jobs.gpu_plans import Plan, Plans, Share
from faceedge.package import Package

DEVICE_COMES_WITHIN_S = 20.0
"""After a boot; less than systemd gives a service to start."""


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """A plan that lies there. is_new: it was built just now, in so many seconds. notes: sentences about it."""

    plan: Plan
    size: int
    seconds: float
    is_new: bool
    notes: tuple[str, ...] = ()


@dataclass(slots=True, eq=False)
class Opened:
    """An engine that was opened. fate: of the plan that is being built for it. fault: why it runs on ONNX Runtime, and
    no plan is built; a sentence with the package's name."""

    label: str
    engine: SwitchEngine
    fate: Fate | None = None
    fault: str = ""


class GpuEngines:
    """See `Engines`. Threads may open and close engines at the same time. machine: what plans are bound to."""

    backend: Literal["onnx", "tensorrt"] = "tensorrt"

    def __init__(
        self, settings: EngineSettings, state: Path, gpu: Gpu, machine: Machine, builder: Builder | None = None
    ) -> None:
        self._settings = settings
        self._state = state
        self._gpu = gpu
        self._machine = machine
        self._builder = builder
        self._plans = Plans(state, gpu, machine, self._note)
        self._host = CpuPreprocessor()
        self._device: Preprocessor | None = None
        self._wants_kernels = False
        self._notices: list[str] = [fault] if (fault := l4t_fault(machine.l4t)) else []
        self._opened: list[Opened] = []
        self._lock = threading.Lock()

    def open(self, package: Package) -> Engine:
        """See `Engines.open`."""
        fallback = open_onnx(package, self._settings)
        spare = partial(open_onnx, package, self._settings)
        try:
            plan = self.plan_of(package, fallback.inputs[0])
            inner, why = self._read(plan, fallback)
        except DeviceLost:
            fallback.close()
            raise
        except (EngineError, BadInput, StoreError) as error:
            fault = f"{package.label} runs on ONNX Runtime: {error}"
            return self._listed(Opened(package.label, SwitchEngine(Inner(fallback)), fault=fault))
        if inner is not None:
            fallback.close()
            return self._listed(Opened(package.label, SwitchEngine(inner, spare)))
        if self._builder is None:
            return self._listed(Opened(package.label, SwitchEngine(Inner(fallback), spare)))
        fate = Fate()
        engine = SwitchEngine(Inner(fallback), spare, fate.give_up)
        build = partial(self._build_and_switch, plan, engine)
        self._builder.wish(Wish(package.manifest.role, package.label, why, plan.facts, build, fate))
        return self._listed(Opened(package.label, engine, fate))

    def renew(self, package: Package, engine: Engine) -> Engine:
        """See `Engines.renew`: the plan once more, and where that cannot be, ONNX Runtime from now on."""
        assert isinstance(engine, SwitchEngine), "every engine that was opened here is one"
        opened, inner = self._record(engine), None
        opened.fault = ""
        try:
            inner, _ = self._read(self.plan_of(package, engine.inputs[0]))
        except DeviceLost:
            raise
        except (EngineError, BadInput, StoreError) as error:
            opened.fault = f"{package.label} runs on ONNX Runtime: {error}"
        engine.replace(inner or Inner(open_onnx(package, self._settings)))
        return engine

    def preprocessor(self, engine: Engine) -> Preprocessor:
        """See `Engines.preprocessor`: on the device for an engine that runs there, if the kernels were compiled."""
        return SwitchPreprocessor(engine, self._host, lambda: self._device)

    def settle(self, engine: Engine, ending: Ending, told: Share) -> None:
        """See `Engines.settle`. Without a builder nothing is waited for."""
        opened = self._record(engine)
        if opened.fault:
            raise EngineError(opened.fault)
        if opened.fate is not None:
            opened.fate.wait(ending, told)

    def notices(self) -> Sequence[str]:
        """See `Engines.notices`."""
        opened = [one for one in self._opened if not one.engine.is_closed]
        faults = [one.fault for one in opened if one.fault]
        strays = [
            f"{one.label}: inputs {one.engine.misfit} are outside its engine's profile and run on ONNX Runtime; widen "
            "the recipe of its role, or give the camera another size"
            for one in opened
            if one.engine.misfit
        ]
        return [*self._notices, *faults, *strays, *(self._builder.notices() if self._builder is not None else ())]

    def device_left(self) -> int | None:
        """See `Engines.device_left`: a Jetson's device shares the machine's memory."""
        return None if self._machine.l4t else self._gpu.memory_info()[0]

    def is_idle(self) -> bool:
        """See `Engines.is_idle`."""
        return self._gpu.is_idle

    def check(self) -> None:
        """See `Engines.check`."""
        if self._gpu.is_lost:
            self._gpu.check()  # raises it, with the driver's words

    def plan_of(self, package: Package, spec: TensorSpec) -> Plan:
        """See `Plans.of`."""
        return self._plans.of(package, spec)

    def make(self, package: Package, tell: Share, *, force: bool = False) -> Made:
        """Has a plan for the package, and holds it against ONNX Runtime; builds it where there is none, or with
        `force`. Raises EngineError, also when it must not serve."""
        reference = open_onnx(package, self._settings)
        try:
            plan = self.plan_of(package, reference.inputs[0])
            notes: tuple[str, ...] = ()
            if not force:
                inner, why = self._read(plan, reference)
                if inner is not None:
                    inner.engine.close()
                    return Made(plan, plan.place.plan.stat().st_size, 0.0, False)
                notes = (why,) if plan.place.plan.exists() else ()
            with kept_until_better(plan.place):
                seconds, told = self._plans.build(plan, tell, Ending())
                self._plans.opened(plan, reference).engine.close()
        except OSError as error:
            raise EngineError(f"{plan.place.plan}: {error.strerror or error}; it must be writable") from error
        finally:
            reference.close()
        return Made(plan, plan.place.plan.stat().st_size, seconds, True, notes + told)

    def make_kernels(self) -> Path:
        """Has the kernels for preprocessing on the device, and uses them from now on. Raises EngineError."""
        try:
            path = cuda_kernels.compile_kernels(self._folder, self._plans.key(), self._gpu.capability)
        except OSError as error:
            raise EngineError(f"{self._folder}: {error.strerror or error}; it must be writable") from error
        self._load_kernels()
        return path

    def _load_kernels(self) -> None:
        with self._lock:
            if self._device is None:
                image = cuda_kernels.read_kernels(self._folder, self._plans.key(), self._gpu.capability)
                self._device = CudaPreprocessor(self._gpu, image)

    @property
    def _folder(self) -> Path:
        return self._state / "engines"

    def _read(self, plan: Plan, reference: Engine | None = None) -> tuple[Inner | None, str]:
        """The engine of a good plan; else why there is none. A plan that must not serve is set aside."""
        try:
            inner = self._plans.opened(plan, reference)
        except (DeviceLost, NoDeviceMemory):
            raise  # another build of the plan would mend neither
        except EngineError as error:
            return None, str(error)
        if self._device is None:
            self._try_kernels()
        return inner, ""

    def _try_kernels(self) -> None:
        """Those that are there; else the builder makes them, or a notice says how to. After an update of faceedge the
        plans may still be good and the kernels not."""
        try:
            self._load_kernels()
        except DeviceLost:
            raise
        except EngineError as error:
            if self._builder is None:
                self._note(f"frames are prepared on the CPU: {error}")
            elif not self._wants_kernels:
                self._wants_kernels = True
                self._builder.first(self._have_kernels)

    def _build_and_switch(self, plan: Plan, engine: SwitchEngine, tell: Share, ending: Ending) -> Mapping[str, Any]:
        """What a Wish does. What serves until now is what the new engine is held against."""
        _, notes = self._plans.build(plan, tell, ending)
        inner = self._plans.opened(plan, engine)
        self._have_kernels()
        engine.replace(inner)
        return {"notes": list(notes)}

    def _have_kernels(self) -> None:
        """Without them the host goes on preparing the frames."""
        try:
            self.make_kernels()
        except DeviceLost:
            raise
        except EngineError as error:
            self._note(f"frames are prepared on the CPU: {error}")

    def _note(self, notice: str) -> None:
        if notice not in self._notices:
            self._notices.append(notice)

    def _listed(self, opened: Opened) -> SwitchEngine:
        with self._lock:
            self._opened = [*(one for one in self._opened if not one.engine.is_closed), opened]
        return opened.engine

    def _record(self, engine: Engine) -> Opened:
        for opened in self._opened:
            if opened.engine is engine:
                return opened
        raise EngineError("the engine is closed; open the model again")


def open_gpu_engines(
    settings: EngineSettings, state: Path, builder: Builder | None = None, sleep: Callable[[float], None] = time.sleep
) -> GpuEngines:
    """A Jetson's device is waited for. Raises MissingExtra without TensorRT or pycuda, EngineError without a device."""
    machine = read_machine()
    gpu = _device(int(DEVICE_COMES_WITHIN_S) if machine.l4t else 0, sleep)
    return GpuEngines(settings, state, gpu, _on(machine, gpu), builder)


def _device(tries: int, sleep: Callable[[float], None]) -> Gpu:
    for _ in range(tries):
        try:
            return process_gpu()
        except EngineError:  # the service may be up before the driver
            sleep(1.0)
    return process_gpu()


def _on(machine: Machine, gpu: Gpu) -> Machine:
    """Where the system does not say what module it is, the device's name does."""
    return machine if machine.module else replace(machine, module=gpu.name)
