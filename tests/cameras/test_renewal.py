"""A camera that stands still is opened anew, and what it shows then must move before anybody is recognised in it."""

from __future__ import annotations

from faceedge.cameras.renewal import PROOF_S, RENEW_AFTER_S, UNPROVEN, Renewal
from faceedge.cameras.watch import DARK_OR_COVERED, FROZEN, REPLAY, Fault

FPS = 10


def played(renewal: Renewal, fault: Fault | None, since_s: float, seconds: float) -> list[bool]:
    """Whether each picture counts."""
    return [renewal.see(fault, since_s + number / FPS) is None for number in range(round(seconds * FPS) + 1)]


def test_it_is_opened_anew_once_after_a_while_of_standing_still() -> None:
    renewal = Renewal()
    played(renewal, FROZEN, 100.0, RENEW_AFTER_S - 0.5)
    assert not renewal.is_due()
    played(renewal, FROZEN, 100.0 + RENEW_AFTER_S, 0.5)
    assert renewal.is_due()
    assert not renewal.is_due()


def test_it_is_opened_again_and_again_while_that_does_not_help() -> None:
    renewal, due = Renewal(), 0
    for number in range(60 * FPS):
        renewal.see(FROZEN, number / FPS)
        due += renewal.is_due()
    assert 4 <= due <= 6


def test_other_faults_are_not_mended_by_opening_it() -> None:
    for fault in (None, DARK_OR_COVERED, REPLAY):
        renewal = Renewal()
        played(renewal, fault, 0.0, 60.0)
        assert not renewal.is_due()


def test_pictures_after_it_count_only_when_they_could_have_been_found_standing_still() -> None:
    renewal = Renewal()
    assert all(played(renewal, None, 0.0, 5.0))
    played(renewal, FROZEN, 6.0, RENEW_AFTER_S)
    assert renewal.is_due()
    counts = played(renewal, None, 30.0, PROOF_S + 1.0)
    assert counts.index(True) == round(PROOF_S * FPS)
    assert all(counts[counts.index(True) :])


def test_a_camera_that_fails_while_it_stands_still_has_to_prove_itself_like_one_that_was_opened_anew() -> None:
    renewal = Renewal()
    played(renewal, FROZEN, 0.0, 5.0)
    renewal.lost()
    counts = played(renewal, None, 8.0, PROOF_S + 1.0)
    assert counts.index(True) == round(PROOF_S * FPS)


def test_time_without_pictures_proves_nothing() -> None:
    renewal = Renewal()
    played(renewal, FROZEN, 0.0, RENEW_AFTER_S)
    assert renewal.is_due()
    played(renewal, None, 12.0, 1.0)
    assert renewal.see(None, 60.0) == UNPROVEN
    renewal.lost()
    assert renewal.see(None, 120.0) == UNPROVEN


def test_a_camera_that_fails_while_all_is_well_counts_at_once_when_it_is_back() -> None:
    renewal = Renewal()
    played(renewal, None, 0.0, 1.0)
    renewal.lost()
    assert all(played(renewal, None, 5.0, 1.0))


def test_what_is_wrong_besides_is_told_as_it_is() -> None:
    renewal = Renewal()
    assert renewal.see(DARK_OR_COVERED, 0.0) == DARK_OR_COVERED
    played(renewal, FROZEN, 0.0, RENEW_AFTER_S)
    assert renewal.is_due()
    assert renewal.see(REPLAY, 20.0) == REPLAY
    assert renewal.see(DARK_OR_COVERED, 20.1) == UNPROVEN
