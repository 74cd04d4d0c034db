"""The stages around the networks, on real photos and film: YuNet against OpenCV's own detector of the same file,
recognisers in batches against one face at a time, and crops by similarity against the usual two calls."""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime

from benchmarks import reference
from benchmarks.measure import Row, compare_times, interleaved, quartiles
from faceedge import align
from faceedge.backends.cpu import CpuPreprocessor
from faceedge.backends.onnx import OnnxEngine
from faceedge.config import Models, cache_dir
from faceedge.detect import Detector
from faceedge.families import detector_family
from faceedge.families.nms import overlap
from faceedge.jobs.add_model import add_model
from faceedge.jobs.describe_model import Wish
from faceedge.jobs.site import Site
from faceedge.manifest import InputSize
from faceedge.package import Package
from faceedge.recognize import Recognizer
from faceedge.types import Image

ASSETS = Path(os.environ.get("FACEEDGE_TEST_ASSETS", Path(__file__).parents[2] / "shared"))
FILMS = {(640, 480): "clips/asl_p2__bird.mkv", (1280, 720): "crowd_720p.mp4"}
GOALS = {1: 1.5, 2: 2.0}
"""By threads; each side has as many."""
BATCHES = (1, 4, 8, 16)
ROUNDS, FRAMES, FACES = 9, 8, 16
SURE = 0.02
"""A face this much above the threshold is one that both detectors must find."""


def rows() -> list[Row]:
    """Nothing without the assets, which it says."""
    if not (ASSETS / "models" / "yunet_n.onnx").exists():
        print(f"families: left out, no networks in {ASSETS}; set FACEEDGE_TEST_ASSETS", file=sys.stderr)
        return []
    with tempfile.TemporaryDirectory() as state:
        found = [*detector_rows(Path(state)), *recognizer_rows(Path(state)), *crop_rows()]
    cv2.setNumThreads(-1)
    return found


def added(graph: str, recipe: str, state: Path) -> Package:
    """The package that `faceedge model add` makes."""
    wish = Wish(source=str(ASSETS / "models" / f"{graph}.onnx"), recipe=recipe, replace=True)
    return add_model(wish, Site(state, cache_dir(), Models()), lambda *_: None).package


def detector_rows(state: Path) -> Iterator[Row]:
    """A frame through letterbox, network and decode, and through FaceDetectorYN; raises when they see differently."""
    package = added("yunet_n", "yunet", state)
    for threads, goal in GOALS.items():
        cv2.setNumThreads(threads)
        for (width, height), film in FILMS.items():
            frames = pictures(ASSETS / "data" / "dev" / "video" / film)
            ours, theirs = detector(package, max(width, height), threads), opencv_detector(width, height)
            for frame in frames:
                check_same(ours.detect([frame])[0], theirs.detect(frame)[1])
            each = partial(one_by_one, lambda frame, stage=ours: stage.detect([frame]), frames)
            name = f"YuNet, a frame of {width}x{height}, against FaceDetectorYN {cv2.__version__}, threads {threads}"
            times = interleaved(ROUNDS, each, partial(one_by_one, theirs.detect, frames))
            yield compare_times(name, *times, len(frames), goal)


def detector(package: Package, side: int, threads: int) -> Detector:
    """Our stage, with canvases that need no shrinking."""
    manifest = package.manifest.model_copy(update={"input": InputSize(width=side, height=side)})
    engine = OnnxEngine(package.fast_graph, max_batch=1, threads=threads)
    return Detector(engine, detector_family(manifest), CpuPreprocessor(), manifest.normalisation)


def opencv_detector(width: int, height: int) -> Any:
    """The same file with the same thresholds."""
    graph = str(ASSETS / "models" / "yunet_n.onnx")
    return cv2.FaceDetectorYN.create(graph, "", (width, height), score_threshold=0.6, nms_threshold=0.3, top_k=5000)


def one_by_one(work: Any, items: Sequence[Any]) -> None:
    """One call an item."""
    for item in items:
        work(item)


def pictures(film: Path) -> list[Image]:
    """FRAMES frames, evenly spaced."""
    capture = cv2.VideoCapture(str(film))
    step = int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) // FRAMES
    found = []
    while len(found) < FRAMES:
        found.append(np.asarray(capture.read()[1], np.uint8))
        for _ in range(step - 1):
            capture.grab()
    return found


def check_same(ours: Sequence[Any], theirs: Any) -> None:
    """Every sure face of either side has one on the other that covers it to nine tenths."""
    rows = np.zeros((0, 15)) if theirs is None else np.asarray(theirs)
    sides = (
        [(face.box, face.score) for face in ours],
        [(np.append(row[:2], row[:2] + row[2:4]), row[14]) for row in rows],
    )
    for one, other in (sides, sides[::-1]):
        boxes = np.array([box for box, _ in other]).reshape(-1, 4)
        for box, score in one:
            if score > 0.6 + SURE and overlap(box, boxes).max(initial=0) < 0.9:
                raise SystemExit(f"YuNet and FaceDetectorYN disagree about a face of score {score:.2f}")


