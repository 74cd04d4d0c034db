"""The stand-in's network and ONNX parser: bytes in, a network or complaints out."""

from __future__ import annotations

from typing import Any

from google.protobuf.message import DecodeError

from tests.fakes.gpu import trt_log
from tests.fakes.gpu.rules import Dims
from tests.fakes.gpu.trt_graph import Graph


class Network:
    """What the parser filled."""

    def _begin(self, flags: int, strong: bool) -> None:
        self._flags, self._strong = flags, strong
        self._graph: Graph | None = None

    @property
    def flags(self) -> int:
        """As given."""
        return self._flags

    @property
    def num_layers(self) -> int:
        """Nodes of the ONNX graph."""
        return len(self._graph.nodes) if self._graph else 0

    @property
    def num_inputs(self) -> int:
        """Without the weights."""
        return len(self._graph.inputs) if self._graph else 0

    @property
    def num_outputs(self) -> int:
        """As it says."""
        return len(self._graph.outputs) if self._graph else 0

    def get_input(self, index: int) -> Any:
        """An ITensor."""
        return self._trt.ITensor._make(tensor=self._graph.inputs[index])  # type: ignore[union-attr]

    def get_output(self, index: int) -> Any:
        """An ITensor."""
        return self._trt.ITensor._make(tensor=self._graph.outputs[index])  # type: ignore[union-attr]

    def get_flag(self, flag: Any) -> bool:
        """As it says."""
        return bool(self._flags >> int(flag) & 1)


class NetworkTensor:
    """An input or output of a network: read only here."""

    @property
    def name(self) -> str:
        """As in the file."""
        return self._tensor.name

    @property
    def dtype(self) -> Any:
        """A DataType."""
        return getattr(self._trt.DataType, self._tensor.dtype)

    @property
    def shape(self) -> Any:
        """-1 is free."""
        return Dims(self._tensor.shape)


class Parser:
    """Reads ONNX into a network; what it does not like it keeps as errors."""

    def _begin(self, network: Any, logger: Any) -> None:
        self._network, self._logger = network, logger
        self._errors: list[Any] = []

    def parse(self, model: Any, path: str = "") -> bool:
        """False, with errors to be asked for, where the network is not taken."""
        self._errors = []
        try:
            graph = Graph(bytes(model))
        except DecodeError:
            return self._no([(-1, "MODEL_DESERIALIZE_FAILED", "Failed to parse the ONNX model.")])
        if not graph.outputs:
            return self._no([(-1, "INVALID_GRAPH", "The model has no outputs.")])
        if complaints := graph.complaints():
            return self._no([(c.node, c.code, c.text) for c in complaints])
        self._network._graph = graph
        return True

    def parse_from_file(self, model: str) -> bool:
        """The same from a path."""
        try:
            with open(model, "rb") as file:
                return self.parse(file.read())
        except OSError:
            return self._no([(-1, "INVALID_VALUE", f"Failed to open file: {model}")])

    def _no(self, errors: list[tuple[int, str, str]]) -> bool:
        for node, code, text in errors:
            self._errors.append(self._trt.ParserError._make(node_index=node, error=code, text=text))
            trt_log.error(self._logger, f"ModelImporter.cpp: ERROR: {text}")
        self._network._refused = True
        return False

    @property
    def num_errors(self) -> int:
        """Of the last parse."""
        return len(self._errors)

    def get_error(self, index: int) -> Any:
        """A ParserError."""
        return self._errors[index]

    def clear_errors(self) -> None:
        """As it says."""
        self._errors.clear()


class Error:
    """One complaint of the parser."""

    def node(self) -> int:
        """The index of the node, -1 for none."""
        return int(self._node_index)

    def desc(self) -> str:
        """In words."""
        return str(self._text)

    def code(self) -> Any:
        """An ErrorCode."""
        return getattr(self._trt.ErrorCode, self._error)

    def node_name(self) -> str:
        """The stand-in knows none."""
        return ""


MODELS: dict[str, type] = {
    "INetworkDefinition": Network,
    "ITensor": NetworkTensor,
    "OnnxParser": Parser,
    "ParserError": Error,
}
