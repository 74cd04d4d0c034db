"""A site's own thresholds: written with their evidence, never looser without a reason, and taken back."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from faceedge.cli import calibrate
from faceedge.config import cache_dir
from faceedge.errors import BadInput, StoreError
from faceedge.fit import Fit, Thresholds
from faceedge.journal.chain import Chain
from faceedge.journal.reading import newest, reading
from faceedge.models.store import find_package
from faceedge.package import FIT, Package
from tests.jobs.made_up_gallery import LEVELS, crowd, enrol, filled, recogniser

Run = Callable[..., dict[str, Any]]
SHIPPED = Fit(thresholds=LEVELS, evidence="as shipped", look_alike=0.45)


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The toy recogniser serves, and 60 people are enrolled whose scores with each other stay below 0.45."""
    package = recogniser(tmp_path, fit=SHIPPED)
    filled(tmp_path, package, crowd(60, 2)).close()
    monkeypatch.setenv("FACEEDGE_STATE", str(tmp_path))
    monkeypatch.setenv("FACEEDGE__MODELS__RECOGNIZER", "toy")
    monkeypatch.delenv("FACEEDGE_CONFIG", raising=False)
    return tmp_path


@pytest.fixture
def run(state: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*words: object) -> dict[str, Any]:
        parser = argparse.ArgumentParser(prog="faceedge")
        calibrate.add(parser.add_subparsers(required=True))
        args = parser.parse_args(["calibrate", "thresholds", *map(str, words), "--json"])
        assert args.run(args) == 0
        document: dict[str, Any] = json.loads(capsys.readouterr().out)
        return document

    return call


def serving(state: Path) -> Package:
    return find_package("toy", state, cache_dir())


def fit(state: Path) -> Fit:
    found = serving(state).fit
    assert found is not None
    return found


def noted(state: Path) -> dict[str, Any]:
    with reading(state / "journal.db") as connection:
        entry = newest(connection, "model")
    assert entry is not None
    return dict(entry.body)


def test_a_rate_these_people_cannot_show_only_tightens(state: Path, run: Run) -> None:
    before = serving(state)
    document = run("--fmr", "1e-9")
    after = fit(state)
    assert document["thresholds"] == after.thresholds.model_dump()
    assert after.thresholds.match > LEVELS.match
    assert after.shipped == LEVELS
    assert (serving(state).build, serving(state).space) == (before.build, before.space)
    site = after.site
    assert site is not None
    assert (site.people, site.templates, site.pairs, site.fmr) == (60, 120, 1770, 1e-9)
    assert site.basis == ("extrapolated",) * 3
    assert site.likely is not None
    assert site.likely > 1e-9, "a gallery of sixty shows no such rate, and says so"
    assert noted(state)["done"] == "thresholds"
    assert noted(state)["thresholds"] == document["thresholds"]
    assert "risk" not in json.dumps(noted(state))


def test_looser_than_shipped_takes_a_reason_that_is_journalled(state: Path, run: Run) -> None:
    text = (serving(state).folder / FIT).read_text(encoding="utf-8")
    with pytest.raises(BadInput, match=r"below the shipped.*--accept-risk REASON"):
        run("--fmr", "0.05")
    assert (serving(state).folder / FIT).read_text(encoding="utf-8") == text
    document = run("--fmr", "0.05", "--accept-risk", "a turnstile with a guard")
    assert document["looser"]
    after = fit(state)
    assert after.thresholds.match < LEVELS.match
    assert after.look_alike is not None
    assert after.look_alike <= after.thresholds.match
    assert after.site is not None
    assert after.site.basis[1] == "counted"
    assert after.site.likely is None, "enrolment refused who came nearer than what was shipped"
    assert after.site.accepted_risk == noted(state)["accepted_risk"] == "a turnstile with a guard"
    with pytest.raises(BadInput, match=r"below the shipped"):
        run("--fmr", "0.05")


def test_nothing_is_loosened_that_the_journal_does_not_take(
    state: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_chain: Chain, _drafts: object) -> None:
        raise StoreError("the disk is full")

    text = (serving(state).folder / FIT).read_text(encoding="utf-8")
    monkeypatch.setattr(Chain, "append", full)
    with pytest.raises(StoreError, match="the disk is full"):
        run("--fmr", "0.05", "--accept-risk", "a turnstile with a guard")
    assert (serving(state).folder / FIT).read_text(encoding="utf-8") == text


def test_what_would_be_looser_can_stay_as_shipped(state: Path, run: Run) -> None:
    document = run("--fmr", "0.05", "--only-tighter")
    assert document["looser"] == []
    assert fit(state).thresholds == LEVELS


def test_a_reason_for_nothing_is_refused(run: Run) -> None:
    with pytest.raises(BadInput, match="leave that out"):
        run("--fmr", "1e-9", "--accept-risk", "just so")
    with pytest.raises(BadInput, match="say in 1 to"):
        run("--fmr", "0.05", "--accept-risk", " ")


def test_a_dry_run_writes_nothing(state: Path, run: Run) -> None:
    text = (serving(state).folder / FIT).read_text(encoding="utf-8")
    assert run("--fmr", "0.05", "--dry-run")["written"] is False
    assert (serving(state).folder / FIT).read_text(encoding="utf-8") == text
    assert not (state / "journal.db").exists()


def test_undo_brings_back_what_was_shipped_after_any_number_of_calibrations(state: Path, run: Run) -> None:
    run("--fmr", "1e-9")
    run("--fmr", "0.05", "--accept-risk", "a turnstile with a guard")
    assert run("--undo")["undone"] is True
    assert fit(state) == SHIPPED
    assert noted(state)["done"] == "thresholds_undone"
    with pytest.raises(BadInput, match="nothing to undo"):
        run("--undo")


def test_a_built_in_recogniser_stays_and_a_copy_gets_them(state: Path, run: Run, default_models: Path) -> None:
    source = find_package("dlib-resnet", state, cache_dir())
    with pytest.raises(BadInput, match="at least two people"):
        run("--model", "dlib-resnet")
    with filled(state, source, []) as gallery:
        for number, vectors in enumerate(crowd(12, 2, seed=8)):
            enrol(gallery, source.space, f"d{number}", vectors)
    assert run("--model", "dlib-resnet", "--fmr", "1e-9")["package"] == "dlib-resnet-own@1"
    assert find_package("dlib-resnet", state, cache_dir()).fit == source.fit
    own = find_package("dlib-resnet-own", state, cache_dir())
    assert own.build == source.build
    assert own.fit is not None
    assert own.fit.site is not None


@pytest.mark.parametrize("words", [["--crops"], ["photos/"], ["--activate"], ["--undo", "--fmr", "1e-3"]])
def test_flags_of_other_roles_are_refused(run: Run, words: list[str]) -> None:
    with pytest.raises(BadInput, match="leave it out"):
        run(*words)


def test_flags_of_thresholds_are_refused_elsewhere(state: Path) -> None:
    parser = argparse.ArgumentParser(prog="faceedge")
    calibrate.add(parser.add_subparsers(required=True))
    args = parser.parse_args(["calibrate", "recognizer", "--images", "photos", "--fmr", "1e-3"])
    with pytest.raises(BadInput, match="--fmr is for thresholds"):
        args.run(args)


def test_the_thresholds_that_serve_are_the_sites(state: Path, run: Run) -> None:
    run("--fmr", "1e-9")
    found = fit(state)
    assert found.door_thresholds == found.thresholds != LEVELS
    assert isinstance(found.thresholds, Thresholds)
