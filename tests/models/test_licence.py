"""Weights run under a permissive licence, or because somebody said that they may; and then that is said."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tomli_w
from onnx import helper

from faceedge.config import Config, EngineSettings, Models
from faceedge.daemon import Daemon
from faceedge.errors import PackageError
from faceedge.jobs.open_vision import open_vision
from faceedge.manifest import InputSize, Manifest, Normalisation, Source
from faceedge.models.catalogue import read_catalogue
from faceedge.models.licence import PERMISSIVE, check_licence, is_allowed, spdx_hint, warned
from faceedge.package import Package, as_toml
from tests.contract.made_up import save

RESEARCH = "non-commercial research"
SIDE = 64
CROP = ["n", 3, 112, 112]


def package(licence: str, name: str = "scrfd", version: str = "500m") -> Package:
    manifest = Manifest(
        name=name, version=version, role="detector", family="scrfd", normalisation=Normalisation(colour="rgb"),
        source=Source(sha256="a" * 64, licence=licence),
    )  # fmt: skip
    return Package(Path("models") / name / version, manifest, None, "space", "build")


@pytest.mark.parametrize("licence", sorted(PERMISSIVE))
def test_a_permissive_licence_needs_no_telling(licence: str) -> None:
    check_licence(package(licence))


@pytest.mark.parametrize(
    "licence",
    ["", " ", "unknown", "none", RESEARCH, "CC-BY-NC-4.0", "CC-BY-NC-SA-4.0", "GPL-3.0-only", "see model card"],
)
def test_what_is_not_permissive_is_refused_in_one_line(licence: str) -> None:
    with pytest.raises(PackageError) as caught:
        check_licence(package(licence))
    line = str(caught.value)
    assert line.startswith("scrfd@500m: ")
    assert "\n" not in line
    assert spdx_hint(licence) is None


@pytest.mark.parametrize(
    ("spelt", "spdx"),
    [
        ("Apache 2.0", "Apache-2.0"),
        ("apache-2.0", "Apache-2.0"),
        ("Apache License, Version 2.0", "Apache-2.0"),
        ("Apache License v2", "Apache-2.0"),
        ("MIT License", "MIT"),
        ("The MIT License", "MIT"),
        ("mit", "MIT"),
        ("MIT ", "MIT"),
        ("BSD 3-Clause License", "BSD-3-Clause"),
        ("Simplified BSD", "BSD-2-Clause"),
        ("CC BY 4.0", "CC-BY-4.0"),
        ("Creative Commons Attribution 4.0 International", "CC-BY-4.0"),
        ("CC0", "CC0-1.0"),
    ],
)
def test_another_spelling_is_refused_with_the_name_to_write(spelt: str, spdx: str) -> None:
    assert not is_allowed(spelt)
    with pytest.raises(PackageError, match=rf"write '{spdx}' into models/scrfd/500m/model\.toml"):
        check_licence(package(spelt))


@pytest.mark.parametrize("licence", ["BSD", "Apache", "MIT-0", "MIT, non-commercial", "CC-BY-SA-4.0", "CC BY 3.0"])
def test_what_may_be_another_licence_gets_no_hint(licence: str) -> None:
    assert spdx_hint(licence) is None
    assert not is_allowed(licence)


def test_what_was_accepted_runs_and_no_name_never_does() -> None:
    check_licence(package(RESEARCH), [RESEARCH])
    check_licence(package("MIT License"), ["MIT License"])
    with pytest.raises(PackageError, match="accept_licences"):
        check_licence(package(RESEARCH), ["MIT"])
    with pytest.raises(PackageError, match="names no licence"):
        check_licence(package(""), [""])


def test_only_what_runs_because_it_was_accepted_is_said() -> None:
    packages = [package(RESEARCH), package("MIT", "yunet", "n")]
    assert warned(packages, [RESEARCH, "MIT"]) == [f"scrfd@500m runs under '{RESEARCH}', accepted in [models]"]
    assert warned(packages, []) == []


def test_every_entry_of_the_catalogue_runs_without_telling() -> None:
    assert [entry.name for entry in read_catalogue().values() if not is_allowed(entry.licence)] == []


# --- at a start ---


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state directory with a detector that finds nobody, MIT, and a recogniser for research."""
    write(tmp_path / "models" / "blind" / "1", "detector", "yunet", "MIT")
    write(tmp_path / "models" / "studied" / "2", "recognizer", "embedding", RESEARCH)
    return tmp_path


