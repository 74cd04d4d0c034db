"""The arithmetic of the kernels, compiled for this machine, beside OpenCV's; and the kernels compiled for an Orin."""

from __future__ import annotations

import os
import shutil
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from faceedge.backends import cuda_kernels
from faceedge.backends.base import Canvas, CropSpec, Level
from faceedge.backends.cpu import CpuPreprocessor
from faceedge.backends.cuda_kernels import ARGUMENTS, SOURCE, compile_kernels, read_kernels
from faceedge.backends.guarded import engines_key, signed
from faceedge.errors import EngineError
from faceedge.manifest import Normalisation
from faceedge.types import Floats, Image
from tests.fakes import host_kernels
from tests.fakes.host_kernels import HostGpu, HostKernels, compile_for_host

compiled = pytest.mark.skipif(host_kernels.why_not() is not None, reason=host_kernels.why_not() or "")
CASES = 200
RAW = Normalisation(colour="bgr")
RGB = Normalisation(colour="rgb", mean=(122.782, 117.001, 104.298), scale=(1 / 256, 1 / 57.1, 0.0171))
ORIN = (8, 7)
KEY = engines_key(bytes(range(32)))


@dataclass(frozen=True, slots=True)
class Case:
    """image: random. matrices: (n, 2, 3), some of them partly or wholly outside. side: of crops, px."""

    image: Image
    canvas: Canvas
    matrices: Floats
    side: int


def cases(count: int = CASES, seed: int = 7) -> Iterator[Case]:
    rng = np.random.default_rng(seed)
    for _ in range(count):
        height, width = (int(side) for side in rng.integers(8, 400, 2))
        image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        matrices = np.array([similarity(rng, height, width) for _ in range(3)], np.float32)
        yield Case(image, boxed(rng, height, width), matrices, int(rng.choice([112, 112, 150, 37])))


def boxed(rng: np.random.Generator, height: int, width: int) -> Canvas:
    """A canvas with the frame in it somewhere, smaller or larger than it is."""
    side = int(rng.integers(32, 300))
    factor = min(side / height, side / width)
    level_width, level_height = max(1, round(width * factor)), max(1, round(height * factor))
    place = Level(int(rng.integers(side - level_width + 1)), int(rng.integers(side - level_height + 1)),
                  level_width, level_height)  # fmt: skip
    return Canvas(side, side, (place,))


def similarity(rng: np.random.Generator, height: int, width: int) -> Floats:
    scale, turn = rng.uniform(0.2, 5), rng.uniform(-np.pi, np.pi)
    across, down = scale * np.cos(turn), scale * np.sin(turn)
    at_x, at_y = rng.uniform(-100, width), rng.uniform(-100, height)
    return np.array([[across, -down, at_x], [down, across, at_y]], np.float32)


def letterbox_differences(kernels: HostKernels, count: int = CASES) -> Floats:
    """Of every value of every case, in grey levels: the normalisation is left out."""
    cpu = CpuPreprocessor()
    pairs = [(kernels.letterbox(c.image, c.canvas, RAW), cpu.letterbox([c.image], c.canvas, RAW)[0].copy())
             for c in cases(count)]  # fmt: skip
    return np.concatenate([np.abs(ours - theirs).ravel() for ours, theirs in pairs])


def warp_differences(kernels: HostKernels, count: int = CASES) -> Floats:
    cpu = CpuPreprocessor()
    found = []
    for case in cases(count):
        ours = kernels.warp(case.image, case.matrices, case.side, case.side).astype(np.float32)
        theirs = np.array(cpu.warp(case.image, case.matrices, CropSpec(case.side, case.side)), np.float32)
        found.append(np.abs(ours - theirs).ravel())
    return np.concatenate(found)


@pytest.fixture(scope="module")
def kernels() -> HostKernels:
    return HostKernels()


@compiled
def test_letterboxes_of_200_random_frames_are_those_of_opencv(kernels: HostKernels) -> None:
    apart = letterbox_differences(kernels)
    assert apart.max() <= 1
    assert apart.mean() < 1e-3


@compiled
def test_crops_of_200_random_frames_are_those_of_opencv(kernels: HostKernels) -> None:
    apart = warp_differences(kernels)
    assert apart.max() <= 1
    assert apart.mean() < 1e-3


