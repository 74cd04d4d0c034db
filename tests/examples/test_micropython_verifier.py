"""The verifier of examples/micropython_door inside MicroPython itself, beside the reference in Python."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from faceedge.door.contract import DoorKey
from tests.door.attack import GENUINE, Outcome, Scene, Step
from tests.door.players import Reference
from tests.examples.conftest import RunsMicroPython

VECTORS = Path(__file__).parents[2] / "docs" / "schemas" / "vectors.json"


def written(step: Step) -> str:
    keys = "".join(" " + base64.urlsafe_b64encode(key.secret).decode() for key in step.keys)
    return f"{step.what} {step.ms} {step.octets.hex()}{keys}\n"


def read(line: str) -> Outcome:
    pulse_ms, why, sent = line.split("|")
    return Outcome(int(pulse_ms), why, sent.encode())


def played(micropython: RunsMicroPython, scene: Scene, folder: Path) -> tuple[list[Outcome], str]:
    """What MicroPython makes of the steps of a scene, and what it cost."""
    steps = folder / "steps"
    steps.write_text("".join(map(written, scene.steps)))
    *lines, costs = micropython("micropython_play.py", steps)
    return [read(line) for line in lines], costs


def test_micropython_rules_as_the_reference_does(micropython: RunsMicroPython, tmp_path: Path) -> None:
    """Not the ruling alone: challenges and verdicts are the same bytes."""
    scene = Scene(Reference())
    scene.run(50)
    outcomes, _ = played(micropython, scene, tmp_path)
    assert outcomes == [outcome for (outcome,) in scene.outcomes]


@pytest.mark.system
def test_ten_thousand_attacks_open_nothing_in_micropython_and_a_thousand_genuine_grants_all_open(
    micropython: RunsMicroPython, tmp_path: Path, record_testsuite_property: Callable[[str, object], None]
) -> None:
    scene = Scene(Reference())
    scene.run()
    outcomes, costs = played(micropython, scene, tmp_path)
    opened = Counter(step.kind for step, outcome in zip(scene.steps, outcomes, strict=True) if outcome.pulse_ms)
    assert opened == {"genuine": GENUINE}
    assert outcomes == [outcome for (outcome,) in scene.outcomes]
    for name, cost in zip(("message_us", "program_bytes", "garbage_bytes"), costs.split(), strict=True):
        record_testsuite_property(name, cost)


def test_micropython_agrees_with_every_published_vector(micropython: RunsMicroPython) -> None:
    vectors = json.loads(VECTORS.read_text())
    expected = [("kid", "good")]
    for good in vectors["good"]:
        expected.append((good["label"], "good"))
        if good["label"] == "faceedge-grant-1":
            expected.append(("the grant", "good"))
    expected += [(bad["name"], bad["why"]) for bad in vectors["bad_grants"]]
    assert [tuple(line.rsplit(" ", 1)) for line in micropython("micropython_vectors.py", VECTORS)] == expected


def test_another_key_in_micropython_would_be_noticed(micropython: RunsMicroPython, tmp_path: Path) -> None:
    """The comparison can fail."""
    scene = Scene(Reference())
    scene.run(5)
    scene.steps[0] = replace(scene.steps[0], keys=(DoorKey(bytes(32)),))
    outcomes, _ = played(micropython, scene, tmp_path)
    assert not any(outcome.pulse_ms for outcome in outcomes)
