"""A healthy installation in a folder, and ways to look at it: a state directory, a configuration, small networks.

What a test breaks, it breaks in its own copy.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tomli_w

from faceedge import config
from faceedge.checks.doctor.base import Finding, Patient
from faceedge.checks.doctor.examine import examine
from faceedge.checks.doctor.table import checks_of
from faceedge.door.keys import make_key
from faceedge.errors import ConfigError
from faceedge.gallery.base import Origin
from faceedge.gallery.store import Gallery
from faceedge.journal.chain import Chain
from faceedge.models.store import make_package
from faceedge.package import read_package
from faceedge.types import Template
from tests.fakes.small_networks import crop_network, yunet_network
from tests.journal.made_up import grow, stamp

NAME = "Ada Lovelace"
CONTROLLER = "main"
WROTE = 1_793_500_000.0
"""When the journal was written: in November 2026, after the release."""


def build(folder: Path) -> Path:
    """A healthy installation, made once."""
    state = folder / "state"
    crop = make_package(crop_network(folder / "crop.onnx", {"embedding": 512}), "edgeface-xxs", state / "models")
    make_package(yunet_network(folder / "yunet.onnx"), "yunet", state / "models")
    state.chmod(0o700)
    with Gallery.open(state) as gallery:
        vector = np.ones(512, np.float32) / np.float32(np.sqrt(512))
        ada = gallery.add_person(NAME)
        gallery.add_template(ada.id, Template(vector, 1.0, crop.space), Origin(0.9, "photo.jpg", crop.build))
    with Chain.open(state) as chain:
        grow(chain, 30, stamp(WROTE))
        chain.append([], seal=True)
    make_key(state, "main", CONTROLLER)
    pictures = folder / "pictures"
    pictures.mkdir()
    cv2.imwrite(str(pictures / "0.png"), np.full((64, 96, 3), 128, np.uint8))
    return folder


@dataclass(slots=True)
class Ward:
    """One copy. settings: of its configuration, to be changed. Call `write` after that."""

    folder: Path
    settings: dict[str, Any] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)
    """Fields of the patient that are not as usual."""

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def path(self) -> Path:
        return self.folder / "faceedge.toml"

    def write(self, text: str | None = None) -> None:
        self.path.write_text(tomli_w.dumps(self.settings) if text is None else text, encoding="utf-8")
        self.path.chmod(0o640)

    def patient(self) -> Patient:
        fault, settings = "", None
        try:
            settings = config.load(self.path, {})
        except ConfigError as error:
            fault = str(error)
        usual: dict[str, Any] = {
            "sync_mark": self.folder / "synchronized", "sync_ask": ("true",),
            "environ": self.environ(),
        }  # fmt: skip
        return Patient(self.path, settings, fault, self.state, self.folder / "cache", **usual | self.more)

    def environ(self, **more: str) -> Mapping[str, str]:
        """With the programs of this folder before those of the machine."""
        return {**os.environ, "PATH": f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}", **more}

    def program(self, name: str, text: str) -> None:
        """A program of the machine that says what the test wants."""
        path = self.folder / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        path.chmod(0o755)

    def findings(self, *checks: str) -> list[Finding]:
        """Of the checks of these names, all without one."""
        patient = self.patient()
        return examine([check for check in checks_of(patient) if not checks or check.id in checks])

    def package(self, name: str) -> Path:
        """Its folder."""
        (folder,) = (self.state / "models" / name).iterdir()
        return read_package(folder).folder


def admitted(healthy: Path, folder: Path) -> Ward:
    """A copy of what `build` has made."""
    shutil.copytree(healthy, folder, dirs_exist_ok=True)
    (folder / "synchronized").touch()
    ward = Ward(folder)
    ward.program("systemctl", "exit 1")
    ward.settings.update({
        "device": "faceedge",
        "state_dir": str(ward.state),
        "models": {"detector": "yunet", "recognizer": "edgeface-xxs"},
        "camera": [{"name": "entry", "uri": f"images:{folder / 'pictures'}"}],
        "door": [{"name": "main", "cameras": ["entry"], "controllers": [CONTROLLER]}],
    })  # fmt: skip
    ward.write()
    return ward
