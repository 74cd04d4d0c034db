"""What speaks against networks on trial, and what does not: made-up opinions about made-up shots."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceedge.trial import KINDS, NOT_FINITE, Look, Opinion, Rules, Trial
from faceedge.trial_lines import lines
from faceedge.types import Band

RULES = Rules()
PEOPLE = ("anna-id", "boris-id", "clara-id")


def opinion(person: str | None, band: Band = "trusted", *, above: float = 0.2, ms: float = 5) -> Opinion:
    return Opinion(person, band, above, ms / 1000)


ANNA, BORIS = opinion("anna-id"), opinion("boris-id")
NOBODY = opinion("anna-id", "none", above=-0.3)


def trial(*tracks: tuple[Opinion, Opinion | None, int]) -> Trial:
    """Each track: what both say of all its shots, and how many shots."""
    made = Trial(RULES, itertools.count().__next__)
    see(made, tracks)
    return made


def see(made: Trial, tracks: Iterable[tuple[Opinion, Opinion | None, int]], first: int = 0, error: str = "") -> None:
    for number, (ours, theirs, shots) in enumerate(tracks, first):
        for _ in range(shots):
            made.note(Look("entry", number, ours, theirs, error))


def test_networks_that_say_the_same_pass() -> None:
    seen = trial(*[(ANNA, ANNA, 4)] * 20, *[(NOBODY, NOBODY, 4)] * 20)
    assert seen.verdict(is_over=True) == ""
    report = seen.report()
    assert report["agreement"] == 1
    assert (report["tracks"]["all"], report["tracks"]["both"], report["tracks"]["neither"]) == (40, 20, 20)


def test_one_face_that_would_be_let_in_as_somebody_else_is_enough() -> None:
    seen = trial((ANNA, BORIS, RULES.votes - 1))
    assert seen.verdict() == ""
    see(seen, [(ANNA, BORIS, 1)])
    assert seen.verdict() == "a face would be let in as somebody else than now"


def test_what_was_said_against_them_stays_said() -> None:
    seen = trial((ANNA, BORIS, 3))
    see(seen, [(ANNA, ANNA, 4)] * 2000, first=1)
    assert seen.verdict()


def test_a_handful_of_faces_that_would_stay_outside_decides_nothing() -> None:
    seen = trial(*[(ANNA, NOBODY, 4)] * (RULES.tracks - 1))
    assert seen.verdict() == ""


def test_networks_that_know_nobody_are_given_up() -> None:
    seen = trial(*[(ANNA, NOBODY, 4)] * RULES.tracks)
    assert seen.verdict() == f"{RULES.tracks} of {RULES.tracks} faces that are let in would not be"


def test_a_face_that_their_own_detector_does_not_find_stays_outside() -> None:
    assert trial(*[(ANNA, None, 4)] * RULES.tracks).verdict()


def test_few_of_many_may_stay_outside() -> None:
    assert trial(*[(ANNA, ANNA, 4)] * 97, *[(ANNA, NOBODY, 4)] * 3).verdict(is_over=True) == ""
    assert trial(*[(ANNA, ANNA, 4)] * 80, *[(ANNA, NOBODY, 4)] * 20).verdict()


def test_one_of_a_few_says_nothing_of_a_rate() -> None:
    for wrong in ((ANNA, NOBODY), (opinion("boris-id", "none"), ANNA)):
        assert trial(*[(ANNA, ANNA, 4)] * 9, (*wrong, 4)).verdict() == ""


def test_networks_that_need_more_shots_for_everybody_are_given_up() -> None:
    seen = trial()
    for number in range(40):
        see(seen, [(ANNA, ANNA, 4)], number)
        see(seen, [(ANNA, opinion("anna-id", "grey"), 4)], number)
    assert seen.report()["tracks"]["lost"] == 0
    assert "shots by which people are let in would not count" in seen.verdict()


def test_letting_in_who_was_almost_recognised_is_no_fault() -> None:
    almost = opinion("anna-id", "grey", above=-0.02)
    assert trial(*[(ANNA, ANNA, 4)] * 20, *[(almost, ANNA, 4)] * 10).verdict(is_over=True) == ""


def test_letting_in_whom_nobody_thought_of_is_a_fault() -> None:
    seen = trial(*[(opinion("boris-id", "none"), ANNA, 4)] * 3, *[(ANNA, ANNA, 4)] * 20)
    assert seen.verdict().startswith("3 of ")


def test_shots_for_two_people_are_a_fault_before_anybody_would_be_let_in_by_them() -> None:
    seen = trial()
    for number in range(20):
        see(seen, [(ANNA, ANNA, 9), (ANNA, BORIS, 0)], number * 2)
        see(seen, [(ANNA, BORIS, number < 4)], number * 2)
    assert seen.report()["tracks"]["different"] == 0
    assert "look like somebody else" in seen.verdict()


def test_a_burst_of_failures_is_enough_and_failures_far_apart_are_not() -> None:
    seen = trial((ANNA, ANNA, 9))
    see(seen, [(ANNA, None, RULES.errors)], error="no memory")
    assert seen.verdict() == "3 of the last 12 shots failed, most often: no memory"
    apart = trial()
    for _ in range(5):
        see(apart, [(ANNA, None, 1)], error="no memory")
        see(apart, [(ANNA, ANNA, RULES.of)], first=1)
    assert apart.verdict() == ""
    assert apart.report()["errors"] == {"all": 5, "most": [["no memory", 5]]}


def test_one_answer_that_is_no_number_is_enough() -> None:
    seen = trial()
    see(seen, [(ANNA, None, 1)], error=NOT_FINITE)
    assert seen.verdict() == "a shot got an answer that is no number"


@pytest.mark.parametrize(
    ("ours_ms", "theirs_ms", "is_fine"),
    [(2, 20, True), (2, 126, False), (120, 170, True), (120, 190, False), (300, 300, True)],
)
def test_they_may_be_slower_where_there_is_time_and_as_slow_where_there_is_none(
    ours_ms: float, theirs_ms: float, is_fine: bool
) -> None:
    ours, theirs = opinion("anna-id", ms=ours_ms), opinion("anna-id", ms=theirs_ms)
    seen = trial(*[(ours, theirs, 8)] * 6)
    assert (seen.verdict() == "") is is_fine
    assert seen.report()["latency_ms"]["ratio"] == pytest.approx(theirs_ms / ours_ms, abs=1e-3)


def test_one_slow_answer_is_none_too_many() -> None:
    seen = trial((ANNA, ANNA, 60), (ANNA, opinion("anna-id", ms=2000), 4), (ANNA, ANNA, 16))
    assert seen.verdict() == ""


def test_times_that_do_not_compare_are_left_out() -> None:
    seen = trial((opinion("anna-id", ms=0), opinion("anna-id", ms=900), 64))
    assert (seen.verdict(), seen.report()["latency_ms"]) == ("", {"shots": 0})


def test_nobody_seen_is_no_proof() -> None:
    seen = trial(*[(NOBODY, NOBODY, 9)] * 50, (ANNA, ANNA, 3), (ANNA, ANNA, 3))
    assert seen.verdict() == ""
    assert seen.verdict(is_over=True).startswith("too little was seen: 2 of 3 faces")
    see(seen, [(ANNA, ANNA, 3)], first=99)
    assert seen.verdict(is_over=True) == ""


def test_the_score_shift_is_that_above_the_own_threshold() -> None:
    seen = trial(*[(opinion("anna-id", above=0.1), opinion("anna-id", above=at / 100), 1) for at in range(101)])
    shift = seen.report()["score_shift"]
    assert shift == {"shots": 101, "mean": 0.4, "p5": -0.05, "p95": 0.85}


def test_people_who_take_each_others_place_in_one_track_are_several_faces() -> None:
    seen = trial()
    for who in (ANNA, BORIS) * 5:
        see(seen, [(who, who, 4)])
    assert seen.verdict(is_over=True) == ""
    assert (seen.report()["tracks"]["all"], seen.report()["tracks"]["both"]) == (10, 10)


def test_a_track_that_was_forgotten_is_still_counted() -> None:
    seen = trial(*[(ANNA, ANNA, 3)] * 1500)
    assert seen.report()["tracks"]["both"] == 1500


def test_the_lines_say_what_a_person_wants_to_know() -> None:
    seen = trial(*[(ANNA, opinion("anna-id", above=0.3, ms=10), 4)] * 12, (BORIS, NOBODY, 2))
    see(seen, [(ANNA, None, 1)], 13, "no memory")
    memory = {"serving": {"recognizer": 4.0}, "second": {"recognizer": 5.1}, "process": 300}
    assert lines({**seen.report(), "memory_mb": memory, "skipped": 7}) == [
        "14 faces, 51 shots in 1 s, no time for 7 more",
        "let in by both: 12 faces, 48 shots",
        "let in only by what serves: 0 faces, 3 shots",
        "agreement 94.1% of the shots by which either lets somebody in",
        "score +0.100 against the own threshold of a match, +0.100 to +0.100 in nine of ten shots",
        "one face takes 10.0 ms (p95 10.0), and takes what serves 5.0 (p95 5.0)",
        "recognizer 5.1 MB beside recognizer 4.0 MB, 300 MB in all",
        "failed 1 times: no memory",
        "nothing speaks against it",
    ]
    assert lines(trial().report())[-1] == "nothing speaks against it"


bands = st.sampled_from(["none", "grey", "low_quality", "trusted"])
opinions = st.builds(
    Opinion, st.sampled_from([*PEOPLE, None]), bands, st.floats(-1, 1), st.floats(0.001, 0.1)
)  # fmt: skip
looks = st.lists(st.tuples(st.integers(0, 14), opinions, st.none() | opinions), max_size=120)


@given(looks)
def test_every_shot_and_every_track_is_counted_once_and_nobody_is_named(
    seen: list[tuple[int, Opinion, Opinion | None]],
) -> None:
    made = trial()
    for track, ours, theirs in seen:
        made.note(Look("entry", track, ours, theirs))
    report = made.report()
    tracks = {track for track, *_ in seen}
    assert report["shots"]["all"] == len(seen)
    assert len(tracks) <= report["tracks"]["all"] <= len(seen)
    for name in ("shots", "tracks"):
        assert report[name]["all"] == sum(report[name][kind] for kind in KINDS)
        assert min(report[name].values()) >= 0
    told = json.dumps(report, allow_nan=False) + made.verdict(is_over=True) + "".join(lines(report))
    assert not any(person in told for person in PEOPLE)


@given(looks)
def test_whoever_says_the_same_is_never_given_up(seen: list[tuple[int, Opinion, Opinion | None]]) -> None:
    made = trial()
    for track, ours, _ in seen * 3:
        made.note(Look("entry", track, ours, ours))
        assert made.verdict() == ""


@given(looks)
def test_a_verdict_is_never_taken_back(seen: list[tuple[int, Opinion, Opinion | None]]) -> None:
    made, said = trial(), ""
    for track, ours, theirs in seen:
        made.note(Look("entry", track, ours, theirs))
        assert not said or made.verdict() == said
        said = made.verdict()
