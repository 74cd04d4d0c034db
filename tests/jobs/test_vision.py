"""The quality network in the flow: LightQNet beside either pair of detector and recogniser, on a real photo."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest

from faceedge import align
from faceedge.assess import UNCLEAR
from faceedge.backends.base import Engine
from faceedge.cli import opening
from faceedge.config import EngineSettings, Models, cache_dir
from faceedge.demo.photos import astronaut
from faceedge.detect import Detector
from faceedge.errors import EngineError, PackageError
from faceedge.grade import Grader
from faceedge.jobs.open_vision import open_vision
from faceedge.jobs.vision import Around, Vision
from faceedge.manifest import Role
from faceedge.models.store import make_package
from faceedge.package import as_toml, read_package
from faceedge.recognize import Recognizer
from faceedge.stages.detect import DetectStage
from faceedge.types import Frame, Image

pytestmark = pytest.mark.assets

ARCFACE = {"detector": "yunet", "recognizer": "edgeface-xxs"}
Spoil = Callable[[Image], Image]


@pytest.fixture(scope="module")
def state(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state directory with YuNet, EdgeFace and LightQNet."""
    root = tmp_path_factory.mktemp("state")
    make_package(assets / "models" / "yunet_n.onnx", "yunet", root / "models")
    make_package(assets / "models" / "edgeface_xxs_512.onnx", "edgeface-xxs", root / "models")
    make_package(assets / "models" / "lightqnet.onnx", "lightqnet", root / "models")
    return root


def opened(state: Path, around: Around | None = None, **models: str) -> Vision:
    wanted = Models(**{**ARCFACE, "quality": "lightqnet", **models})
    more = {"around": around} if around is not None else {}
    return open_vision(wanted, EngineSettings(), state, cache_dir(), **more)


@pytest.fixture(scope="module")
def vision(state: Path) -> Iterator[Vision]:
    with opened(state) as both:
        yield both


def arcface_crop(vision: Vision, image: Image) -> Image:
    face = vision.detector.detect([image])[0][0]
    matrix = align.matrices([face.landmarks], vision.scheme, "arcface_112")[0]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(image, matrix, (112, 112), flags=flags), np.uint8)


def plainly(assets: Path, crop: Image, colour: str = "rgb") -> float:
    """What the network says without any code of ours."""
    session = onnxruntime.InferenceSession(assets / "models" / "lightqnet.onnx", providers=["CPUExecutionProvider"])
    planes = crop[:, :, ::-1] if colour == "rgb" else crop
    tensor = ((planes.astype(np.float32) - 127.5) / 127.5).transpose(2, 0, 1)[None]
    return float(session.run(["quality"], {"input": np.ascontiguousarray(tensor)})[0][0, 0])


@pytest.mark.parametrize("pair", [ARCFACE, {"detector": "dlib-mmod", "recognizer": "dlib-resnet"}])
def test_the_raw_value_is_that_of_a_plain_run_on_the_same_crop(assets: Path, state: Path, pair: dict[str, str]) -> None:
    with opened(state, **pair) as vision:
        (portrait,) = vision.portraits(astronaut())
        assert set(vision.builds) == {"detector", "recognizer", "quality"}
        wanted = plainly(assets, arcface_crop(vision, astronaut()))
    assert portrait.assessment.raw == pytest.approx(wanted, abs=1e-5)


def test_the_colour_order_is_that_of_a_fixed_vector(assets: Path, vision: Vision) -> None:
    crop = arcface_crop(vision, astronaut())
    crop[:, :, 0] //= 2  # red light: the two orders differ plainly
    assert vision.grader is not None
    (raw,) = vision.grader.grades([crop])
    assert raw == pytest.approx(plainly(assets, crop), abs=1e-5)
    assert abs(raw - plainly(assets, crop, "bgr")) > 1e-3


