"""Makes model packages from dlib's networks: `dlib-mmod` (detector, landmarks) and `dlib-resnet` (recogniser)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from faceedge.errors import MissingExtra, PackageError
from faceedge.families import mmod
from faceedge.fit import Fit, Judging, Thresholds
from faceedge.manifest import InputSize, Manifest, Normalisation, Source
from faceedge.models.importers.dlib_format import REMEDY as _REMEDY
from faceedge.models.importers.dlib_graph import onnx_graph
from faceedge.models.importers.dlib_layers import MmodOptions, Network, read_network
from faceedge.models.importers.dlib_shape import read_shape_predictor
from faceedge.models.landmarks import FILE as LANDMARKS
from faceedge.models.landmarks import save_shape_predictor
from faceedge.package import as_toml

Progress = Callable[[str, float], None]
"""Called with what is being done and the share 0..1 that is done."""

REVISION = "1"
"""Rises when the same weights are read differently: templates made before no longer compare."""
DETECTOR, LANDMARKER, RECOGNIZER = (
    "mmod_human_face_detector.dat",
    "shape_predictor_5_face_landmarks.dat",
    "dlib_face_recognition_resnet_model_v1.dat",
)
DIGESTS = {
    DETECTOR: "4cb19393e2fbaf2b1609a9319ad5386618c886a6234ec1b971f3e87c85d87fe6",
    LANDMARKER: "c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888",
    RECOGNIZER: "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
}
"""sha256 of the files of face_recognition_models 0.3.0."""
URL = "https://github.com/davisking/dlib-models"
LICENCE = "CC0-1.0"
CHIP_PX = 150
DIMENSION = 128
NORMALISATION = Normalisation(colour="rgb", mean=(122.782, 117.001, 104.298), scale=1 / 256)
FIT = Fit(
    thresholds=Thresholds(grey=0.78875, match=0.82, strict=0.875),
    door="strict",
    look_alike=0.76195,
    evidence=(
        "similarity = 1 - d*d/2 with d the distance of raw embeddings; match is dlib's own d = 0.6. Measured on "
        "labelled pairs of web photos, clip frames and LFW (1435 genuine, 1439 impostor, largest face of each photo; "
        "59 pairs without a face count as no match): grey d = 0.65 FMR 2.50 % FNMR 3.62 %, match d = 0.60 FMR 0.63 % "
        "FNMR 4.88 %, strict d = 0.50 FMR 0.00 % FNMR 17.56 %; "
        "look_alike d = 0.69 FMR 6.12 %, the largest hundredth that is not above ten times 0.63 % "
        "(calibration/look_alike.py)"
    ),
    judging=Judging(
        evidence=(
            "the product's own numbers, not fitted to this network. Measured on 2026-11-22 on people of web photos, "
            "clip frames and LFW, gallery clean, probes clean and spoiled in nine ways (calibration/judging.py): "
            "genuine comparisons below what a door demands, by quality from plain features: below 0.4 647 of 1249, "
            "from there to 0.6 286 of 555, above 687 of 2166; margin 0.02: of 724 clean photos, each searched among "
            "all others, 706 reach what a door demands; it holds back 3 of 3 that are nearest to somebody else, and 2 "
            "of the 703 that are right"
        ),
    ),
)


def model_folder() -> Path:
    """Where face_recognition_models keeps dlib's files. Raises MissingExtra when it is not installed."""
    spec = find_spec("face_recognition_models")  # importing it fails on Python 3.12
    if spec is None or spec.origin is None:
        raise MissingExtra('face_recognition_models is not installed; install the extra: pip install "faceedge[cpu]"')
    return Path(spec.origin).parent / "models"


def import_dlib(models: Path, root: Path, progress: Progress | None = None) -> None:
    """Writes both packages under `root` from the .dat files in `models`.

    Raises PackageError naming a file that is missing, cut short or not what it should be; MissingExtra without onnx.
    """
    report = progress or _silent
    for name, digest in DIGESTS.items():
        _check(models / name, digest)
    report("face detector", 0.0)
    import_mmod(models / DETECTOR, models / LANDMARKER, root / "dlib-mmod" / "1")
    report("face recogniser", 0.6)
    import_resnet(models / RECOGNIZER, root / "dlib-resnet" / "1")
    report("done", 1.0)


def import_mmod(detector: Path, landmarker: Path, folder: Path) -> None:
    """Writes the detector package: model.onnx, model.toml and the landmark predictor."""
    network = read_network(detector)
    options = _expected(network, detector)
    predictor = read_shape_predictor(landmarker)
    manifest = Manifest(
        name="dlib-mmod",
        version="1",
        role="detector",
        family="mmod",
        normalisation=NORMALISATION,
        source=_source("MMOD face detector and 5-point shape predictor", detector, landmarker),
        landmarks="dlib_5",
        nms_iou=options.nms,
        max_batch=8,
    )
    _write(folder, onnx_graph(network, "score"), manifest, None)
    save_shape_predictor(predictor, folder / LANDMARKS)


def import_resnet(recognizer: Path, folder: Path) -> None:
    """Writes the recogniser package: model.onnx, model.toml and fit.toml."""
    network = read_network(recognizer)
    if network.size != (CHIP_PX, CHIP_PX) or _rounded_mean(network) != NORMALISATION.mean:
        raise PackageError(f"{recognizer}: not dlib's face recogniser; {_REMEDY}")
    manifest = Manifest(
        name="dlib-resnet",
        version="1",
        role="recognizer",
        family="embedding",
        input=InputSize(width=CHIP_PX, height=CHIP_PX),
        normalisation=NORMALISATION,
        source=_source("ResNet face recogniser, 29 convolutions", recognizer),
        alignment="dlib_150",
        metric="euclidean",
        dimension=DIMENSION,
        max_batch=16,
    )
    _write(folder, onnx_graph(network, "embedding"), manifest, FIT)


def _silent(_step: str, _done: float) -> None:
    pass


def _check(path: Path, digest: str) -> None:
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise PackageError(f"{path}: cannot be read ({error.strerror}); {_REMEDY}") from error
    if found != digest:
        raise PackageError(f"{path}: damaged, or of another version; {_REMEDY}")


def _expected(network: Network, path: Path) -> MmodOptions:
    """The family decodes one window of a known size; any other detector is refused."""
    options = network.mmod
    window = (mmod.WINDOW_PX, mmod.WINDOW_PX)
    if (
        options is None
        or options.window != window
        or options.covered < 1
        or _rounded_mean(network) != NORMALISATION.mean
    ):
        raise PackageError(f"{path}: not dlib's face detector; {_REMEDY}")
    return options


def _rounded_mean(network: Network) -> tuple[float, ...]:
    """Float32 in the file, three decimals in dlib's source."""
    return tuple(round(value, 3) for value in network.mean)


def _source(note: str, *files: Path) -> Source:
    digest = hashlib.sha256(REVISION.encode())
    for file in files:
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return Source(url=URL, sha256=digest.hexdigest(), licence=LICENCE, note=f"dlib: {note}")


def _write(folder: Path, graph: bytes, manifest: Manifest, fit: Fit | None) -> None:
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(graph)
    (folder / "model.toml").write_text(as_toml(manifest), encoding="utf-8")
    if fit is not None:
        (folder / "fit.toml").write_text(as_toml(fit), encoding="utf-8")
