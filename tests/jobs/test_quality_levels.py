"""What people say of the numbers of a decision: leads over the second person, failures by level of quality."""

from __future__ import annotations

import re

import numpy as np
import pytest

from faceedge.fit import Judging
from faceedge.jobs.calibration.quality_fit import Rows, fit_output, rows_of
from faceedge.jobs.calibration.quality_levels import judging_of, leads
from faceedge.types import Template
from tests.jobs.test_quality_fit import MATCH, looks, unit


def shown(person: str, *vector: float) -> tuple[str, Template]:
    return person, Template(unit(np.array(vector, np.float32)), 10.0, "space")


def test_the_lead_is_over_the_second_person_not_over_another_photo_of_the_first() -> None:
    (ada, again, bea) = shown("ada", 1, 0, 0), shown("ada", 1, 0.1, 0), shown("bea", 0, 0, 1)
    found = list(leads([ada, again, bea], "cosine"))
    assert len(found) == 2, "bea is shown once, so nobody could find her"
    assert all(is_right for is_right, _, _ in found)
    assert found[0][1] == pytest.approx(1 / 1.01**0.5)
    assert found[0][2] == pytest.approx(1 / 1.01**0.5)


def test_who_is_nearer_to_somebody_else_is_counted_as_wrong() -> None:
    (ada, again, bea) = shown("ada", 1, 0, 0), shown("ada", 0, 1, 0), shown("bea", 1, 0.1, 0)
    assert [is_right for is_right, _, _ in leads([ada, again, bea], "cosine")] == [False, False]


def test_the_numbers_stay_and_get_evidence_from_the_people_held_out() -> None:
    rows: Rows = rows_of(looks(), MATCH, 1)
    own = Judging(margin=0.05, usable=0.45)
    told = judging_of(rows, fit_output(rows, "norm"), own, MATCH, "cosine")
    assert (told.margin, told.usable, told.trusted) == (0.05, 0.45, 0.6)
    assert "below 0.45" in told.evidence
    assert "margin 0.05: of 120 photos" in told.evidence
    counted = [int(number) for number in re.findall(r"of (\d+)", told.evidence.partition(";")[0])]
    assert sum(counted) == int((rows.held & rows.is_face).sum())


def test_where_nobody_is_shown_twice_the_margin_says_so() -> None:
    rows = rows_of(looks(photos=60, people=60), MATCH, 1)
    assert "nobody was shown twice" in judging_of(rows, fit_output(rows, "norm"), Judging(), MATCH, "cosine").evidence
