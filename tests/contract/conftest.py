"""Every backend with every network, opened once each and shared by all tests that leave it open."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from faceedge.backends.base import Engine, Tensor
from tests.contract.backends import BACKENDS, Backend
from tests.contract.made_up import made_up
from tests.contract.networks import MADE_UP, NETWORKS, Network

SAMPLES = ("yunet_n", "scrfd_500m", "edgeface_xxs_512")
"""What the unit tests run, and a backend that differs from another one only in its interface; `make soak` runs all."""


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One backend with one network. engine: open; tests leave it so. graph: the ONNX file. alone: what the engine
    answers to each member of the largest batch alone, put together."""

    backend: Backend
    network: Network
    graph: Path
    engine: Engine
    alone: dict[str, Tensor]

    def open(self) -> Engine:
        """Another engine of the same network, for the test to close."""
        return self.backend.open(self.graph, self.network.max_batch)

    def assert_same(self, answer: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
        """Equal, up to the tolerance of the backend."""
        assert list(answer) == list(expected)
        for name, wanted in expected.items():
            allowed = self.backend.tolerance * float(np.abs(wanted).max())
            np.testing.assert_allclose(answer[name], wanted, rtol=0, atol=allowed, err_msg=name)


def one_by_one(engine: Engine, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """The answers to the members of a batch, each asked for alone."""
    size = len(next(iter(batch.values())))
    members = [{name: array[n : n + 1] for name, array in batch.items()} for n in range(size)]
    answers = [copied(engine.infer(member)) for member in members]
    return {name: np.concatenate([answer[name] for answer in answers]) for name in answers[0]}


def copied(answer: dict[str, Tensor]) -> dict[str, Tensor]:
    """An answer that outlives the next call."""
    return {name: array.copy() for name, array in answer.items()}


def first(answer: dict[str, Tensor], size: int) -> dict[str, Tensor]:
    """The answers to the first members."""
    return {name: array[:size] for name, array in answer.items()}


def _cases() -> list[Any]:
    made = [pytest.param((backend, MADE_UP), id=f"{backend.name}-made_up", marks=backend.marks) for backend in BACKENDS]
    for network in NETWORKS:
        for backend in BACKENDS:
            if network.slow and backend.slow:
                continue  # minutes, for what the others show as well
            marks = [
                *backend.marks,
                pytest.mark.assets,
                *([pytest.mark.system] if backend.slow or network.name not in SAMPLES else []),
                *([pytest.mark.soak] if network.slow or (backend.samples and network.name not in SAMPLES) else []),
            ]
            made.append(pytest.param((backend, network), id=f"{backend.name}-{network.name}", marks=marks))
    return made


@pytest.fixture(scope="session", params=_cases())
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    """An open engine of one backend and one network."""
    backend, network = request.param
    skip_where_absent(backend)
    if network.file:
        graph = request.getfixturevalue("assets") / "models" / network.file
    else:
        graph = made_up(tmp_path_factory.mktemp("made_up"))
    engine = backend.open(graph, network.max_batch)
    yield Case(backend, network, graph, engine, one_by_one(engine, network.batch(network.max_batch)))
    engine.close()


@pytest.fixture(
    scope="session", params=[pytest.param(backend, id=backend.name, marks=backend.marks) for backend in BACKENDS]
)
def backend(request: pytest.FixtureRequest) -> Backend:
    """A backend by itself."""
    found: Backend = request.param
    skip_where_absent(found)
    return found


@pytest.fixture(autouse=True)
def _watched(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever a test asks for, the device is used by its rules."""
    used = request.getfixturevalue("case").backend if "case" in request.fixturenames else None
    used = request.getfixturevalue("backend") if "backend" in request.fixturenames else used
    with used.watched() if used else nullcontext():
        yield


def skip_where_absent(backend: Backend) -> None:
    """With the backend's reason."""
    if reason := backend.absent():
        pytest.skip(reason)


@pytest.fixture(scope="session")
def reference() -> Callable[[Path, dict[str, Tensor]], dict[str, Tensor]]:
    """What ONNX Runtime's own `run` answers on one thread, without anything of ours between."""

    def answer(graph: Path, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
        names = [output.name for output in session.get_outputs()]
        return dict(zip(names, session.run(names, inputs), strict=True))

    return answer
