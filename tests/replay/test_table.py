"""What two golden pages may differ in, and how a difference reads."""

from __future__ import annotations

from dataclasses import replace

from tests.replay.cases import CASES, Case
from tests.replay.hold import GOLDEN as GOLDEN_PAGES
from tests.replay.play import Played, Row
from tests.replay.table import differences, page
from tests.replay.truth import Scene, outcomes

CASE = Case("made_up", "made_up.mp4", "fast", {"ann": ("ann.mkv",)})
GRANT = Row(40, "entry", 1, 0, "grant", "match", "ann", "trusted", 0.81, None, 0.9, 3, 3)
REFUSAL = Row(90, "entry", 2, 0, "deny", "unknown", "", "none", 0.11, None, 0.8, 3, 3)
SCENES = (Scene(0, 59, "ann", "open"), Scene(60, 120, "none", "any"))


def made(*rows: Row, tracks: int = 2) -> str:
    played = Played("`made_up.mp4`", 30.0, 121, "3 of 5 votes, faces of 80 px", rows, tracks, ())
    return page(CASE, played, outcomes(SCENES, rows))


GOLDEN = made(GRANT, REFUSAL)


def test_the_same_decisions_differ_in_nothing() -> None:
    assert differences(GOLDEN, made(GRANT, REFUSAL)) == []


def test_another_processor_may_move_the_last_digits_and_one_shot() -> None:
    assert differences(GOLDEN, made(replace(GRANT, frame=44, similarity=0.82, quality=0.93), REFUSAL)) == []


def test_another_column_width_is_no_difference() -> None:
    wide = GOLDEN.replace("| ann ", "| ann    ")
    assert wide != GOLDEN
    assert differences(GOLDEN, wide) == []


def test_a_similarity_that_moved_is_shown_with_what_was_expected() -> None:
    changed = differences(GOLDEN, made(replace(GRANT, similarity=0.6), REFUSAL))
    assert [line for line in changed if line[:2] in ("-|", "+|")] == [
        "-| 1.33 | 40 | entry | 1 | grant | match | ann | trusted | 0.81 | – | 0.90 | 3 | 3 | ann |",
        "+| 1.33 | 40 | entry | 1 | grant | match | ann | trusted | 0.60 | – | 0.90 | 3 | 3 | ann |",
    ]


def test_another_outcome_is_a_difference_and_the_row_beside_it_is_none() -> None:
    changed = differences(
        GOLDEN, made(replace(GRANT, outcome="review", reason="grey_zone"), replace(REFUSAL, frame=91))
    )
    assert any(line.startswith("+| 1.33") and "| review | grey_zone |" in line for line in changed)
    assert not any(line.startswith(("-| 3.", "+| 3.")) for line in changed)


def test_a_decision_too_many_and_one_too_few_are_differences() -> None:
    assert any(
        line.startswith("+|") and "| unknown |" in line for line in differences(GOLDEN, made(GRANT, REFUSAL, REFUSAL))
    )
    assert any(line.startswith("-|") and "| unknown |" in line for line in differences(GOLDEN, made(GRANT)))


def test_a_number_that_there_was_not_is_a_difference() -> None:
    assert differences(GOLDEN, made(replace(GRANT, margin=0.2), REFUSAL))


def test_a_track_too_many_is_a_difference() -> None:
    assert differences(GOLDEN, made(GRANT, REFUSAL, tracks=3))


def rights(*rows: Row) -> list[bool]:
    return [one.is_right for one in outcomes(SCENES, rows)]


def test_who_is_there_and_granted_is_right() -> None:
    assert rights(GRANT, REFUSAL) == [True, True]


def test_who_is_there_and_never_granted_is_wrong() -> None:
    assert rights(REFUSAL) == [False, True]
    assert rights(replace(GRANT, outcome="review")) == [False, True]


def test_a_grant_for_somebody_who_is_not_there_is_wrong_also_beside_a_right_one() -> None:
    assert rights(GRANT, replace(GRANT, frame=50, person="ben")) == [False, True]
    assert rights(GRANT, replace(GRANT, frame=100)) == [True, False]


def test_where_the_door_is_to_stay_shut_even_a_right_grant_is_wrong() -> None:
    (one,) = outcomes([Scene(0, 59, "ann", "shut")], [GRANT])
    assert not one.is_right


def test_every_film_has_its_page_and_no_page_is_left_over() -> None:
    assert {path.stem for path in GOLDEN_PAGES.glob("*.md")} == {case.name for case in CASES}


def reckoned(by: str, *rows: Row) -> str:
    played = Played("`made_up.mp4`", 30.0, 121, "3 of 5 votes, faces of 80 px", rows, 2, (), by)
    return page(CASE, played, outcomes(SCENES, rows))


def test_on_another_processor_only_what_came_of_the_scenes_is_held() -> None:
    golden = reckoned("one", GRANT, REFUSAL)
    later = replace(GRANT, frame=55, similarity=0.7, shots=6)
    assert differences(golden, reckoned("other", later)) != [], "a scene of which nothing was said now"
    assert differences(golden, reckoned("other", later, replace(REFUSAL, reason="low_quality"))) == []
    assert differences(golden, reckoned("one", later, REFUSAL)) != []


def test_on_another_processor_too_nobody_else_may_be_let_in() -> None:
    golden = reckoned("one", GRANT, REFUSAL)
    assert differences(golden, reckoned("other", replace(GRANT, person="bob"), REFUSAL))
    assert differences(golden, reckoned("other", replace(GRANT, outcome="review", reason="grey_zone"), REFUSAL))
    assert differences(golden, reckoned("other", GRANT, replace(GRANT, frame=90)))
