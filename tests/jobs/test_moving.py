"""People on the way to another door: they arrive whole and as themselves, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pytest

from faceedge.errors import BadInput
from faceedge.gallery import ledger, parcel
from faceedge.gallery.base import Origin, Person
from faceedge.gallery.store import Gallery
from faceedge.jobs.backup import backup
from faceedge.jobs.look_alikes import Measure
from faceedge.jobs.moving import Arrived, bring_in, export
from faceedge.jobs.restore import restore
from faceedge.rules.book import Standing
from faceedge.types import Template

SPACE = "0123456789ab"
PHRASE = "correct horse battery staple"
GATE = Measure(SPACE, "cosine", 0.6, 0.7)
CROP = np.random.default_rng(0).integers(0, 255, (112, 112, 3), np.uint8)


@pytest.fixture(autouse=True)
def _cheap_guesses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parcel, "SCRYPT_N", 1 << 4)


def template(seed: int, space: str = SPACE) -> Template:
    vector = np.random.default_rng(seed).normal(size=128).astype(np.float32)
    return Template(vector / np.linalg.norm(vector), 1.25, space)


def quiet(text: str, done: float) -> None:
    assert text
    assert 0 <= done <= 1


def enrol(gallery: Gallery, name: str, *templates: Template) -> Person:
    person = gallery.add_person(name)
    for one in templates:
        gallery.add_template(person.id, one, Origin(0.875, "snap.jpg", "build"), CROP)
    return person


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Gallery]:
    with Gallery.open(tmp_path / "here", clock=lambda: 1_700_000_000) as gallery:
        enrol(gallery, "Ada", template(1), template(2))
        enrol(gallery, "Bob", template(3), template(4, "other0space0"))
        yield gallery


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Gallery]:
    with Gallery.open(tmp_path / "there") as gallery:
        yield gallery


@pytest.fixture
def file(here: Gallery, tmp_path: Path) -> Path:
    file = tmp_path / "staff.faceedge"
    export(here, file, here.people(), PHRASE, quiet)
    return file


def arrive(gallery: Gallery, file: Path, *, allow_duplicate: bool = False) -> tuple[Arrived, ...]:
    return bring_in(gallery, file, PHRASE, GATE, allow_duplicate=allow_duplicate)


def test_people_arrive_with_their_ids_templates_and_pictures(here: Gallery, there: Gallery, file: Path) -> None:
    arrived = arrive(there, file)
    assert [(one.is_new, one.templates, one.unchecked) for one in arrived] == [(True, 2, 0), (True, 2, 1)]
    assert there.people() == here.people()
    for person in here.people():
        assert there.entries(person.id) == here.entries(person.id)
        for (entry, one), (_, other) in zip(there.portfolio(person.id), here.portfolio(person.id), strict=True):
            assert np.array_equal(one.embedding, other.embedding)
            assert (one.norm, one.space) == (other.norm, other.space)
            assert np.array_equal(there.crop(person.id, entry), CROP)


def test_validity_and_block_travel_and_groups_stay(here: Gallery, there: Gallery, tmp_path: Path) -> None:
    ada = here.people()[0]
    until = datetime(2026, 12, 31, tzinfo=timezone.utc)
    here.access.set_standing(ada.id, Standing(valid_until=until, blocked=True))
    here.access.join(ada.id, here.access.add_group("staff"))
    export(here, tmp_path / "f", [ada], PHRASE, quiet)
    arrive(there, tmp_path / "f")
    standing = there.access.standing(ada.id)
    assert (standing.valid_until, standing.blocked, standing.groups) == (until, True, frozenset())


def test_whoever_is_here_gets_only_what_is_missing(here: Gallery, there: Gallery, file: Path, tmp_path: Path) -> None:
    arrive(there, file)
    ada = here.people()[0]
    here.add_template(ada.id, template(5), Origin(0.9, "new.jpg", "build"))
    export(here, tmp_path / "later", [ada], PHRASE, quiet)
    (again,) = arrive(there, tmp_path / "later")
    assert (again.is_new, again.templates, again.person.templates) == (False, 1, 3)


def test_a_face_that_is_somebody_elses_here_brings_nobody_in(there: Gallery, file: Path) -> None:
    enrol(there, "Eve", template(3))
    with pytest.raises(BadInput, match="'Bob' looks like 'Eve' of this gallery"):
        arrive(there, file)
    assert [person.name for person in there.people()] == ["Eve"], "not Ada alone either"
    assert len(arrive(there, file, allow_duplicate=True)) == 2


def test_a_name_that_is_taken_brings_nobody_in(there: Gallery, file: Path) -> None:
    enrol(there, "Bob", template(77))
    with pytest.raises(BadInput, match="'Bob' is in the gallery already"):
        arrive(there, file)
    assert len(there.people()) == 1


def test_whoever_was_removed_here_does_not_come_back_by_import(there: Gallery, file: Path) -> None:
    arrive(there, file)
    there.remove(there.people()[0])
    with pytest.raises(BadInput, match="'Ada' was removed from this gallery"):
        arrive(there, file)
    assert [person.name for person in there.people()] == ["Bob"]


def test_a_damaged_file_or_a_wrong_passphrase_brings_nobody_in(there: Gallery, file: Path) -> None:
    content = file.read_bytes()
    for damaged in (
        content[:-1],
        content[: len(content) // 2],
        content[:-40] + bytes([content[-40] ^ 1]) + content[-39:],
    ):
        file.write_bytes(damaged)
        with pytest.raises(BadInput, match="damaged"):
            arrive(there, file)
    file.write_bytes(content)
    with pytest.raises(BadInput, match="wrong passphrase"):
        bring_in(there, file, "something else", GATE)
    assert there.people() == []


def test_backups_and_exports_are_not_mistaken_for_each_other(here: Gallery, file: Path, tmp_path: Path) -> None:
    backup(tmp_path / "here", tmp_path / "b", PHRASE, quiet)
    with pytest.raises(BadInput, match="is a backup; see faceedge restore"):
        arrive(here, tmp_path / "b")
    with pytest.raises(BadInput, match="is an export; see faceedge gallery import"):
        restore(file, tmp_path / "new", PHRASE, quiet)


def test_an_export_is_remembered_so_that_a_removal_can_name_it(here: Gallery, file: Path, tmp_path: Path) -> None:
    (copy,) = ledger.read(tmp_path / "here")
    assert copy.path == str(file)
    assert copy.may_hold(here.people()[0].id, here.vault)


def test_who_arrives_is_flagged_with_whom_they_look_like_here_and_in_the_file(
    here: Gallery, there: Gallery, tmp_path: Path
) -> None:
    enrol(here, "Eve", template(1))
    file = tmp_path / "twins.faceedge"
    export(here, file, here.people(), PHRASE, quiet)
    arrived = {one.person.name: one for one in arrive(there, file)}
    ada, eve = arrived["Ada"].person.id, arrived["Eve"].person.id
    assert there.book().look_alikes == {ada: {eve}, eve: {ada}}
    assert sorted(len(one.look_alikes) for one in arrived.values()) == [0, 0, 1]
    assert there.compared.reaches(SPACE, GATE.levels)
