"""Shots of several files in one stage: each file has a clock of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain
from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from faceedge.config import Decide
from faceedge.decide import Judge
from faceedge.fit import Thresholds
from faceedge.publish import Published
from faceedge.stages.detect import NO_CROP, DetectStage
from faceedge.stages.recognise import Onlookers, RecogniseStage
from faceedge.types import Assessment, Decision, Face, Frame, Image, Match, Shot, Template

TEMPLATE = Template(np.eye(4, dtype=np.float32)[0], 1.0, "space")


def shot(camera: str, seq: int, captured: float) -> Shot:
    face = Face(np.array([0, 0, 120, 120], np.float32), 1.0, np.zeros((5, 2), np.float32))
    return Shot(camera, 1, seq, captured, face, np.full((4, 4, 3), seq, np.uint8), Assessment(0.9))


def embed(crops: Sequence[Image]) -> list[Template]:
    return [TEMPLATE for _ in crops]


class Recogniser:
    """Everybody is Anna, and the crops that were embedded are counted."""

    def __init__(self, is_late: Callable[[float], bool]) -> None:
        self.embedded = 0
        self.said: list[Decision] = []
        self.watched: list[tuple[int, bool]] = []
        self.judge = Judge(Decide(), Thresholds(grey=0.5, match=0.6, strict=0.7), lambda a, b: 1.0)
        self.settled: Callable[[Assessment], Assessment] = lambda before: before
        vision = SimpleNamespace(
            recognizer=SimpleNamespace(embed=self.embed),
            settled=lambda before, _: [self.settled(one) for one in before],
        )
        identifier = SimpleNamespace(identify=lambda template: Match("anna", 0.9, 0.3))
        publisher = SimpleNamespace(publish=lambda decision: self.said.append(decision) or Published(decision))
        parts = cast(list[Any], [vision, identifier, self.judge, publisher])
        watching = Onlookers(watch=lambda shot, template: self.watched.append((shot.seq, template is not None)))
        self.stage = RecogniseStage(*parts, clock=lambda: 10.0, onlookers=watching, is_late=is_late)

    def embed(self, crops: Sequence[Image]) -> list[Template]:
        self.embedded += len(crops)
        return [TEMPLATE for _ in crops]


def test_a_shot_whose_recognition_shows_that_it_is_poor_has_no_vote_and_is_the_reason() -> None:
    recogniser = Recogniser(lambda captured: False)
    recogniser.settled = lambda before: Assessment(0.39, ("not a face",))
    recogniser.stage([shot("entry", seq, 9.6 + seq / 10) for seq in range(5)])
    assert recogniser.embedded == 5
    assert recogniser.watched == [(seq, False) for seq in range(5)]
    recogniser.stage.finish()
    assert [(d.outcome, d.reason, d.evidence.poor) for d in recogniser.said] == [
        ("deny", "low_quality", ("not a face",))
    ]


def test_the_quality_of_the_recognition_decides_the_band() -> None:
    recogniser = Recogniser(lambda captured: False)
    recogniser.settled = lambda before: Assessment(0.5, ("covered",))
    recogniser.stage([shot("entry", seq, 9.6 + seq / 10) for seq in range(5)])
    assert [(d.outcome, d.band, d.evidence.quality) for d in recogniser.said] == [("grant", "low_quality", 0.5)]


def test_a_late_shot_costs_no_embedding_and_is_still_seen_and_refused() -> None:
    recogniser = Recogniser(lambda captured: captured < 9.5)
    recogniser.stage([shot("entry", seq, 9.0 + seq / 100) for seq in range(5)])
    assert recogniser.embedded == 0
    assert recogniser.watched == [(seq, False) for seq in range(5)]
    recogniser.stage.finish()
    assert [(d.outcome, d.reason, d.evidence.shots) for d in recogniser.said] == [("deny", "too_slow", 5)]


def test_shots_in_time_beside_late_ones_are_recognised_each_with_its_own_template() -> None:
    recogniser = Recogniser(lambda captured: captured < 9.5)
    recogniser.stage([shot("entry", seq, 9.2 + seq / 10) for seq in range(8)])
    assert recogniser.embedded == 5
    assert [d.outcome for d in recogniser.said] == ["grant"]


def test_a_shot_that_was_not_cut_is_never_embedded_even_when_it_would_be_in_time_after_all() -> None:
    recogniser = Recogniser(lambda captured: False)
    recogniser.stage([replace(shot("entry", 1, 9.9), crop=NO_CROP, assessment=Assessment(0.9))])
    assert recogniser.embedded == 0


def standing(seq: int, captured: float) -> Frame:
    return Frame("entry", seq, np.zeros((200, 200, 3), np.uint8), captured)


def test_whoever_was_pushed_out_of_the_queue_is_refused_and_who_came_through_beside_it_is_not() -> None:
    recogniser = Recogniser(lambda captured: False)
    recogniser.stage.missed(replace(shot("entry", 0, 9.6), track=2))
    recogniser.stage.missed(shot("entry", 0, 9.6))
    recogniser.stage([shot("entry", seq, 9.6 + seq / 10) for seq in range(1, 4)])
    recogniser.stage.finish()
    made = [(decision.track, decision.outcome, decision.reason) for decision in recogniser.said]
    assert made == [(1, "grant", "match"), (2, "deny", "too_slow")]
    assert recogniser.embedded == 3


def test_who_is_missed_when_all_is_over_is_refused_too() -> None:
    recogniser = Recogniser(lambda captured: False)
    recogniser.stage.missed(shot("entry", 0, 9.6))
    recogniser.stage.finish()
    assert [decision.reason for decision in recogniser.said] == ["too_slow"]


def test_of_a_frame_that_comes_too_late_the_faces_are_followed_but_nothing_is_cut() -> None:
    face = Face(np.array([0, 0, 120, 120], np.float32), 1.0, np.zeros((5, 2), np.float32))
    cuts: list[int] = []

    def crops(image: Image, faces: Sequence[Face]) -> list[Image]:
        cuts.append(len(faces))
        return [image[:4, :4] for _ in faces]

    vision = SimpleNamespace(
        detector=SimpleNamespace(detect=lambda images, scale: [[face] for _ in images]),
        crops=crops, assess=lambda image, faces, cut: [Assessment(0.9) for _ in faces],
    )  # fmt: skip
    told: list[dict[str, Any]] = []
    stage = DetectStage(cast(Any, vision), told.append, lambda captured: captured < 10.15)
    shots = [one for seq in range(4) for one in stage([standing(seq, 10 + seq / 10)])]
    assert [(one.track, one.seq, one.is_cut) for one in shots] == [(1, 1, False), (1, 2, True), (1, 3, True)]
    assert cuts == [0, 1, 1]
    assert [event["event"] for event in told] == ["track"]


def test_a_detector_that_begins_anew_never_uses_the_number_of_a_track_again() -> None:
    face = Face(np.array([0, 0, 120, 120], np.float32), 1.0, np.zeros((5, 2), np.float32))
    vision = SimpleNamespace(
        detector=SimpleNamespace(detect=lambda images, scale: [[face] for _ in images]),
        crops=lambda image, faces: [image[:4, :4] for _ in faces],
        assess=lambda image, faces, cut: [Assessment(0.9) for _ in faces],
    )  # fmt: skip
    told: list[dict[str, Any]] = []
    stage = DetectStage(cast(Any, vision), told.append)
    tracks = []
    for seq in range(9):
        if seq in (3, 6):
            stage.reopen()
        tracks += [one.track for one in stage([standing(seq, 10 + seq / 5)])]
    assert tracks == [1, 1, 2, 2, 3, 3]
    assert [event["track"] for event in told] == [1, 2, 3]


def test_a_poor_shot_that_was_held_back_when_the_detector_failed_still_comes() -> None:
    face = Face(np.array([0, 0, 120, 120], np.float32), 1.0, np.zeros((5, 2), np.float32))
    vision = SimpleNamespace(
        detector=SimpleNamespace(detect=lambda images, scale: [[face] for _ in images]),
        crops=lambda image, faces: [image[:4, :4] for _ in faces],
        assess=lambda image, faces, cut: [Assessment(0.3) for _ in faces],
    )  # fmt: skip
    stage = DetectStage(cast(Any, vision), lambda _told: None)
    assert [shot for seq in range(2) for shot in stage([standing(seq, 10 + seq / 10)])] == []
    stage.reopen()
    assert [shot.track for seq in range(2, 5) for shot in stage([standing(seq, 10 + seq / 10)])] == [1]


def test_a_recogniser_that_begins_anew_grants_nothing_on_what_it_saw_before() -> None:
    recogniser = Recogniser(lambda captured: False)
    recogniser.stage([shot("entry", seq, 9.6 + seq / 10) for seq in range(2)])
    recogniser.stage.reopen()
    recogniser.stage([shot("entry", seq, 9.6 + seq / 10) for seq in range(2, 4)])
    assert recogniser.said == []
    recogniser.stage([shot("entry", 4, 10.0)])
    assert [decision.outcome for decision in recogniser.said] == ["grant"]


def decided(shots: Sequence[Shot]) -> list[tuple[str, str]]:
    """What is published when the shots come one by one, with the files' own clocks."""
    said: list[Decision] = []
    judge = Judge(Decide(), Thresholds(grey=0.5, match=0.6, strict=0.7), lambda a, b: 1.0)
    vision = SimpleNamespace(recognizer=SimpleNamespace(embed=embed), settled=lambda before, _: list(before))
    identifier = SimpleNamespace(identify=lambda template: Match("anna", 0.9, 0.3))
    publisher = SimpleNamespace(publish=lambda decision: said.append(decision) or Published(decision))
    stage = RecogniseStage(*cast(list[Any], [vision, identifier, judge, publisher]), clock=None)
    for one in shots:
        stage([one])
    stage.finish()
    return sorted((decision.camera, decision.outcome) for decision in said)


