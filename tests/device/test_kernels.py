"""The kernels and the GPU's memory on a real device, beside the host's twin. Prints timings with -s."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from faceedge.backends.base import Canvas, CropSpec, DeviceTensor, Level
from faceedge.backends.cpu import CpuPreprocessor
from faceedge.backends.cuda import Gpu
from faceedge.backends.cuda_kernels import compile_kernels, read_kernels
from faceedge.backends.cuda_preprocess import CudaPreprocessor
from faceedge.errors import EngineError, MissingExtra
from faceedge.manifest import Normalisation
from faceedge.types import Floats, Image
from tests.backends.test_kernels import RAW, RGB, cases, similarity

pytestmark = pytest.mark.device
FULL_HD = Canvas(640, 640, (Level(0, 140, 640, 360),))
RUNS = 10_000
KEY = bytes(32)
GROWTH_BYTES = 4 << 20


@pytest.fixture(scope="module")
def device() -> Iterator[Gpu]:
    try:
        opened = Gpu()
    except (MissingExtra, EngineError) as error:
        pytest.skip(str(error))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def cuda(device: Gpu, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CudaPreprocessor]:
    folder: Path = tmp_path_factory.mktemp("kernels")
    compile_kernels(folder, KEY, device.capability)
    made = CudaPreprocessor(device, read_kernels(folder, KEY, device.capability))
    yield made
    made.trim()
    made.tidy()


@pytest.fixture(scope="module")
def cpu() -> CpuPreprocessor:
    return CpuPreprocessor()


def fetched(device: Gpu, tensor: Floats | DeviceTensor) -> Floats:
    assert isinstance(tensor, DeviceTensor)
    return np.asarray(device.fetch(tensor), np.float32)


def test_letterboxes_are_those_of_the_host(device: Gpu, cuda: CudaPreprocessor, cpu: CpuPreprocessor) -> None:
    apart = [
        np.abs(fetched(device, cuda.letterbox([cuda.upload(case.image)], case.canvas, RAW))
               - cpu.letterbox([case.image], case.canvas, RAW)).ravel()
        for case in cases()
    ]  # fmt: skip
    told("letterbox", np.concatenate(apart))


def test_crops_are_those_of_the_host(cuda: CudaPreprocessor, cpu: CpuPreprocessor) -> None:
    apart = []
    for case in cases():
        spec = CropSpec(case.side, case.side)
        ours = np.array(cuda.warp(cuda.upload(case.image), case.matrices, spec), np.float32)
        apart.append(np.abs(ours - cpu.warp(case.image, case.matrices, spec)).ravel())
    told("crops", np.concatenate(apart))


def told(what: str, apart: Floats) -> None:
    """Grey levels between the twins."""
    print(f"\n{what}: largest difference {apart.max():.0f}, mean {apart.mean():.2e}")  # noqa: T201 - for a person
    assert apart.max() <= 1
    assert apart.mean() < 1e-3


@pytest.mark.parametrize("norm", [RAW, RGB])
def test_tensors_are_those_of_the_host(
    device: Gpu, cuda: CudaPreprocessor, cpu: CpuPreprocessor, norm: Normalisation
) -> None:
    crops = list(np.random.default_rng(3).integers(0, 256, (16, 112, 112, 3), dtype=np.uint8))
    np.testing.assert_array_equal(fetched(device, cuda.tensor(crops, norm)), cpu.tensor(crops, norm))


def pass_of_a_frame(cuda: CudaPreprocessor, device: Gpu, image: Image, matrices: Floats) -> None:
    """What the flow does with every frame, less the networks."""
    handle = cuda.upload(image)
    cuda.letterbox([handle], FULL_HD, RGB)
    cuda.tensor(cuda.warp(handle, matrices, CropSpec(112, 112)), RGB)
    device.finish()


def test_ten_thousand_frames_leave_memory_as_it_was(device: Gpu, cuda: CudaPreprocessor) -> None:
    rng = np.random.default_rng(5)
    frames = [rng.integers(0, 256, (1080, 1920, 3), dtype=np.uint8) for _ in range(12)]
    matrices = np.array([similarity(rng, 1080, 1920) for _ in range(5)])
    for number in range(200):
        pass_of_a_frame(cuda, device, frames[number % len(frames)], matrices)
    free, host = device.memory_info()[0], resident_bytes()
    for number in range(RUNS):
        pass_of_a_frame(cuda, device, frames[number % len(frames)], matrices)
    lost, grown = free - device.memory_info()[0], resident_bytes() - host
    print(f"\n{RUNS} frames: device {lost} bytes, host {grown} bytes more")  # noqa: T201
    assert lost < GROWTH_BYTES
    assert grown < GROWTH_BYTES


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def test_what_a_frame_costs_is_told(device: Gpu, cuda: CudaPreprocessor, cpu: CpuPreprocessor) -> None:
    rng = np.random.default_rng(6)
    image = rng.integers(0, 256, (1080, 1920, 3), dtype=np.uint8)
    matrices = np.array([similarity(rng, 1080, 1920) for _ in range(5)])
    crops = cpu.warp(image, matrices, CropSpec(112, 112))
    handle = cuda.upload(image)
    pairs: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        "letterbox 1080p to 640, with the upload": (
            lambda: cuda.letterbox([cuda.upload(image.view())], FULL_HD, RGB),
            lambda: cpu.letterbox([image], FULL_HD, RGB),
        ),
        "letterbox 1080p to 640": (
            lambda: cuda.letterbox([handle], FULL_HD, RGB), lambda: cpu.letterbox([image], FULL_HD, RGB),
        ),
        "5 crops": (
            lambda: cuda.warp(handle, matrices, CropSpec(112, 112)),
            lambda: cpu.warp(image, matrices, CropSpec(112, 112)),
        ),
        "tensor of 5 crops": (lambda: cuda.tensor(crops, RGB), lambda: cpu.tensor(crops, RGB)),
    }  # fmt: skip
    for name, (on_device, on_host) in pairs.items():
        ours = median_ms(lambda: (on_device(), device.finish()))  # noqa: B023 - called at once
        print(f"\n{name}: {ours:.2f} ms, on the host {median_ms(on_host):.2f} ms")  # noqa: T201
        assert ours < 1000


def median_ms(function: Callable[[], object], runs: int = 50) -> float:
    seconds = []
    for _ in range(runs):
        begun = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - begun)
    return 1000 * float(np.median(seconds))
