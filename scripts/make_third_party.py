#!/usr/bin/env python3
"""Writes THIRD_PARTY.md: what setup.cfg asks for and the networks that the package knows, with their licences.

    .venv/bin/python scripts/make_third_party.py

Licences of packages are those of the metadata installed here, versions are left out: what a device has is told by
`faceedge licenses`. tests/test_third_party.py says when the page is out of date.
"""

from __future__ import annotations

import configparser
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from faceedge.errors import BadInput
from faceedge.jobs.licences import APART, NOT_SHIPPED, folded, licence_of, requirements
from faceedge.models.catalogue import read_catalogue
from faceedge.models.importers import dlib

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "THIRD_PARTY.md"
SETUP = ROOT / "setup.cfg"
STATED = {"dlib": "BSL-1.0", "jetson-stats": "AGPL-3.0", "pycuda": "MIT", "tomli": "MIT"}
"""Of what is not installed everywhere, as its metadata have it."""

HEAD = """# Third-party software and networks

faceedge itself is under the Apache License 2.0, see LICENSE. This page names what it asks for; what is installed on a
device, with versions and with what these packages need themselves, is told by `faceedge licenses`. Made by
`scripts/make_third_party.py`; do not edit it by hand.

Copyleft among them: **jetson-stats** (AGPL-3.0) only ever runs in a process of its own,
`faceedge/health/jtop_child.py`, which prints what it reads as text; no module of the daemon imports it, and nothing of
it is in this repository. Without it the daemon reads the kernel's files. **gpiod** (LGPL) and **shtab** (MPL-2.0) are
used unchanged, as libraries.
"""
WHEELS = """Wheels hold libraries of their own, whose licences lie in them: opencv-python-headless among others FFmpeg
(LGPL-2.1), numpy OpenBLAS. scikit-image and matplotlib are asked for because of three photographs: Eileen Collins (by
NASA), Chelsea the cat (CC0-1.0), Grace Hopper; matplotlib also draws reports. Of the first, which is in the public
domain, a part comes with faceedge: `faceedge/models/portrait.jpg`, by which networks are tried before they serve.
"""
SYSTEM = """## From the system

Not brought along, and under licences of their own: Python (PSF-2.0), OpenSSL (Apache-2.0), SQLite (public domain),
systemd (LGPL-2.1-or-later), mosquitto (EPL-2.0 OR BSD-3-Clause), GStreamer and its plug-ins (LGPL-2.1-or-later, some
GPL); on a Jetson CUDA, TensorRT and JetPack under NVIDIA's licences.
"""
DEFAULTS = (
    f"| dlib-mmod, dlib-resnet | detector, recognizer | {dlib.LICENCE} | Davis King, dlib-models: public domain |"
)


def page() -> str:
    """The whole page."""
    parts = [HEAD, "## Packages\n", *_packages(), WHEELS, "## Networks\n", *_networks(), SYSTEM]
    return "\n".join(parts)


def asked_for() -> dict[str, list[str]]:
    """Names of packages by extra, as setup.cfg has them; the extra of what is always needed is empty."""
    setup = configparser.ConfigParser()
    setup.read(SETUP, encoding="utf-8")
    lists = {"": setup["options"]["install_requires"], **setup["options.extras_require"]}
    return {extra: sorted({folded(one.name) for one in requirements(text.split("\n"))})
            for extra, text in lists.items()}  # fmt: skip


def _packages() -> Iterator[str]:
    yield "| package | needed | licence | note |\n|---|---|---|---|"
    shipped = {extra: names for extra, names in asked_for().items() if extra not in NOT_SHIPPED}
    for extra, names in shipped.items():
        for name in names:
            yield f"| {name} | {f'extra `{extra}`' if extra else 'always'} | {licence(name)} | {APART.get(name, '')} |"
    known = {name for names in shipped.values() for name in names}
    tools = sorted({name for extra in NOT_SHIPPED for name in asked_for()[extra]} - known)
    yield f"\nOnly to test and to measure, on no device: {', '.join(f'{name} ({licence(name)})' for name in tools)}.\n"


def licence(name: str) -> str:
    """Raises BadInput where nobody has said it."""
    if name in STATED:
        return STATED[name]
    try:
        return licence_of(metadata.metadata(name))
    except metadata.PackageNotFoundError as error:
        raise BadInput(f"{name}: not installed here; install it, or name its licence in STATED") from error


def _networks() -> Iterator[str]:
    yield "The default ones are made of dlib's, from face_recognition_models; the others are fetched when somebody asks"
    yield "for them with `faceedge model add`, and run only where their licence is accepted.\n"
    yield "| network | role | licence | what its source says |\n|---|---|---|---|"
    yield DEFAULTS
    for entry in read_catalogue(system=ROOT / "nowhere").values():
        yield f"| {entry.name} {entry.version} | {entry.role} | {entry.licence} | {entry.licence_note} |"
    yield ""


def main() -> None:
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
