"""Opens the engine of a package, as `[engine]` of the configuration says; used by `vision.py`. Everything of TensorRT
is behind `gpu_engines.py`, which is imported only where there is some.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from faceedge.backends.base import Engine, Preprocessor
from faceedge.backends.cpu import CpuPreprocessor
from faceedge.backends.onnx import OnnxEngine
from faceedge.config import EngineSettings
from faceedge.errors import DeviceLost, EngineError, MissingExtra
from faceedge.package import Package

if TYPE_CHECKING:
    from faceedge.jobs.build_engines import Builder, Ending, Share

log = logging.getLogger(__name__)
MODULES = ("tensorrt", "pycuda")


class Engines(Protocol):
    """Opens engines; who opens one closes it. backend: as in the configuration, what `auto` came to."""

    backend: Literal["onnx", "tensorrt"]

    def open(self, package: Package) -> Engine:
        """Raises PackageError, EngineError, MissingExtra when it cannot be opened at all."""
        ...

    def renew(self, package: Package, engine: Engine) -> Engine:
        """An engine that fails, opened anew; use what this returns. No memory of the old one stays. Raises as `open`,
        and then the old one is closed."""
        ...

    def preprocessor(self, engine: Engine) -> Preprocessor:
        """What makes the inputs of an engine that was opened here."""
        ...

    def settle(self, engine: Engine, ending: Ending, told: Share) -> None:
        """Waits until an engine that was opened here runs as it is to serve: until the one that is being built for it
        is in its place. told: the share that is built, 0..1, on this thread.

        Raises EngineError when it goes on without, or when `ending` was set first; it can be used all the same, until
        it is closed, which calls the build off.
        """
        ...

    def notices(self) -> Sequence[str]:
        """Sentences about engines that are open and run otherwise than asked for."""
        ...

    def device_left(self) -> int | None:
        """Bytes that are free on a device with memory of its own; None where engines live in the machine's."""
        ...

    def is_idle(self) -> bool:
        """Whether what the engines share, a device, has nothing to do at this moment. Asked every few milliseconds."""
        ...

    def check(self) -> None:
        """Raises DeviceLost when only a new process can go on. Called every second or so."""
        ...


class OnnxEngines:
    """ONNX Runtime for everything. notice: why, where something else was possible."""

    backend: Literal["onnx", "tensorrt"] = "onnx"

    def __init__(self, settings: EngineSettings, notice: str = "") -> None:
        self._settings = settings
        self._notice = notice
        self._preprocessor = CpuPreprocessor()

    def open(self, package: Package) -> Engine:
        """See `Engines.open`."""
        return open_onnx(package, self._settings)

    def renew(self, package: Package, engine: Engine) -> Engine:
        """See `Engines.renew`."""
        engine.close()
        return self.open(package)

    def preprocessor(self, engine: Engine) -> Preprocessor:  # noqa: ARG002 - the same for all
        """See `Engines.preprocessor`."""
        return self._preprocessor

    def settle(self, engine: Engine, ending: Ending, told: Share) -> None:
        """See `Engines.settle`: nothing is built."""

    def notices(self) -> Sequence[str]:
        """See `Engines.notices`."""
        return [self._notice] if self._notice else []

    def device_left(self) -> int | None:
        """See `Engines.device_left`; what a provider of ONNX Runtime has on a GPU is not seen."""
        return None

    def is_idle(self) -> bool:
        """See `Engines.is_idle`: every stage has its own engine, so that whoever asks has nothing to wait for."""
        return True

    def check(self) -> None:
        """See `Engines.check`."""


def open_onnx(package: Package, settings: EngineSettings) -> OnnxEngine:
    """The package in ONNX Runtime. Raises PackageError, EngineError, MissingExtra."""
    return OnnxEngine(
        package.fast_graph, max_batch=package.manifest.max_batch, threads=settings.threads,
        providers=settings.providers,
    )  # fmt: skip


def engines_of(
    settings: EngineSettings, state: Path, builder: Builder | None = None, is_there: Callable[[str], bool] | None = None
) -> Engines:
    """builder: builds engines that are missing; without one they are only used where they are. is_there: in place of a
    look for a module.

    Raises MissingExtra, EngineError when TensorRT is asked for and is not there, or there is no device.
    """
    wanted = settings.backend
    if wanted == "onnx" or (wanted == "auto" and not all(map(is_there or _is_there, MODULES))):
        return OnnxEngines(settings)
    from faceedge.jobs.gpu_engines import open_gpu_engines

    try:
        return open_gpu_engines(settings, state, builder)
    except DeviceLost:
        raise
    except (EngineError, MissingExtra) as error:  # a module may be there and its library not
        if wanted == "tensorrt":
            raise
        notice = f"all networks run on ONNX Runtime, as TensorRT cannot: {error}"
        log.debug("%s", notice)
        return OnnxEngines(settings, notice)


def _is_there(module: str) -> bool:
    """Without importing it: TensorRT takes seconds."""
    return sys.modules[module] is not None if module in sys.modules else find_spec(module) is not None