def test_the_recognisers_crops_serve_where_the_alignments_are_the_same(
    vision: Vision, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = vision.detector.detect([astronaut()])[0]
    crops = vision.crops(astronaut(), found)
    given: list[Image] = []
    assert vision.grader is not None
    monkeypatch.setattr(vision.grader, "grades", lambda crops: given.extend(crops) or [0.6])  # type: ignore[func-returns-value]
    vision.assess(astronaut(), found, crops)
    assert given[0] is crops[0]


def noise(image: Image) -> Image:
    grain = np.random.default_rng(7).normal(scale=30, size=image.shape)
    return np.clip(image + grain, 0, 255).astype(np.uint8)


def hidden(crop: Image) -> Image:
    covered = crop.copy()
    covered[62:] = 0
    return covered


SPOILT: dict[str, tuple[Spoil, float]] = {
    "clean": (lambda crop: crop, 0.596),
    "blur 1.5": (lambda crop: cv2.GaussianBlur(crop, (0, 0), 1.5), 0.585),
    "blur 3": (lambda crop: cv2.GaussianBlur(crop, (0, 0), 3), 0.360),
    "blur 5": (lambda crop: cv2.GaussianBlur(crop, (0, 0), 5), 0.029),
    "noise 30": (noise, 0.322),
    "lower face black": (hidden, 0.346),
    "a quarter of the light": (lambda crop: crop // 4, 0.578),
}
"""What is done to a crop, and the mean over LFW that MODELS.md gives for it."""


def test_what_is_done_to_a_face_lowers_its_grade_as_the_networks_page_says(vision: Vision, assets: Path) -> None:
    folder = assets / "data" / "dev" / "lfw" / "images"
    photos = [cv2.imread(str(path)) for path in sorted(folder.rglob("*.jpg"))[::120]]
    assert len(photos) >= 20
    crops = [arcface_crop(vision, photo) for photo in photos]
    assert vision.grader is not None
    clean = np.array(vision.grader.grades(crops))
    for name, (spoil, wanted) in SPOILT.items():
        grades = np.array(vision.grader.grades([spoil(crop) for crop in crops]))
        assert grades.mean() == pytest.approx(wanted, abs=0.05), name
        if wanted < 0.4:
            assert (grades < clean - 0.05).mean() > 0.95, name


def test_a_hidden_mouth_that_no_plain_feature_minds_is_named(vision: Vision, state: Path) -> None:
    (face,) = vision.detector.detect([astronaut()])[0]
    image = astronaut()
    x0, y0, x1, y1 = (round(float(edge)) for edge in face.box)
    image[round(y0 + 0.58 * (y1 - y0)) : y1, x0:x1] = (200, 190, 180)
    (with_network,) = vision.assess(image, [face], vision.crops(image, [face]))
    with opened(state, quality="none") as without:
        (plain,) = without.assess(image, [face], without.crops(image, [face]))
        assert set(without.builds) == {"detector", "recognizer"}
    assert (plain.reasons, plain.raw) == ((), None)
    assert with_network.reasons == (UNCLEAR,)
    assert with_network.quality < 0.6 <= plain.quality


def test_the_detect_stage_gives_shots_the_networks_assessment(vision: Vision) -> None:
    stage = DetectStage(vision, lambda event: None)
    frames = [Frame("entry", seq, astronaut(), seq / 10) for seq in range(4)]
    shots = [shot for frame in frames for shot in stage([frame])]
    assert shots
    (portrait,) = vision.portraits(astronaut())
    assert all(shot.assessment == portrait.assessment for shot in shots)


def test_every_network_is_asked_before_anybody_relies_on_it(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: set[str] = set()
    for role, kind in (("detector", Detector), ("recognizer", Recognizer), ("quality", Grader)):
        name = {"detector": "detect", "recognizer": "embed", "quality": "grades"}[role]
        plain = getattr(kind, name)

        def noted(self: Any, given: Any, role: str = role, plain: Any = plain) -> Any:
            asked.add(role)
            return plain(self, given)

        monkeypatch.setattr(kind, name, noted)
    with opened(state) as vision:
        vision.prove(480, 270)
    assert asked == {"detector", "recognizer", "quality"}


@pytest.mark.parametrize("role", ["detector", "recognizer", "quality"])
def test_an_engine_that_fails_is_opened_anew_and_the_old_one_closed(state: Path, role: Role) -> None:
    around: list[str] = []

    def wrap(role: str, engine: Engine) -> Engine:
        around.append(role)
        return engine

    with opened(state, around=wrap) as vision:
        old = vision.engines[role]
        old.close()
        with pytest.raises(EngineError):
            vision.prove(480, 270)
        for _ in range(3):
            vision.renew(role)
        vision.prove(480, 270)
        assert vision.engines[role] is not old
        assert old.memory.working == 0
    assert around.count(role) == 4


def test_nothing_can_take_the_place_of_a_detector(state: Path) -> None:
    with pytest.raises(PackageError, match=r"^without a detector nobody is recognised"):
        opened(state, detector="none")


def test_a_quality_network_of_an_unknown_alignment_is_refused(state: Path, tmp_path: Path) -> None:
    package = read_package(state / "models" / "lightqnet" / "1")
    folder = tmp_path / "odd"
    shutil.copytree(package.folder, folder)
    odd = package.manifest.model_copy(update={"alignment": "odd"})
    (folder / "model.toml").write_text(as_toml(odd), encoding="utf-8")
    with pytest.raises(PackageError, match="unknown alignment 'odd'"):
        opened(state, quality=str(folder))


def test_the_flag_wins_over_the_configuration(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEEDGE_STATE", str(state))
    monkeypatch.delenv("FACEEDGE_CONFIG", raising=False)
    monkeypatch.setenv("FACEEDGE__MODELS__QUALITY", "lightqnet")
    parser = argparse.ArgumentParser()
    opening.add_model_flags(parser)
    opening.add_common_flags(parser)
    for words, graded in (([], True), (["--quality", "none"], False)):
        args = parser.parse_args(["--detector", "yunet", "--recognizer", "edgeface-xxs", *words])
        with opening.open_vision(args, lambda text, done: None) as vision:
            assert (vision.grader is not None) is graded


def test_a_package_that_is_replaced_while_it_is_opened_serves_nobody(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(state / "models", tmp_path / "models")
    folder = tmp_path / "models" / "edgeface-xxs" / "1"

    def swapped(_package: object) -> None:
        graph = onnx.load(folder / "model.onnx")
        graph.producer_name = "somebody else"
        onnx.save(graph, folder / "model.onnx")

    monkeypatch.setattr("faceedge.jobs.vision.load_landmarker", swapped)
    with pytest.raises(PackageError, match="edgeface-xxs@1: was replaced while it was opened"):
        opened(tmp_path)
