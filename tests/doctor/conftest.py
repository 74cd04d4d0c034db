"""A healthy installation, built once, and a copy of it for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.doctor.ward import Ward, admitted, build


@pytest.fixture(scope="session")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("healthy"))


@pytest.fixture
def ward(healthy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ward:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    return admitted(healthy, tmp_path)
