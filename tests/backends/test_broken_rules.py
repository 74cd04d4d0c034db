"""Ten rules of TensorRT and CUDA, each broken on purpose in the engine: the checks of the contract suite notice.

A stand-in that forgives would let all of this pass here and fail on the device.
"""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from faceedge.backends import cuda_worker
from faceedge.backends.arena import Arena, Block
from faceedge.backends.tensorrt import TensorRtEngine
from faceedge.backends.trt_plan import OpenPlan
from tests.contract import standin, test_answers, test_life, test_refusals
from tests.contract.backends import tensorrt
from tests.contract.conftest import Case, one_by_one
from tests.contract.made_up import made_up
from tests.contract.networks import MADE_UP
from tests.fakes.gpu import driver

Change = Callable[[type, str, Any], None]
"""Owner, attribute, what stands there instead."""

CHECKS: dict[str, Callable[..., None]] = {
    name: check
    for module in (test_answers, test_life, test_refusals)
    for name, check in vars(module).items()
    if name.startswith("test_") and set(inspect.signature(check).parameters) <= {"case", "backend", "tmp_path"}
}
take_address, take_shape, activations = OpenPlan._take_address, OpenPlan._take_shape, OpenPlan._activations
infer, sized, max_batch = TensorRtEngine.infer, Arena._sized, OpenPlan.max_batch


def wrong_name(change: Change) -> None:
    """Of the tensor whose address is set."""
    change(OpenPlan, "_take_address", lambda plan, context, name, at: take_address(plan, context, f"{name}_", at))


def missing_address(change: Change) -> None:
    """The last output has none."""

    def all_but_the_last(plan: OpenPlan, context: Any, name: str, at: int) -> None:
        if name != plan.outputs[-1].name:
            take_address(plan, context, name, at)

    change(OpenPlan, "_take_address", all_but_the_last)


def wrong_order(change: Change) -> None:
    """The network runs before its inputs are there."""

    def travel(plan: Any, context: Any, layout: Any, block: Block, host: Any) -> None:
        plan._must(context.execute_async_v3(plan._gpu.stream_handle), "failed", "")
        plan._gpu.upload(block.memory, host[: layout.half], layout.activations)
        plan._gpu.download(host[layout.half : layout.size], block.memory, layout.activations + layout.half)
        plan._gpu.finish()

    change(OpenPlan, "_travel", travel)


def context_left_pushed(change: Change) -> None:
    """On the thread that asked."""

    def pushing(engine: TensorRtEngine, arrays: Any) -> Any:
        cuda_worker._RETAINED[-1].context.push()
        return infer(engine, arrays)

    change(TensorRtEngine, "infer", pushing)


