"""The import of dlib's networks: whole or refused, once, and mended when the cache is damaged."""

from __future__ import annotations

import json
import shutil
import signal
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from faceedge.backends.onnx import OnnxEngine
from faceedge.errors import MissingExtra, PackageError, StoreError
from faceedge.models import defaults
from faceedge.models.importers import dlib
from faceedge.models.importers.dlib_format import Stream
from faceedge.models.importers.dlib_layers import Conv, Layer, Relu, read_network
from faceedge.models.importers.dlib_lean import fold, lean
from faceedge.models.importers.dlib_shape import read_shape_predictor
from faceedge.package import read_package

READERS: dict[str, Callable[[Path], object]] = {
    dlib.DETECTOR: read_network,
    dlib.RECOGNIZER: read_network,
    dlib.LANDMARKER: read_shape_predictor,
}


def test_both_packages_are_read_back_as_what_they_are(default_models: Path) -> None:
    detector = read_package(default_models / "dlib-mmod" / "1")
    recognizer = read_package(default_models / "dlib-resnet" / "1")
    assert (detector.manifest.role, detector.manifest.family, detector.manifest.landmarks) == (
        "detector",
        "mmod",
        "dlib_5",
    )
    assert (recognizer.manifest.alignment, recognizer.manifest.metric) == ("dlib_150", "euclidean")
    assert recognizer.fit is not None
    assert recognizer.fit.thresholds.grey < recognizer.fit.thresholds.match < recognizer.fit.thresholds.strict
    assert recognizer.fit.thresholds.match == pytest.approx(1 - 0.6**2 / 2)
    assert "Measured on labelled pairs" in recognizer.fit.evidence
    assert "calibration/judging.py" in recognizer.fit.judging.evidence
    assert {detector.manifest.source.licence, recognizer.manifest.source.licence} == {"CC0-1.0"}


@pytest.mark.parametrize("name", ["dlib-mmod", "dlib-resnet"])
def test_graphs_are_valid_and_take_any_batch(default_models: Path, name: str) -> None:
    graph = default_models / name / "1" / "model.onnx"
    model = onnx.load(str(graph))
    onnx.checker.check_model(model, full_check=True)
    assert model.ir_version == 8
    assert [opset.version for opset in model.opset_import] == [17]
    engine = OnnxEngine(graph, max_batch=4)
    image = np.random.default_rng(0).standard_normal((3, 3, 150, 150)).astype(np.float32)
    all_of_them = next(iter(engine.infer({"input": image}).values())).copy()
    (first,) = engine.infer({"input": image[:1]}).values()
    np.testing.assert_allclose(all_of_them[:1], first, atol=1e-4)


