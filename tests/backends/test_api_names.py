"""Every name of TensorRT and pycuda that the code uses, read off its source, is one that they have, also where no test
comes by. Types of variables are known by their names, as the code calls a thing the same everywhere.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.gpu.driver import VERSIONS
from tests.fakes.gpu.fixture import StandinGpu
from tests.fakes.gpu.module import API

BACKENDS = Path(__file__).parents[2] / "faceedge" / "backends"
MODULES = {"trt", "self._trt"}
DRIVERS = {"cuda", "self._cuda"}
CLASSES = {
    "builder": "Builder", "network": "INetworkDefinition", "parser": "OnnxParser", "config": "IBuilderConfig",
    "profile": "IOptimizationProfile", "timing": "ITimingCache", "runtime": "Runtime", "engine": "ICudaEngine",
    "self._engine": "ICudaEngine", "context": "IExecutionContext",
}  # fmt: skip
ONLY_WITH_WEAK_TYPING = {"BuilderFlag.FP16", "BuilderFlag.INT8"}
ONLY_WHERE_IT_IS = {"ICudaEngine.get_engine_stat", "EngineStat.TOTAL_WEIGHTS_SIZE"}
"""Behind a look whether the engine has it."""


@dataclass(frozen=True)
class Use:
    """A name of TensorRT, `Class.member` or `function`; given: arguments of a call; is_set: it is assigned to."""

    where: str
    name: str
    given: int | None
    is_set: bool


@cache
def sources() -> dict[str, ast.Module]:
    """Those that speak with TensorRT or pycuda."""
    names = sorted([*BACKENDS.glob("trt_*.py"), *BACKENDS.glob("cuda*.py")])
    return {path.name: ast.parse(path.read_text()) for path in names}


def attributes(tree: ast.Module) -> Iterator[tuple[str, ast.Attribute, int | None]]:
    """Whole chains `a.b.c`, without those that are part of a longer one, and the number of arguments of a call."""
    calls = {
        id(node.func): len(node.args) + len(node.keywords) for node in ast.walk(tree) if isinstance(node, ast.Call)
    }
    inner = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and id(node) not in inner:
            yield ast.unparse(node), node, calls.get(id(node))


def uses() -> list[Use]:
    found = []
    for file, tree in sources().items():
        for chain, node, given in attributes(tree):
            owner, _, name = chain.rpartition(".")
            where, is_set = f"{file}:{node.lineno}", isinstance(node.ctx, ast.Store)
            root = next((module for module in MODULES if chain.startswith(f"{module}.")), None)
            if root is not None:
                found.append(Use(where, chain.removeprefix(f"{root}."), given, is_set))
            elif file.startswith("trt_") and owner in CLASSES:
                found.append(Use(where, f"{CLASSES[owner]}.{name}", given, is_set))
    return found


@cache
def api(version: str) -> dict[str, Any]:
    return json.loads((API / f"{version}.json").read_text())  # type: ignore[no-any-return]


def fault(use: Use, version: str) -> str:  # noqa: PLR0911 - a list of what can be wrong
    """What this version would say to it; nothing when it has the name and takes the call."""
    known = api(version)
    owner, _, name = use.name.rpartition(".")
    if use.name in {"__version__", *known["functions"], *known["enums"]}:
        return ""
    if owner in known["enums"]:
        return "" if name in known["enums"][owner] else "no member"
    spec = known["classes"].get(owner or name)
    if spec is None:
        return "no such class"
    if name == "__init__" or not owner:
        return "" if use.given is None or fits(spec["constructors"], use.given - bool(owner)) else "other arguments"
    if name in spec["properties"]:
        return "read-only" if use.is_set and spec["properties"][name][1] == "r" else ""
    if name not in spec["methods"]:
        return "no such member"
    return "" if use.given is not None and fits(spec["methods"][name], use.given) else "other arguments, or no call"


def fits(signatures: list[list[list[str]]], given: int) -> bool:
    return any(sum(len(p) == 2 for p in parameters) <= given <= len(parameters) for parameters in signatures)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_name_of_tensorrt_is_one_that_this_version_has(version: str) -> None:
    absent = set() if version != "10.3.0" else ONLY_WHERE_IT_IS
    absent = absent | (ONLY_WITH_WEAK_TYPING if version == "11.4.0" else set())
    faults = {(use.name, said, use.where) for use in uses() if (said := fault(use, version))}
    assert {name for name, *_ in faults} == absent, faults


def test_the_names_that_are_looked_at_are_those_of_a_whole_life() -> None:
    found = {use.name for use in uses()}
    assert found >= {
        "Builder", "Builder.build_serialized_network", "OnnxParser.parse", "IBuilderConfig.progress_monitor", "Runtime",
        "IProgressMonitor.__init__", "ICudaEngine.create_execution_context", "IExecutionContext.set_device_memory",
        "ExecutionContextAllocationStrategy.USER_MANAGED", "IExecutionContext.execute_async_v3", "nptype",
    }  # fmt: skip
    assert len(found) > 40


@pytest.mark.parametrize(
    ("name", "given", "is_set"),
    [
        ("ICudaEngine.device_memory_size", None, False), ("BuilderFlag.FP8", None, False), ("Fictional", 1, False),
        ("IExecutionContext.set_device_memory", 1, False), ("ICudaEngine.num_io_tensors", None, True),
        ("Builder", 0, False), ("IExecutionContext.execute_async_v2", 2, False),
        ("ITimingCache.serialize", None, False),
    ],
)  # fmt: skip
def test_a_wrong_name_or_call_is_found(name: str, given: int | None, is_set: bool) -> None:
    faults = [fault(Use("here", name, given, is_set), version) for version in VERSIONS]
    assert any(faults)


def test_no_enum_of_tensorrt_is_given_by_its_number() -> None:
    shifted = [
        node for tree in sources().values() for node in ast.walk(tree)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.LShift) and "trt" in ast.unparse(node)
    ]  # fmt: skip
    assert shifted
    assert all("int(trt." in ast.unparse(node.right) for node in shifted)


@pytest.mark.parametrize("gpu", ["10.3.0"], indirect=True)
def test_every_name_of_pycuda_is_one_that_it_has(gpu: StandinGpu) -> None:
    chains = {chain for file, tree in sources().items() if file.startswith("cuda") for chain, *_ in attributes(tree)}
    roots = tuple(f"{driver}." for driver in DRIVERS)
    found = {chain.replace("(number)", "").split(".", chain.count("self.") + 1)[-1] for chain in chains
             if chain.startswith(roots)}  # fmt: skip
    for chain in found:
        place: Any = gpu.cuda
        for name in chain.split("."):
            assert hasattr(place, name), chain
            place = getattr(place, name)
    assert found >= {"Context.pop", "Device.retain_primary_context", "Error", "Event", "mem_alloc", "memcpy_htod_async"}
