"""Enrolment: one person, good pictures, exactly one face each; otherwise not a byte is written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from faceedge.errors import BadInput, EngineError
from faceedge.gallery.store import Gallery
from faceedge.jobs.enroll import Enrolled, Wish, enroll
from faceedge.types import Image
from tests.fakes.vision import SPACE, FakePortrait, FakeVision, Sitter, save

ADA, BOB = 1, 2
FAR_POSE = 200


@pytest.fixture
def gallery(tmp_path: Path) -> Iterator[Gallery]:
    with Gallery.open(tmp_path / "state") as opened:
        yield opened


def enrol(gallery: Gallery, name: str, *photos: Path, **flags: bool) -> Enrolled:
    return enroll(gallery, FakeVision(), Wish(name, photos, **flags))


def test_a_person_is_enrolled_with_a_template_a_photo(gallery: Gallery, tmp_path: Path) -> None:
    photos = [save(tmp_path / f"ada-{pose}.png", Sitter(ADA, pose)) for pose in range(3)]
    enrolled = enrol(gallery, "Ada", *photos)
    assert enrolled.is_new
    assert (enrolled.person.name, enrolled.person.templates) == ("Ada", 3)
    assert [(photo.path, photo.added) for photo in enrolled.photos] == [(photo, True) for photo in photos]
    entries = gallery.entries(enrolled.person.id)
    assert [entry.origin.source for entry in entries] == ["ada-0.png", "ada-1.png", "ada-2.png"]
    assert {(entry.space, entry.origin.build, entry.crop) for entry in entries} == {(SPACE, "fake0build00", True)}
    assert entries[0].origin.quality == pytest.approx(0.9, abs=0.01)


def test_crops_are_left_out_on_request(gallery: Gallery, tmp_path: Path) -> None:
    enrolled = enrol(gallery, "Ada", save(tmp_path / "ada.png", Sitter(ADA)), keep_crops=False)
    assert [entry.crop for entry in gallery.entries(enrolled.person.id)] == [False]


def test_a_second_enrolment_adds_to_the_same_person(gallery: Gallery, tmp_path: Path) -> None:
    first = enrol(gallery, "Ada", save(tmp_path / "a.png", Sitter(ADA, 0)))
    second = enrol(gallery, "Ada", save(tmp_path / "b.png", Sitter(ADA, 1)))
    assert not second.is_new
    assert second.person.id == first.person.id
    assert second.person.templates == 2


def test_the_same_photo_twice_is_one_template(gallery: Gallery, tmp_path: Path) -> None:
    photo = save(tmp_path / "ada.png", Sitter(ADA))
    assert [shown.added for shown in enrol(gallery, "Ada", photo, photo).photos] == [True, False]
    again = enrol(gallery, "Ada", photo)
    assert [shown.added for shown in again.photos] == [False]
    assert again.person.templates == 1


def refused(gallery: Gallery, name: str, *photos: Path, said: str) -> None:
    """Refused in one line, and nothing of it is in the gallery."""
    before = gallery.changes(), gallery.people()
    with pytest.raises(BadInput, match=said) as refusal:
        enrol(gallery, name, *photos)
    assert "\n" not in str(refusal.value)
    assert (gallery.changes(), gallery.people()) == before


def test_a_photo_without_a_face_is_refused_by_name(gallery: Gallery, tmp_path: Path) -> None:
    good, empty = save(tmp_path / "good.png", Sitter(ADA)), save(tmp_path / "wall.png")
    refused(gallery, "Ada", good, empty, said=r"wall\.png: no face found")


def test_a_photo_with_several_faces_is_refused_by_name(gallery: Gallery, tmp_path: Path) -> None:
    crowd = save(tmp_path / "crowd.png", Sitter(ADA), Sitter(BOB))
    refused(gallery, "Ada", crowd, said=r"crowd\.png: 2 faces found")


def test_a_poor_photo_is_refused_with_its_reasons(gallery: Gallery, tmp_path: Path) -> None:
    dim = save(tmp_path / "dim.png", Sitter(ADA, quality=0.39))
    refused(gallery, "Ada", dim, said=r"dim\.png: too dark; quality 0\.39, at least 0\.4")


def test_a_barely_good_photo_is_taken(gallery: Gallery, tmp_path: Path) -> None:
    enrolled = enrol(gallery, "Ada", save(tmp_path / "dim.png", Sitter(ADA, quality=0.41)))
    assert enrolled.photos[0].reasons == ("too dark",)


def test_a_file_that_is_no_photo_is_refused_by_name(gallery: Gallery, tmp_path: Path) -> None:
    (tmp_path / "notes.png").write_text("not a picture")
    refused(gallery, "Ada", save(tmp_path / "a.png", Sitter(ADA)), tmp_path / "notes.png", said=r"notes\.png: not a")


def test_a_stranger_among_the_photos_is_named(gallery: Gallery, tmp_path: Path) -> None:
    photos = [save(tmp_path / f"ada-{pose}.png", Sitter(ADA, pose)) for pose in range(3)]
    photos.insert(1, save(tmp_path / "bob.png", Sitter(BOB)))
    refused(gallery, "Ada", *photos, said=r"/bob\.png: shows somebody else than .*ada-\d\.png")


def test_two_people_in_equal_shares_are_refused(gallery: Gallery, tmp_path: Path) -> None:
    """Every photo has a photo that it resembles, and still they are not one person."""
    photos = [save(tmp_path / f"{who}-{pose}.png", Sitter(who, pose)) for who in (ADA, BOB) for pose in (0, 1)]
    refused(gallery, "Ada", *photos, said="shows somebody else than")


def test_somebody_of_the_gallery_is_not_enrolled_again_under_another_name(gallery: Gallery, tmp_path: Path) -> None:
    enrol(gallery, "Ada", save(tmp_path / "a.png", Sitter(ADA, 0)))
    photo = save(tmp_path / "b.png", Sitter(ADA, 1))
    refused(gallery, "Eve", photo, said=r"b\.png: looks like 'Ada' of the gallery")
    twin = enrol(gallery, "Eve", photo, allow_duplicate=True)
    assert twin.is_new
    assert [person.name for person in gallery.people()] == ["Ada", "Eve"]


def test_another_face_does_not_join_a_known_name(gallery: Gallery, tmp_path: Path) -> None:
    enrol(gallery, "Ada", save(tmp_path / "a.png", Sitter(ADA)))
    photo = save(tmp_path / "b.png", Sitter(BOB))
    refused(gallery, "Ada", photo, said=r"b\.png: does not look like the 'Ada' of the gallery")
    assert enrol(gallery, "Bob", photo).is_new


def test_a_picture_unlike_the_others_of_the_same_person_is_refused(gallery: Gallery, tmp_path: Path) -> None:
    photos = [save(tmp_path / "a.png", Sitter(ADA)), save(tmp_path / "mask.png", Sitter(ADA, FAR_POSE))]
    refused(gallery, "Ada", *photos, said="shows somebody else")


@pytest.mark.parametrize("name", ["", "two\nlines", " Ada"])
def test_a_wrong_name_is_refused_before_any_photo_is_read(gallery: Gallery, name: str) -> None:
    refused(gallery, name, Path("/nonexistent.png"), said="is no name")


def test_no_photos_are_refused(gallery: Gallery) -> None:
    refused(gallery, "Ada", said="no photos given")


class FailsAtSecond(FakeVision):
    """Networks can fail at any photo."""

    def __init__(self) -> None:
        self.photos = 0

    def portraits(self, image: Image) -> list[FakePortrait]:
        self.photos += 1
        if self.photos == 2:
            raise EngineError("the network failed")
        return super().portraits(image)


def test_a_network_that_fails_midway_leaves_nothing(gallery: Gallery, tmp_path: Path) -> None:
    photos = tuple(save(tmp_path / f"{pose}.png", Sitter(ADA, pose)) for pose in range(2))
    with pytest.raises(EngineError):
        enroll(gallery, FailsAtSecond(), Wish("Ada", photos))
    assert gallery.people() == []


def test_progress_is_told_photo_by_photo(gallery: Gallery, tmp_path: Path) -> None:
    told: list[tuple[str, float]] = []
    photos = tuple(save(tmp_path / f"{pose}.png", Sitter(ADA, pose)) for pose in range(2))
    enroll(gallery, FakeVision(), Wish("Ada", photos), lambda text, done: told.append((text, done)))
    assert told == [("0.png", 0.5), ("1.png", 1.0)]
