"""Writes what dlib itself finds in photos: `dlib.json` (faces) and `dlib_pairs.csv` (distances of labelled pairs).

Run it in an environment of its own, which needs dlib==20.0.1, opencv-python-headless==5.0.0 and face_recognition_models
as files; faceedge is not used:

    python tests/golden/make_dlib.py MODELS ASSETS SITE_PACKAGES [--pairs]

MODELS: folder with dlib's .dat files. ASSETS: the test assets. SITE_PACKAGES: where scikit-image and matplotlib lie,
for the photos that ship in them. `--pairs` takes about half an hour and writes dlib_pairs.csv only.
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import cv2
import dlib
import numpy as np

HERE = Path(__file__).parent
LIBRARY_PHOTOS = ("skimage/data/astronaut.png", "matplotlib/mpl-data/sample_data/grace_hopper.jpg")
DEV_PHOTOS = (
    "faces/barack_obama/1.jpg",
    "faces/scarlett_johansson/1.jpg",
    "faces/katy_perry/1.jpg",
    "faces/jeff_bezos/1.jpg",
    "faces/caltech_01/1.jpg",
    "faces/caltech_05/1.jpg",
    "faces/asl_p2/1.jpg",
    "faces/grid_01/1.jpg",
    "lfw/images/Abdullah_Gul/Abdullah_Gul_0013.jpg",
    "lfw/images/Abel_Pacheco/Abel_Pacheco_0001.jpg",
    "lfw/images/Akhmed_Zakayev/Akhmed_Zakayev_0003.jpg",
    "groups/kit_with_rose.jpg",
    "groups/obama_and_biden.jpg",
    "groups/ul_2.jpg",
    "groups/ul_6.jpg",
    "faces/robert_downey_jr/1.jpg",
    "hard/cut_by_frame_1.jpg",
    "hard/roll_90.jpg",
    "exif/orient_6.jpg",
)
EMBEDDED_FACES = 3


class Reference:
    """dlib's own detector, landmarks and recogniser, with the settings faceedge claims to equal."""

    def __init__(self, models: Path) -> None:
        self.detector = dlib.cnn_face_detection_model_v1(str(models / "mmod_human_face_detector.dat"))
        self.landmarks = dlib.shape_predictor(str(models / "shape_predictor_5_face_landmarks.dat"))
        self.network = dlib.face_recognition_model_v1(str(models / "dlib_face_recognition_resnet_model_v1.dat"))

    def faces(self, photo: Path) -> tuple[np.ndarray, list]:
        """The RGB image and its faces, largest first."""
        image = cv2.imread(str(photo))
        if image is None:
            raise SystemExit(f"{photo}: cannot be read")
        rgb = np.ascontiguousarray(image[..., ::-1])
        found = self.detector(rgb, 0)
        return rgb, sorted(found, key=lambda face: -face.rect.area())

    def embedding(self, rgb: np.ndarray, face) -> np.ndarray:
        """128 numbers, not normalised."""
        shape = self.landmarks(rgb, face.rect)
        return np.array(self.network.compute_face_descriptor(rgb, shape, 0, 0.25))

    def describe(self, photo: Path) -> dict:
        """Everything of one photo; embeddings of the largest faces only."""
        rgb, found = self.faces(photo)
        faces = []
        for rank, face in enumerate(found):
            box = face.rect
            points = self.landmarks(rgb, box).parts()
            one = {
                "box": [box.left(), box.top(), box.right(), box.bottom()],
                "confidence": round(face.confidence, 6),
                "landmarks": [[point.x, point.y] for point in points],
            }
            if rank < EMBEDDED_FACES:
                one["embedding"] = [round(float(value), 6) for value in self.embedding(rgb, face)]
            faces.append(one)
        return {"height": rgb.shape[0], "width": rgb.shape[1], "faces": faces}


def write_faces(reference: Reference, dev: Path, site_packages: Path) -> None:
    photos = {f"library/{name}": site_packages / name for name in LIBRARY_PHOTOS}
    photos |= {f"dev/{name}": dev / name for name in DEV_PHOTOS}
    described = {name: reference.describe(path) for name, path in photos.items()}
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in described.items())
    (HERE / "dlib.json").write_text("{\n" + lines + "\n}\n", encoding="utf-8")


def write_pairs(reference: Reference, dev: Path) -> None:
    embeddings: dict[str, np.ndarray | None] = {}
    with (HERE / "dlib_pairs.csv").open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["list", "row", "distance"])
        for name in ("pairs.csv", "lfw/pairs.csv"):
            with (dev / name).open(newline="", encoding="utf-8") as lines:
                pairs = list(csv.DictReader(lines))
            for row, pair in enumerate(pairs):
                for image in (pair["imgA"], pair["imgB"]):
                    if image not in embeddings:
                        rgb, found = reference.faces(dev / image)
                        embeddings[image] = reference.embedding(rgb, found[0]) if found else None
                one, two = embeddings[pair["imgA"]], embeddings[pair["imgB"]]
                missing = one is None or two is None
                writer.writerow([name, row, "" if missing else f"{np.linalg.norm(one - two):.5f}"])
                out.flush()


def main() -> None:
    models, assets, site_packages = (Path(argument) for argument in sys.argv[1:4])
    reference, dev = Reference(models), assets / "data" / "dev"
    if "--pairs" in sys.argv:
        write_pairs(reference, dev)
    else:
        write_faces(reference, dev, site_packages)


if __name__ == "__main__":
    main()
