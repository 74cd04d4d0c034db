"""Identify: the nearest person and the lead over the second; the gallery may change meanwhile."""

from __future__ import annotations

import math
import threading

import numpy as np
import pytest

from faceedge.gallery.search import Index
from faceedge.identify import Identifier
from faceedge.types import Template

SPACE = "0123456789ab"


def index(*persons: str) -> Index:
    """Person n looks along axis n."""
    return Index(
        persons, np.eye(8, dtype=np.float32)[: len(persons)], np.ones(len(persons), np.float32), "cosine", SPACE
    )


def looking(*axes: float) -> Template:
    vector = np.zeros(8, np.float32)
    vector[: len(axes)] = axes
    norm = float(np.linalg.norm(vector))
    return Template(vector / norm, norm, SPACE)


def test_the_nearest_person_and_the_margin_to_the_second() -> None:
    match = Identifier(index("ada", "bob", "eve")).identify(looking(0.8, 0.6))
    assert match.person == "ada"
    assert match.similarity == pytest.approx(0.8)
    assert match.margin == pytest.approx(0.2)


def test_the_only_person_has_no_second() -> None:
    match = Identifier(index("ada")).identify(looking(0.6, 0.8))
    assert (match.person, match.margin) == ("ada", math.inf)


def test_an_empty_gallery_knows_nobody() -> None:
    empty = Index((), np.zeros((0, 0), np.float32), np.zeros(0, np.float32), "cosine", SPACE)
    match = Identifier(empty).identify(looking(1.0))
    assert match.person is None
    assert match.similarity == -1
    assert match.margin == math.inf


def test_many_templates_of_one_person_are_one_person() -> None:
    rows = np.array([[1, 0], [0.8, 0.6], [0, 1]], np.float32)
    crowd = Index(("ada", "ada", "bob"), rows, np.ones(3, np.float32), "cosine", SPACE)
    match = Identifier(crowd).identify(Template(rows[0], 1.0, SPACE))
    assert (match.person, match.margin) == ("ada", pytest.approx(1.0))


def test_replacing_the_gallery_never_mixes_two() -> None:
    """Of two people one is always exactly 1 and the other exactly 0, in whichever gallery the answer was found."""
    galleries = [index("ada", "bob"), index("eve", "ida")]
    identifier = Identifier(galleries[0])
    stop = threading.Event()

    def swap() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            identifier.replace(galleries[number % 2])

    swapper = threading.Thread(target=swap, name="swap")
    swapper.start()
    try:
        seen = {identifier.identify(looking(1.0)) for _ in range(3000)}
    finally:
        stop.set()
        swapper.join()
    assert {match.person for match in seen} <= {"ada", "eve"}
    assert {match.margin for match in seen} == {1.0}
