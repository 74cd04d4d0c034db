"""The report says everything by number, loads nothing, names nobody, and is refused once it was changed."""

from __future__ import annotations

import datetime
import hashlib
import json
import re
import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faceedge.errors import BadInput, PackageError
from faceedge.fit import Fit, Thresholds
from faceedge.quantize.boxes import agreement as boxes_agree
from faceedge.quantize.findings import Recognised, detector_findings, recogniser_findings
from faceedge.quantize.gates import Gates, verdict
from faceedge.quantize.imageset import SetReport
from faceedge.quantize.intervals import Drawing
from faceedge.quantize.plots import drawn
from faceedge.quantize.report import Candidate, Point, Report, WorstPair, read_report, write_report
from faceedge.quantize.report_html import page
from faceedge.quantize.summaries import (
    cosine_histogram,
    error_curve,
    error_histogram,
    histogram,
    score_summary,
)
from faceedge.quantize.thresholds import refit
from tests.quantize.made_up import pair_scores
from tests.quantize.test_boxes import face

FIT = Fit(thresholds=Thresholds(grey=0.35, match=0.42, strict=0.48), evidence="made up")
SET = SetReport(taker="recognizer", images=420, used=391, people=88, digest="c" * 64, left_out={"without a face": 29})
PNG = b"\x89PNG made up"


@cache
def figures(noise: float) -> dict[str, Any]:
    scores = pair_scores(people=30, each=5, noise=noise)
    cosines = np.random.default_rng(0).uniform(0.991 - noise, 1.0 - noise / 2, 300)
    moved = refit(FIT, scores)
    gates = Gates(rounds=40)
    seen = Recognised(cosines, scores, FIT.thresholds.match, moved.fit.thresholds.match)
    return {
        "gates": gates, "verdict": verdict(recogniser_findings(seen, gates, 0)), "levels": moved.levels,
        "cosines": cosine_histogram(cosines), "scores": score_summary(scores), "errors": error_curve(scores),
    }  # fmt: skip


def report(noise: float = 0.005, **changes: Any) -> Report:
    facts: dict[str, Any] = {
        "package": "toy@1-int8", "role": "recognizer", "source": "a" * 64, "graph": "b" * 64,
        "made": datetime.date(2025, 5, 1), "method": "entropy", "seed": 7, "kept_float": 0.07, "images": SET,
        "sensitivity": (Point(kept_float=0, score=0.95), Point(kept_float=0.07, score=0.992, nodes=("Conv_3",))),
        "candidates": (
            Candidate(name="FP32", ms=6.7, quartiles=(6.6, 7.0), kept_float=1),
            Candidate(name="INT8", ms=2.3, quartiles=(2.2, 2.4), kept_float=0, passed=False),
            Candidate(name="mixed", ms=2.8, quartiles=(2.7, 3.1), kept_float=0.07, passed=True, chosen=True),
        ),
        "why": "the fastest whose gates hold", "dropped": 2,
    }  # fmt: skip
    return Report(**{**facts, **figures(noise), **changes})


def detector_report() -> Report:
    seen = boxes_agree([[face(0)]] * 80, [[face(1)]] * 79 + [[]], "eyes_nose_mouth", 0.5, Drawing(seed=0, rounds=40))
    return report(
        role="detector", levels=(), cosines=None, scores=None, errors=None, candidates=(), sensitivity=(),
        verdict=verdict(detector_findings(seen, Gates())), landmarks=error_histogram(seen.landmark_errors),
    )  # fmt: skip


class Page(HTMLParser):
    """Every element and attribute of a page, and its words."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words += data


def test_a_histogram_counts_every_value_once() -> None:
    seen = histogram(np.array([-9.0, 0.0, 0.5, 1.0, 9.0]), 0, 1, bins=2)
    assert seen.counts == (2, 3)
    assert cosine_histogram(np.array([0.983, 1.0])).low == 0.98
    assert error_histogram(np.array([0.013])).high == 0.02
    assert sum(cosine_histogram(np.ones(5)).counts) == 5


def test_the_error_curve_ends_where_thirty_false_matches_carry_it() -> None:
    scores = pair_scores(people=30, each=5, noise=0.005)
    curve = error_curve(scores)
    assert curve is not None
    assert curve.fmr[0] == pytest.approx(30 / scores.impostors)
    assert list(curve.source) == sorted(curve.source, reverse=True)
    assert error_curve(pair_scores(people=8, each=1)) is None


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder with a report and its digest."""
    folder = tmp_path_factory.mktemp("report")
    return folder, write_report(report(), folder, [WorstPair(PNG, PNG, (3, 8), 0.51, 0.42)])


def test_what_was_written_is_read_back(written: tuple[Path, str]) -> None:
    folder, digest = written
    assert digest == hashlib.sha256((folder / "report.json").read_bytes()).hexdigest()
    assert read_report(folder, digest) == report()
    assert json.loads((folder / "report.json").read_text())["version"] == 1


