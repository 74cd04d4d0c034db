"""How an open-set run counts: who is missed, who is taken for somebody else, and how sure a share is."""

from __future__ import annotations

import pytest

from benchmarks.openset import Attempt, figures, rate
from faceedge.bands import Limits
from faceedge.types import Band, Match

LIMITS = Limits(grey=0.3, match=0.4, strict=0.5, margin=0.02, votes=3, of=5, face_px=20)


def attempt(
    similarity: float, band: Band, person: str = "ann", as_: str = "ann", *, enrolled: bool = True, quality: float = 0.9
) -> Attempt:
    return Attempt(f"{person}.jpg", person, enrolled, Match(as_, similarity, 0.2), quality, band)


STRANGER = attempt(0.35, "grey", person="sue", enrolled=False)
PROBES = (
    attempt(0.8, "trusted"),
    attempt(0.45, "trusted", person="ben", as_="ben"),
    attempt(0.35, "grey", person="ben", as_="ben"),
    attempt(0.45, "trusted", person="cat", as_="ann"),
    attempt(0.8, "none", quality=0.2),
    STRANGER,
    attempt(0.1, "none", person="tom", enrolled=False),
)


def shares(*probes: Attempt) -> dict[str, tuple[int, int]]:
    return {name: (one.hits, one.count) for name, one in figures(probes, LIMITS).items()}


def test_who_is_not_found_at_rank_one_or_is_too_poor_counts_as_missed() -> None:
    found = shares(*PROBES)
    assert [found[f"FNIR at {level}"] for level in ("grey", "match", "strict")] == [(2, 5), (3, 5), (4, 5)]
    assert found["rank-1 errors"] == (1, 5)


def test_a_stranger_near_somebody_is_a_false_positive_and_at_a_door_a_question() -> None:
    found = shares(*PROBES)
    assert [found[f"FPIR at {level}"] for level in ("grey", "match", "strict")] == [(1, 2), (0, 2), (0, 2)]
    assert found["strangers: granted"] == (0, 2)
    assert found["strangers: review"] == (1, 2)


def test_a_grant_as_another_is_no_right_grant() -> None:
    found = shares(*PROBES)
    assert found["enrolled: granted"] == (2, 5)
    assert found["enrolled: granted as another"] == (1, 5)
    assert found["enrolled: review"] == (1, 5)


def test_a_share_of_nothing_found_is_not_surely_nothing() -> None:
    none = rate([STRANGER] * 300, lambda _: False)
    assert none.interval[0] == 0.0
    assert none.interval[1] == pytest.approx(0.0126, abs=1e-4)


def test_a_hundred_photos_of_one_person_are_not_a_hundred_people() -> None:
    many = [attempt(0.8, "trusted", person=f"p{number}") for number in range(100)]
    hits = {f"p{number}" for number in range(50)}
    apart = rate(many, lambda one: one.person in hits).interval
    few = [attempt(0.8, "trusted", person=f"p{number % 4}") for number in range(100)]
    together = rate(few, lambda one: one.person in ("p0", "p1")).interval
    assert together[1] - together[0] > 1.5 * (apart[1] - apart[0])
