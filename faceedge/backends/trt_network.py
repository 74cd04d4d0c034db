"""The TensorRT calls of a build: the bytes of an ONNX graph in, a plan and a timing cache out. Run by `build_child.py`.

Names and signatures are those of 10.3, 10.16 and 11.4. TensorRT answers a failure with None or False and tells its
logger why, so every answer is looked at; what only a device can show is not verified (docs/jetson.md).
"""

from __future__ import annotations

import re
import threading
from collections import deque
from dataclasses import dataclass
from typing import Any

from faceedge.backends.build_progress import Phases, Report
from faceedge.backends.fingerprint import BuildOptions, Typing, version_of
from faceedge.errors import EngineError, one_line

_KEPT = 50
_PLACE = re.compile(r"^(\[[^\]]*\] *|(\w+::)+\w+: *|Error Code \d+: *|Error\[\d+\]: *)+")
_MEMORY = re.compile(r"out ?of ?memory|insufficient memory|NvMapMem|could not be allocated|cudaMalloc", re.IGNORECASE)


class BuildError(EngineError):
    """wants_memory: TensorRT or the driver spoke of memory."""

    def __init__(self, text: str, *, wants_memory: bool = False) -> None:
        super().__init__(text)
        self.wants_memory = wants_memory


@dataclass(frozen=True, slots=True)
class Work:
    """graph: an ONNX file's content. cache: a kept timing cache. tactic_bytes: the most that trying a kernel may take,
    on a Jetson with the host's share; 0 leaves it to TensorRT."""

    graph: bytes
    options: BuildOptions
    typing: Typing
    cache: bytes = b""
    tactic_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Built:
    """plan, timing_cache: memory that TensorRT holds, readable as bytes; timing_cache None when there is none.
    cache_refused: the kept one was of another device or version, and a new one took its place."""

    plan: Any
    timing_cache: Any
    cache_refused: bool


def build(trt: Any, work: Work, report: Report) -> Built:
    """Raises BuildError with TensorRT's words in one line."""
    log = _log_class(trt)()
    try:
        return _build(trt, log, work, report)
    except (RuntimeError, TypeError) as error:  # what the bindings raise where the library answers with nothing
        raise _failed(log, "" if log.said() else condensed(str(error))) from error


def speaks_of_memory(text: str) -> bool:
    """Whether words of TensorRT or of the driver are about a want of it."""
    return _MEMORY.search(text) is not None


def condensed(text: str) -> str:
    """What TensorRT logs, without file names, functions and error numbers, in one line."""
    return one_line(_PLACE.sub("", text.strip()) or text, 200)


def _build(trt: Any, log: Any, work: Work, report: Report) -> Built:
    builder = _there(trt.Builder(log), log)
    network = _there(builder.create_network(_creation_flags(trt, work.typing)), log)
    parser = _parsed(trt, network, work.graph, log)
    config = _there(builder.create_builder_config(), log)
    _configure(trt, config, work)
    _add_profile(builder, config, work.options, log)
    timing, cache_refused = _timing_cache(config, work.cache, log)
    config.progress_monitor = monitor = _monitor_class(trt)(Phases(report))
    plan = _there(builder.build_serialized_network(network, config), log)
    del parser, monitor  # until here: the network's weights lie in the parser's memory
    return Built(plan, timing.serialize(), cache_refused)


def _creation_flags(trt: Any, typing: Typing) -> int:
    """From 11 on there is nothing but strong typing, and its flag is on the way out."""
    if typing == "weak" or version_of(trt.__version__) >= (11, 0):
        return 0
    return 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)


def _parsed(trt: Any, network: Any, graph: bytes, log: Any) -> Any:
    """The parser, which has filled the network."""
    parser = trt.OnnxParser(network, log)
    if parser.parse(graph):
        return parser
    errors = [parser.get_error(number) for number in range(parser.num_errors)]
    told = "; ".join(f"node {error.node()}: {condensed(error.desc())}" for error in errors if error is not None)
    raise _failed(log, f"the graph is not one that it takes ({told})" if told else "")


def _configure(trt: Any, config: Any, work: Work) -> None:
    options = work.options
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, options.workspace_mib << 20)
    if work.tactic_bytes:
        config.set_memory_pool_limit(trt.MemoryPoolType.TACTIC_DRAM, work.tactic_bytes)
    config.builder_optimization_level = options.optimisation_level
    config.max_aux_streams = 0  # everything runs on the one stream of the process
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED  # else the inspector tells no precisions
    if options.precision == "fp32":
        config.clear_flag(trt.BuilderFlag.TF32)  # on by default, and no FP32
    if work.typing == "weak":
        if options.precision != "fp32":
            config.set_flag(trt.BuilderFlag.FP16)
        if options.precision == "int8":
            config.set_flag(trt.BuilderFlag.INT8)  # without a calibrator: the graph's Q/DQ nodes bring the scales


def _add_profile(builder: Any, config: Any, options: BuildOptions, log: Any) -> None:
    profile = _there(builder.create_optimization_profile(), log)
    for name, (smallest, usual, largest) in options.profile.items():
        profile.set_shape(name, smallest, usual, largest)
    if config.add_optimization_profile(profile) < 0:
        raise _failed(log, "the shapes of the recipe are not ones that the graph takes")


def _timing_cache(config: Any, kept: bytes, log: Any) -> tuple[Any, bool]:
    """A mismatch is not ignored: timings of another device make slow engines, or wrong ones."""
    for content in (kept, b"") if kept else (b"",):
        cache = config.create_timing_cache(content)
        if cache is not None and config.set_timing_cache(cache, False):
            return cache, content != kept
    raise _failed(log, "it makes no timing cache")


def _there(made: Any, log: Any) -> Any:
    if made is None:
        raise _failed(log)
    return made


def _failed(log: Any, reason: str = "") -> BuildError:
    said = log.said()
    told = reason or (condensed(said[-1]) if said else "TensorRT gives no reason")
    return BuildError(one_line(told, 250), wants_memory=any(map(speaks_of_memory, (*said, *log.warned(), told))))


def _log_class(trt: Any) -> type[Any]:
    """A class only once the module is there, as its base is one of the module's."""

    class Log(trt.ILogger):  # type: ignore[misc]
        """Keeps errors and warnings. TensorRT calls `log` from threads of its own as well."""

        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self._errors: deque[str] = deque(maxlen=_KEPT)
            self._warnings: deque[str] = deque(maxlen=_KEPT)
            self._lock = threading.Lock()

        def log(self, severity: Any, msg: str) -> None:
            with self._lock:
                if int(severity) <= int(trt.ILogger.Severity.ERROR):
                    self._errors.append(msg)
                elif int(severity) <= int(trt.ILogger.Severity.WARNING):
                    self._warnings.append(msg)

        def said(self) -> list[str]:
            with self._lock:
                return list(self._errors)

        def warned(self) -> list[str]:
            with self._lock:
                return list(self._warnings)

    return Log


def _monitor_class(trt: Any) -> type[Any]:
    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]
        """Nothing may leave these methods: TensorRT calls them from C++."""

        def __init__(self, phases: Phases) -> None:
            trt.IProgressMonitor.__init__(self)
            self._phases = phases

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            self._phases.start(phase_name, parent_phase or "", num_steps)

        def step_complete(self, phase_name: str, step: int) -> bool:
            self._phases.step(phase_name, step)
            return True  # whoever wants the end of a build ends its process

        def phase_finish(self, phase_name: str) -> None:
            self._phases.finish(phase_name)

    return Monitor
