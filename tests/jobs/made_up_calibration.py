"""A small recogniser in a store, and people made of colours and textures, for calibrations without real photos."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from faceedge.config import Models, cache_dir
from faceedge.fit import Fit, Thresholds
from faceedge.jobs import choose_precision
from faceedge.jobs.calibration.recipe import Recipe
from faceedge.jobs.site import Site
from faceedge.manifest import InputSize, Manifest, Normalisation, Source
from faceedge.models.store import write_parts
from faceedge.quantize import plots
from faceedge.quantize.gates import Gates
from faceedge.quantize.set_faults import Floors
from faceedge.types import Image
from tests.fakes.shared_workshop import share_workshop
from tests.fakes.small_networks import CROP_PX, crop_network

SMALL = Recipe(
    methods=("error",), images=80, budget_s=60, gates=Gates(min_crops=24, rounds=20), floors=Floors(least=16)
)  # fmt: skip
"""A recipe for sets of a few dozen crops."""


def quiet(_text: str, _done: float) -> None:
    """Nobody watches."""


def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """The report without its plots, the speed from the fewest turns, one process for strangers' files for all: for
    tests that are about none of these."""
    monkeypatch.setattr(plots, "drawn", lambda report: {})
    monkeypatch.setattr(choose_precision, "BUDGET_S", 0.0)
    share_workshop(monkeypatch)


def site_with(state: Path, name: str = "toy", graph: Path | None = None) -> Site:
    """A state directory whose store holds a recogniser of a few kilobytes, or the graph given."""
    folder = state / "models" / name / "1"
    folder.mkdir(parents=True)
    made = folder / "model.onnx"
    if graph is None:
        crop_network(made, {"embedding": 64})
    else:
        made.write_bytes(graph.read_bytes())
    manifest = Manifest(
        name=name, version="1", role="recognizer", family="embedding", input=InputSize(width=CROP_PX, height=CROP_PX),
        normalisation=Normalisation(colour="rgb", mean=(127.5, 127.5, 127.5), scale=1 / 127.5), dimension=64,
        source=Source(sha256=hashlib.sha256(made.read_bytes()).hexdigest(), licence="MIT"), alignment="arcface_112",
        max_batch=8,
    )  # fmt: skip
    fit = Fit(thresholds=Thresholds(grey=0.9, match=0.95, strict=0.97), evidence="made up for a test")
    write_parts(folder, manifest, fit)
    return Site(state, cache_dir(), Models())


def face(person: int, pose: int) -> Image:
    """A crop uint8 (112, 112, 3): patches of skin's colour that belong to a person, light and texture to a pose."""
    own, mood = np.random.default_rng((1, person)), np.random.default_rng((2, person, pose))
    patches = cv2.resize(own.uniform(40, 215, (6, 6)).astype(np.float32), (CROP_PX, CROP_PX))
    texture = cv2.resize(mood.normal(0, 14, (40, 40)).astype(np.float32), (CROP_PX, CROP_PX))
    shift = mood.normal(0, 6)
    grey = (patches + texture + shift)[..., None] + np.array([-14, 0, 14])
    return np.clip(grey, 0, 255).astype(np.uint8)


def people_folder(folder: Path, people: range, each: int) -> Path:
    """One folder a person, crops as PNG files."""
    for person in people:
        (folder / f"p{person}").mkdir(parents=True)
        for pose in range(each):
            assert cv2.imwrite(str(folder / f"p{person}" / f"{pose}.png"), face(person, pose))
    return folder
