"""Twenty deliberately bad calibrations of a real recogniser and twenty good ones: what got worse never passes.

Bad is a set that the check names, or what a broken tool would write: wrong preprocessing, clipped or swapped scales.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper

from faceedge.config import EngineSettings, Models, cache_dir
from faceedge.errors import BadInput
from faceedge.jobs import calibrate as flow
from faceedge.jobs.calibrate import Calibrated, calibrate
from faceedge.jobs.calibration.case import Order
from faceedge.jobs.calibration.eyes import Eyes
from faceedge.jobs.calibration.recipe import Recipe
from faceedge.jobs.calibration.search import Made
from faceedge.jobs.photos import read_photo
from faceedge.jobs.site import Site
from faceedge.models.store import make_package
from faceedge.package import read_package
from faceedge.quantize.gates import Gates
from faceedge.quantize.set_faults import Floors
from faceedge.types import Floats, Image
from tests.jobs.made_up_calibration import hurry, quiet
from tests.shortened import shortened

pytestmark = [pytest.mark.assets, pytest.mark.system, pytest.mark.timeout(300)]

NETWORK, RECIPE = "mobileface_v2_256.onnx", "mobileface-v2"
COUNT, JUDGED, APART = 72, 120, 24
"""Crops that calibrate, of twice as many; that the gates see, so many that the worst one alone decides nothing; and
that are measured on here. All of different people."""
QUICK = Recipe(
    methods=("percentile",), images=COUNT, budget_s=0, gates=Gates(rounds=20), floors=Floors(least=64)
)  # fmt: skip
DEFAULT = QUICK.model_copy(update={"methods": ("error",)})
HARMLESS = 0.985
"""Mean cosine to FP32, measured here by plain ONNX Runtime, from which a calibration did no harm."""
Change = Callable[[onnx.ModelProto], None]


@pytest.fixture(scope="module")
def crops(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Image]]:
    """Aligned crops of people of LFW: `all` to calibrate on, `gates` for the gates, `apart` to measure here."""
    root = tmp_path_factory.mktemp("crops")
    detector = make_package(assets / "models" / "yunet_n.onnx", "yunet", root)
    eyes = Eyes(detector, EngineSettings(), root / "faces", pixels=10**6, alignment="arcface_112")
    people = sorted((assets / "data" / "dev" / "lfw" / "images").iterdir())[::4]
    found: list[Image] = []
    for person in people:
        photo = read_photo(min(person.iterdir()))
        crop = eyes.picture(photo, eyes.faces(person.name, photo))
        found += [] if crop is None else [crop]
        if len(found) == 2 * COUNT + JUDGED + APART:
            break
    eyes.close()
    return {"all": found[: 2 * COUNT], "gates": found[2 * COUNT : -APART], "apart": found[-APART:]}


@pytest.fixture(scope="module")
def people(crops: dict[str, list[Image]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The gates' crops as labelled people, two each, which here are of nobody in particular."""
    root = tmp_path_factory.mktemp("people")
    for number, crop in enumerate(crops["gates"]):
        folder = root / f"p{number // 2}"
        folder.mkdir(exist_ok=True)
        assert cv2.imwrite(str(folder / f"{number}.png"), crop)
    return root


@pytest.fixture
def site(assets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    hurry(monkeypatch)
    make_package(assets / "models" / NETWORK, RECIPE, tmp_path / "state" / "models")
    return Site(tmp_path / "state", cache_dir(), Models())


def saved(images: list[Image], folder: Path) -> Path:
    folder.mkdir()
    for number, image in enumerate(images):
        assert cv2.imwrite(str(folder / f"{number:03}.png"), image)
    return folder


def run(site: Site, images: Path, people: Path, seed: int = 1, recipe: Recipe = QUICK) -> Calibrated:
    order = Order(role="recognizer", model=RECIPE, images=images, people=people, crops=True, seed=seed, most_float=0.0)
    return calibrate(order, site, EngineSettings(), quiet, recipe)


def likeness(done: Calibrated, crops: list[Image]) -> float:
    """Mean cosine of INT8 to FP32 on crops that neither calibration nor gates have seen."""
    answers = []
    for package in (done.source, done.package):
        session = onnxruntime.InferenceSession(package.graph.read_bytes(), providers=["CPUExecutionProvider"])
        norm = package.manifest.normalisation
        pixels = np.stack([crop[..., ::-1] if norm.colour == "rgb" else crop for crop in crops]).astype(np.float32)
        tensor = ((pixels - np.float32(norm.mean)) * np.float32(norm.scales)).transpose(0, 3, 1, 2)
        answers.append(session.run(None, {session.get_inputs()[0].name: np.ascontiguousarray(tensor)})[0])
    one, other = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in answers)
    return float((one * other).sum(axis=1).mean())


@pytest.mark.parametrize("seed", shortened(range(20), 2))
def test_good_calibrations_pass_whatever_the_seed(
    site: Site, crops: dict[str, list[Image]], people: Path, tmp_path: Path, seed: int
) -> None:
    recipe = DEFAULT if seed % 4 == 0 else QUICK  # the default takes twice the time
    done = run(site, saved(crops["all"], tmp_path / "images"), people, seed, recipe)
    assert done.passed, done.build.judged.verdict.sentence
    assert likeness(done, crops["apart"]) >= HARMLESS
    assert read_package(done.package.folder).space == done.source.space


def noise(crops: list[Image]) -> list[Image]:
    rng = np.random.default_rng(4)
    return [rng.integers(0, 256, crop.shape, np.uint8) for crop in crops]