def test_the_score_map_follows_the_size_of_the_canvas(default_models: Path) -> None:
    engine = OnnxEngine(default_models / "dlib-mmod" / "1" / "model.onnx", max_batch=1)
    scores = engine.infer({"input": np.zeros((1, 3, 205, 317), np.float32)})["score"]
    assert scores.shape == (1, 1, (205 - 21) // 8, (317 - 21) // 8)


def test_the_space_does_not_hang_on_who_wrote_the_graph(default_models: Path, tmp_path: Path) -> None:
    copy = tmp_path / "dlib-resnet"
    shutil.copytree(default_models / "dlib-resnet" / "1", copy)
    before = read_package(copy)
    with (copy / "model.onnx").open("ab") as graph:
        graph.write(b"\0")
    after = read_package(copy)
    assert after.space == before.space
    assert after.build != before.build


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("share", [0, 0.001, 0.5, 0.99999])
def test_a_truncated_file_is_refused_by_name(tmp_path: Path, name: str, share: float) -> None:
    content = (dlib.model_folder() / name).read_bytes()
    path = tmp_path / name
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(PackageError, match=name):
        READERS[name](path)


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("content", [b"", b"\xff\xd8\xff\xe0" + bytes(4000), b"\x01\x01" * 3000, b"PK\x03\x04" * 99])
def test_a_foreign_file_is_refused_by_name(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / "other.dat"
    path.write_bytes(content)
    with pytest.raises(PackageError, match=r"other\.dat"):
        READERS[name](path)


@pytest.mark.parametrize("name", READERS)
def test_a_file_of_the_other_kind_is_refused(name: str) -> None:
    reader = read_network if name == dlib.LANDMARKER else read_shape_predictor
    with pytest.raises(PackageError, match=name):
        reader(dlib.model_folder() / name)


def test_damaged_bytes_are_read_or_refused_but_never_crash(tmp_path: Path) -> None:
    content = (dlib.model_folder() / dlib.DETECTOR).read_bytes()
    rng = np.random.default_rng(5)
    path = tmp_path / "bent.dat"
    refused = 0
    for _ in range(60):
        bent = bytearray(content)
        for at in rng.integers(0, 400, 3):
            bent[at] = rng.integers(0, 256)
        path.write_bytes(bent)
        try:
            read_network(path)
        except PackageError:
            refused += 1
    assert refused > 20


def test_a_weight_that_changed_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    models = tmp_path / "models"
    shutil.copytree(dlib.model_folder(), models, ignore=shutil.ignore_patterns("*68*"))
    content = bytearray((models / dlib.DETECTOR).read_bytes())
    content[5000] ^= 1
    (models / dlib.DETECTOR).write_bytes(content)
    with pytest.raises(PackageError, match=rf"{dlib.DETECTOR}: damaged, or of another version"):
        dlib.import_dlib(models, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match=rf"{dlib.DETECTOR}: cannot be read.*face_recognition_models==0\.3\.0"):
        dlib.import_dlib(tmp_path, tmp_path / "out")


def stream(tmp_path: Path, content: bytes) -> Stream:
    path = tmp_path / "numbers.dat"
    path.write_bytes(content)
    return Stream(path)


def test_numbers_are_read_as_dlib_packs_them(tmp_path: Path) -> None:
    one = stream(tmp_path, bytes.fromhex("0101 02e803 8105 0390f581 8111".replace(" ", "")) + b"1\x01\x02hi")
    assert [one.integer() for _ in range(3)] == [1, 1000, -5]
    assert one.number() == 0x81F590 * 2.0**-17
    assert one.flag()
    assert one.text() == "hi"
    one.end()


def test_all_integers_of_a_file_are_read_at_once(tmp_path: Path) -> None:
    values = [0, 1, -1, 255, 256, -70000, 2**40, -(2**62)]
    content = b"".join(packed(value) for value in values)
    assert stream(tmp_path, content).integers().tolist() == values


def packed(value: int) -> bytes:
    size = max(1, (abs(value).bit_length() + 7) // 8)
    return bytes([size | (0x80 if value < 0 else 0)]) + abs(value).to_bytes(size, "little")


def test_a_length_beyond_the_file_allocates_nothing(tmp_path: Path) -> None:
    huge = packed(2**40)
    with pytest.raises(PackageError, match="bad tensor"):
        stream(tmp_path, packed(2) + huge + packed(1) * 3).tensor()
    with pytest.raises(PackageError, match="bad length"):
        stream(tmp_path, huge).text()


def test_a_weight_that_is_not_finite_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match="not finite"):
        stream(tmp_path, packed(2) + packed(1) * 4 + struct.pack("<f", float("nan"))).tensor()


def test_a_leaner_chain_answers_the_same() -> None:
    rng = np.random.default_rng(6)

    def conv(out: int, into: int, kernel: int, stride: int) -> Conv:
        weights = rng.standard_normal((out, into, kernel, kernel)).astype(np.float32)
        bias = rng.standard_normal(out).astype(np.float32)
        return Conv(weights, bias, (stride, stride), (kernel // 2, kernel // 2))

    layers: list[Layer] = [conv(5, 3, 3, 2), Relu(), conv(19, 5, 3, 1), Relu(), conv(1, 19, 9, 1)]
    image = rng.standard_normal((3, 20, 31)).astype(np.float32)
    slim = lean(layers)
    assert [layer.weights.shape[0] for layer in slim if isinstance(layer, Conv)] == [16, 32, 9, 1]
    np.testing.assert_allclose(run(slim, image), run(fold(layers), image), rtol=1e-4, atol=1e-2)


def run(layers: list[Layer], image: np.ndarray) -> np.ndarray:
    """Straight from the definition, in doubles."""
    value = image.astype(np.float64)
    for layer in layers:
        if isinstance(layer, Relu):
            value = np.maximum(value, 0)
        else:
            assert isinstance(layer, Conv)
            (down, right), (above, left) = layer.stride, layer.padding
            value = np.pad(value, ((0, 0), (above, above), (left, left)))
            windows = np.lib.stride_tricks.sliding_window_view(value, layer.weights.shape[2:], axis=(1, 2))
            value = np.einsum("chwyx,ocyx->ohw", windows[:, ::down, ::right], layer.weights.astype(np.float64))
            value += layer.bias[:, None, None]
    return value


@pytest.fixture
def cache(default_models: Path, tmp_path: Path) -> Path:
    """A cache of its own that is whole."""
    shutil.copytree(default_models, tmp_path / "cache" / "models")
    return tmp_path / "cache"


@pytest.fixture
def steps() -> list[str]:
    """What the importer reports; empty: nothing was imported."""
    return []


def once(cache: Path, steps: list[str]) -> Path:
    return defaults.default_models(cache, lambda step, done: steps.append(f"{done:.0%} {step}"))


def test_a_whole_cache_is_used_as_it_is(cache: Path, steps: list[str]) -> None:
    once(cache, steps)
    assert steps == []


@pytest.mark.parametrize(
    "name", ["dlib-resnet/1/model.onnx", "dlib-mmod/1/landmarks.npz", "dlib-mmod/1/model.toml", "digests.json"]
)
@pytest.mark.parametrize("how", ["bent", "cut", "gone"])
def test_a_damaged_cache_is_noticed(cache: Path, name: str, how: str) -> None:
    path = cache / "models" / name
    content = path.read_bytes()
    if how == "gone":
        path.unlink()
    else:
        middle = len(content) // 2
        path.write_bytes(
            content[:middle] + (bytes([content[middle] ^ 4]) + content[middle + 1 :] if how == "bent" else b"")
        )
    assert not defaults.is_whole(cache / "models")


@pytest.mark.system
def test_a_damaged_cache_is_repaired(cache: Path, steps: list[str], default_models: Path) -> None:
    graph = cache / "models" / "dlib-mmod" / "1" / "model.onnx"
    whole = graph.read_bytes()
    graph.write_bytes(whole[:1000])
    (cache / ".new-killed").mkdir()
    (cache / ".new-killed" / "half").write_text("half")
    assert once(cache, steps) == cache / "models"
    assert steps[-1] == "100% done"
    assert graph.read_bytes() == whole
    assert sorted(entry.name for entry in cache.iterdir()) == ["models", "models.lock"]
    once(cache, steps)
    assert steps.count("100% done") == 1


def test_what_another_importer_wrote_is_imported_anew(cache: Path) -> None:
    digests = cache / "models" / "digests.json"
    noted = json.loads(digests.read_text())
    digests.write_text(json.dumps({**noted, "importer": "0" * 64}))
    assert not defaults.is_whole(cache / "models")


IMPORT = """
import os, signal, sys
from pathlib import Path
from faceedge.models.defaults import default_models
def report(step, done):
    print(step, flush=True)
    if len(sys.argv) > 2 and step == sys.argv[2]:
        os.kill(os.getpid(), signal.SIGKILL)
default_models(Path(sys.argv[1]), report)
"""


def importer(cache: Path, *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", IMPORT, str(cache), *more], stdout=subprocess.PIPE, text=True)


@pytest.mark.system
def test_two_processes_at_once_import_once(tmp_path: Path) -> None:
    both = [importer(tmp_path), importer(tmp_path)]
    said = [process.communicate(timeout=60)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert "".join(said).count("done") == 1
    assert defaults.is_whole(tmp_path / "models")


@pytest.mark.system
def test_an_import_that_was_killed_leaves_nothing_half_done(tmp_path: Path, steps: list[str]) -> None:
    process = importer(tmp_path, "face recogniser")
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "models").exists()
    once(tmp_path, steps)
    assert defaults.is_whole(tmp_path / "models")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["models", "models.lock"]


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(dlib, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r'pip install "faceedge\[cpu\]"'):
        defaults.default_models(tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["models.lock"]


def test_without_onnx_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtra, match=r"onnx is not installed; .*faceedge\[cpu\]"):
        defaults.default_models(tmp_path)


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="make it writable or set FACEEDGE_CACHE"):
        defaults.default_models(tmp_path / "file")