def recognizer_rows(state: Path) -> Iterator[Row]:
    """Faces a second, against `session.run` of the source graph on one normalised face at a time, as installed: its
    threads spin between faces, ours leave the core to the other stages."""
    crops = faces_of_lfw(FACES)
    for graph, recipe in (("edgeface_xxs_512", "edgeface-xxs"), ("mobilefacenet_128", "mobilefacenet")):
        package = added(graph, recipe, state)
        for threads in GOALS:
            cv2.setNumThreads(threads)
            session = reference.opened(ASSETS / "models" / f"{graph}.onnx", threads)
            for batch in BATCHES:
                engine = OnnxEngine(package.fast_graph, max_batch=batch, threads=threads)
                stage = Recognizer(engine, CpuPreprocessor(), package.manifest, package.space)
                check_alike(stage, session, crops)
                times = interleaved(ROUNDS, partial(stage.embed, crops), partial(run_each, session, crops))
                name = f"{recipe}, batches of {batch}, against one by one, threads {threads}"
                yield compare_rates(name, *times, FACES, "faces/s")


def faces_of_lfw(count: int) -> list[Image]:
    """Centre crops of LFW, about as a face lies in a recogniser's crop."""
    photos = sorted((ASSETS / "data" / "dev" / "lfw" / "images").glob("*/*.jpg"))[:count]
    return [np.asarray(cv2.resize(cv2.imread(str(photo))[65:185, 65:185], (112, 112)), np.uint8) for photo in photos]


def run_each(session: onnxruntime.InferenceSession, crops: Sequence[Image]) -> list[Any]:
    """Unit vectors, as a first script makes them."""
    found = []
    for crop in crops:
        tensor = ((crop[:, :, ::-1].astype(np.float32) - 127.5) / 127.5).transpose(2, 0, 1)[None]
        vector = session.run(None, {"input": np.ascontiguousarray(tensor)})[0][0]
        found.append(vector / np.linalg.norm(vector))
    return found


def check_alike(stage: Recognizer, session: onnxruntime.InferenceSession, crops: Sequence[Image]) -> None:
    """Raises unless both make the same vectors."""
    ours = np.array([template.embedding for template in stage.embed(crops)])
    if np.abs(ours - np.array(run_each(session, crops))).max() > 1e-3:
        raise SystemExit("the recogniser stage makes other vectors than plain session.run")


def crop_rows() -> Iterator[Row]:
    """Crops a second of FACES faces in one frame, against skimage's estimate and cv2.warpAffine for each."""
    cv2.setNumThreads(1)
    frame = pictures(ASSETS / "data" / "dev" / "video" / FILMS[1280, 720])[0]
    rng = np.random.default_rng(0)
    shift, size = rng.uniform((0, 0), (1100, 600), (FACES, 1, 2)), rng.uniform(0.5, 1.5, (FACES, 1, 1))
    points = (reference.TEMPLATE * size + shift + rng.normal(0, 2, (FACES, 5, 2))).astype(np.float32)
    ours, theirs = partial(cut_together, CpuPreprocessor(), frame, points), partial(cut_each, frame, points)
    if np.abs(np.array(ours(), np.int16) - np.array(theirs(), np.int16)).max() > 1:
        raise SystemExit("our crops are not those of skimage and warpAffine")
    times = interleaved(20 * ROUNDS, ours, theirs)
    yield compare_rates(f"crops of {FACES} faces, against skimage and warpAffine each", *times, FACES, "crops/s")


def cut_together(preprocessor: CpuPreprocessor, frame: Image, points: Any) -> list[Image]:
    """What the pipeline does with the faces of a frame."""
    matrices = align.matrices(points, "eyes_nose_mouth", "arcface_112")
    return preprocessor.warp(preprocessor.upload(frame), matrices, align.crop_spec("arcface_112"))


def cut_each(frame: Image, points: Any) -> list[Any]:
    """What most scripts do."""
    from skimage.transform import SimilarityTransform

    found = []
    for five in points:
        if hasattr(SimilarityTransform, "from_estimate"):
            transform = SimilarityTransform.from_estimate(five, reference.TEMPLATE)
        else:  # scikit-image before 0.26
            transform = SimilarityTransform()
            transform.estimate(five, reference.TEMPLATE)
        found.append(cv2.warpAffine(frame, transform.params[:2], (112, 112)))
    return found


def compare_rates(name: str, ours: list[float], theirs: list[float], per: int, unit: str) -> Row:
    """A row of items a second from two lists of seconds for `per` items; more is better."""
    a, b = ([per / second for second in side] for side in (ours, theirs))
    median_a, median_b = statistics.median(a), statistics.median(b)
    spread = {"ours": quartiles(a), "theirs": quartiles(b)}
    return Row(name, round(median_a, 1), round(median_b, 1), unit, round(median_a / median_b, 2), None, spread)
