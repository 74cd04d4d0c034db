"""Fitting a head on made-up looks: it learns what fails, names what is no face, and refuses what proves nothing."""

from __future__ import annotations

import datetime

import numpy as np
import pytest

from faceedge.errors import BadInput
from faceedge.jobs.calibration.quality_fit import Rows, fit_head, fit_output, raws, rows_of, settled
from faceedge.jobs.calibration.quality_gather import Look
from faceedge.jobs.calibration.quality_report import Report, judge, page, sentence
from faceedge.jobs.calibration.quality_train import Training, beside, mean, train
from faceedge.measures import NAMES
from faceedge.quality_head import FEATURES, Source
from faceedge.types import Assessment, Face, Floats, Template

DIMENSION, MATCH = 16, 0.5
QUICK = Training(units=4, epochs=25, rate=1e-2, seed=1)


def face(score: float) -> Face:
    return Face(np.array([0, 0, 120, 120], np.float32), score, np.zeros((5, 2), np.float32))


def unit(vector: Floats) -> Floats:
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


def looks(photos: int = 120, people: int = 60, *, shows_harm: bool = True) -> list[Look]:
    """Each photo clean, eight times spoiled, and once as no face. Harm bends the embedding, lowers the norm, and shows
    in the light where `shows_harm`, else to the detector only."""
    dice = np.random.default_rng(1)
    owners = {person: unit(dice.normal(size=DIMENSION)) for person in range(people)}
    made = []
    for photo in range(photos):
        own = unit(owners[photo % people] + 0.08 * dice.normal(size=DIMENSION))
        for at in range(10):
            is_face, harm = at < 9, 0.0 if at == 0 else float(dice.uniform(0, 1))
            bent = unit(own * (1 - harm) + harm * unit(dice.normal(size=DIMENSION))) if is_face else unit(
                dice.normal(size=DIMENSION)
            )  # fmt: skip
            row = np.full(FEATURES, 127.5, np.float32)
            row[: len(NAMES)] = dice.normal(size=len(NAMES))
            row[NAMES.index("light")] = (-3 * harm if shows_harm else 0.0) + 0.1 * dice.normal()
            row[NAMES.index("symmetry")] = 5.0 * (not is_face)
            before = Assessment(0.8, features=row)
            template = Template(bent, 10 - 5 * harm + float(dice.normal()) * 0.2, "space", {"doubt": harm})
            found = face(0.9 if shows_harm else 0.9 - 0.3 * harm)
            who = f"p{photo % people}"
            made.append(Look(photo, who, False, at == 0, False, is_face, found, 0.8, before, template))
    return made


@pytest.fixture(scope="module")
def rows() -> Rows:
    return rows_of(looks(), MATCH, 1)


def test_people_who_judge_did_not_fit(rows: Rows) -> None:
    judges = {look.person for look, held in zip(rows.looks, rows.held, strict=True) if held}
    fits = {look.person for look, held in zip(rows.looks, rows.held, strict=True) if not held}
    assert judges
    assert not judges & fits


def test_a_failure_is_a_genuine_comparison_below_the_match_and_clean_ones_hold(rows: Rows) -> None:
    assert not rows.fails[rows.clean].any()
    assert rows.fails[~rows.is_face].all()
    assert 0.1 < rows.fails[rows.is_face].mean() < 0.7
    assert rows.mates > 0


def test_a_head_learns_what_fails_and_what_is_no_face(rows: Rows) -> None:
    fitted, _ = fit_head(rows, MATCH, "0123456789ab", "eyes_nose_mouth", QUICK, lambda _done: None)
    judged = judge(rows, fitted)
    assert judged.auc["fitted"] > 0.9
    assert judged.area["fitted"] < 0.5 * judged.area["detector"]
    assert judged.named >= 0.9 * judged.no_faces
    assert judged.faults == ()
    quality, _ = settled(rows, fitted)
    assert np.median(quality[rows.held & rows.clean]) >= 0.6


def test_the_same_looks_and_seed_give_the_same_head(rows: Rows) -> None:
    one, two = (fit_head(rows, MATCH, "0123456789ab", "s", QUICK, lambda _done: None) for _ in range(2))
    assert one == two


def test_the_head_that_serves_has_learnt_from_everybody_and_keeps_the_limits_of_the_judged_one(rows: Rows) -> None:
    judged, serves = fit_head(rows, MATCH, "0123456789ab", "s", QUICK, lambda _done: None)
    assert judged.head is not None
    assert serves.head is not None
    assert serves.head.weights != judged.head.weights
    assert (serves.head.face, serves.head.covered, serves.knots) == (
        judged.head.face, judged.head.covered, judged.knots,
    )  # fmt: skip