def one_face_in_many_lights(crops: list[Image]) -> list[Image]:
    return [np.clip(crops[0].astype(int) + number % 9 - 4, 0, 255).astype(np.uint8) for number in range(len(crops))]


SETS: dict[str, Callable[[list[Image]], list[Image]]] = {
    "random noise": noise,
    "one image": lambda crops: crops[:1] * len(crops),
    "one face in many lights": one_face_in_many_lights,
    "three faces": lambda crops: one_face_in_many_lights(crops[:24]) + one_face_in_many_lights(crops[24:48]),
    "inverted colours": lambda crops: [255 - crop for crop in crops],
    "red and blue swapped": lambda crops: [np.ascontiguousarray(crop[..., ::-1]) for crop in crops],
    "ten images": lambda crops: crops[:10],
    "black": lambda crops: [np.zeros_like(crop) for crop in crops],
    "nearly dark": lambda crops: [crop // 12 for crop in crops],
    "blurred": lambda crops: [np.asarray(cv2.GaussianBlur(crop, (0, 0), 9), np.uint8) for crop in crops],
}


@pytest.mark.parametrize("name", SETS)
def test_a_bad_set_is_refused_before_anything_is_quantised(
    site: Site, crops: dict[str, list[Image]], people: Path, tmp_path: Path, name: str
) -> None:
    with pytest.raises(BadInput, match="the calibration images are refused: ") as refused:
        run(site, saved(SETS[name](crops["all"][:COUNT]), tmp_path / "images"), people)
    assert "\n" not in str(refused.value)


BATCHES: dict[str, Callable[[Floats], Floats]] = {
    "wrong mean": lambda batch: batch + np.float32(1.0),
    "pixels not scaled": lambda batch: (batch + 1) * np.float32(127.5),
    "pixels scaled twice": lambda batch: batch / np.float32(127.5),
    "zeros": np.zeros_like,
    "normal noise": lambda batch: np.random.default_rng(6).normal(size=batch.shape).astype(np.float32),
}


def scales_of(model: onnx.ModelProto, *, weights: bool) -> Iterator[tuple[onnx.TensorProto, NDArray[Any]]]:
    """The scales of the activations, or of the weights, each shared by a pair of Q and DQ."""
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    seen: set[str] = set()
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear" and node.input[1] not in seen:
            seen.add(node.input[1])
            scale = constants[node.input[1]]
            if (scale.dims not in ([], [1])) == weights:
                yield scale, numpy_helper.to_array(scale)


def put(tensor: onnx.TensorProto, value: NDArray[Any]) -> None:
    tensor.CopyFrom(numpy_helper.from_array(np.asarray(value, np.float32).reshape(tuple(tensor.dims)), tensor.name))


def clip(model: onnx.ModelProto, factor: float, *, weights: bool = False) -> None:
    for tensor, value in list(scales_of(model, weights=weights)):
        put(tensor, value * factor)


def swap_activations(model: onnx.ModelProto) -> None:
    found = list(scales_of(model, weights=False))
    for (tensor, _), (_, other) in zip(found, reversed(found), strict=True):
        put(tensor, other)


def swap_weights(model: onnx.ModelProto) -> None:
    """Every channel gets its neighbour's scale."""
    for tensor, value in list(scales_of(model, weights=True)):
        put(tensor, np.roll(value, 1))


GRAPHS: dict[str, Change] = {
    "clipped ranges": lambda model: clip(model, 0.2),
    "ranges ten times too wide": lambda model: clip(model, 10),
    "activations' scales swapped": swap_activations,
    "weights' scales swapped": swap_weights,
    "weights clipped": lambda model: clip(model, 0.5, weights=True),
}


def told(done: Calibrated, crops: list[Image]) -> str:
    """Fails when a worse build passed, or a harmless one passed without a word."""
    verdict = done.build.judged.verdict
    found = likeness(done, crops)
    if found < HARMLESS:
        assert verdict.outcome == "failed", f"mean cosine {found:.4f}, and {verdict.sentence}"
    elif verdict.passed:
        assert verdict.outcome == "unusual", f"mean cosine {found:.4f}, and not a word: {verdict.sentence}"
    return verdict.outcome


@pytest.mark.parametrize("name", BATCHES)
def test_wrong_preprocessing_fails_or_is_called_unusual(
    site: Site, crops: dict[str, list[Image]], people: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = flow.Bench

    def fed(graph: Path, batches: Callable[[], Iterator[Floats]], *more: Any) -> Any:
        return real(graph, lambda: (BATCHES[name](batch) for batch in batches()), *more)

    monkeypatch.setattr(flow, "Bench", fed)
    told(run(site, saved(crops["all"][:COUNT], tmp_path / "images"), people), crops["apart"])


@pytest.mark.parametrize("name", GRAPHS)
def test_spoiled_scales_fail_or_are_called_unusual(
    site: Site, crops: dict[str, list[Image]], people: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = flow.Bench.make

    def spoiled(bench: Any, target: Path, method: Any, returned: Collection[str]) -> Made:
        made = real(bench, target, method, returned)
        model = onnx.load(made.graph)
        GRAPHS[name](model)
        onnx.save(model, made.graph)
        return made

    monkeypatch.setattr(flow.Bench, "make", spoiled)
    told(run(site, saved(crops["all"][:COUNT], tmp_path / "images"), people), crops["apart"])


def test_there_are_twenty_bad_ones() -> None:
    assert len(SETS) + len(BATCHES) + len(GRAPHS) == 20
