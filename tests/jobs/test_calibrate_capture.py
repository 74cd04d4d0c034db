"""From captured crops to a proven INT8 package: the gates see the enrolled who calibrate nothing."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from faceedge.config import Capture, EngineSettings
from faceedge.errors import BadInput
from faceedge.gallery.base import Origin
from faceedge.gallery.captured import Kept
from faceedge.gallery.store import Gallery
from faceedge.jobs.calibrate import Calibrated, calibrate
from faceedge.jobs.calibration.case import Order
from faceedge.jobs.site import Site
from faceedge.package import read_package
from faceedge.types import Template
from tests.jobs.made_up_calibration import SMALL, face, hurry, quiet, site_with


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """40 people enrolled with two crops each, whom the daemon saw twice, and 20 strangers."""
    site = site_with(tmp_path / "state")
    space = read_package(site.state / "models" / "toy" / "1").space
    ranks = np.random.default_rng(0)
    with Gallery.open(site.state) as gallery:
        rows = []
        for number in range(40):
            person = gallery.add_person(f"Person {number}")
            for pose in range(2):
                unit = Template(np.eye(64, dtype=np.float32)[number], 1.0, space)
                gallery.add_template(person.id, unit, Origin(0.9, "photo", "b"), face(number, pose))
                rows.append((person.id, face(number, 10 + pose)))
        rows += [(None, face(200 + number, 0)) for number in range(20)]
        kept = [
            (
                Kept(
                    str(at),
                    person,
                    int(time.time()),
                    "arcface_112",
                    "b",
                    0.7,
                    float(crop.mean()),
                    float(ranks.random()),
                ),
                crop,
            )
            for at, (person, crop) in enumerate(rows)
        ]
        gallery.captured.change(kept, ())
    return site


def run(site: Site, role: str = "recognizer") -> Calibrated:
    order = Order(role=role, model="toy" if role == "recognizer" else "", capture=Capture(on=True))  # type: ignore[arg-type]
    return calibrate(order, site, EngineSettings(), quiet, SMALL)


@pytest.mark.system
def test_captured_crops_calibrate_and_the_rest_of_the_people_judge(site: Site) -> None:
    done = run(site)
    assert done.passed
    assert 50 <= done.images <= 76
    assert "24 crops of 12 enrolled people; 28 are in the calibration set and were left out" in done.shown


def test_a_detector_cannot_be_calibrated_on_crops(site: Site) -> None:
    with pytest.raises(BadInput, match="--capture are for a recognizer"):
        run(site, "detector")
