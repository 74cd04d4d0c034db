"""Opening ONNX Runtime: graphs that are none, providers that are absent or do not start, the options."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnxruntime
import pytest
from onnx import TensorProto, helper

from faceedge.backends.onnx import OnnxEngine
from faceedge.backends.onnx_session import open_session
from faceedge.errors import EngineError, MissingExtra, PackageError
from tests.contract.made_up import save


@pytest.fixture
def doubling(tmp_path: Path) -> Path:
    """x [n, 3] to y = x + x."""
    nodes = [helper.make_node("Add", ["x", "x"], ["y"])]
    return save(tmp_path / "doubling.onnx", nodes, {"x": ["n", 3]}, {"y": ["n", 3]})


def test_without_onnxruntime_the_extra_is_named(doubling: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtra, match=r"^[^\n]*faceedge\[cpu\][^\n]*$"):
        OnnxEngine(doubling, max_batch=1)


@pytest.mark.parametrize("content", [b"", b"not a graph", bytes(1000)])
def test_a_file_that_is_no_graph_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(PackageError, match=r"^[^\n]*model\.onnx[^\n]*$"):
        OnnxEngine(path, max_batch=1)


def test_a_graph_of_texts_is_refused_by_the_name_of_its_input(tmp_path: Path) -> None:
    nodes = [helper.make_node("Identity", ["words"], ["same"])]
    kinds = {"words": TensorProto.STRING, "same": TensorProto.STRING}
    path = save(tmp_path / "words.onnx", nodes, {"words": ["n"]}, {"same": ["n"]}, dtypes=kinds)
    with pytest.raises(PackageError, match=r"words is a tensor\(string\)"):
        OnnxEngine(path, max_batch=1)


def test_a_graph_whose_names_cannot_be_printed_is_refused_in_one_line(tmp_path: Path) -> None:
    nodes = [helper.make_node("Neg", ["x\n\x1b[31m"], ["y"])]
    path = save(tmp_path / "odd.onnx", nodes, {"x\n\x1b[31m": ["n"]}, {"y": ["n"]})
    with pytest.raises(PackageError, match=r"^[^\n\x1b]*odd\.onnx: 'x \[31m' is not a name[^\n\x1b]*$"):
        OnnxEngine(path, max_batch=1)


def test_a_session_has_the_threads_it_was_given_and_does_not_spin(doubling: Path) -> None:
    options = open_session(doubling, 2, ("cpu",)).get_session_options()
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (2, 1)
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    assert options.graph_optimization_level == onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    assert options.enable_cpu_mem_arena
    assert not options.enable_mem_pattern


@pytest.mark.parametrize("providers", [("gpu",), ("cpu", "dml"), ("rocm", "cpu")])
def test_a_provider_that_is_not_there_is_refused_with_those_that_are(doubling: Path, providers: Sequence[str]) -> None:
    with pytest.raises(EngineError, match=r"^[^\n]*it has [^\n]*cpu[^\n]*\[engine\] providers[^\n]*$"):
        OnnxEngine(doubling, max_batch=1, providers=providers)


class Built:
    """What ONNX Runtime would do in a build with a GPU. started: providers that a session gets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, started: list[str], fault: Exception | None = None) -> None:
        self.asked: list[Any] = []
        self._plain = onnxruntime.InferenceSession
        self._started, self._fault = started, fault
        everything = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "AzureExecutionProvider"]
        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [*everything, "CPUExecutionProvider"])
        monkeypatch.setattr(onnxruntime, "InferenceSession", self.session)

    def session(self, path: str, options: Any, *, providers: Any, enable_fallback: int) -> Any:
        assert not enable_fallback, "its fallback prints to stdout"
        self.asked = providers
        if self._fault:
            raise self._fault
        opened = self._plain(path, options, providers=["CPUExecutionProvider"])
        opened.get_providers = lambda: self._started
        return opened


CUDA, TENSORRT, CPU = "CUDAExecutionProvider", "TensorrtExecutionProvider", "CPUExecutionProvider"


def test_a_provider_that_onnx_runtime_silently_left_out_is_refused(
    doubling: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Built(monkeypatch, started=[CPU])
    with pytest.raises(EngineError, match=r"^[^\n]*could not start cuda:[^\n]*providers = \[\"cpu\"\]$"):
        OnnxEngine(doubling, max_batch=1, providers=("cuda",))


def test_a_provider_that_fails_to_start_is_no_fault_of_the_graph(
    doubling: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Built(monkeypatch, started=[], fault=RuntimeError("Please install TensorRT libraries\nas mentioned"))
    with pytest.raises(EngineError, match=r"^[^\n]*could not start tensorrt and cuda:[^\n]*$"):
        OnnxEngine(doubling, max_batch=1, providers=("tensorrt", "cuda"))


def test_providers_keep_their_order_and_the_cpu_is_the_last_of_them(
    doubling: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = Built(monkeypatch, started=[TENSORRT, CUDA, CPU])
    engine = OnnxEngine(doubling, max_batch=1, providers=("cpu", "tensorrt", "cuda", "cuda"))
    assert [name for name, _ in built.asked] == [TENSORRT, CUDA, CPU]
    assert dict(built.asked)[CUDA]["arena_extend_strategy"] == "kSameAsRequested"
    assert engine.device == "cuda:0"