def write(folder: Path, role: str, family: str, licence: str) -> None:
    folder.mkdir(parents=True)
    parts: dict[str, Any] = {"alignment": "arcface_112", "dimension": 3, "input": InputSize(width=112, height=112)}
    if role == "detector":
        parts = {
            "landmarks": "eyes_nose_mouth",
            "input": InputSize(width=SIDE, height=SIDE, fixed=True),
            "max_batch": 1,
        }
        blind(folder / "model.onnx")
    else:
        save(
            folder / "model.onnx", [helper.make_node("ReduceMean", ["input"], ["embedding"], axes=[2, 3], keepdims=0)],
            {"input": CROP}, {"embedding": ["n", 3]},
        )  # fmt: skip
        numbers = {"thresholds": {"grey": 0.3, "match": 0.4, "strict": 0.5}, "evidence": "made up"}
        (folder / "fit.toml").write_text(tomli_w.dumps(numbers))
    manifest = Manifest.model_validate(
        {
            "name": folder.parent.name, "version": folder.name, "role": role, "family": family,
            "normalisation": Normalisation(colour="bgr"), "source": Source(sha256="a" * 64, licence=licence), **parts,
        }
    )  # fmt: skip
    (folder / "model.toml").write_text(as_toml(manifest))


def blind(path: Path) -> None:
    """YuNet's outputs, all zero."""
    nodes = [
        helper.make_node("ReduceMean", ["input"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Reshape", ["mean", "shape"], ["one"]),
    ]
    constants = {"shape": np.array([-1, 1, 1])}
    outputs: dict[str, list[str | int]] = {}
    for stride in (8, 16, 32):
        for kind, width in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)):
            name, count = f"{kind}_{stride}", (SIDE // stride) ** 2
            constants[f"zeros_{name}"] = np.zeros((1, count, width), np.float32)
            nodes.append(helper.make_node("Mul", ["one", f"zeros_{name}"], [name]))
            outputs[name] = [1, count, width]
    save(path, nodes, {"input": [1, 3, SIDE, SIDE]}, outputs, constants)


def models(*accepted: str) -> Models:
    return Models(detector="blind", recognizer="studied", accept_licences=accepted)


def test_a_start_refuses_what_nobody_accepted(state: Path) -> None:
    with pytest.raises(PackageError, match=rf"studied@2: its licence '{RESEARCH}' is not on the allowed list"):
        open_vision(models(), EngineSettings(), state, state / "cache")


def test_a_start_with_permissive_weights_has_nothing_to_say(state: Path) -> None:
    write(state / "models" / "studied" / "3", "recognizer", "embedding", "MIT")
    with open_vision(models(), EngineSettings(), state, state / "cache") as vision:
        assert vision.notices == ()


def test_a_daemon_says_once_and_in_its_state_what_runs_because_it_was_accepted(
    state: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    cv2.imwrite(str(pictures / "0.png"), np.zeros((SIDE, SIDE, 3), np.uint8))
    camera = {"uri": f"images:{pictures}", "loop": True}
    config = Config.model_validate({"camera": [camera], "models": models(RESEARCH).model_dump()})
    documents: list[dict[str, Any]] = []

    def tell(event: dict[str, Any]) -> None:
        if event["event"] == "ready":
            documents.append(daemon._house.report.state())
            daemon.stop()

    daemon = Daemon(config, state, state / "cache", tell)
    with caplog.at_level(logging.WARNING, logger="faceedge.house"):
        assert daemon.run() == 0
    sentence = f"studied@2 runs under '{RESEARCH}', accepted in [models]"
    assert documents[0]["notices"] == [sentence]
    assert [record.getMessage() for record in caplog.records].count(sentence) == 1
