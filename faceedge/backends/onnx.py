"""ONNX Runtime on the CPU: the engine of every Linux box and the fallback on a Jetson."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faceedge.backends.base import Memory, Tensor, TensorSpec
from faceedge.errors import EngineError, MissingExtra, PackageError

if TYPE_CHECKING:
    import onnxruntime

_DTYPES = {"tensor(float)": "float32", "tensor(float16)": "float16", "tensor(uint8)": "uint8", "tensor(int64)": "int64"}


class OnnxEngine:
    """One ONNX Runtime session. Threads may call `infer` at the same time; `close` waits for nobody.

    Raises PackageError when the graph cannot be opened, MissingExtra without onnxruntime.
    """

    device = "cpu"

    def __init__(self, graph: Path, *, max_batch: int, threads: int = 1, providers: Sequence[str] = ("cpu",)) -> None:
        self.max_batch = max_batch
        self._session: onnxruntime.InferenceSession | None = _open(graph, threads)
        self.inputs = tuple(_spec(value) for value in self._session.get_inputs())
        self.outputs = tuple(_spec(value) for value in self._session.get_outputs())
        self._names = [spec.name for spec in self.outputs]

    def infer(self, arrays: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """See `Engine.infer`."""
        session = self._session
        if session is None:
            raise EngineError("the engine is closed")
        check_inputs(self.inputs, arrays, self.max_batch)
        try:
            values = session.run(self._names, dict(arrays))
        except Exception as error:  # ONNX Runtime raises its own untyped exceptions
            raise EngineError(f"ONNX Runtime failed: {_first_line(error)}") from error
        return dict(zip(self._names, values, strict=True))

    @property
    def memory(self) -> Memory:
        """See `Engine.memory`."""
        return Memory(0, 0)

    def trim(self) -> None:
        """See `Engine.trim`."""

    def close(self) -> None:
        """See `Engine.close`."""
        self._session = None


def check_inputs(specs: tuple[TensorSpec, ...], arrays: Mapping[str, Tensor], max_batch: int) -> None:
    """Raises EngineError unless names, dtypes, shapes and the batch are what the network takes."""
    expected = {spec.name for spec in specs}
    if set(arrays) != expected:
        raise EngineError(f"inputs are {sorted(expected)}, got {sorted(arrays)}")
    for spec in specs:
        array = arrays[spec.name]
        fits = len(array.shape) == len(spec.shape) and all(
            want in (-1, got) for want, got in zip(spec.shape, array.shape, strict=True)
        )
        if array.dtype.name != spec.dtype or not fits:
            raise EngineError(f"{spec.name}: wants {spec.dtype} {spec.shape}, got {array.dtype.name} {array.shape}")
        if not 1 <= array.shape[0] <= max_batch:
            raise EngineError(f"{spec.name}: batch {array.shape[0]} is outside 1..{max_batch}")


def _open(graph: Path, threads: int) -> onnxruntime.InferenceSession:
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtra('onnxruntime is not installed; install the extra: pip install "faceedge[cpu]"') from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # faults arrive as exceptions, not as text on stderr
    # A spinning thread pool steals the core that the other stage needs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise PackageError(f"{graph}: not a usable ONNX graph ({_first_line(error)})") from error


def _spec(value: Any) -> TensorSpec:
    shape = tuple(size if isinstance(size, int) else -1 for size in value.shape)
    return TensorSpec(value.name, _DTYPES.get(value.type, value.type), shape)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
