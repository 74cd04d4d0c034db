"""Enrolled again from sightings: what an operator approves, with the checks of every enrolment."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from faceedge.errors import BadInput
from faceedge.gallery.base import Person
from faceedge.gallery.store import Gallery
from faceedge.jobs.approving import approve, pending
from faceedge.jobs.reembed import without
from tests.fakes.vision import Sitter
from tests.jobs.test_reembed import ADA, BOB, EVE, NEW, Eyes, crop, enrol

NOW = 1_700_000_000.0


@pytest.fixture
def gallery(tmp_path: Path) -> Iterator[Gallery]:
    with Gallery.open(tmp_path / "state", lambda: NOW) as opened:
        yield opened


def seen(gallery: Gallery, person: Person, *sitters: Sitter, side: int = 112) -> None:
    for sitter in sitters:
        gallery.sightings.add(person.id, crop(sitter, side), sitter.quality, NOW)


def test_somebody_without_a_picture_is_enrolled_again_from_sightings(gallery: Gallery) -> None:
    ada = enrol(gallery, "Ada", Sitter(ADA), side=None)
    seen(gallery, ada, Sitter(ADA, 1, 0.7), Sitter(ADA, 2, 0.8))
    assert [(one.person.name, len(one.sightings)) for one in pending(gallery, NOW)] == [("Ada", 2)]
    enrolled = approve(gallery, Eyes(), ada)
    assert (enrolled.is_new, enrolled.added, enrolled.person.name) == (False, 2, "Ada")
    assert (without(gallery, NEW), pending(gallery, NOW)) == ((), [])
    _, one, other = gallery.entries(ada.id)
    assert (one.origin.source, one.origin.quality) == ("sighting 1 of 2023-11-14", 0.7)
    assert np.array_equal(gallery.crop(ada.id, other), crop(Sitter(ADA, 2)))  # type: ignore[arg-type]


def test_sightings_of_two_people_enrol_nobody(gallery: Gallery) -> None:
    ada = enrol(gallery, "Ada", Sitter(ADA), side=None)
    seen(gallery, ada, Sitter(ADA, 1), Sitter(EVE, 2))
    with pytest.raises(BadInput, match=r"sighting \d of 2023-11-14: shows somebody else"):
        approve(gallery, Eyes(), ada)
    assert (len(gallery.entries(ada.id)), len(gallery.sightings.all())) == (1, 2)


def test_sightings_that_look_like_somebody_else_enrol_nobody(gallery: Gallery) -> None:
    ada = enrol(gallery, "Ada", Sitter(ADA), side=None)
    enrol(gallery, "Bob", Sitter(BOB), space=NEW)
    seen(gallery, ada, Sitter(BOB, 1))
    with pytest.raises(BadInput, match="looks like 'Bob'"):
        approve(gallery, Eyes(), ada)
    assert approve(gallery, Eyes(), ada, allow_duplicate=True).added == 1


def test_sightings_cut_for_another_recogniser_are_cut_anew(gallery: Gallery) -> None:
    ada = enrol(gallery, "Ada", Sitter(ADA), side=None)
    seen(gallery, ada, Sitter(ADA, 1), side=150)
    assert approve(gallery, Eyes(), ada).added == 1
    assert gallery.crop(ada.id, gallery.entries(ada.id)[-1]).shape == (112, 112, 3)  # type: ignore[union-attr]


def test_without_sightings_the_way_out_is_named(gallery: Gallery) -> None:
    ada = enrol(gallery, "Ada", Sitter(ADA), side=None)
    with pytest.raises(BadInput, match="from photos"):
        approve(gallery, Eyes(), ada)
