"""Do the kernels on the device prepare frames as their twin on the CPU does? Random frames in, a finding out."""

from __future__ import annotations

from typing import Any

import numpy as np

from faceedge.backends import guarded
from faceedge.backends.base import Canvas, CropSpec, DeviceTensor, Level, Preprocessor, Tensor
from faceedge.backends.cpu import CpuPreprocessor
from faceedge.checks.base import Bench, Finding, Share, judged
from faceedge.gallery.devicekey import first_key
from faceedge.manifest import Normalisation
from faceedge.types import Floats, Image

FRAMES = 40
CROP = CropSpec(112, 112)
PLAIN = Normalisation(colour="bgr")
"""Leaves pixels as they are, so that differences are in 255ths."""
MOST = 1.0
"""Of 255, as `backends.cuda_preprocess` promises."""


def check_kernels(bench: Bench, tell: Share) -> Finding:
    """Letterboxes, crops and tensors of both, on frames of many sizes."""
    from faceedge.backends.cuda import Gpu, process_gpu
    from faceedge.backends.cuda_kernels import read_kernels
    from faceedge.backends.cuda_preprocess import CudaPreprocessor

    bench.gpu_engines()
    gpu: Gpu = process_gpu()
    key = guarded.engines_key(first_key(bench.state).secret)
    device = CudaPreprocessor(gpu, read_kernels(bench.state / "engines", key, gpu.capability))
    worst = {"letterbox": 0.0, "crops": 0.0, "tensor": 0.0}
    for number in range(FRAMES):
        tell(number / FRAMES)
        for what, apart in differences(device, number, gpu.fetch).items():
            worst[what] = max(worst[what], apart)
    faults = [f"{what} {apart:.2g} of 255 apart, more than {MOST:g}" for what, apart in worst.items() if apart > MOST]
    words = ", ".join(f"{what} {apart:.2g}" for what, apart in worst.items())
    return judged(faults, f"at most apart, of 255, over {FRAMES} frames: {words}", **worst)


def differences(device: Preprocessor, seed: int, fetch: Any) -> dict[str, float]:
    """The largest differences of one random frame, by what was made of it. fetch: brings a DeviceTensor to the host."""
    random, twin = np.random.default_rng(seed), CpuPreprocessor()
    frame = _frame(random)
    canvas, matrices = _canvas(random, frame), _matrices(random, frame)
    handles = device.upload(frame), twin.upload(frame)
    boxes = [maker.letterbox([handle], canvas, PLAIN) for maker, handle in zip((device, twin), handles, strict=True)]
    crops = [maker.warp(handle, matrices, CROP) for maker, handle in zip((device, twin), handles, strict=True)]
    tensors = [maker.tensor(crops[1], PLAIN) for maker in (device, twin)]
    return {
        "letterbox": _apart(*(_here(box, fetch) for box in boxes)),
        "crops": _apart(*(np.stack(some).astype(np.float32) for some in crops)),
        "tensor": _apart(*(_here(tensor, fetch) for tensor in tensors)),
    }


def _frame(random: np.random.Generator) -> Image:
    height, width = (int(side) for side in random.integers(120, 1100, 2))
    return random.integers(0, 256, (height, width, 3), np.uint8)


def _canvas(random: np.random.Generator, frame: Image) -> Canvas:
    height, width = frame.shape[:2]
    scale = 640 / max(height, width)
    level = Level(int(random.integers(0, 9)), int(random.integers(0, 9)), round(width * scale), round(height * scale))
    return Canvas(656, 656, (level,))


def _matrices(random: np.random.Generator, frame: Image) -> Floats:
    """Three similarity transforms, some of which lead past the borders."""
    height, width = frame.shape[:2]
    angle, scale = random.uniform(-0.6, 0.6, 3), random.uniform(0.4, 2.5, 3)
    cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
    x, y = random.uniform(-40, width, 3), random.uniform(-40, height, 3)
    rows = np.stack([np.stack([cosine, -sine, x], 1), np.stack([sine, cosine, y], 1)], 1)
    return np.asarray(rows, np.float32)


def _here(tensor: Tensor | DeviceTensor, fetch: Any) -> Tensor:
    return np.asarray(fetch(tensor) if isinstance(tensor, DeviceTensor) else tensor)


def _apart(one: Tensor, other: Tensor) -> float:
    """Infinite for another shape, or numbers that are none."""
    if one.shape != other.shape or not np.isfinite(one.astype(np.float32)).all():
        return float("inf")
    return float(np.abs(one.astype(np.float32) - other.astype(np.float32)).max(initial=0))
