"""The stand-in's Builder: a network and a configuration in, a plan out, or None and a line."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from typing import Any

from tests.fakes.gpu import driver, trt_log
from tests.fakes.gpu.rules import StandinMisuse
from tests.fakes.gpu.trt_graph import Graph
from tests.fakes.gpu.trt_plan import here, pack

_CANCELLED = "Internal Error (the build was cancelled by the progress monitor)"
_PHASES = ("Graph optimization", "Timing graph nodes", "Engine serialization")


class BuildRefused(Exception):
    """The line that TensorRT logs before it answers None."""


class Builder:
    """Builds plans. Needs a device, as the real one does."""

    def _begin(self, logger: Any) -> None:
        self._logger = logger
        if code := driver.library().cuInit(0):
            trt_log.error(logger, f"CUDA initialization failure with error: {code}")
            raise TypeError("pybind11::init(): factory function returned nullptr")

    @property
    def logger(self) -> Any:
        """As given."""
        return self._logger

    @property
    def platform_has_fast_fp16(self) -> bool:
        """On an Orin, yes."""
        return True

    @property
    def platform_has_fast_int8(self) -> bool:
        """On an Orin, yes."""
        return True

    def create_network(self, flags: int = 0) -> Any:
        """None where this version does not know a flag."""
        known = {member.name: int(member) for member in self._trt.NetworkDefinitionCreationFlag}
        if int(flags) >> (max(known.values()) + 1):
            trt_log.error(self._logger, f"createNetworkV2: {flags} is no set of NetworkDefinitionCreationFlag")
            return None
        strong = "EXPLICIT_BATCH" not in known or bool(int(flags) >> known["STRONGLY_TYPED"] & 1)
        return self._trt.INetworkDefinition._make(flags=int(flags), strong=strong)

    def create_builder_config(self) -> Any:
        """With the defaults."""
        return self._trt.IBuilderConfig._make(logger=self._logger)

    def create_optimization_profile(self) -> Any:
        """Empty."""
        return self._trt.IOptimizationProfile._make()

    def build_serialized_network(self, network: Any, config: Any, kernel_text: Any = None) -> Any:
        """A plan in an IHostMemory, or None and a line."""
        config._check_used()
        if getattr(network, "_refused", False):
            raise StandinMisuse("OnnxParser.parse answered False, and nobody looked")
        try:
            graph = _check(self._trt, network, config)
            _work(self._logger, graph, config)
        except BuildRefused as refused:
            trt_log.error(self._logger, f"IBuilder::buildSerializedNetwork: Error Code 4: {refused}")
            return None
        bound = here(self._trt.__version__)
        return self._trt.IHostMemory._make(content=pack(bound, _settings(network, config), graph.bytes))


def _check(trt: Any, network: Any, config: Any) -> Graph:
    graph: Graph | None = network._graph
    if graph is None:
        raise BuildRefused("Internal Error (Network must have at least one output)")
    reduced = [name for name in ("FP16", "INT8", "BF16") if _has(trt, config, name)]
    if network._strong and reduced:
        raise BuildRefused(f"API Usage Error (a strongly typed network with precision flags: {', '.join(reduced)})")
    if not network._strong and graph.quantised and "INT8" not in reduced:
        raise BuildRefused("API Usage Error (Int8 precision has been set for a layer or layer output, but int8 is not configured in the builder)")  # fmt: skip # noqa: E501
    if any(-1 in tensor.shape for tensor in graph.inputs) and not config._profiles:
        raise BuildRefused("API Usage Error (Network has dynamic or shape inputs, but no optimization profile has been defined.)")  # fmt: skip # noqa: E501
    for number, profile in enumerate(config._profiles):
        _check_profile(graph, profile, number)
    return graph


def _check_profile(graph: Graph, profile: Any, number: int) -> None:
    known = {tensor.name: tensor.shape for tensor in graph.inputs}
    for name in profile._shapes:
        if name not in known:
            raise BuildRefused(f"API Usage Error (profile {number} names {name}, which is no input of the network)")
    for name, shape in known.items():
        given = profile._shapes.get(name)
        if given is None and -1 in shape:
            raise BuildRefused(f"API Usage Error ({name}: optimization profile {number} is missing values)")
        for sizes in given or ():
            fits = len(sizes) == len(shape) and all(s in (-1, size) for s, size in zip(shape, sizes, strict=True))
            if not fits or 0 in sizes:
                raise BuildRefused(f"API Usage Error ({name}: {sizes} of profile {number} does not match {shape})")


def _has(trt: Any, config: Any, name: str) -> bool:
    flag = getattr(trt.BuilderFlag, name, None)
    return flag is not None and flag in config._flags


def _work(logger: Any, graph: Graph, config: Any) -> None:
    """Takes as long, and as much memory, as the environment says, and tells the monitor."""
    if text := os.environ.get("FACEEDGE_STANDIN_BUILD_FAIL"):
        raise BuildRefused(f"Internal Error ({text})")
    touched = bytearray(b"\x01") * int(os.environ.get("FACEEDGE_STANDIN_BUILD_MEMORY", "0"))
    digest = hashlib.sha256(graph.bytes).hexdigest()
    cached = config._cache is not None and digest in config._cache._entries
    if config._cache is not None:
        config._cache._entries.add(digest)
    steps = {name: 1 if cached else len(graph.nodes) for name in _PHASES}
    pause_s = float(os.environ.get("FACEEDGE_STANDIN_BUILD_SECONDS", "0")) / sum(steps.values())
    _tell(config, "phase_start", "Building engine", None, len(_PHASES))
    for number, (name, count) in enumerate(steps.items()):
        _phase(logger, config, name, count, pause_s)
        if _tell(config, "step_complete", "Building engine", number) is False:
            raise BuildRefused(_CANCELLED)
    _tell(config, "phase_finish", "Building engine")
    del touched


def _phase(logger: Any, config: Any, name: str, count: int, pause_s: float) -> None:
    """On a thread of its own: TensorRT calls logger and monitor from its workers."""
    faults: list[BaseException] = []

    def work() -> None:
        try:
            logger.log(logger._trt.ILogger.Severity.VERBOSE, f"{name}: {count} steps")
            _tell(config, "phase_start", name, "Building engine", count)
            _steps(config, name, count, pause_s)
            _tell(config, "phase_finish", name)
        except BaseException as fault:  # told on the thread that builds
            faults.append(fault)

    worker = threading.Thread(target=work, name="TensorRT")
    worker.start()
    worker.join()
    if faults:
        raise faults[0]


def _steps(config: Any, name: str, count: int, pause_s: float) -> None:
    for step in range(count):
        time.sleep(pause_s)
        if name == _PHASES[1] and (fatal := os.environ.get("FACEEDGE_STANDIN_BUILD_SIGNAL")):
            os.kill(os.getpid(), int(fatal))
        if _tell(config, "step_complete", name, step) is False:
            raise BuildRefused(_CANCELLED)


def _tell(config: Any, call: str, *arguments: Any) -> Any:
    monitor = config.progress_monitor
    if monitor is None:
        return None
    answer = getattr(monitor, call)(*arguments)
    if call == "step_complete" and not isinstance(answer, bool):
        raise StandinMisuse(f"IProgressMonitor.step_complete answered {answer!r}; True goes on, False cancels")
    return answer


def _settings(network: Any, config: Any) -> dict[str, Any]:
    profiles = [{name: list(shapes) for name, shapes in profile._shapes.items()} for profile in config._profiles]
    return {
        "profiles": profiles,
        "strong": network._strong,
        "flags": sorted(flag.name for flag in config._flags),
        "verbosity": config.profiling_verbosity.name,
        "level": config.builder_optimization_level,
    }


MODELS: dict[str, type] = {"Builder": Builder}
