"""Opens sessions of ONNX Runtime: a graph, threads and providers in, a session and its specs out. For `onnx.py`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faceedge.backends.base import TensorSpec
from faceedge.errors import EngineError, MissingExtra, PackageError, one_line

if TYPE_CHECKING:
    import onnxruntime

PROVIDERS = {
    "tensorrt": "TensorrtExecutionProvider", "cuda": "CUDAExecutionProvider", "cpu": "CPUExecutionProvider",
}  # fmt: skip
_SETTINGS: dict[str, dict[str, str]] = {
    # The arena grows by what a run lacks, not by doubling; and a new canvas size is not made to wait until every
    # convolution has been timed in every way.
    "cuda": {"arena_extend_strategy": "kSameAsRequested", "cudnn_conv_algo_search": "HEURISTIC"},
}
_DTYPES = {
    "tensor(float)": "float32", "tensor(float16)": "float16", "tensor(double)": "float64", "tensor(bool)": "bool",
    "tensor(uint8)": "uint8", "tensor(int8)": "int8", "tensor(int32)": "int32", "tensor(int64)": "int64",
}  # fmt: skip
_FATAL = 4


def open_session(graph: Path, threads: int, providers: Sequence[str]) -> onnxruntime.InferenceSession:
    """A session that really uses every one of `providers`, in their order, the CPU after all others.

    Raises EngineError when a provider is absent or did not start, PackageError when the graph cannot be opened,
    MissingExtra without onnxruntime.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtra('onnxruntime is not installed; install the extra: pip install "faceedge[cpu]"') from error
    wanted = _in_order(providers, onnxruntime.get_available_providers())
    onnxruntime.set_default_logger_severity(_FATAL)  # faults arrive as exceptions, not as text on stderr
    names = [(PROVIDERS[name], _SETTINGS.get(name, {})) for name in wanted]
    try:
        session = onnxruntime.InferenceSession(str(graph), _options(threads), providers=names, enable_fallback=0)
    except Exception as error:  # ONNX Runtime raises its own untyped exceptions
        if isinstance(error, RuntimeError) and wanted != ["cpu"]:  # what is wrong with a graph is none
            raise _not_started(wanted[:-1]) from error
        raise PackageError(f"{graph}: not a usable ONNX graph ({told(error)})") from error
    _check_providers(session, wanted)
    return session


def specs_of(values: Iterable[Any], graph: Path) -> tuple[TensorSpec, ...]:
    """Inputs or outputs of a session. Raises PackageError when one is no array of numbers or its name no word."""
    found = []
    for value in values:
        if not value.name.isprintable():
            raise PackageError(f"{graph}: {one_line(value.name, 100)!r} is not a name that can be printed; rename it")
        if value.type not in _DTYPES:
            raise PackageError(f"{graph}: {value.name} is a {value.type}, served are arrays of numbers; export it so")
        shape = tuple(size if isinstance(size, int) else -1 for size in value.shape)
        found.append(TensorSpec(value.name, _DTYPES[value.type], shape))
    return tuple(found)


def shrinking(device: str) -> Any:
    """Options of a run that ends by giving back what the arenas do not use."""
    import onnxruntime

    options = onnxruntime.RunOptions()
    arenas = "cpu:0" if device == "cpu" else "cpu:0;gpu:0"
    options.add_run_config_entry("memory.enable_memory_arena_shrinkage", arenas)
    return options


def device_of(session: onnxruntime.InferenceSession) -> str:
    """Where the network runs: `cuda:0`, or `cpu`."""
    return "cpu" if session.get_providers()[0] == PROVIDERS["cpu"] else "cuda:0"


_NO_MEMORY = ("allocat", "bad_alloc", "out of memory")
"""Parts of what ONNX Runtime says when there is no memory: "Failed to allocate memory for requested buffer of size …",
"std::bad_alloc", and on a GPU "CUDA failure 2: out of memory"."""


def speaks_of_memory(error: Exception) -> bool:
    """Whether an exception of ONNX Runtime is about memory that was not there."""
    said = str(error).lower()
    return isinstance(error, MemoryError) or any(words in said for words in _NO_MEMORY)


def told(error: Exception) -> str:
    """What an exception of ONNX Runtime says, in one line."""
    return one_line(str(error) or type(error).__name__, 200)


def _options(threads: int) -> onnxruntime.SessionOptions:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.enable_cpu_mem_arena = True
    # A plan of memory for every input shape ever seen takes a second block beside the first run's, and saves no time.
    options.enable_mem_pattern = False
    options.log_severity_level = _FATAL
    # A spinning thread pool steals the core that the other stage needs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _in_order(providers: Sequence[str], available: Sequence[str]) -> list[str]:
    """Each once, the CPU last."""
    has = [name for name, full in PROVIDERS.items() if full in available]
    for name in providers:
        if name not in has:
            raise EngineError(
                f"this onnxruntime has no provider {name!r}, it has {', '.join(has)}; change [engine] providers, or "
                f"install a build of onnxruntime with it"
            )
    return [*dict.fromkeys(name for name in providers if name != "cpu"), "cpu"]


def _check_providers(session: onnxruntime.InferenceSession, wanted: Sequence[str]) -> None:
    """A provider that cannot start is left out by ONNX Runtime without a word."""
    running = session.get_providers()
    if absent := [name for name in wanted if PROVIDERS[name] not in running]:
        raise _not_started(absent)


def _not_started(names: Sequence[str]) -> EngineError:
    return EngineError(
        f"ONNX Runtime could not start {' and '.join(names)}: the device or a library is missing; mend that, or set "
        f'[engine] providers = ["cpu"]'
    )
