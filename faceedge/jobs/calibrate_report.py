"""What a calibration came to as report.json and report.html."""

from __future__ import annotations

import datetime
import json
from dataclasses import asdict, dataclass

from faceedge.jobs.calibrate_recipe import Recipe
from faceedge.jobs.calibrate_search import Build
from faceedge.package import Package
from faceedge.quantize.imageset import SetReport


@dataclass(frozen=True, slots=True, eq=False)
class Story:
    """Everything the report tells. digest, images: of the pictures that calibrate; shown: what the gates saw."""

    package: Package
    build: Build
    looked: SetReport
    shown: str
    digest: str
    images: int
    recipe: Recipe
    date: datetime.date


def report_of(story: Story) -> tuple[bytes, bytes]:
    """Contents of report.json and report.html."""
    document = {
        "verdict": story.build.judged.verdict.model_dump(mode="json"),
        "set": story.looked.model_dump(mode="json"),
        "curve": [asdict(point) for point in story.build.curve],
    }
    text = json.dumps(document, indent=1, allow_nan=False)
    return text.encode(), f"<!doctype html><pre>{text}</pre>".encode()
