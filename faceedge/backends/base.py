"""The seam between the flow and what computes: `Engine` runs a network, `Preprocessor` makes its input.

A canvas is where detection happens: one or several scaled copies of a frame (levels) on a black ground.
A letterbox is a canvas of one level, an image pyramid laid out as tiles is one of many.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from faceedge.manifest import Normalisation
from faceedge.types import Floats, Image

Tensor = NDArray[np.generic]


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """Name, dtype and shape of a network's input or output; -1 is a free dimension."""

    name: str
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class DeviceTensor:
    """An array in device memory, C-contiguous. owner: holds the memory as long as it is referenced.

    pointer: the address. dtype: numpy's name. What writes and what reads it runs on the stream of one `Gpu`, in order.
    """

    pointer: int
    shape: tuple[int, ...]
    dtype: str
    owner: object


Input: TypeAlias = Tensor | DeviceTensor
"""What a network takes: an array of the host, or one that the same backend's Preprocessor left on the device."""


@dataclass(frozen=True, slots=True)
class Level:
    """One scaled copy of the frame on a canvas: its corner and size in canvas px."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Canvas:
    """Where the copies of a frame lie. Levels after the first are made each from the one before it.

    corner_aligned: dlib's rules: corners map on corners instead of pixel areas on pixel areas (OpenCV's), and the
    ground is 0 after normalisation, the mean colour, instead of black.
    """

    width: int
    height: int
    levels: tuple[Level, ...]
    corner_aligned: bool = False


@dataclass(frozen=True, slots=True)
class CropSpec:
    """Size of the crops in px, and whether shrinking goes through a blurred pyramid (dlib) or not."""

    width: int
    height: int
    pyramid: bool = False


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes: weights as the engine holds them, and the working memory of its activations and outputs, each as far as
    the backend can tell."""

    weights: int
    working: int


class Engine(Protocol):
    """Runs one network. One thread at a time, unless a backend says otherwise."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    @property
    def max_batch(self) -> int:
        """Ask before every batch: a switch to another engine (`switch.py`) may change it."""
        ...

    @property
    def device(self) -> str:
        """`cpu`, `cuda:0` …"""
        ...

    @property
    def memory(self) -> Memory:
        """What the engine holds at this moment; nothing after close."""
        ...

    def infer(self, arrays: Mapping[str, Input]) -> dict[str, Tensor]:
        """All outputs for a batch of 1..max_batch, on the host.

        The inputs are read where they are, or copied when not C-contiguous, and may be held until the next call; they
        are never written. The outputs are valid until the same thread's next call, which may overwrite them: copy what
        has to stay. Other threads' calls, `trim` and `close` leave them alone.

        Raises EngineError on a wrong name, dtype or shape, after close, and when the network fails.
        """
        ...

    def takes(self, shapes: Mapping[str, tuple[int, ...]]) -> bool:
        """Whether inputs of these shapes, by name, run here, whatever their batch: not outside the shapes that the
        engine was built for, and on no other engine in its place."""
        ...

    def trim(self) -> None:
        """Asks that working memory be given back: every thread that runs batches gives up its own with its next `tidy`,
        or after its next `infer`, as that batch may be an old one. From any thread; it waits for nothing."""
        ...

    def tidy(self) -> None:
        """Gives back what `trim` asked for since this thread's last call; else, or after close, it does nothing. For
        threads that run batches, whenever they have none: it counts as a call of `infer`."""
        ...

    def close(self) -> None:
        """Gives memory back; a second call does nothing."""
        ...


class Preprocessor(Protocol):
    """Turns frames into network inputs, on the host (arrays) or on the device (handles).

    A frame is not written to after its upload. What `letterbox` and `tensor` return is valid until the same thread
    calls the same function again.
    """

    def upload(self, image: Image) -> object:
        """A handle for one frame, uint8 (h, w, 3) BGR; the frame travels to the device once."""
        ...

    def letterbox(self, handles: Sequence[object], canvas: Canvas, norm: Normalisation) -> Floats | DeviceTensor:
        """float32 (n, 3, canvas height, canvas width): frames of one size, laid out and normalised."""
        ...

    def warp(self, handle: object, matrices: Floats, spec: CropSpec) -> list[Image]:
        """Crops uint8 (h, w, 3) BGR by similarity transforms; matrices (n, 2, 3) map crop px to frame px."""
        ...

    def tensor(self, crops: Sequence[Image], norm: Normalisation) -> Floats | DeviceTensor:
        """float32 (n, 3, h, w): crops of one size, normalised, in the network's colour order."""
        ...

    def trim(self) -> None:
        """As `Engine.trim`: with its next call every thread gives up what it keeps from call to call."""
        ...

    def tidy(self) -> None:
        """As `Engine.tidy`."""
        ...
