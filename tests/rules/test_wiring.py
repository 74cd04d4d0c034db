"""The daemon asks the rules of its gallery, follows them while they change, and opens nothing when it cannot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from faceedge.errors import StoreError
from faceedge.gallery.base import Origin
from faceedge.gallery.store import Gallery
from faceedge.jobs.roster import Roster
from faceedge.rules.book import Book
from faceedge.types import Template

ANNA = Template(np.eye(8, dtype=np.float32)[0], 1.0, "space")


def test_rules_changed_by_another_process_hold_at_the_next_look(tmp_path: Path) -> None:
    with Gallery.open(tmp_path) as here, Gallery.open(tmp_path) as there:
        roster = Roster(here, "cosine", "space")
        assert roster.book == Book()
        staff = there.access.add_group("staff")
        rule = there.access.add_rule(staff, "main")
        roster.follow()
        assert roster.book is not None
        assert roster.book.rules == (rule,)


def test_rules_that_cannot_be_read_let_nobody_in_though_the_people_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Gallery.open(tmp_path) as gallery:
        anna = gallery.add_person("Anna").id
        gallery.add_template(anna, ANNA, Origin(0.9, "anna.jpg", "build"))
        roster = Roster(gallery, "cosine", "space")

        def broken() -> Book:
            raise StoreError("gallery.db: rules/1 was altered or moved; restore a backup")

        with monkeypatch.context() as patch:
            patch.setattr(gallery, "book", broken)
            gallery.access.add_group("staff")
            roster.follow()
            assert roster.book is None
            assert roster.identifier.identify(ANNA).person is None
        roster.follow()
        assert roster.book is not None
        assert roster.identifier.identify(ANNA).person == anna