def test_the_record_for_the_manifest_follows_the_report() -> None:
    record = report().calibration("e" * 64)
    assert (record.images, record.sha256, record.kept_float, record.seed) == (391, "c" * 64, 0.07, 7)
    assert record.verdict == "passed"
    assert report(noise=0.3).calibration("d" * 64).verdict == "failed"
    odd = report(verdict=verdict(report().verdict.findings, ["odd"]))
    assert odd.calibration("d" * 64).verdict == "passed"


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("{", "", "report.json: file: "),
        ('"version": 1', '"version": 2', "report.json: version"),
        ('"seed": 7', '"seed": -7', "report.json: seed"),
        ('"seed"', '"mood"', "report.json: seed"),
        ("{", " " * 10_000_000 + "{", "larger than a report can be"),
    ],
)
def test_a_broken_report_is_refused_in_one_line(tmp_path: Path, before: str, after: str, words: str) -> None:
    path = tmp_path / "report.json"
    path.write_text(report().model_dump_json(indent=1).replace(before, after, 1))
    with pytest.raises(PackageError, match=words) as refused:
        read_report(tmp_path)
    assert "\n" not in str(refused.value)


def test_a_report_that_is_not_there_or_not_the_one_of_the_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match="cannot be read"):
        read_report(tmp_path)
    path = tmp_path / "report.json"
    path.write_text(report().model_dump_json())
    assert read_report(tmp_path, hashlib.sha256(path.read_bytes()).hexdigest()) == report()
    with pytest.raises(PackageError, match="changed since the calibration"):
        read_report(tmp_path, "0" * 64)


def test_a_folder_that_is_none_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)  # the plots take longest and are not what fails
    with pytest.raises(BadInput, match="cannot be written"):
        write_report(report(), tmp_path / "nowhere")


def test_the_page_loads_nothing_and_runs_nothing(written: tuple[Path, str]) -> None:
    text = (written[0] / "report.html").read_text(encoding="utf-8")
    seen = Page(text)
    policy = [
        attrs["content"] or "" for tag, attrs in seen.elements if attrs.get("http-equiv") == "Content-Security-Policy"
    ]
    assert [one.split(";")[0] for one in policy] == ["default-src 'none'"]
    assert not {tag for tag, _ in seen.elements} & {"script", "link", "iframe", "object", "form", "base", "a", "image"}
    for _, attrs in seen.elements:
        assert not any(name.startswith("on") for name in attrs)
        for name in ("src", "href", "xlink:href"):
            assert (attrs.get(name) or "#").startswith(("#", "data:image/png;base64,"))
    assert not re.findall(r"url\((?!#)", text)
    assert "@import" not in text


def test_the_page_says_the_verdict_and_every_gate_in_words() -> None:
    for one in (report(), report(noise=0.3), detector_report()):
        seen = Page(page(one, {}))
        assert one.verdict.sentence in seen.words
        assert all(finding.words in seen.words for finding in one.verdict.findings)
        assert one.verdict.outcome.capitalize() in seen.words


def test_hostile_words_stay_words() -> None:
    bad = "<script>alert(1)</script>\"'&"
    level = report().levels[0].model_copy(update={"name": bad})
    one = report(
        package=bad, method=bad, machine=bad, why=bad, levels=(level,),
        candidates=(Candidate(name=bad, ms=1, quartiles=(1, 1), kept_float=0),),
        images=SET.model_copy(update={"remarks": (bad,), "digest": bad}),
        verdict=verdict(report().verdict.findings, [bad]),
    )  # fmt: skip
    plots = drawn(one.model_copy(update={"scores": None, "errors": None, "cosines": None, "sensitivity": ()}))
    text = page(one, plots, missing=bad)
    assert "script" not in {tag for tag, _ in Page(text).elements}
    assert text.count("&lt;script&gt;") >= 8


def test_worst_pairs_are_shown_on_request_only_and_by_number() -> None:
    assert "Pairs that moved most" not in page(report(), {})
    text = page(report(), {}, [WorstPair(PNG, PNG, (3, 8), 0.51, 0.42)])
    assert "person 3 and person 8: 0.510 by FP32, 0.420 by INT8" in text
    assert text.count("data:image/png;base64,") == 2


def test_each_plot_is_drawn_from_its_figures_in_the_colours_of_the_page() -> None:
    plots = {**drawn(report()), **drawn(detector_report())}
    assert set(plots) == {"scores", "errors", "cosines", "sensitivity", "latency", "landmarks"}
    for svg in plots.values():
        assert svg.startswith("<svg viewBox=")
        assert "var(--after)" in svg
        assert not re.search(r"#0[0-9a-f]0[0-9a-f]0[0-9a-f]", svg)
    ids = [name for svg in plots.values() for name in re.findall(r'\bid="([^"]+)"', svg)]
    assert len(ids) == len(set(ids))
    assert "chosen" in plots["latency"]
    assert "gates failed" in plots["latency"]


def test_the_same_report_makes_the_same_plots() -> None:
    assert drawn(detector_report()) == drawn(detector_report())


@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_plots_are_drawn_of_perfect_and_of_ruined_builds(noise: float) -> None:
    assert len(drawn(report(noise))) == 5


def test_without_matplotlib_the_page_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    write_report(report(), tmp_path)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "faceedge[demo]" in text
    assert "<svg" not in text
    assert read_report(tmp_path) == report()
