"""`faceedge gallery audit` as a person uses it: text, JSON, exit codes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from faceedge.package import Package
from tests.cli.conftest import Answer
from tests.jobs.made_up_gallery import crowd, enrol, filled, recogniser

Run = Callable[..., Answer]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Package:
    monkeypatch.setenv("FACEEDGE__MODELS__RECOGNIZER", "toy")
    return recogniser(tmp_path / "state")


@pytest.fixture
def people(tmp_path: Path, package: Package) -> list[np.ndarray]:
    """Six people with three templates each, who are all that they should be."""
    everybody = crowd(8, 4)
    filled(tmp_path / "state", package, [one[:3] for one in everybody[:6]]).close()
    return list(everybody)


def test_a_clean_gallery_says_so(run: Run, people: list[np.ndarray]) -> None:
    answer = run("gallery", "audit")
    assert answer.code == 0
    assert "6 people, 18 templates of toy@1" in answer.out
    assert "clean: nothing waits for you" in answer.out
    assert "this site may claim" in answer.out
    assert "is not shown" in answer.out


def test_somebody_elses_picture_is_named_and_the_exit_code_tells(
    run: Run, people: list[np.ndarray], package: Package, tmp_path: Path
) -> None:
    with filled(tmp_path / "state", package, []) as gallery:
        enrol(gallery, package.space, "Ada", np.concatenate([people[6][:3], people[7][:1]]))
    answer = run("gallery", "audit")
    assert answer.code == 1
    assert "! 'Ada'" in answer.out
    assert "faceedge gallery audit --fix" in answer.out
    document = run("gallery", "audit", "--json").document
    assert document["clean"] is False
    (suspect,) = document["suspects"]
    ada = next(one for one in document["people"] if one["name"] == "Ada")
    assert suspect["facts"]["record"]["person"] == ada["id"]
    assert (suspect["sure"], suspect["reasons"]) == (True, ["unlike_own"])
    assert len(document["histogram"]["edges"]) == len(document["histogram"]["impostors"]) + 1


def test_an_empty_gallery_is_audited(run: Run, package: Package) -> None:
    answer = run("gallery", "audit")
    assert answer.code == 0
    assert "0 people, 0 templates" in answer.out


def test_a_rate_that_cannot_be_is_bad_input(run: Run, people: list[np.ndarray]) -> None:
    answer = run("gallery", "audit", "--fmr", "2")
    assert answer.code == 2
    assert "lies between" in answer.err


def test_the_page_is_written_for_the_owner_alone(run: Run, people: list[np.ndarray], tmp_path: Path) -> None:
    page = tmp_path / "audit.html"
    assert run("gallery", "audit", "--html", page).code == 0
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert page.stat().st_mode & 0o077 == 0
    assert run("gallery", "audit", "--html", tmp_path / "none" / "audit.html").code == 2


def test_look_alikes_are_flagged_with_or_without_a_page(
    run: Run, people: list[np.ndarray], package: Package, tmp_path: Path
) -> None:
    with filled(tmp_path / "state", package, []) as gallery:
        enrol(gallery, package.space, "twin", people[0][3:])
    answer = run("gallery", "audit", "--flag", "--html", tmp_path / "audit.html")
    assert (answer.code, (tmp_path / "audit.html").exists()) == (0, True)
    assert "flagged: " in answer.out
    assert run("gallery", "audit", "--flag", "--json").document == {"flagged": [], "all": True}