def arena_too_small(change: Change) -> None:
    """By half."""
    change(OpenPlan, "_activations", lambda plan, context: activations(plan, context) // 2)


def arena_unaligned(change: Change) -> None:
    """By 64 bytes."""

    def shifted(arena: Arena, *, shrink: bool) -> Block:
        block = sized(arena, shrink=shrink)
        return Block(block.memory, block.address + 64, block.size)

    change(Arena, "_sized", shifted)


def ignored_false(change: Change) -> None:
    """Of set_input_shape, by an engine that trusts TensorRT to look at the profile."""
    change(OpenPlan, "_check_range", lambda plan, name, shape: None)
    change(OpenPlan, "_take_shape", lambda plan, context, name, shape: context.set_input_shape(name, shape))


def ignored_none(change: Change) -> None:
    """Of deserialize_cuda_engine, and of everything else."""
    change(OpenPlan, "_must", lambda plan, answer, what, mend: answer)


def freed_while_in_use(change: Change) -> None:
    """The arena, between the call that enqueues the run and the run."""

    def travel(plan: Any, context: Any, layout: Any, block: Block, host: Any) -> None:
        plan._gpu.upload(block.memory, host[: layout.half], layout.activations)
        plan._gpu.finish()
        block.memory.free()
        plan._must(context.execute_async_v3(plan._gpu.stream_handle), "failed", "")
        plan._gpu.finish()

    change(OpenPlan, "_travel", travel)


def profile_exceeded(change: Change) -> None:
    """The engine promises a larger batch than it was built for."""
    assert isinstance(max_batch, property)
    assert max_batch.fget is not None
    change(OpenPlan, "max_batch", property(lambda plan: max_batch.fget(plan) + 1))
    change(OpenPlan, "_check_range", lambda plan, name, shape: None)


RULES: dict[Callable[[Change], None], str] = {
    wrong_name: "picture_ is not the name of an input or output tensor",
    missing_address: "the address of total is not set",
    wrong_order: "Not equal to tolerance",
    context_left_pushed: "a context is left on the thread",
    arena_too_small: "is needed, set are",
    arena_unaligned: "is not aligned to 256 bytes",
    ignored_false: "DID NOT RAISE EngineError",
    ignored_none: "'NoneType' object has no attribute",
    freed_while_in_use: "an illegal memory access",
    profile_exceeded: "assert 5 == 4",
}
"""And what the check that fails first says."""


@pytest.fixture(params=driver.VERSIONS)
def version(request: pytest.FixtureRequest) -> Iterator[str]:
    """Of TensorRT, with a GPU of the test's own: what is broken here harms nobody else."""
    if reason := standin.absent():
        pytest.skip(reason)
    standin.forget_device()
    opened: list[TensorRtEngine] = []

    def remembering(*given: Any) -> TensorRtEngine:
        opened.append(TensorRtEngine(*given))
        return opened[-1]

    with mock.patch.object(standin, "TensorRtEngine", remembering):
        yield request.param
    while driver.library().standin_depth():
        cuda_worker._RETAINED[-1].cuda.Context.pop()
    for engine in opened:
        end(engine)
    standin.forget_device()
    driver.library().standin_reset()


def end(engine: TensorRtEngine) -> None:
    """However broken: frames of failed checks may hold it, and a collection could come on any thread."""
    plan = engine._opened
    engine.close()
    if plan is not None:
        plan.__del__()  # the device is lost: then this keeps what cannot be freed


@pytest.fixture
def noticed(version: str, tmp_path: Path) -> Callable[[], str]:
    """The first check of the suite that fails with an engine that is opened now; nothing when all pass."""
    backend, graph = tensorrt(version), made_up(tmp_path)
    whole = backend.open(graph, MADE_UP.max_batch)
    alone = one_by_one(whole, MADE_UP.batch(MADE_UP.max_batch))
    whole.close()

    def first_failure() -> str:
        try:
            engine = backend.open(graph, MADE_UP.max_batch)
        except Exception as error:  # no test would even begin
            let_go(error)
            return f"none begins: {error}"
        case = Case(backend, MADE_UP, graph, engine, alone)
        known = {"case": case, "backend": backend, "tmp_path": tmp_path}
        for name, check in CHECKS.items():
            wanted = inspect.signature(check).parameters
            if fault := failure(partial(check, **{parameter: known[parameter] for parameter in wanted})):
                return f"{name}: {fault}"
        engine.close()
        return ""

    return first_failure


def failure(check: Callable[[], None]) -> str:
    """Why the test would be red; nothing where it is green or skipped."""
    try:
        with standin.watched():
            check()
    except pytest.skip.Exception:
        return ""
    except (Exception, pytest.fail.Exception) as error:
        told = f"{type(error).__name__} {error}"
        let_go(error)
        return told
    return ""


def let_go(error: BaseException | None) -> None:
    """Empties the frames that hold engines: these must not wait for a collection, on whatever thread that comes."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize(("broken", "told"), RULES.items(), ids=[rule.__name__ for rule in RULES])
def test_a_broken_rule_makes_the_contract_suite_fail(
    broken: Callable[[Change], None], told: str, noticed: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken(monkeypatch.setattr)
    assert told in noticed()


def test_with_no_rule_broken_the_same_checks_pass(noticed: Callable[[], str]) -> None:
    assert len(CHECKS) > 15
    assert noticed() == ""
