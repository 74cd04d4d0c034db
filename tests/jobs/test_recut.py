"""A kept picture cut for another recogniser: of the same alignment untouched, of another where the face must be."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from faceedge import align
from faceedge.backends.cpu import CpuPreprocessor
from faceedge.config import EngineSettings, Models, cache_dir
from faceedge.demo.photos import admiral, astronaut
from faceedge.errors import PackageError
from faceedge.jobs.open_vision import open_vision
from faceedge.jobs.recut import placed, recut
from faceedge.models.store import make_package
from faceedge.types import Face, Image


class Scissors:
    """Cuts as `Vision` does, without a network."""

    scheme = "eyes_nose_mouth"

    def __init__(self, alignment: str, scheme: str = "eyes_nose_mouth") -> None:
        self.alignment = alignment
        self.scheme = scheme

    def crops(self, image: Image, faces: list[Face]) -> list[Image]:  # type: ignore[override]
        preprocessor = CpuPreprocessor()
        matrices = align.matrices([face.landmarks for face in faces], self.scheme, self.alignment)
        return preprocessor.warp(preprocessor.upload(image), matrices, align.crop_spec(self.alignment))


def test_a_crop_of_the_same_alignment_is_handed_on_as_it_is() -> None:
    crop = np.random.default_rng(1).integers(0, 255, (112, 112, 3), np.uint8)
    assert recut(Scissors("arcface_112"), crop) is crop


def test_a_crop_of_no_alignment_gives_none() -> None:
    assert recut(Scissors("arcface_112"), np.zeros((113, 112, 3), np.uint8)) is None


def test_every_alignment_has_a_size_of_its_own() -> None:
    """Else the size of a crop would not tell which it is."""
    specs = {name: align.crop_spec(name) for name in align.ALIGNMENTS}
    assert {name: align.of_crop(spec.height, spec.width) for name, spec in specs.items()} == {
        name: name for name in specs
    }


def test_a_scheme_that_an_alignment_does_not_take_is_refused() -> None:
    with pytest.raises(PackageError, match="cannot place"):
        placed("arcface_112", "three_points")


@pytest.mark.parametrize("scheme", sorted(align.SCHEMES))
@pytest.mark.parametrize(("old", "new"), [("dlib_150", "arcface_112"), ("arcface_112", "dlib_150")])
def test_the_points_of_a_face_lie_where_the_new_alignment_puts_them(old: str, new: str, scheme: str) -> None:
    """A picture whose only light is at the left eye: it must come out at the place of that eye."""
    face = placed(old, scheme)
    for number in (0, 1):
        x, y = face.landmarks[number]
        spec = align.crop_spec(old)
        crop = np.zeros((spec.height, spec.width, 3), np.uint8)
        cv2.circle(crop, (round(float(x)), round(float(y))), 3, (255, 255, 255), cv2.FILLED)
        cut = recut(Scissors(new, scheme), crop)
        assert cut is not None
        rows, columns = np.nonzero(cut[:, :, 0] > 128)
        wanted = align.ALIGNMENTS[new].templates[scheme][number]
        assert (columns.mean(), rows.mean()) == pytest.approx(wanted, abs=5)


@pytest.mark.assets
def test_a_face_cut_anew_is_still_recognised(assets: Path, tmp_path: Path) -> None:
    make_package(assets / "models" / "yunet_n.onnx", "yunet", tmp_path / "models")
    make_package(assets / "models" / "edgeface_xxs_512.onnx", "edgeface-xxs", tmp_path / "models")
    models = Models(detector="yunet", recognizer="edgeface-xxs")
    with open_vision(models, EngineSettings(), tmp_path, cache_dir()) as vision:
        for photo in (astronaut(), admiral()):
            portrait = vision.portraits(photo)[0]
            old = Scissors("dlib_150", vision.scheme).crops(photo, [portrait.face])[0]
            anew = recut(vision, old)
            assert anew is not None
            (template,) = vision.recognizer.embed([anew])
            assert float(template.embedding @ portrait.template.embedding) > 0.85
