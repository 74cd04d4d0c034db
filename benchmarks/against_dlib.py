"""Our rebuilt networks against dlib's own Python package: same weights, same photos, same pixels."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.measure import Row, compare_times, interleaved
from faceedge.config import EngineSettings, Models, cache_dir
from faceedge.demo.photos import admiral, astronaut
from faceedge.jobs.open_vision import open_vision
from faceedge.models.importers.dlib import DETECTOR, LANDMARKER, RECOGNIZER, model_folder
from faceedge.types import Image

ROUNDS = 7


def rows() -> list[Row]:
    """MMOD a photo, and ResNet a face (chip cut included on both sides); dlib has one thread in both rows."""
    return [row for threads in sorted({1, os.cpu_count() or 1}) for row in _rows(threads)]


def _rows(threads: int) -> list[Row]:
    import dlib

    folder = model_folder()
    photos = [astronaut(), admiral(), cv2.resize(astronaut(), (640, 480))]
    with open_vision(Models(), EngineSettings(threads=threads), Path("/nonexistent"), cache_dir()) as vision:
        detector = dlib.cnn_face_detection_model_v1(str(folder / DETECTOR))
        mmod = interleaved(
            ROUNDS, lambda: vision.detector.detect(photos), lambda: [detector(rgb(photo)) for photo in photos]
        )
        faces = [(photo, vision.detector.detect([photo])[0]) for photo in photos]
        shapes = _shapes(dlib, folder, faces)
        network = dlib.face_recognition_model_v1(str(folder / RECOGNIZER))
        resnet = interleaved(
            ROUNDS,
            lambda: [vision.recognizer.embed(vision.crops(photo, found)) for photo, found in faces],
            lambda: [network.compute_face_descriptor(photo, shape) for photo, shape in shapes],
        )
    count = sum(len(found) for _, found in faces)
    return [
        compare_times(f"MMOD against dlib, a photo, {threads} threads", *mmod, len(photos), 10),
        compare_times(f"ResNet against dlib, a face, {threads} threads", *resnet, count, 4),
    ]


def rgb(image: Image) -> Image:
    """dlib wants RGB, contiguous."""
    return np.ascontiguousarray(image[:, :, ::-1])


def _shapes(dlib: Any, folder: Path, faces: list[Any]) -> list[tuple[Image, Any]]:
    """dlib's own landmarks in our boxes, so that only the recogniser is compared."""
    predictor = dlib.shape_predictor(str(folder / LANDMARKER))
    return [
        (picture, predictor(picture, dlib.rectangle(*(round(float(side)) for side in face.box))))
        for photo, found in faces
        for picture in [rgb(photo)]
        for face in found
    ]