def test_the_bytes_of_a_head_say_what_its_floats_said(rows: Rows) -> None:
    fitted, _ = fit_head(rows, MATCH, "0123456789ab", "s", QUICK, lambda _done: None)
    source = Source(fitted)
    look = rows.looks[0]
    again = Source(type(fitted).model_validate_json(fitted.model_dump_json()))
    assert again.forecast(look.before.features, look.template) == source.forecast(look.before.features, look.template)


def test_a_head_that_saw_nothing_of_the_harm_is_refused() -> None:
    blind = rows_of(looks(shows_harm=False), MATCH, 1)
    flat = blind.embeddings * 0 + unit(np.ones(DIMENSION, np.float32))
    same = Rows(
        [_flattened(look) for look in blind.looks], blind.seen, blind.norms * 0 + 1, flat, blind.likeness, blind.best,
        blind.fails, blind.held, blind.typical, blind.mates,
    )  # fmt: skip
    judged = judge(same, fit_head(same, MATCH, "0123456789ab", "s", QUICK, lambda _done: None)[0])
    assert not judged.passed
    assert any("hardly better" in fault for fault in judged.faults)


def _flattened(look: Look) -> Look:
    template = Template(unit(np.ones(DIMENSION, np.float32)), 1.0, "space")
    return Look(
        look.photo, look.person, look.mirrored, look.clean, look.covered, look.is_face, look.face, look.plain,
        look.before, template,
    )  # fmt: skip


@pytest.mark.parametrize("output", ["norm", "doubt"])
def test_an_output_that_rises_or_falls_with_quality_gets_a_scale(rows: Rows, output: str) -> None:
    fitted = fit_output(rows, output)
    assert judge(rows, fitted).auc["fitted"] > 0.85
    raw = raws(rows, fitted)
    better = fitted.scale.quality(float(raw[rows.clean].mean()))
    assert better > fitted.scale.quality(float(raw[rows.fails & rows.is_face].mean()))


def test_an_output_that_is_not_there_is_refused_with_those_that_are(rows: Rows) -> None:
    with pytest.raises(BadInput, match="doubt"):
        fit_output(rows, "temperature")


def test_too_few_photos_are_refused() -> None:
    with pytest.raises(BadInput, match="give 40 or more"):
        rows_of(looks(photos=12, people=6), MATCH, 1)


def test_the_page_holds_the_curve_and_the_figures_and_loads_nothing(rows: Rows) -> None:
    pytest.importorskip("matplotlib")
    fitted = fit_output(rows, "norm")
    judged = judge(rows, fitted)
    report = Report(
        package="a<b@1", detector="0123456789ab", made=datetime.date(2026, 1, 2), seed=1, verdict="passed",
        sentence=sentence(judged), bytes=0, judged=judged, knots=fitted.knots,
    )  # fmt: skip
    html = page(report)
    assert "<svg" in html
    assert "a&lt;b@1" in html
    assert "src=" not in html
    assert Report.model_validate_json(report.model_dump_json()) == report


def test_training_finds_a_line_that_separates_and_weights_decide_what_counts() -> None:
    dice = np.random.default_rng(4)
    fed = dice.normal(size=(2000, 3)).astype(np.float32)
    targets = np.column_stack([fed[:, 0] > 0, fed[:, 1] > 0]).astype(np.float32)
    weights = np.column_stack([np.ones(2000), np.zeros(2000)]).astype(np.float32)
    logits = train(fed, targets, weights, Training(units=4, epochs=20, rate=2e-2)).logits(fed)
    assert ((logits[:, 0] > 0) == (fed[:, 0] > 0)).mean() > 0.97
    assert ((logits[:, 1] > 0) == (fed[:, 1] > 0)).mean() < 0.8


def test_networks_laid_together_answer_what_they_answered_apart() -> None:
    dice = np.random.default_rng(4)
    fed = dice.normal(size=(50, 3)).astype(np.float32)
    nets = [
        train(fed, (fed[:, :1] > 0).astype(np.float32), np.ones((50, 1), np.float32), Training(epochs=2, seed=seed))
        for seed in (1, 2, 3)
    ]
    one, two, three = (net.logits(fed) for net in nets)
    np.testing.assert_allclose(mean(nets).logits(fed), (one + two + three) / 3, rtol=1e-4, atol=1e-5)
    together = beside(nets[0], nets[1]).logits(fed)
    np.testing.assert_allclose(together, np.hstack([one, two]), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("match", [0.35, 0.93])
def test_where_nobody_is_shown_twice_a_clean_photo_still_never_fails(match: float) -> None:
    alone = rows_of(looks(photos=60, people=60), match, 1)
    assert alone.mates == 0
    assert match < alone.typical < 1
    assert not alone.fails[alone.clean].any()
    assert 0.1 < alone.fails[alone.is_face].mean() < 0.9