@compiled
@pytest.mark.parametrize("norm", [RAW, RGB])
def test_tensors_of_crops_are_those_of_numpy_bit_for_bit(kernels: HostKernels, norm: Normalisation) -> None:
    crops = np.random.default_rng(3).integers(0, 256, (5, 31, 45, 3), dtype=np.uint8)
    np.testing.assert_array_equal(kernels.normalise(crops, norm), CpuPreprocessor().tensor(list(crops), norm))


@compiled
def test_a_letterbox_is_normalised_as_on_the_host_its_ground_too(kernels: HostKernels) -> None:
    image = np.random.default_rng(4).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    canvas = Canvas(80, 70, (Level(7, 9, 64, 48),))
    np.testing.assert_array_equal(
        kernels.letterbox(image, canvas, RGB), CpuPreprocessor().letterbox([image], canvas, RGB)[0]
    )


@compiled
@pytest.mark.parametrize("height", [1, 2, 3])
@pytest.mark.parametrize("width", [1, 2, 3])
def test_the_smallest_frames_are_read_inside_their_borders(kernels: HostKernels, height: int, width: int) -> None:
    image = np.random.default_rng(5).integers(0, 256, (height, width, 3), dtype=np.uint8)
    canvas = Canvas(16, 16, (Level(0, 0, 16, 16),))
    apart = np.abs(kernels.letterbox(image, canvas, RAW) - CpuPreprocessor().letterbox([image], canvas, RAW)[0])
    assert apart.max() <= 1


@compiled
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e30, -1e30])
def test_a_matrix_that_leads_nowhere_gives_a_black_crop(kernels: HostKernels, bad: float) -> None:
    image = np.full((20, 20, 3), 200, np.uint8)
    matrices = np.array([[[1, 0, bad], [0, 1, 0]], [[bad, 0, bad], [0, 1, bad]]], np.float32)
    assert kernels.warp(image, matrices, 16, 16).max() == 0


WRONG = {
    "pixel areas": ("(target + 0.5) * scale - 0.5", "target * scale"),
    "weights of 8 bits": ("WEIGHT_ONE = 2048", "WEIGHT_ONE = 256"),
    "the row below": ("(size_t)from_y.second * a.frame_stride", "(size_t)from_y.first * a.frame_stride"),
    "rows and columns": ("m[1] * y + m[2]", "m[3] * y + m[2]"),
    "rounding": ("rintf(fmaf(low_part, low - high, high))", "(low_part * (low - high) + high)"),
    "the last column": ("x < a.frame_width && y >= 0", "x < a.frame_width - 1 && y >= 0"),
}


@compiled
@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_formula_would_show(what: str, tmp_path: Path) -> None:
    right, wrong = WRONG[what]
    text = SOURCE.read_text()
    assert text.count(right) == 1
    (tmp_path / "wrong.cu").write_text(text.replace(right, wrong))
    compile_for_host(tmp_path / "wrong.so", tmp_path / "wrong.cu")
    broken = HostKernels(tmp_path / "wrong.so")
    found = [letterbox_differences(broken, 20), warp_differences(broken, 20)]
    assert any(apart.max() > 1 or apart.mean() >= 1e-3 for apart in found)


@compiled
@pytest.mark.parametrize("name", ARGUMENTS)
def test_the_parameters_of_a_kernel_have_no_gaps(name: str) -> None:
    function = HostGpu().load(b"", (name,))[name]
    assert function.letters == ARGUMENTS[name].encode()
    assert struct.calcsize(ARGUMENTS[name]) == function.bytes


@pytest.mark.skipif(shutil.which("nvcc") is None, reason="no nvcc")
def test_the_kernels_compile_for_an_orin(tmp_path: Path) -> None:
    compile_kernels(tmp_path, KEY, ORIN)
    image = read_kernels(tmp_path, KEY, ORIN)
    assert image.startswith(b"\x7fELF")
    assert struct.unpack_from("<H", image, 18) == (190,), "not CUDA's machine"
    for name in ARGUMENTS:
        assert f".text.{name}\0".encode() in image


NVCC = """#!/bin/sh
echo called >> "{log}"
while [ $# -gt 1 ]; do [ "$1" = -o ] && target=$2; shift; done
echo "made of $1" > "$target"
"""