def test_two_files_are_decided_alike_however_their_frames_interleave() -> None:
    early = [shot("entry", seq, 10 + seq / 10) for seq in range(3)]
    late = [shot("yard", seq, 60 + seq / 10) for seq in range(3)]
    expected = [("entry", "grant"), ("yard", "grant")]
    assert decided([*early, *late]) == expected
    assert decided(list(chain(*zip(early, late, strict=True)))) == expected


def test_a_face_outside_the_region_of_its_camera_makes_no_track() -> None:
    faces = [Face(np.array([x, 0, x + 80, 80], np.float32), 1.0, np.zeros((5, 2), np.float32)) for x in (0, 110)]
    vision = SimpleNamespace(
        detector=SimpleNamespace(detect=lambda images, scale: [faces for _ in images]),
        crops=lambda image, found: [image[:4, :4] for _ in found],
        assess=lambda image, found, cut: [Assessment(0.9) for _ in found],
    )  # fmt: skip
    told: list[dict[str, Any]] = []
    stage = DetectStage(cast(Any, vision), told.append, regions={"entry": (0.5, 0.0, 1.0, 1.0)})
    shots = [one for seq in range(3) for one in stage([standing(seq, 10 + seq / 5)])]
    assert {float(one.face.box[0]) for one in shots} == {110.0}
    assert [event["track"] for event in told] == [1]
