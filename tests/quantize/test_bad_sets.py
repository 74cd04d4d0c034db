"""Bad sets made from real photos are named, each for what is wrong with it; good ones pass, whatever the seed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from faceedge.config import EngineSettings
from faceedge.jobs.engines import OnnxEngines
from faceedge.jobs.photos import read_photo
from faceedge.jobs.vision import Portrait, Vision
from faceedge.models.store import make_package
from faceedge.quantize.imagefacts import Cut, ImageFacts, facts_of
from faceedge.quantize.imageset import SetReport, check_set
from faceedge.quantize.set_faults import Taker
from faceedge.types import Image

pytestmark = [pytest.mark.assets, pytest.mark.system]
COUNT = 70
Photos = list[Image]
PORTRAITS: dict[str, list[Portrait]] = {}
"""By digest of the image."""


@pytest.fixture(scope="module")
def vision(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vision]:
    root = tmp_path_factory.mktemp("models")
    detector = make_package(assets / "models" / "yunet_n.onnx", "yunet", root)
    recognizer = make_package(assets / "models" / "edgeface_xxs_512.onnx", "edgeface-xxs", root)
    with Vision(detector, recognizer, OnnxEngines(EngineSettings())) as opened:
        yield opened


@pytest.fixture(scope="module")
def photos(assets: Path) -> Photos:
    """One photo each of people of LFW."""
    people = sorted((assets / "data" / "dev" / "lfw" / "images").iterdir())
    return [read_photo(min(person.iterdir())) for person in people[: 3 * COUNT : 3]]


def looked_at(vision: Vision, images: Photos, taker: Taker) -> list[ImageFacts]:
    facts: dict[str, ImageFacts] = {}
    digests = [hashlib.sha256(image.tobytes()).hexdigest() for image in images]
    for digest, image in zip(digests, images, strict=True):
        if digest not in facts:
            portraits = portrayed(vision, digest, image)
            largest = portraits[0] if portraits and taker == "recognizer" else None
            cut = Cut(largest.crop, largest.template.embedding) if largest else None
            facts[digest] = facts_of(digest, digest, image, [portrait.face for portrait in portraits], cut)
    return [facts[digest] for digest in digests]


def portrayed(vision: Vision, digest: str, image: Image) -> list[Portrait]:
    """What a set showed one taker is known to the other."""
    if digest not in PORTRAITS:
        if len(PORTRAITS) > 10 * COUNT:
            PORTRAITS.clear()
        PORTRAITS[digest] = vision.portraits(image)
    return PORTRAITS[digest]


def checked(vision: Vision, images: Photos, taker: Taker) -> SetReport:
    match = vision.thresholds.match if taker == "recognizer" else None
    return check_set(looked_at(vision, images, taker), taker, match=match)


def clipped(image: np.ndarray) -> Image:
    return np.asarray(np.clip(image, 0, 255), np.uint8)


def through_jpeg(image: Image, quality: int) -> Image:
    coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)


def shrunk(image: Image, side: int) -> Image:
    return np.asarray(cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def random_images(draw: Callable[[np.random.Generator], np.ndarray]) -> Photos:
    chance = np.random.default_rng(3)
    return [clipped(draw(chance)) for _ in range(COUNT)]


def soft(chance: np.random.Generator) -> np.ndarray:
    blobs = chance.integers(0, 256, (12, 16, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(blobs, (320, 240), interpolation=cv2.INTER_CUBIC))


def waves(chance: np.random.Generator) -> np.ndarray:
    steps = chance.uniform(0, 0.3, (3, 2))
    angles = [np.add.outer(np.arange(240) * down, np.arange(320) * across) for down, across in steps]
    return 127 + 127 * np.sin(np.stack(angles, axis=2))


def salted(image: Image) -> Image:
    chance = np.random.default_rng(4)
    mask = chance.random(image.shape[:2]) < 0.5
    return np.asarray(np.where(mask[..., None], 255 * chance.integers(0, 2, (*mask.shape, 1)), image), np.uint8)


def jittered(image: Image) -> Photos:
    chance = np.random.default_rng(5)
    return [
        through_jpeg(clipped(image * chance.uniform(0.8, 1.2))[at % 7 :, at % 5 :], int(chance.integers(50, 95)))
        for at in range(3 * COUNT)
    ]


CHANGED: dict[str, tuple[Callable[[Image], Image], str]] = {
    "inverted colours": (lambda image: np.asarray(255 - image, np.uint8), "colours"),
    "red and blue swapped": (lambda image: np.ascontiguousarray(image[..., ::-1]), "colours"),
    "thumbnails": (lambda image: shrunk(image, 32), "small"),
    "faces of a few pixels": (lambda image: cv2.copyMakeBorder(shrunk(image, 48), 60, 60, 60, 60, 0), "faceless small"),
    "enlarged thumbnails": (lambda image: cv2.resize(shrunk(image, 32), (320, 320)), "faceless blurred"),
    "out of focus": (lambda image: cv2.GaussianBlur(image, (0, 0), 3), "blurred"),
    "far out of focus": (lambda image: cv2.GaussianBlur(image, (0, 0), 9), "faceless blurred"),
    "night": (lambda image: clipped(image * 0.08), "light flat faceless"),
    "glare": (lambda image: clipped(image + 150.0), "light faceless"),
    "salt and pepper": (salted, "noise"),
    "heavy noise": (lambda image: clipped(image + np.random.default_rng(6).normal(0, 120, image.shape)), "noise"),
    "saved with quality 2": (lambda image: through_jpeg(image, 2), "faceless"),
    "grey card": (lambda image: np.full_like(image, 128), "flat"),
}
MADE: dict[str, tuple[Callable[[Photos], Photos], str]] = {
    "uniform noise": (lambda _: random_images(lambda chance: chance.integers(0, 256, (240, 320, 3))), "noise"),
    "grey noise": (lambda _: random_images(lambda chance: chance.normal(128, 40, (240, 320, 1)).repeat(3, 2)), "noise"),
    "soft noise": (lambda _: random_images(soft), "faceless"),
    "waves": (lambda _: random_images(waves), "faceless"),
    "black": (lambda _: [np.zeros((240, 320, 3), np.uint8)] * COUNT, "flat"),
    "one photo two hundred times": (lambda photos: photos[:1] * 200, "alike"),
    "one photo saved two hundred times": (lambda photos: jittered(photos[0]), "alike"),
    "ten photos twenty times": (lambda photos: photos[:10] * 20, "alike"),
    "a handful": (lambda photos: photos[:9], "few"),
    "nothing": (lambda _: [], "few"),
    "half of it noise": (lambda photos: photos[:40] + MADE["uniform noise"][0](photos)[:40], "noise"),
}


@pytest.mark.parametrize("name", list(CHANGED))
@pytest.mark.parametrize("taker", ["detector", "recognizer"])
def test_photos_spoiled_alike_are_named(vision: Vision, photos: Photos, name: str, taker: Taker) -> None:
    spoil, kinds = CHANGED[name]
    report = checked(vision, [spoil(photo) for photo in photos], taker)
    assert report.faults
    assert report.faults[0].kind in kinds.split()


@pytest.mark.parametrize("name", list(MADE))
@pytest.mark.parametrize("taker", ["detector", "recognizer"])
def test_made_up_sets_are_named(vision: Vision, photos: Photos, name: str, taker: Taker) -> None:
    make, kind = MADE[name]
    report = checked(vision, make(photos), taker)
    assert report.faults
    assert report.faults[0].kind == kind


@pytest.mark.parametrize("taker", ["detector", "recognizer"])
def test_pictures_without_people_are_named(vision: Vision, assets: Path, taker: Taker) -> None:
    pictures = [read_photo(path) for path in sorted((assets / "data" / "dev" / "ood").glob("*/*.jpg"))]
    assert checked(vision, pictures, taker).faults[0].kind == "faceless"


@pytest.mark.parametrize("taker", ["detector", "recognizer"])
def test_a_clip_of_one_person_is_named(vision: Vision, assets: Path, taker: Taker) -> None:
    clip = cv2.VideoCapture(str(assets / "data" / "dev" / "video" / "clips" / "grid_03__lwbsza.mpg"))
    frames: Photos = []
    while (read := clip.read())[0]:
        frames.append(np.asarray(read[1], np.uint8))
    report = checked(vision, frames, taker)
    assert report.faults[0].kind == "alike"
    if taker == "recognizer":
        assert "the set shows one person only" in report.remarks


def test_crops_are_named_to_a_detector_and_accepted_from_a_recogniser(vision: Vision, photos: Photos) -> None:
    crops = [vision.portraits(photo)[0].crop for photo in photos]
    assert checked(vision, crops, "detector").faults[0].kind == "crops"
    assert checked(vision, crops, "recognizer").refused == ""


@pytest.mark.parametrize("taker", ["detector", "recognizer"])
def test_twenty_good_sets_of_twenty_are_accepted(vision: Vision, assets: Path, photos: Photos, taker: Taker) -> None:
    own = sorted((assets / "data" / "dev" / "faces").glob("*/*.jpg"))[::2]
    facts = looked_at(vision, [*photos, *(read_photo(path) for path in own)], taker)
    match = vision.thresholds.match if taker == "recognizer" else None
    for seed in range(20):
        chance = np.random.default_rng(seed)
        drawn = chance.choice(len(facts), int(chance.integers(100, len(facts))), replace=False)
        assert check_set([facts[at] for at in drawn], taker, match=match).refused == ""