@pytest.fixture
def nvcc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in that writes a word; its log lies in log.txt beside it."""
    return pretend_nvcc(tmp_path / "bin", NVCC.format(log=tmp_path / "bin" / "log.txt"), monkeypatch)


def pretend_nvcc(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder.mkdir()
    program = folder / "nvcc"
    program.write_text(script)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return program


def test_kernels_are_compiled_once(tmp_path: Path, nvcc: Path) -> None:
    first = compile_kernels(tmp_path / "engines", KEY, ORIN)
    assert compile_kernels(tmp_path / "engines", KEY, ORIN) == first
    assert (nvcc.parent / "log.txt").read_text().split() == ["called"]
    assert read_kernels(tmp_path / "engines", KEY, ORIN) == f"made of {SOURCE}\n".encode()
    assert [path.name for path in (tmp_path / "engines").iterdir()] == [first.name]


def test_kernels_of_an_older_source_are_replaced_those_of_other_devices_stay(tmp_path: Path, nvcc: Path) -> None:
    other = compile_kernels(tmp_path, KEY, (7, 2))
    old = tmp_path / "kernels-sm87-0123456789abcdef-0123456789abcdef.cubin"
    old.write_bytes(b"of an older source")
    new = compile_kernels(tmp_path, KEY, ORIN)
    assert not old.exists()
    assert new.exists()
    assert other.exists()


@pytest.mark.parametrize("change", [lambda image: image[:-3], lambda image: b"x" + image[1:], lambda image: b""])
def test_kernels_that_are_not_what_was_written_are_not_read_but_made_anew(change, tmp_path: Path, nvcc: Path) -> None:  # type: ignore[no-untyped-def]
    found = compile_kernels(tmp_path, KEY, ORIN)
    image, held = read_kernels(tmp_path, KEY, ORIN), found.read_bytes()
    found.write_bytes(change(held))
    with pytest.raises(EngineError, match="run: faceedge build"):
        read_kernels(tmp_path, KEY, ORIN)
    assert compile_kernels(tmp_path, KEY, ORIN).read_bytes() == held
    assert read_kernels(tmp_path, KEY, ORIN) == image


def foreign(found: Path) -> None:
    found.write_bytes(signed(engines_key(bytes(32)), f"faceedge-kernels-1 {found.stem}".encode(), b"another's"))


def of_an_older_source(found: Path) -> None:
    found.write_bytes(signed(KEY, b"faceedge-kernels-1 kernels-sm87-0123456789abcdef", b"older"))


def linked(found: Path) -> None:
    found.rename(found.with_name("kept"))
    found.symlink_to("kept")


@pytest.mark.parametrize("swap", [foreign, of_an_older_source, linked])
def test_kernels_that_this_device_did_not_make_of_this_source_are_not_read(
    swap: Callable[[Path], None], tmp_path: Path, nvcc: Path
) -> None:
    swap(compile_kernels(tmp_path, KEY, ORIN))
    with pytest.raises(EngineError, match="run: faceedge build"):
        read_kernels(tmp_path, KEY, ORIN)


def test_without_nvcc_one_sentence_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(cuda_kernels, "_CUDA_BIN", str(tmp_path))
    with pytest.raises(EngineError, match="install it: sudo apt install"):
        compile_kernels(tmp_path, KEY)


def test_nvcc_is_found_where_jetpack_puts_it(tmp_path: Path, nvcc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_kernels, "_CUDA_BIN", str(nvcc.parent))
    monkeypatch.setattr(cuda_kernels.shutil, "which", lambda name, path=None: str(nvcc) if path else None)
    assert compile_kernels(tmp_path / "engines", KEY).exists()


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("#!/bin/sh\necho 'kernels.cu(3): error: no' >&2\nexit 2\n", "error: no"),
        ("#!/bin/sh\nexec sleep 60\n", "had not finished after 0 s"),
        ("#!/nowhere\n", "reinstall the CUDA toolkit"),
    ],
)
def test_an_nvcc_that_fails_leaves_nothing_behind(
    script: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend_nvcc(tmp_path / "bin", script, monkeypatch)
    monkeypatch.setattr(cuda_kernels, "_TIME_LIMIT_S", 0.2)
    with pytest.raises(EngineError, match=says):
        compile_kernels(tmp_path / "engines", KEY)
    assert not (tmp_path / "engines").exists()
