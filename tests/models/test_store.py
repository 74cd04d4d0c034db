"""Packages are found by name, listed, made from a recipe, and refused with the file and the fault."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import tomli_w

from faceedge.errors import PackageError
from faceedge.fit import Fit, Thresholds
from faceedge.manifest import Manifest, Normalisation, Source
from faceedge.models.store import every_package, find_package, make_package
from faceedge.package import as_toml, read_package, space_of


def manifest(**changes: object) -> Manifest:
    parts: dict[str, object] = {
        "name": "toy", "version": "1", "role": "recognizer", "family": "embedding", "alignment": "arcface_112",
        "normalisation": Normalisation(colour="rgb"), "source": Source(sha256="a" * 64, licence="MIT"),
    }  # fmt: skip
    return Manifest.model_validate(parts | changes)


def written(folder: Path, kind: Manifest, *, fit: bool = True) -> Path:
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(b"graph")
    (folder / "model.toml").write_text(as_toml(kind))
    if fit:
        numbers = {"thresholds": {"grey": 0.3, "match": 0.4, "strict": 0.5}, "evidence": "made up"}
        (folder / "fit.toml").write_text(tomli_w.dumps(numbers))
    return folder


def test_without_a_version_the_highest_is_found_by_number(tmp_path: Path) -> None:
    for version in ("1.9", "1.10", "1.2"):
        written(tmp_path / "models" / "toy" / version, manifest(version=version))
    assert find_package("toy", tmp_path, tmp_path).manifest.version == "1.10"
    assert find_package("toy@1.2", tmp_path, tmp_path).manifest.version == "1.2"


def test_an_unknown_name_is_refused_with_the_built_in_ones(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match=r"'nothing'.*dlib-mmod and dlib-resnet"):
        find_package("nothing", tmp_path, tmp_path)


def test_the_space_follows_weights_alignment_and_preprocessing_and_nothing_else() -> None:
    graph = "c" * 64
    base = space_of(manifest(), graph)
    assert space_of(manifest(name="other", version="2", precision="fp16", max_batch=1), "d" * 64) == base
    assert space_of(manifest(alignment="dlib_150"), graph) != base
    assert space_of(manifest(normalisation=Normalisation(colour="bgr")), graph) != base
    assert space_of(manifest(source=Source(sha256="b" * 64, licence="MIT")), graph) != base


def test_another_graph_or_precision_is_another_build_of_the_same_space(tmp_path: Path) -> None:
    plain = read_package(written(tmp_path / "plain", manifest()))
    rounded = read_package(written(tmp_path / "rounded", manifest(precision="fp16")))
    (tmp_path / "plain" / "model.onnx").write_bytes(b"another graph")
    rewritten = read_package(tmp_path / "plain")
    assert len({plain.build, rounded.build, rewritten.build}) == 3
    assert plain.space == rounded.space == rewritten.space


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda folder: (folder / "model.onnx").unlink(), "model.onnx is missing"),
        (lambda folder: (folder / "fit.toml").unlink(), "fit.toml is missing"),
        (lambda folder: (folder / "model.toml").write_text("name = "), "model.toml: not valid TOML"),
        (lambda folder: (folder / "model.toml").write_bytes(b"\xff\xfe"), "model.toml: not valid TOML"),
        (lambda folder: (folder / "model.toml").write_text('name = "toy"'), "model.toml: version: field required"),
        (lambda folder: (folder / "model.toml").unlink(), "model.toml: cannot be read"),
    ],
)
def test_a_broken_package_is_refused_with_file_and_fault(tmp_path: Path, spoil, words: str) -> None:  # type: ignore[no-untyped-def]
    folder = written(tmp_path / "toy", manifest())
    spoil(folder)
    with pytest.raises(PackageError) as caught:
        read_package(folder)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("words", ["MIT\x1b]0;owned\x07", "MIT\nMIT", "M" * 401])
@pytest.mark.parametrize("key", ["licence", "changes"])
def test_what_a_package_says_cannot_write_over_the_terminal(tmp_path: Path, key: str, words: str) -> None:
    folder = written(tmp_path / "toy", manifest())
    table = manifest().model_dump(exclude_none=True)
    if key == "licence":
        table["source"]["licence"] = words
    else:
        table["plain"] = {"sha256": "a" * 64, "changes": [words]}
    (folder / "model.toml").write_text(tomli_w.dumps(table))
    with pytest.raises(PackageError, match=r"model.toml: (source.licence|plain.changes.0): ") as caught:
        read_package(folder)
    assert str(caught.value).isprintable()


def test_a_package_is_made_from_a_recipe_and_keeps_the_digest_of_its_source(tmp_path: Path) -> None:
    graph = tmp_path / "edgeface.onnx"
    graph.write_bytes(b"weights")
    package = make_package(graph, "edgeface-xxs", tmp_path / "models")
    assert package.label == "edgeface-xxs@1"
    assert package.manifest.source.sha256 == hashlib.sha256(b"weights").hexdigest()
    assert package.fit is not None
    assert find_package("edgeface-xxs", tmp_path, tmp_path).build == package.build


def test_an_unknown_recipe_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match=r"there are .*edgeface-xxs.*, yunet"):
        make_package(tmp_path / "x.onnx", "nonsense", tmp_path)


def test_a_door_may_demand_more_than_a_pair_of_photos() -> None:
    levels = {"grey": 0.3, "match": 0.4, "strict": 0.5}
    usual = Fit.model_validate({"thresholds": levels, "evidence": "made up"})
    loose = Fit.model_validate({"thresholds": levels, "evidence": "made up", "door": "strict"})
    assert usual.door_thresholds == usual.thresholds
    assert loose.door_thresholds == Thresholds(grey=0.4, match=0.5, strict=0.5)


@pytest.mark.parametrize(
    "levels", [{"match": float("nan")}, {"grey": float("-inf")}, {"match": 0.6}, {"grey": 0.45}, {"strict": 0.1}]
)
def test_thresholds_that_would_open_to_anybody_are_refused(tmp_path: Path, levels: dict[str, float]) -> None:
    folder = written(tmp_path / "odd", manifest())
    numbers = {"thresholds": {"grey": 0.3, "match": 0.4, "strict": 0.5} | levels, "evidence": "made up"}
    (folder / "fit.toml").write_text(tomli_w.dumps(numbers))
    with pytest.raises(PackageError, match=r"fit\.toml: thresholds"):
        read_package(folder)


def test_every_package_is_listed_the_broken_ones_with_their_fault(tmp_path: Path) -> None:
    for version in ("1.9", "1.10"):
        written(tmp_path / "models" / "toy" / version, manifest(version=version))
    (tmp_path / "models" / "toy" / "1.11").mkdir()
    (tmp_path / "models" / "active.toml").write_text("")
    (tmp_path / "models" / ".new-x" / "package").mkdir(parents=True)
    found = every_package(tmp_path, tmp_path / "cache")
    assert [one.label for one in found] == ["dlib-mmod@1", "dlib-resnet@1", "toy@1.9", "toy@1.10", "toy@1.11"]
    assert [bool(one.package) for one in found] == [False, False, True, True, False]
    assert [bool(one.fault) for one in found] == [False, False, False, False, True]
    assert not (tmp_path / "cache").exists(), "listing imports nothing"
