"""Where the inputs and outputs of one run lie, in the same order in pinned host memory and in the arena, so that one
copy takes all inputs to the device and one brings all outputs back. For the TensorRT engine.
"""

from __future__ import annotations

import math
import threading
import weakref
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceedge.backends.base import DeviceTensor, Input, Tensor, TensorSpec
from faceedge.backends.cuda import Gpu

ALIGNMENT = 256
"""What TensorRT wants of the address of its working memory, and CUDA gives to every block: kept for tensors too."""

Form = tuple[tuple[tuple[int, ...], bool], ...]
"""Shape of every input, and whether it is on the device already, in the order of the specs."""


def form_of(specs: tuple[TensorSpec, ...], inputs: Mapping[str, Input]) -> Form:
    """Of inputs that were checked."""
    return tuple([(inputs[spec.name].shape, isinstance(inputs[spec.name], DeviceTensor)) for spec in specs])


def aligned(size: int) -> int:
    """`size` rounded up."""
    return -(-size // ALIGNMENT) * ALIGNMENT


@dataclass(frozen=True, slots=True)
class Place:
    """One tensor. offset: from the start of the inputs and outputs."""

    offset: int
    shape: tuple[int, ...]
    dtype: str

    @property
    def end(self) -> int:
        """Offset of the first byte behind it."""
        return self.offset + math.prod(self.shape) * np.dtype(self.dtype).itemsize


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """For inputs of one form. shapes: of all inputs. activations: bytes, in front of everything in the arena. inputs:
    those that come from the host. half: where the outputs begin. size: of inputs and outputs."""

    shapes: Mapping[str, tuple[int, ...]]
    activations: int
    inputs: Mapping[str, Place]
    outputs: Mapping[str, Place]
    half: int
    size: int

    @property
    def need(self) -> int:
        """Bytes of the arena."""
        return self.activations + self.size


def lay_out(
    specs: tuple[TensorSpec, ...], form: Form, outputs: Mapping[TensorSpec, tuple[int, ...]], activations: int
) -> Layout:
    """specs: of the inputs. outputs: their shapes for inputs of this form."""
    shapes = {spec.name: shape for spec, (shape, _) in zip(specs, form, strict=True)}
    carried = {spec: shape for spec, (shape, on_device) in zip(specs, form, strict=True) if not on_device}
    first, half = _in_a_row(carried, 0)
    second, size = _in_a_row(outputs, half)
    return Layout(shapes, aligned(activations), first, second, half, size)


def _in_a_row(tensors: Mapping[TensorSpec, tuple[int, ...]], start: int) -> tuple[dict[str, Place], int]:
    places, end = {}, start
    for spec, shape in tensors.items():
        places[spec.name] = place = Place(end, shape, spec.dtype)
        end = aligned(place.end)
    return places, end


class Lane:
    """The pinned memory of one calling thread, which keeps it from call to call.

    host: bytes as the layout has them. inputs, outputs: the tensors in it. trims: the engine's count of `trim` that
    this thread has followed.
    """

    def __init__(self, gpu: Gpu) -> None:
        self.host: NDArray[np.uint8] = np.empty(0, np.uint8)
        self.inputs: dict[str, Tensor] = {}
        self.outputs: dict[str, Tensor] = {}
        self._gpu = gpu
        self._layout: Layout | None = None
        self.trims = 0

    def prepare(self, layout: Layout) -> None:
        """Makes room."""
        if layout is self._layout:
            return
        if self.host.nbytes < layout.size:
            self.empty()  # the old goes before the new comes
            self.host = self._gpu.pinned(layout.size, np.uint8)
        self.inputs = {name: self._view(place) for name, place in layout.inputs.items()}
        self.outputs = {name: self._view(place) for name, place in layout.outputs.items()}
        self._layout = layout

    def empty(self) -> None:
        """Gives up everything; answers that somebody holds keep their memory."""
        self.inputs, self.outputs, self.host = {}, {}, np.empty(0, np.uint8)
        self._layout = None

    def _view(self, place: Place) -> Tensor:
        return self.host[place.offset : place.end].view(place.dtype).reshape(place.shape)


class Lanes:
    """The lanes of all threads that live."""

    def __init__(self) -> None:
        self._all: weakref.WeakSet[Lane] = weakref.WeakSet()
        self._lock = threading.Lock()  # a set that grows cannot be walked

    def new(self, gpu: Gpu) -> Lane:
        """A lane that counts as long as somebody holds it."""
        lane = Lane(gpu)
        with self._lock:
            self._all.add(lane)
        return lane

    def held_bytes(self) -> int:
        """Pinned bytes, for any thread to read."""
        with self._lock:
            return sum(lane.host.nbytes for lane in self._all)


class OwnLane(threading.local):
    """Every thread finds a lane of its own in `lane`: Python calls `__init__` anew for each that looks."""

    def __init__(self, lanes: Lanes, gpu: Gpu) -> None:
        self.lane = lanes.new(gpu)
