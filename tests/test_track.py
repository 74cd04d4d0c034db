"""Faces move, cross and vanish; tracks must follow them, and the best shots be picked."""

from __future__ import annotations

import numpy as np

from faceedge.track import ShotPicker, Tracker, within
from faceedge.types import Assessment, Face, Shot


def face(x: float, y: float = 0, size: float = 100) -> Face:
    return Face(np.array([x, y, x + size, y + size], np.float32), 1.0, np.zeros((5, 2), np.float32))


def ids(tracked: list[tuple[int, Face]]) -> list[int]:
    return [track for track, _ in tracked]


def test_one_detection_alone_makes_no_track() -> None:
    tracker = Tracker()
    assert tracker.update([face(0)], 0.0) == []
    assert tracker.update([], 0.04) == []
    assert ids(tracker.update([face(0)], 0.08)) == [1]


def test_a_walking_face_keeps_its_id_through_a_short_gap() -> None:
    tracker = Tracker()
    for step in range(10):
        tracker.update([face(step * 8)], step * 0.04)
    assert ids(tracker.update([face(19 * 8)], 19 * 0.04)) == [1]


def test_a_face_that_comes_back_after_a_second_is_a_new_track() -> None:
    tracker = Tracker()
    for at in (0.0, 0.04, 2.0, 2.04):
        seen = tracker.update([face(0)], at)
    assert ids(seen) == [2]


def test_at_one_frame_a_second_a_standing_face_is_still_one_track() -> None:
    tracker = Tracker()
    assert [ids(tracker.update([face(0)], float(second))) for second in range(5)] == [[], [], [1], [1], [1]]


def test_two_people_side_by_side_are_two_tracks() -> None:
    tracker = Tracker()
    for step in range(6):
        seen = tracker.update([face(300 - step), face(step)], step * 0.04)
    assert sorted(ids(seen)) == [1, 2]
    assert len({float(f.box[0]) for _, f in seen}) == 2


def shot(quality: float, captured: float) -> Shot:
    crop = np.zeros((2, 2, 3), np.uint8)
    return Shot("entry", 1, round(captured * 25), captured, face(0), crop, Assessment(quality))


def test_a_good_shot_goes_at_once_and_the_next_waits_its_turn() -> None:
    picker = ShotPicker(spacing_s=0.1)
    first = shot(0.8, 0.0)
    assert picker.offer(first) is first
    assert not picker.is_due(1, 0.05)
    assert picker.is_due(1, 0.11)


def test_a_poor_shot_waits_for_a_better_one_and_goes_when_none_comes() -> None:
    picker = ShotPicker(patience_s=0.2)
    better = shot(0.5, 0.1)
    assert picker.offer(shot(0.3, 0.0)) is None
    assert picker.offer(better) is None
    assert picker.offer(shot(0.1, 0.25)) is better


def test_passers_by_who_are_never_recognised_are_forgotten() -> None:
    picker = ShotPicker()
    for track in range(500):
        poor = Shot("entry", track, track, 2.0 * track, face(0), np.zeros((2, 2, 3), np.uint8), Assessment(0.2))
        assert picker.offer(poor) is None
    assert len(picker._held) < 100


def test_a_poor_shot_of_somebody_who_has_gone_is_not_kept_back() -> None:
    picker = ShotPicker()
    poor = Shot("entry", 1, 0, 10.0, face(0), np.zeros((4, 4, 3), np.uint8), Assessment(0.3))
    assert picker.offer(poor) is None
    assert picker.overdue(10.1) == []
    assert picker.overdue(10.3) == [poor]
    assert picker.overdue(10.4) == []


def test_only_faces_whose_middle_lies_in_the_region_are_there() -> None:
    picture = np.zeros((200, 400, 3), np.uint8)
    left, right, low = face(20, 0, 60), face(300, 0, 60), face(180, 150, 40)
    assert within([left, right, low], picture, (0.0, 0.0, 0.5, 1.0)) == [left, low]
    assert within([left, right, low], picture, (0.5, 0.0, 1.0, 0.5)) == [right]
    assert within([], picture, (0.5, 0.0, 1.0, 0.5)) == []
