"""A plain loop from a photo to similarities, slow and easy to check, against which the package is measured.

Written from the rules of the networks' own page (MODELS.md: D1 RetinaFace, D2 YuNet, D3 SCRFD, R recognisers) with
numpy, OpenCV and ONNX Runtime. It shares no line with `faceedge`: keep it so, or it proves nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime

LARGEST_SIDE_PX = 640
TEMPLATE = np.array(
    [(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)]
)
Outputs = dict[str, Any]


@dataclass
class Found:
    """One face, in px: of the canvas when it comes from a rule, of the photo when it comes from `detect`.

    points of a photo are rounded to float32, as a detector's results are; the last bit moves a similarity by 1e-4.
    """

    score: float
    box: list[float]
    points: list[tuple[float, float]]

    @property
    def area(self) -> float:
        return (self.box[2] - self.box[0]) * (self.box[3] - self.box[1])


def rule_d1(outputs: Outputs, height: int, width: int) -> Iterator[Found]:
    """RetinaFace: score > 0.5."""
    cls, bbox, landmark = (outputs[name][0].tolist() for name in ("cls", "bbox", "landmark"))
    row = 0
    for stride, sides in ((8, (16, 32)), (16, (64, 128)), (32, (256, 512))):
        for y in range(height // stride):
            for x in range(width // stride):
                for side in sides:
                    if cls[row][1] > 0.5:
                        at_x, at_y = (x + 0.5) * stride, (y + 0.5) * stride
                        b, k = bbox[row], landmark[row]
                        centre_x, centre_y = at_x + b[0] * 0.1 * side, at_y + b[1] * 0.1 * side
                        w, h = side * math.exp(b[2] * 0.2), side * math.exp(b[3] * 0.2)
                        points = [(at_x + k[2 * n] * 0.1 * side, at_y + k[2 * n + 1] * 0.1 * side) for n in range(5)]
                        yield Found(cls[row][1], around(centre_x, centre_y, w, h), points)
                    row += 1


def rule_d2(outputs: Outputs, height: int, width: int) -> Iterator[Found]:
    """YuNet: score >= 0.6."""
    for stride in (8, 16, 32):
        kinds = ("cls", "obj", "bbox", "kps")
        cls, obj, bbox, kps = (outputs[f"{kind}_{stride}"][0].tolist() for kind in kinds)
        row = 0
        for y in range(height // stride):
            for x in range(width // stride):
                score = math.sqrt(cls[row][0] * obj[row][0])
                if score >= 0.6:
                    b, k = bbox[row], kps[row]
                    w, h = math.exp(b[2]) * stride, math.exp(b[3]) * stride
                    points = [((x + k[2 * n]) * stride, (y + k[2 * n + 1]) * stride) for n in range(5)]
                    yield Found(score, around((x + b[0]) * stride, (y + b[1]) * stride, w, h), points)
                row += 1


def rule_d3(outputs: Outputs, height: int, width: int) -> Iterator[Found]:
    """SCRFD: score >= 0.5."""
    for stride in (8, 16, 32):
        score, bbox, kps = (outputs[f"{kind}_{stride}"][0].tolist() for kind in ("score", "bbox", "kps"))
        row = 0
        for y in range(height // stride):
            for x in range(width // stride):
                for _ in range(2):
                    if score[row][0] >= 0.5:
                        px, py = x * stride, y * stride
                        left, top, right, bottom = (distance * stride for distance in bbox[row])
                        k = kps[row]
                        points = [(px + k[2 * n] * stride, py + k[2 * n + 1] * stride) for n in range(5)]
                        yield Found(score[row][0], [px - left, py - top, px + right, py + bottom], points)
                    row += 1


def around(x: float, y: float, width: float, height: float) -> list[float]:
    """A box from its centre and size."""
    return [x - width / 2, y - height / 2, x + width / 2, y + height / 2]


@dataclass
class Rule:
    """How a detector is fed and read. mean: in the order of the channels."""

    read: Callable[[Outputs, int, int], Iterator[Found]]
    is_rgb: bool
    mean: tuple[float, float, float]
    divisor: float
    nms_iou: float


DETECTORS = {
    "yunet_n": Rule(rule_d2, False, (0, 0, 0), 1, 0.3),
    "retinaface_mnet025": Rule(rule_d1, False, (104, 117, 123), 1, 0.4),
    "scrfd_500m": Rule(rule_d3, True, (127.5, 127.5, 127.5), 128, 0.4),
    "scrfd_2.5g": Rule(rule_d3, True, (127.5, 127.5, 127.5), 128, 0.4),
}
RECOGNIZERS = {
    "mobilefacenet_128": 0.391,
    "mobilefacenet_casia_128": 0.499,
    "mobileface_v2_256": 0.448,
    "edgeface_xxs_512": 0.343,
    "edgeface_xs_512": 0.325,
}
"""The similarity of each that one in 10,000 pairs of strangers reaches, fitted on all of LFW."""


def opened(graph: Path, threads: int = 1) -> Any:
    """A session as anybody would open it."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])


