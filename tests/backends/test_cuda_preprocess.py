"""The GPU's preprocessing over the stand-in driver: the twin of the host's, one upload a frame, no allocations."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

import cv2
import numpy as np
import pytest

from faceedge.backends.base import Canvas, CropSpec, DeviceTensor, Level
from faceedge.backends.cpu import CpuPreprocessor
from faceedge.backends.cuda import Gpu
from faceedge.backends.cuda_frames import FRAMES_KEPT
from faceedge.backends.cuda_preprocess import CudaPreprocessor
from faceedge.errors import BadInput, DeviceLost, EngineError
from faceedge.manifest import Normalisation
from faceedge.types import Floats, Image
from tests.fakes import host_kernels
from tests.fakes.gpu.fixture import StandinGpu

pytestmark = [
    pytest.mark.parametrize("gpu", ["10.3.0"], indirect=True),
    pytest.mark.skipif(host_kernels.why_not() is not None, reason=host_kernels.why_not() or ""),
]
RGB = Normalisation(colour="rgb", mean=(122.782, 117.001, 104.298), scale=1 / 256)
CANVAS = Canvas(64, 64, (Level(3, 5, 60, 45),))
CROP = CropSpec(48, 48)
COPY = "cuMemcpyHtoDAsync"


def noise(height: int = 90, width: int = 120, seed: int = 0) -> Image:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def turned(count: int = 3) -> Floats:
    """Matrices of crops, each turned a little further."""
    angles = 0.3 * np.arange(count)
    return np.array([[[np.cos(a), -np.sin(a), 20], [np.sin(a), np.cos(a), 10]] for a in angles], np.float32)


@pytest.fixture
def device(gpu: StandinGpu) -> Iterator[Gpu]:
    opened = Gpu()
    yield opened
    opened.close()


@pytest.fixture
def cuda(device: Gpu) -> Iterator[CudaPreprocessor]:
    made = CudaPreprocessor(device, host_kernels.host_image().read_bytes())
    yield made
    made.trim()
    with suppress(DeviceLost):
        made.tidy()
    del made
    gc.collect()
    with suppress(DeviceLost):
        device.run(lambda: None)


@pytest.fixture
def cpu() -> CpuPreprocessor:
    return CpuPreprocessor()


def fetched(device: Gpu, tensor: Floats | DeviceTensor) -> Floats:
    assert isinstance(tensor, DeviceTensor)
    return np.asarray(device.fetch(tensor), np.float32)


def test_a_letterbox_is_that_of_the_host(cuda: CudaPreprocessor, cpu: CpuPreprocessor, device: Gpu) -> None:
    frames = [noise(seed=1), noise(seed=2)]
    made = cuda.letterbox([cuda.upload(frame) for frame in frames], CANVAS, RGB)
    assert isinstance(made, DeviceTensor)
    assert (made.shape, made.dtype) == ((2, 3, 64, 64), "float32")
    np.testing.assert_allclose(fetched(device, made), cpu.letterbox(frames, CANVAS, RGB), atol=1.001 / 256)


def test_crops_are_those_of_the_host(cuda: CudaPreprocessor, cpu: CpuPreprocessor) -> None:
    frame = noise()
    crops = cuda.warp(cuda.upload(frame), turned(), CROP)
    for ours, theirs in zip(crops, cpu.warp(frame, turned(), CROP), strict=True):
        assert (ours.shape, ours.dtype) == ((48, 48, 3), np.uint8)
        assert np.abs(ours.astype(int) - theirs).max() <= 1


def test_a_tensor_of_crops_is_that_of_the_host(cuda: CudaPreprocessor, cpu: CpuPreprocessor, device: Gpu) -> None:
    crops = [noise(20, 30, seed)[:, ::-1] for seed in range(4)]
    made = cuda.tensor(crops, RGB)
    np.testing.assert_array_equal(fetched(device, made), cpu.tensor(crops, RGB))


def test_a_frame_of_which_only_a_part_is_given_is_that_part(cuda: CudaPreprocessor, cpu: CpuPreprocessor) -> None:
    part = noise()[10:80, 30:110]
    np.testing.assert_array_equal(cuda.warp(cuda.upload(part), turned(), CROP), cpu.warp(part, turned(), CROP))


def test_a_frame_travels_once_although_two_ask_for_it(cuda: CudaPreprocessor, gpu: StandinGpu) -> None:
    frame = noise()
    assert gpu.count(COPY) == 0
    first = cuda.upload(frame)
    cuda.letterbox([first], CANVAS, RGB)
    assert cuda.upload(frame) is first
    cuda.warp(cuda.upload(frame), turned(), CROP)
    cuda.warp(cuda.upload(frame), turned(), CROP)
    assert gpu.count(COPY) == 1 + 2, "a frame, and the matrices of two calls"


def test_another_array_is_another_frame_even_where_the_first_lay(cuda: CudaPreprocessor, device: Gpu) -> None:
    level = Canvas(8, 8, (Level(0, 0, 8, 8),))
    for value in range(3 * FRAMES_KEPT):
        frame = np.full((8, 8, 3), value, np.uint8)
        made = cuda.letterbox([cuda.upload(frame)], level, Normalisation(colour="bgr"))
        assert fetched(device, made).mean() == value
        del frame


def test_two_views_from_one_corner_are_two_frames(cuda: CudaPreprocessor) -> None:
    frame = noise()
    assert cuda.upload(frame) is not cuda.upload(frame[:40])
    assert cuda.upload(frame[:, :, ::1]) is not cuda.upload(frame)


def test_a_large_frame_finds_room_after_many_small_ones(cuda: CudaPreprocessor, cpu: CpuPreprocessor) -> None:
    for seed in range(2 * FRAMES_KEPT):
        cuda.warp(cuda.upload(noise(20, 20, seed)), turned(1), CROP)
    large = noise(200, 300)
    np.testing.assert_array_equal(cuda.warp(cuda.upload(large), turned(), CROP), cpu.warp(large, turned(), CROP))


def test_a_handle_that_is_kept_outlives_the_last_few_frames(cuda: CudaPreprocessor, cpu: CpuPreprocessor) -> None:
    frames = [noise(seed=seed) for seed in range(2 * FRAMES_KEPT)]
    handles = [cuda.upload(frame) for frame in frames]
    for handle in handles:
        cuda.letterbox([handle], CANVAS, RGB)
    for frame, handle in zip(frames, handles, strict=True):
        np.testing.assert_array_equal(cuda.warp(handle, turned(), CROP), cpu.warp(frame, turned(), CROP))


def test_all_crops_of_a_frame_are_one_launch(cuda: CudaPreprocessor, gpu: StandinGpu) -> None:
    before = gpu.count("kernels")
    cuda.warp(cuda.upload(noise()), turned(9), CROP)
    assert gpu.count("kernels") == before + 1


def test_no_crops_are_no_launch(cuda: CudaPreprocessor, gpu: StandinGpu) -> None:
    assert cuda.warp(cuda.upload(noise()), turned(0), CROP) == []
    assert gpu.count("kernels") == 0


def test_once_the_sizes_were_seen_nothing_is_allocated_and_nothing_spins(
    cuda: CudaPreprocessor, gpu: StandinGpu
) -> None:
    def frame(seed: int) -> None:
        for image in (noise(seed=seed), noise(50, 70, seed)):
            cuda.letterbox([cuda.upload(image)], CANVAS, RGB)
            crops = cuda.warp(cuda.upload(image), turned(3), CROP)
            cuda.tensor(crops, RGB)

    for seed in range(2 * FRAMES_KEPT):
        frame(seed)
    seen = {name: gpu.count(name) for name in ("allocations", "spinning_waits", "pageable_copies")}
    for seed in range(2 * FRAMES_KEPT):
        frame(seed)
    assert {name: gpu.count(name) for name in seen} == {**seen, "spinning_waits": 0, "pageable_copies": 0}


def test_crops_stay_when_others_are_cut(cuda: CudaPreprocessor) -> None:
    handle = cuda.upload(noise())
    first = cuda.warp(handle, turned(), CROP)
    kept = [crop.copy() for crop in first]
    cuda.warp(cuda.upload(noise(seed=9)), turned(), CROP)
    np.testing.assert_array_equal(first, kept)


def test_threads_do_not_write_into_each_others_tensors(cuda: CudaPreprocessor, device: Gpu) -> None:
    plain = Normalisation(colour="bgr")
    made = cuda.tensor([np.full((4, 4, 3), 1, np.uint8)], plain)
    thread = threading.Thread(target=lambda: cuda.tensor([np.full((4, 4, 3), 2, np.uint8)], plain))
    thread.start()
    thread.join()
    assert fetched(device, made).mean() == 1


@pytest.mark.parametrize(
    "canvas",
    [
        Canvas(128, 128, (Level(0, 0, 120, 90), Level(0, 92, 40, 30))),
        Canvas(128, 128, (Level(2, 2, 120, 90),), corner_aligned=True),
    ],
)
def test_what_has_no_kernel_is_laid_out_on_the_host(
    canvas: Canvas, cuda: CudaPreprocessor, cpu: CpuPreprocessor, gpu: StandinGpu
) -> None:
    frame = noise()
    np.testing.assert_array_equal(
        cuda.letterbox([cuda.upload(frame)], canvas, RGB), cpu.letterbox([frame], canvas, RGB)
    )
    crops = cuda.warp(cuda.upload(frame), turned(), CropSpec(24, 24, pyramid=True))
    np.testing.assert_array_equal(crops, cpu.warp(frame, turned(), CropSpec(24, 24, pyramid=True)))
    assert gpu.count(COPY) == 0, "the frame stays at home"


BAD: list[Callable[[CudaPreprocessor], object]] = [
    lambda cuda: cuda.upload(np.zeros((4, 4), np.uint8)),
    lambda cuda: cuda.upload(np.zeros((4, 4, 3), np.float32)),  # type: ignore[arg-type]
    lambda cuda: cuda.tensor([], RGB),
    lambda cuda: cuda.tensor([noise(2, 2), noise(2, 3)], RGB),
]


@pytest.mark.parametrize("bad", BAD)
def test_what_the_host_refuses_is_refused(bad: Callable[[CudaPreprocessor], object], cuda: CudaPreprocessor) -> None:
    with pytest.raises(BadInput):
        bad(cuda)


def test_two_preprocessors_load_the_kernels_once(cuda: CudaPreprocessor, device: Gpu, gpu: StandinGpu) -> None:
    live = gpu.count("live_modules")
    CudaPreprocessor(device, host_kernels.host_image().read_bytes())
    assert gpu.count("live_modules") == live > 0


def test_a_fault_on_the_way_is_told_as_such(cuda: CudaPreprocessor, gpu: StandinGpu) -> None:
    gpu.forgive("live_streams", "live_events", "live_modules", "live_device", "live_pinned")
    handle = cuda.upload(noise())
    gpu.fail("cuEventSynchronize", 700, after=1)
    with pytest.raises(DeviceLost):
        cuda.warp(handle, turned(), CROP)
    with pytest.raises(DeviceLost):
        cuda.letterbox([handle], CANVAS, RGB)


def test_a_call_that_failed_leaves_the_next_one_right(
    cuda: CudaPreprocessor, cpu: CpuPreprocessor, gpu: StandinGpu
) -> None:
    frame = cv2.blur(noise(), (5, 5))
    for call in (COPY, "cuLaunchKernel", "cuMemcpyDtoHAsync"):
        gpu.fail(call, 1)
        with pytest.raises(EngineError, match="CUDA failed"):
            cuda.warp(cuda.upload(frame), turned(), CROP)
        np.testing.assert_array_equal(cuda.warp(cuda.upload(frame), turned(), CROP), cpu.warp(frame, turned(), CROP))


def test_memory_that_grows_is_not_taken_from_under_a_copy(
    cuda: CudaPreprocessor, cpu: CpuPreprocessor, device: Gpu, gpu: StandinGpu
) -> None:
    crops = [noise(20, 30, seed) for seed in range(6)]
    cuda.tensor(crops[:1], RGB)
    np.testing.assert_array_equal(fetched(device, cuda.tensor(crops, RGB)), cpu.tensor(crops, RGB))
    frame = noise()
    cuda.warp(cuda.upload(frame), turned(1), CROP)
    gpu.fail("cuLaunchKernel", 1)
    with pytest.raises(EngineError, match="CUDA failed"):
        cuda.warp(cuda.upload(frame), turned(1), CROP)
    np.testing.assert_array_equal(cuda.warp(cuda.upload(frame), turned(9), CROP), cpu.warp(frame, turned(9), CROP))
