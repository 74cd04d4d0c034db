"""TensorRT: the engine of a Jetson. Plans come in, built on the same device by `build.py`; batches of any thread are
answered one after the other on the GPU thread.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import cast

import numpy as np

from faceedge.backends.arena import Arena
from faceedge.backends.base import DeviceTensor, Input, Memory, Tensor
from faceedge.backends.cuda import Gpu
from faceedge.backends.inputs import are_of, check_inputs, lie_in
from faceedge.backends.trt_layout import Lane, Lanes, OwnLane, form_of
from faceedge.backends.trt_plan import OpenPlan
from faceedge.errors import EngineError


class TensorRtEngine:
    """One plan. Threads may call `infer` at the same time: they take turns on the GPU, each has results of its own in
    pinned memory. arena: the process's one, for all engines of `gpu`.

    Never give it a plan that was not built here and checked since (`plan.py`): a plan is code.

    Raises EngineError when TensorRT does not take the plan, NoDeviceMemory when there is no room for it, MissingExtra
    without TensorRT.
    """

    def __init__(self, plan: bytes, gpu: Gpu, arena: Arena) -> None:
        opened = gpu.run(lambda: OpenPlan(plan, gpu, arena))
        self.inputs, self.outputs = opened.inputs, opened.outputs
        self.max_batch = opened.max_batch
        self.device = gpu.device
        self._gpu, self._arena = gpu, arena
        self._opened: OpenPlan | None = opened
        self._trims = 0
        self._lanes = Lanes()
        self._own = OwnLane(self._lanes, gpu)

    def infer(self, arrays: Mapping[str, Input]) -> dict[str, Tensor]:
        """See `Engine.infer`. A DeviceTensor is used where it is, an array is copied into pinned memory first."""
        opened, lane = self._opened, self._own.lane  # read once: another thread may close
        if opened is None:
            raise EngineError("the engine is closed; open the model again")
        check_inputs(self.inputs, arrays, self.max_batch, (np.ndarray, DeviceTensor))
        form = form_of(self.inputs, arrays)
        layout = opened.forms.get(form) or self._gpu.run(lambda: opened.laid_out(form))
        lane.prepare(layout)
        for name, staged in lane.inputs.items():
            np.copyto(staged, cast(Tensor, arrays[name]))
        here = {name: tensor for name, tensor in arrays.items() if isinstance(tensor, DeviceTensor)}
        self._gpu.run(lambda: opened.run(layout, lane.host, here))
        outputs = dict(lane.outputs)
        self._give_back(opened, lane)  # not before: this batch may have been cut just before the trim
        return outputs

    @property
    def memory(self) -> Memory:
        """See `Engine.memory`. Working are the pinned buffers of all threads, and what this engine needs of the arena,
        which other engines use in turn: the arena itself is as large as the largest need (`Arena.size`)."""
        opened = self._opened
        if opened is None:
            return Memory(0, 0)
        return Memory(opened.weights, self._lanes.held_bytes() + self._arena.need_of(opened))

    def takes(self, shapes: Mapping[str, tuple[int, ...]]) -> bool:
        """See `Engine.takes`."""
        return are_of(self.inputs, shapes) and self._opened is not None and lie_in(self._opened.profile, shapes)

    def trim(self) -> None:
        """See `Engine.trim`: every thread gives up its pinned buffers, the first of all what is needed of the arena."""
        self._trims += 1

    def tidy(self) -> None:
        """See `Engine.tidy`."""
        if (opened := self._opened) is not None:
            self._give_back(opened, self._own.lane)

    def _give_back(self, opened: OpenPlan, lane: Lane) -> None:
        if lane.trims != (trims := self._trims):
            lane.trims = trims
            lane.empty()
            self._gpu.run(lambda: opened.need_nothing(trims))

    def close(self) -> None:
        """See `Engine.close`. Answers that somebody still holds keep their pinned memory."""
        opened, self._opened = self._opened, None
        self._lanes = Lanes()
        self._own = OwnLane(self._lanes, self._gpu)
        if opened is None:
            return
        with suppress(EngineError):  # the device is lost or closed: nothing is left to free
            self._gpu.run(opened.close)
