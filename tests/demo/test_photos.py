"""The photos of the demo."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

from faceedge.demo import photos
from faceedge.errors import MissingExtra


def test_the_three_photos_are_colour_pictures_of_known_size() -> None:
    assert photos.astronaut().shape == (512, 512, 3)
    assert photos.cat().shape == (300, 451, 3)
    assert photos.admiral().shape == (600, 512, 3)


def test_an_absent_library_names_the_extra_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r'astronaut\.png.*pip install "faceedge\[demo\]"'):
        photos.astronaut()


def test_finding_the_photos_imports_neither_library() -> None:
    code = (
        "import sys; from faceedge.demo import photos; photos.astronaut(); photos.admiral();"
        "sys.exit('skimage' in sys.modules or 'matplotlib' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
