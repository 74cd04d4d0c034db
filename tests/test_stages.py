"""Shots of several files in one stage: each file has a clock of its own."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from faceedge.config import Decide
from faceedge.decide import Judge
from faceedge.fit import Thresholds
from faceedge.publish import Published
from faceedge.stages import RecogniseStage
from faceedge.types import Assessment, Decision, Face, Image, Match, Shot, Template

TEMPLATE = Template(np.eye(4, dtype=np.float32)[0], 1.0, "space")


def shot(camera: str, seq: int, captured: float) -> Shot:
    face = Face(np.array([0, 0, 120, 120], np.float32), 1.0, np.zeros((5, 2), np.float32))
    return Shot(camera, 1, seq, captured, face, np.full((4, 4, 3), seq, np.uint8), Assessment(0.9))


def embed(crops: Sequence[Image]) -> list[Template]:
    return [TEMPLATE for _ in crops]


def decided(shots: Sequence[Shot]) -> list[tuple[str, str]]:
    """What is published when the shots come one by one, with the files' own clocks."""
    said: list[Decision] = []
    judge = Judge(Decide(), Thresholds(grey=0.5, match=0.6, strict=0.7), lambda a, b: 1.0)
    vision = SimpleNamespace(recognizer=SimpleNamespace(embed=embed))
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
