"""An INT8 graph shares its source's space only once its gates have passed."""

from __future__ import annotations

import datetime
import hashlib
from pathlib import Path
from typing import Any

import pytest

from faceedge.errors import PackageError
from faceedge.fit import Fit, Thresholds
from faceedge.manifest import Calibration, Graph, Manifest, Normalisation, Source
from faceedge.package import as_toml, read_package, space_of

FLOAT, ROUNDED = b"a float graph", b"the same in eight bits"


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def calibration(**changes: Any) -> Calibration:
    facts: dict[str, Any] = {
        "sha256": "1" * 64, "date": datetime.date(2025, 5, 1), "images": 300, "method": "entropy", "seed": 7,
        "verdict": "passed", "kept_float": 0.1, "report_sha256": "2" * 64,
    }  # fmt: skip
    return Calibration(**{**facts, **changes})


def manifest(**changes: Any) -> Manifest:
    facts: dict[str, Any] = {
        "name": "toy", "version": "1", "role": "recognizer", "family": "embedding", "dimension": 4,
        "normalisation": Normalisation(colour="rgb"), "source": Source(sha256="a" * 64, licence="MIT"),
    }  # fmt: skip
    return Manifest(**{**facts, **changes})


def rounded(**changes: Any) -> Manifest:
    return manifest(**{"precision": "int8", "plain": Graph(sha256=digest(ROUNDED)), **changes})


def written(folder: Path, graph: bytes, what: Manifest) -> Path:
    folder.mkdir()
    (folder / "model.onnx").write_bytes(graph)
    (folder / "model.toml").write_text(as_toml(what), encoding="utf-8")
    fit = Fit(thresholds=Thresholds(grey=0.2, match=0.3, strict=0.4), evidence="made up")
    (folder / "fit.toml").write_text(as_toml(fit), encoding="utf-8")
    return folder


def space(folder: Path, graph: bytes, what: Manifest) -> str:
    return read_package(written(folder, graph, what)).space


def test_a_build_that_passed_joins_its_sources_space(tmp_path: Path) -> None:
    source = space(tmp_path / "float", FLOAT, manifest())
    assert space(tmp_path / "int8", ROUNDED, rounded(calibration=calibration())) == source


@pytest.mark.parametrize(
    "changes",
    [{}, {"calibration": calibration(verdict="failed")}, {"calibration": calibration(), "plain": None}],
    ids=["never measured", "failed", "of a graph that is not noted"],
)
def test_a_build_that_did_not_pass_has_a_space_of_its_own(tmp_path: Path, changes: dict[str, Any]) -> None:
    source = space(tmp_path / "float", FLOAT, manifest())
    one = space(tmp_path / "one", ROUNDED, rounded(**changes))
    other = b"another rounding"
    plain = {} if "plain" in changes else {"plain": Graph(sha256=digest(other))}
    two = space(tmp_path / "two", other, rounded(**changes, **plain))
    assert len({source, one, two}) == 3


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_float_build_needs_no_calibration(tmp_path: Path, precision: str) -> None:
    assert space(tmp_path / "half", ROUNDED, manifest(precision=precision)) == space(
        tmp_path / "full", FLOAT, manifest()
    )


def test_spaces_of_float_packages_have_not_changed_since_the_first_version() -> None:
    assert space_of(manifest(alignment="arcface_112"), digest(FLOAT)) == "a6c827ca5f0d"


def test_the_record_survives_the_file(tmp_path: Path) -> None:
    noted = calibration(kept_float=0.0625)
    package = read_package(written(tmp_path / "int8", ROUNDED, rounded(calibration=noted)))
    assert package.manifest.calibration == noted


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('verdict = "fine"', "calibration.verdict"),
        ("kept_float = 1.5", "calibration.kept_float"),
        ("images = 0", "calibration.images"),
        ('mood = "good"', "calibration.mood"),
    ],
)
def test_a_record_that_makes_no_sense_is_refused_by_key(tmp_path: Path, line: str, words: str) -> None:
    folder = written(tmp_path / "int8", ROUNDED, rounded(calibration=calibration()))
    text = (folder / "model.toml").read_text(encoding="utf-8")
    key = line.split(" = ", maxsplit=1)[0]
    kept = [row for row in text.splitlines() if not row.startswith(f"{key} =")]
    at = kept.index("[calibration]") + 1
    (folder / "model.toml").write_text("\n".join([*kept[:at], line, *kept[at:]]), encoding="utf-8")
    with pytest.raises(PackageError, match=words):
        read_package(folder)
