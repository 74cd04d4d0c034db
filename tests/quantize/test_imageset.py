"""A set is refused for what is wrong with it, in words; made-up facts, one thing wrong at a time."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest

from faceedge.quantize.imagefacts import Cut, ImageFacts, detail, difference_hash, facts_of, neighbours
from faceedge.quantize.imageset import check_set, set_digest
from faceedge.quantize.set_faults import Floors
from faceedge.types import Face, Image

CHANCE = np.random.default_rng(0)


def fact(at: int, **changes: Any) -> ImageFacts:
    """A good image, unlike every other."""
    chance = np.random.default_rng(at)
    row = chance.normal(size=128).astype(np.float32)
    good = ImageFacts(
        name=f"{at}.jpg", digest=f"{at:064x}", width=640, height=480, faces=1, face_px=120,
        light=float(chance.uniform(90, 200)), contrast=40, detail=0.15, warmth=50, neighbours=0.97,
        bits=chance.integers(0, 256, 32, dtype=np.uint8), embedding=row / np.linalg.norm(row),
    )  # fmt: skip
    return replace(good, **changes)


def good(count: int = 320) -> list[ImageFacts]:
    return [fact(at) for at in range(count)]


def all_with(**changes: Any) -> list[ImageFacts]:
    return [fact(at, **changes) for at in range(320)]


def kinds(facts: list[ImageFacts], taker: Any = "recognizer", **limits: Any) -> list[str]:
    floors = Floors(**limits) if limits else None
    match = 0.5 if taker == "recognizer" else None
    return [fault.kind for fault in check_set(facts, taker, floors, match).faults]


@pytest.mark.parametrize("taker", ["recognizer", "detector"])
def test_a_good_set_has_neither_faults_nor_remarks(taker: Any) -> None:
    report = check_set(good(), taker, match=0.5 if taker == "recognizer" else None)
    assert (report.faults, report.remarks, report.refused, report.used) == ((), (), "", 320)
    assert report.people == (320 if taker == "recognizer" else None)
    assert report.sentence == "320 of 320 images calibrate"


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"neighbours": 0.1}, "noise"),
        ({"faces": 0, "face_px": 0, "contrast": 1}, "flat"),
        ({"width": 48}, "small"),
        ({"face_px": 16}, "small"),
        ({"faces": 0, "face_px": 0}, "faceless"),
        ({"warmth": -40}, "colours"),
        ({"light": 12}, "light"),
        ({"light": 245}, "light"),
        ({"detail": 0.03}, "blurred"),
    ],
)
@pytest.mark.parametrize("taker", ["recognizer", "detector"])
def test_each_fault_is_named_first(changes: dict[str, Any], kind: str, taker: Any) -> None:
    assert kinds(all_with(**changes), taker)[0] == kind


def test_crops_are_no_photos_for_a_detector_and_fine_for_a_recogniser() -> None:
    crops = all_with(width=112, height=112, face_px=80)
    assert kinds(crops, "detector") == ["crops"]
    assert kinds(crops, "recognizer") == []


def test_a_detector_learns_from_photos_without_faces_and_a_recogniser_leaves_them_out() -> None:
    mixed = good(200) + [fact(at, faces=0, face_px=0, embedding=None) for at in range(200, 300)]
    assert check_set(mixed, "detector").used == 300
    report = check_set(mixed, "recognizer", match=0.5)
    assert (report.used, report.left_out, report.faults) == (200, {"without a face": 100}, ())
    assert report.sentence == "200 of 300 images calibrate; left out: 100 without a face"


def test_a_little_noise_is_left_out_and_much_is_refused() -> None:
    noise = [fact(1000 + at, neighbours=0.0) for at in range(40)]
    assert check_set(good() + noise[:20], "detector").left_out == {"noise": 20}
    assert kinds(good() + noise, "detector") == ["noise"]


@pytest.mark.parametrize(("taker", "floor"), [("recognizer", 64), ("detector", 32)])
def test_the_floor_is_the_number_of_distinct_images(taker: Any, floor: int) -> None:
    assert kinds(good(floor), taker) == []
    assert kinds(good(floor - 1), taker) == ["few"]
    assert kinds(good(floor - 1) * 3, taker) == ["alike"]
    assert kinds(good(10), taker, least=10) == []


def test_no_images_at_all_are_few() -> None:
    assert kinds([]) == ["few"]


def test_alike_are_those_that_look_alike_or_embed_alike() -> None:
    first = fact(0)
    bits = first.bits.copy()
    bits[:2] ^= 0xFF  # 16 of 256 bits
    far = fact(1)
    tilted = 0.99 * first.embedding + np.sqrt(1 - 0.99**2) * far.embedding  # type: ignore[operator]
    embedded = replace(far, embedding=(tilted / np.linalg.norm(tilted)).astype(np.float32))
    assert check_set([first, replace(far, bits=bits)], "detector").used == 1
    assert check_set([first, embedded], "recognizer", match=0.5).used == 1
    assert check_set([first, embedded], "recognizer", match=0.9).used == 2
    assert check_set([first, far], "recognizer", match=0.5).used == 2


def test_alike_images_are_found_across_blocks() -> None:
    many = good(300)
    report = check_set([*many, *many[::-1]], "recognizer", match=0.5)
    assert report.kept == tuple(range(300))
    assert report.left_out == {"like another one": 300}


def test_people_are_counted_and_few_of_them_remarked_upon() -> None:
    people = [fact(at).embedding for at in range(3)]
    chance = np.random.default_rng(9)

    def photo(at: int) -> ImageFacts:
        row = people[at % 3] + 0.04 * chance.normal(size=128)  # type: ignore[operator]
        return fact(at, embedding=(row / np.linalg.norm(row)).astype(np.float32))

    report = check_set([photo(at) for at in range(300)], "recognizer", match=0.4)
    assert report.people == 3
    assert report.remarks == ("the set shows 3 people only",)
    assert report.faults == ()
    one = check_set([photo(3 * at) for at in range(300)], "recognizer", match=0.4)
    assert one.remarks == ("the set shows one person only",)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (all_with(light=130.0), "all faces are about equally bright"),
        (all_with(warmth=0.0), "the images are without colour"),
        (good(100), "100 distinct images are few, 300 are better"),
        (good(150) * 2, "only 150 of 300 images could be used"),
    ],
)
def test_what_is_odd_is_remarked_upon_and_not_refused(facts: list[ImageFacts], words: str) -> None:
    report = check_set(facts, "recognizer", match=0.5)
    assert report.faults == ()
    assert any(words in remark for remark in report.remarks)


def test_blue_light_can_be_allowed() -> None:
    assert kinds(all_with(warmth=-40), "recognizer", colours=False) == []


def test_the_digest_is_of_the_used_images_in_any_order() -> None:
    facts = good(100)
    noisy = [*facts, fact(200, neighbours=0.0)]
    assert check_set(noisy, "detector").digest == check_set(facts[::-1], "detector").digest
    assert check_set(facts[:99], "detector").digest != check_set(facts, "detector").digest
    assert set_digest(["b", "a"]) == set_digest(["a", "b"])


def test_a_report_goes_through_json_without_the_places() -> None:
    report = check_set(good(100), "recognizer", match=0.5)
    assert "kept" not in report.model_dump()
    assert type(report).model_validate_json(report.model_dump_json()).used == 100


def test_a_thousand_images_are_checked_in_seconds() -> None:
    chance = np.random.default_rng(1)
    rows = chance.normal(size=(1000, 128)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    hashes = chance.integers(0, 256, (1000, 32), dtype=np.uint8)
    base = fact(0)
    facts = [replace(base, embedding=row, bits=bits) for row, bits in zip(rows, hashes, strict=True)]
    start = time.process_time()
    assert check_set(facts, "recognizer", match=0.5).used == 1000
    assert time.process_time() - start < 10


def picture(seed: int = 0, side: int = 256) -> Image:
    """Soft blobs: neighbours agree, there is detail, and it is red."""
    chance = np.random.default_rng(seed)
    coarse = cv2.resize(chance.integers(0, 200, (16, 16, 3), dtype=np.uint8), (side, side))
    fine = cv2.resize(chance.integers(0, 50, (side // 3, side // 3, 3), dtype=np.uint8), (side, side))
    image = coarse + fine
    image[..., 0] //= 2
    return image


FACE = Face(np.float32([50, 60, 150, 170]), 0.9, np.zeros((5, 2), np.float32))


def test_pixels_tell_a_picture_from_noise() -> None:
    noise = CHANCE.integers(0, 256, (300, 300, 3), dtype=np.uint8)
    assert neighbours(picture()) > 0.8
    assert abs(neighbours(noise)) < 0.1
    assert neighbours(np.zeros((40, 40, 3), np.uint8)) == 1.0


def test_a_blurred_picture_has_less_detail() -> None:
    grey = cv2.cvtColor(picture(), cv2.COLOR_BGR2GRAY)
    assert detail(np.asarray(cv2.GaussianBlur(grey, (0, 0), 9), np.uint8)) < detail(np.asarray(grey, np.uint8)) / 2


def test_the_hash_stays_when_the_picture_is_saved_darker_and_changes_with_the_picture() -> None:
    darker = np.asarray(picture() * 0.7, np.uint8)
    saved = cv2.imdecode(cv2.imencode(".jpg", darker, [cv2.IMWRITE_JPEG_QUALITY, 60])[1], cv2.IMREAD_COLOR)
    apart = [
        int(np.bitwise_count(difference_hash(picture()) ^ difference_hash(other)).sum())
        for other in (saved, picture(1))
    ]
    assert apart[0] < 12
    assert apart[1] > 60


def test_a_photo_is_judged_by_its_largest_face_and_a_crop_by_itself() -> None:
    photo = np.zeros((200, 300, 3), np.uint8)
    photo[60:170, 50:150] = picture(side=110)[:, :100]
    small = Face(np.float32([0, 0, 20, 20]), 0.99, FACE.landmarks)
    seen = facts_of("a", "b", photo, [small, FACE])
    assert (seen.width, seen.height, seen.faces, seen.face_px) == (300, 200, 2, 100.0)
    assert seen.warmth > 10
    assert seen.light > 60
    crop = np.full((112, 112, 3), 30, np.uint8)
    cut = facts_of("a", "b", photo, [FACE], Cut(crop, np.ones(4, np.float32)))
    assert (cut.light, cut.contrast, cut.face_px) == (30.0, 0.0, 100.0)
    assert cut.embedding is not None


@pytest.mark.parametrize("box", [[-500, -500, -400, -400], [290, 190, 900, 900], [10, 10, 11, 11]])
def test_a_box_beyond_the_photo_is_measured_without_a_crash(box: list[float]) -> None:
    outside = Face(np.float32(box), 0.9, FACE.landmarks)
    assert np.isfinite(facts_of("a", "b", picture(), [outside]).light)


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 300, 3), (3, 2, 3)])
def test_the_smallest_photos_are_measured(shape: tuple[int, ...]) -> None:
    seen = facts_of("a", "b", np.full(shape, 9, np.uint8), [])
    assert (seen.faces, seen.neighbours) == (0, 1.0)