def detect(session: Any, rule: Rule, photo: Any) -> list[Found]:
    """Faces of one photo (uint8 BGR), best first."""
    height, width = photo.shape[:2]
    scale = min(1.0, LARGEST_SIDE_PX / width, LARGEST_SIDE_PX / height)
    small_w, small_h = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(photo, (small_w, small_h)) if scale < 1 else photo
    canvas = np.zeros((math.ceil(small_h / 32) * 32, math.ceil(small_w / 32) * 32, 3), np.float32)
    canvas[:small_h, :small_w] = small
    if rule.is_rgb:
        canvas = canvas[:, :, ::-1]
    tensor = (canvas - np.array(rule.mean, np.float32)) / np.float32(rule.divisor)
    names = [output.name for output in session.get_outputs()]
    batch = np.ascontiguousarray(tensor.transpose(2, 0, 1)[None])
    outputs = dict(zip(names, session.run(names, {"input": batch}), strict=True))
    faces = suppressed(list(rule.read(outputs, *canvas.shape[:2])), rule.nms_iou)
    across, down = width / small_w, height / small_h
    return [
        Found(
            face.score,
            [face.box[0] * across, face.box[1] * down, face.box[2] * across, face.box[3] * down],
            [(float(np.float32(x * across)), float(np.float32(y * down))) for x, y in face.points],
        )
        for face in faces
    ]


def suppressed(faces: list[Found], most: float) -> list[Found]:
    """The best face, then the best that shares at most `most` with each before it, and so on."""
    kept: list[Found] = []
    for face in sorted(faces, key=lambda one: -one.score):
        if all(iou(face, other) <= most for other in kept):
            kept.append(face)
    return kept


def iou(one: Found, two: Found) -> float:
    """Shared area over joint area."""
    w = min(one.box[2], two.box[2]) - max(one.box[0], two.box[0])
    h = min(one.box[3], two.box[3]) - max(one.box[1], two.box[1])
    shared = max(w, 0) * max(h, 0)
    return shared / (one.area + two.area - shared)


def embed(session: Any, photo: Any, points: list[tuple[float, float]]) -> Any:
    """Unit vector of the face with these five points."""
    crop = cv2.warpAffine(photo, umeyama(np.array(points), TEMPLATE), (112, 112), flags=cv2.INTER_LINEAR)
    tensor = (crop[:, :, ::-1].astype(np.float32) - np.float32(127.5)) / np.float32(127.5)
    vector = session.run(["embedding"], {"input": np.ascontiguousarray(tensor.transpose(2, 0, 1)[None])})[0][0]
    return vector / np.linalg.norm(vector)


def umeyama(source: Any, target: Any) -> Any:
    """The similarity (2, 3) that takes source (n, 2) to target (n, 2) with the least squared error in the target."""
    from_middle, to_middle = source - source.mean(axis=0), target - target.mean(axis=0)
    u, stretch, v = np.linalg.svd(to_middle.T @ from_middle)
    sign = np.array([1, np.linalg.det(u) * np.linalg.det(v)])  # a mirrored solution is none
    rotation = u @ np.diag(sign) @ v
    scale = (stretch * sign).sum() / (from_middle**2).sum()
    return np.column_stack([scale * rotation, target.mean(axis=0) - scale * rotation @ source.mean(axis=0)])
