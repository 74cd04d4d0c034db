"""An engine that serves while another one is made, and then is that other one. Beside it, the preprocessor that goes
with it: on the device for an engine that reads there, else on the host. Opened by `jobs/engines.py`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from faceedge.backends.base import Canvas, CropSpec, DeviceTensor, Engine, Input, Memory, Preprocessor, Tensor
from faceedge.backends.inputs import lie_in
from faceedge.errors import EngineError
from faceedge.manifest import Normalisation
from faceedge.types import Floats, Image

Bounds = Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]]
"""Input -> its smallest and largest shape."""
Fetch = Callable[[DeviceTensor], Tensor]


@dataclass(slots=True, eq=False)
class Inner:
    """An engine in a SwitchEngine, which closes it. bounds: shapes that it takes, where these are fewer than its specs
    say. fetch: brings to the host what is on the device; only for an engine that takes tensors there."""

    engine: Engine
    bounds: Bounds | None = None
    fetch: Fetch | None = None
    calls: int = 0
    retired: bool = False

    def takes(self, arrays: Mapping[str, Input]) -> bool:
        """Whether the inputs lie in the bounds, the batch aside: that is split. Of a wrong number of dimensions the
        engine says what is wrong."""
        return lie_in(self.bounds or {}, {name: array.shape for name, array in arrays.items()})


class SwitchEngine:
    """An Engine whose inner engine is replaced between two calls. Calls in flight end on the old one, the last of which
    closes it. Threads may call at the same time as far as the inner one allows it: nothing is locked while it computes.

    spare: opens an engine for inputs of a shape that the inner one does not take; opened once, at the first of them.
    on_close: called by `close`.
    """

    def __init__(
        self, first: Inner, spare: Callable[[], Engine] | None = None, on_close: Callable[[], None] = lambda: None
    ) -> None:
        self.inputs = first.engine.inputs
        self.outputs = first.engine.outputs
        self.misfit = ""
        """The shape for which the spare one was opened last."""
        self._open_spare = spare
        self._on_close = on_close
        self._spare: Inner | None = None
        self._current = first
        self._largest = first.engine.max_batch
        self._closed = False
        self._fetch = first.fetch
        self._lock = threading.Lock()
        self._opening = threading.Lock()

    @property
    def max_batch(self) -> int:
        """Of the engine at hand: ask before every batch. A batch that is larger, but no larger than any answer that was
        ever given here, was made just before a switch: it is split."""
        return self._current.engine.max_batch

    @property
    def device(self) -> str:
        return self._current.engine.device

    @property
    def memory(self) -> Memory:
        """Of the engine at hand and the spare one."""
        parts = [inner.engine.memory for inner in (self._current, self._spare) if inner is not None]
        return Memory(sum(part.weights for part in parts), sum(part.working for part in parts))

    @property
    def is_closed(self) -> bool:
        return self._closed

    @property
    def reads_device(self) -> bool:
        """Whether tensors on the device are read where they are."""
        return self._current.fetch is not None

    def infer(self, arrays: Mapping[str, Input]) -> dict[str, Tensor]:
        """See `Engine.infer`."""
        inner = self._entered(arrays)
        try:
            count, most = _batch(arrays), inner.engine.max_batch
            was_told = most < count <= self._largest
            if inner.fetch is None or was_told:
                arrays = {name: self._on_host(array) for name, array in arrays.items()}
            if not was_told:
                return inner.engine.infer(arrays)
            return _in_parts(inner.engine, cast(Mapping[str, Tensor], arrays), count, most)
        finally:
            self._leave(inner)

    def replace(self, new: Inner) -> None:
        """From the next call on `new` runs; it is closed when it cannot. Raises EngineError when its inputs or outputs
        are others, or after `close`."""
        try:
            _check_alike(self, new.engine)
        except EngineError:
            new.engine.close()
            raise
        with self._lock:
            old, unused = self._current, self._closed
            if not unused:
                self._current, self._fetch = new, new.fetch or self._fetch
                self._largest = max(self._largest, new.engine.max_batch)
                old.retired = True
        if unused:
            new.engine.close()
            raise EngineError("the engine was closed before the other one came")
        self._close_if_done(old)

    def takes(self, shapes: Mapping[str, tuple[int, ...]]) -> bool:
        """See `Engine.takes`."""
        current = self._current
        return lie_in(current.bounds or {}, shapes) and current.engine.takes(shapes)

    def trim(self) -> None:
        """See `Engine.trim`."""
        for inner in (self._current, self._spare):
            if inner is not None:
                inner.engine.trim()

    def tidy(self) -> None:
        """See `Engine.tidy`."""
        for inner in (self._current, self._spare):
            if inner is not None and self._held(inner):
                try:
                    inner.engine.tidy()
                finally:
                    self._leave(inner)

    def close(self) -> None:
        """See `Engine.close`: calls in flight end first, on their own threads."""
        with self._lock:
            self._closed = True
            inners = [inner for inner in (self._current, self._spare) if inner is not None]
            for inner in inners:
                inner.retired = True
        for inner in inners:
            self._close_if_done(inner)
        self._on_close()

    def _entered(self, arrays: Mapping[str, Input]) -> Inner:
        """The engine for these inputs, which from now on stays open until `_leave`."""
        while True:
            current = self._current
            inner = current if self._open_spare is None or current.takes(arrays) else self._spare_engine(arrays)
            with self._lock:
                if self._closed:
                    raise EngineError("the engine is closed; open the model again")
                if current is self._current:  # not replaced a moment ago
                    inner.calls += 1
                    return inner

    def _held(self, inner: Inner) -> bool:
        """Keeps an engine open until `_leave`; False when it is on its way out, and takes its memory with it."""
        with self._lock:
            if inner.retired:
                return False
            inner.calls += 1
            return True

    def _leave(self, inner: Inner) -> None:
        with self._lock:
            inner.calls -= 1
        self._close_if_done(inner)

    def _close_if_done(self, inner: Inner) -> None:
        """close() of an engine may be called twice, so two threads that come here at once do no harm."""
        if inner.retired and inner.calls == 0:
            with suppress(EngineError):  # its memory is gone with the device; whoever calls next is told
                inner.engine.close()

    def _spare_engine(self, arrays: Mapping[str, Input]) -> Inner:
        assert self._open_spare is not None, "asked for only where there is one"
        with self._opening:
            if self._spare is None:
                spare = Inner(self._open_spare())
                with self._lock:
                    self._spare, spare.retired = spare, self._closed
                self.misfit = ", ".join(str(tuple(array.shape)) for array in arrays.values())
            return self._spare

    def _on_host(self, array: Input) -> Tensor:
        if not isinstance(array, DeviceTensor):
            return array
        if self._fetch is None:
            raise EngineError("a tensor on the device, but no engine there")
        return self._fetch(array)


class SwitchPreprocessor:
    """A Preprocessor beside one engine: the host's, until the engine reads on the device and there is one for it.

    device: the device's, None as long as there is none. Handles are the images themselves, so that one that was
    uploaded before the switch is good after it: the device's preprocessor knows the frames that it has.
    """

    def __init__(self, engine: Engine, host: Preprocessor, device: Callable[[], Preprocessor | None]) -> None:
        self._engine = engine
        self._host = host
        self._device = device

    def upload(self, image: Image) -> object:
        """See `Preprocessor.upload`."""
        self._now.upload(image)
        return image

    def letterbox(self, handles: Sequence[object], canvas: Canvas, norm: Normalisation) -> Floats | DeviceTensor:
        """See `Preprocessor.letterbox`."""
        now = self._now
        return now.letterbox([now.upload(cast(Image, handle)) for handle in handles], canvas, norm)

    def warp(self, handle: object, matrices: Floats, spec: CropSpec) -> list[Image]:
        """See `Preprocessor.warp`."""
        now = self._now
        return now.warp(now.upload(cast(Image, handle)), matrices, spec)

    def tensor(self, crops: Sequence[Image], norm: Normalisation) -> Floats | DeviceTensor:
        """See `Preprocessor.tensor`."""
        return self._now.tensor(crops, norm)

    def trim(self) -> None:
        """See `Preprocessor.trim`."""
        for one in self._all():
            one.trim()

    def tidy(self) -> None:
        """See `Preprocessor.tidy`."""
        for one in self._all():
            one.tidy()

    def _all(self) -> list[Preprocessor]:
        return [one for one in (self._host, self._device()) if one is not None]

    @property
    def _now(self) -> Preprocessor:
        reads = isinstance(self._engine, SwitchEngine) and self._engine.reads_device
        return (self._device() if reads else None) or self._host


def _batch(arrays: Mapping[str, Input]) -> int:
    return max((array.shape[0] for array in arrays.values() if getattr(array, "shape", ())), default=1)


def _in_parts(engine: Engine, arrays: Mapping[str, Tensor], count: int, most: int) -> dict[str, Tensor]:
    parts: list[dict[str, Tensor]] = []
    for start in range(0, count, most):
        outputs = engine.infer({name: array[start : start + most] for name, array in arrays.items()})
        parts.append({name: np.array(values) for name, values in outputs.items()})  # the next part overwrites them
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _check_alike(one: Any, other: Engine) -> None:
    """Same names and types, and sizes that do not contradict each other. Sizes may be free in one and fixed in the
    other, the batch of inputs only free or the same."""
    for what in ("inputs", "outputs"):
        mine = {spec.name: spec for spec in getattr(one, what)}
        theirs = {spec.name: spec for spec in getattr(other, what)}
        if mine.keys() != theirs.keys():
            raise EngineError(f"the new engine's {what} are {sorted(theirs)}, the old one's {sorted(mine)}")
        for name, spec in mine.items():
            new = theirs[name]
            agree = len(spec.shape) == len(new.shape) and all(
                -1 in (a, b) or a == b for a, b in zip(spec.shape, new.shape, strict=True)
            )
            if spec.dtype != new.dtype or not agree or (what == "inputs" and _loses_batch(spec.shape, new.shape)):
                raise EngineError(
                    f"{name}: the new engine has {new.dtype} {new.shape}, the old one {spec.dtype} {spec.shape}"
                )


def _loses_batch(old: tuple[int, ...], new: tuple[int, ...]) -> bool:
    return bool(old) and bool(new) and old[0] == -1 and new[0] != -1
