"""Does a run leave memory behind? The flow a thousand times in, the slope of what is held out, on the host and on the
device.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import cv2
import numpy as np

from faceedge.checks.base import Bench, Finding, Share, judged
from faceedge.health.machine import resident
from faceedge.jobs.vision import Vision
from faceedge.types import Image

RUNS, LEAST_RUNS = 1000, 100
TIME_SHARE = 0.55
WARM_UP = 0.1
"""Share of the runs that is not looked at: buffers and caches come to their sizes."""
MOST_A_RUN = {"process": 4 << 10, "CUDA": 16 << 10}
"""Bytes. Choices: a frame or a tensor left behind is far beyond; others use the device's memory too."""
FRAME_PX = (480, 270)
Clock = Callable[[], float]


def check_memory(bench: Bench, tell: Share, clock: Clock = time.monotonic) -> Finding:
    """Frames through detector and recogniser, one at a time."""
    held: dict[str, list[float]] = {"process": []}
    if device := _device(bench):
        held["CUDA"] = []
    run = _once(bench.vision, bench.frame)
    ends = clock() + TIME_SHARE * bench.measuring_s
    for number in range(RUNS):
        if clock() > ends:
            break
        run()
        held["process"].append(resident().now)
        if device is not None:
            held["CUDA"].append(device())
        tell(number / RUNS)
    return finding(held)


def finding(held: dict[str, list[float]]) -> Finding:
    """The slopes of what was held after each run, against what they may be."""
    runs = len(held["process"])
    if runs < LEAST_RUNS:
        return Finding("not run", f"only {runs} of {RUNS} runs fit in; give --minutes more")
    slopes = {where: slope(values[int(WARM_UP * runs) :]) for where, values in held.items()}
    faults = [
        f"{where}: {rise / 1024:.1f} KiB more with every run, more than {MOST_A_RUN[where] / 1024:.0f}"
        for where, rise in slopes.items()
        if rise > MOST_A_RUN[where]
    ]
    words = ", ".join(f"{where} {rise / 1024:+.2f} KiB" for where, rise in slopes.items())
    return judged(faults, f"{runs} runs, a run: {words}", runs=runs, bytes_a_run=slopes)


def slope(values: Sequence[float]) -> float:
    """Theil and Sen's: the median of the slopes between all pairs; three in ten values may be anything."""
    numbers = np.asarray(values, np.float64)
    first, second = np.triu_indices(len(numbers), 1)
    return float(np.median((numbers[second] - numbers[first]) / (second - first)))


def _once(vision: Vision, frame: Image) -> Callable[[], object]:
    """One frame's way; without a face in it a grey crop goes on."""
    small = np.asarray(cv2.resize(frame, FRAME_PX, interpolation=cv2.INTER_AREA), np.uint8)
    grey = np.full((vision.crop_spec.height, vision.crop_spec.width, 3), 128, np.uint8)

    def run() -> object:
        faces = vision.detector.detect([small])[0]
        return vision.recognizer.embed(vision.crops(small, faces[:1]) or [grey])

    return run


def _device(bench: Bench) -> Callable[[], float] | None:
    """Bytes in use on the device, by anybody."""
    if bench.no_gpu():
        return None
    from faceedge.backends.cuda import process_gpu

    bench.gpu_engines()
    gpu = process_gpu()

    def used() -> float:
        free, total = gpu.memory_info()
        return total - free

    return used
