"""An audit of small galleries: whom it finds, what it states, and what it leaves alone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from faceedge.errors import BadInput
from faceedge.gallery.base import Origin, Templates
from faceedge.gallery.search import Index
from faceedge.gallery.store import Gallery
from faceedge.jobs.audit import scan as scanning
from faceedge.jobs.audit.document import document, is_clean
from faceedge.jobs.audit.findings import Audit
from faceedge.jobs.audit.rates import Rates
from faceedge.jobs.audit.run import Asked
from faceedge.jobs.audit.scan import Faces, Scanned, scan
from faceedge.package import Package
from faceedge.types import Template
from tests.jobs.made_up_gallery import LEVELS, NOW, audited, crowd, enrol, filled, recogniser, unit


@pytest.fixture
def package(tmp_path: Path) -> Package:
    return recogniser(tmp_path)


def scanned(people: int, metric: str = "cosine") -> tuple[Templates, Scanned]:
    parts = crowd(people, 3, dimension=16)
    owners = tuple(f"p{number}" for number in range(people) for _ in range(3))
    norms = np.random.default_rng(4).uniform(0.8, 1.4, len(owners)).astype(np.float32)
    templates = Templates(owners, np.concatenate(parts), norms, "s")
    return templates, scan(Faces.of(templates, metric), lambda _done: None)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_every_template_has_the_scores_that_a_search_gives_it(metric: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanning, "ROWS", 7)
    monkeypatch.setattr(scanning, "COLUMNS", 11)
    templates, found = scanned(9, metric)
    index = Index.of(templates, metric)
    for row, place in enumerate(found.faces.order):
        template = Template(templates.embeddings[place], float(templates.norms[place]), "s")
        others = [(key, score) for key, score in index.nearest(template) if key != templates.persons[place]]
        assert found.other[row] == pytest.approx(others[0][1], abs=1e-5)
        assert found.faces.people[found.faces.owner[found.nearest[row]]] == others[0][0]
    assert found.histogram.impostors.sum() == found.faces.impostors == len(found.highest.scores) == 27 * 24 // 2
    assert found.histogram.genuine.sum() == 9 * 3
    assert found.highest.scores[0] == pytest.approx(np.nanmax(found.other))


def test_of_too_many_pairs_the_highest_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    _, every = scanned(20)
    monkeypatch.setattr(scanning, "MOST_PAIRS", 100)
    monkeypatch.setattr(scanning, "ROWS", 5)
    monkeypatch.setattr(scanning, "COLUMNS", 9)
    _, found = scanned(20)
    kept = found.highest
    assert 20 <= len(kept.scores) <= 100
    assert kept.scores == pytest.approx(every.highest.scores[: len(kept.scores)], abs=1e-6)
    assert found.histogram.impostors.sum() == every.histogram.impostors.sum()


def test_a_clean_gallery_is_clean(tmp_path: Path, package: Package) -> None:
    with filled(tmp_path, package, crowd(20, 3)) as gallery:
        audit = audited(gallery, package)
    assert is_clean(audit)
    assert (audit.suspects, audit.close_pairs) == ((), ())
    assert [one.name for one in audit.people] == sorted(f"p{number}" for number in range(20))
    assert (audit.templates, audit.left_out, audit.unknown) == (60, 0, 0)
    assert audit.ceiling == audit.neighbours[0].score < LEVELS.grey


def test_a_face_of_somebody_else_is_found_whether_enrolled_or_not(tmp_path: Path, package: Package) -> None:
    everybody = crowd(12, 4)
    wrong = {"enrolled": everybody[1][3:], "a stranger": everybody[11][:1]}
    for name, vector in wrong.items():
        people = [person[:3] for person in everybody[:10]]
        people[0] = np.concatenate([people[0], vector])
        with filled(tmp_path / name, package, people) as gallery:
            (planted,) = [one for one in audited(gallery, package).suspects if one.sure]
            assert planted.reasons[0] == "unlike_own"
            assert planted.without is not None
            assert planted.without <= (planted.ceiling or 0.0)
            assert {one.id for one in audited(gallery, package).people if one.name == "p0"} == {
                planted.facts.record.person
            }
            assert (planted.near is not None) == (name == "enrolled")


def test_of_two_that_differ_both_are_named_and_neither_for_sure(tmp_path: Path, package: Package) -> None:
    everybody = crowd(12, 3)
    people = [np.concatenate([everybody[0][:1], everybody[11][:1]]), *everybody[1:10]]
    with filled(tmp_path, package, people) as gallery:
        found = audited(gallery, package).suspects
    assert [(one.sure, one.reasons) for one in found] == [(False, ("unlike_own",))] * 2


def test_a_person_enrolled_twice_is_told_from_two_who_look_alike(tmp_path: Path, package: Package) -> None:
    everybody = crowd(8, 4, spread=0.4)
    alike = unit(everybody[1][:3] + 0.72 * everybody[2][:3])
    people = [everybody[0][:2], everybody[0][2:], everybody[1][:3], alike]
    with filled(tmp_path, package, people) as gallery:
        audit = audited(gallery, package)
    names = audit.names
    kinds = {frozenset((names[pair.one], names[pair.other])): pair.kind for pair in audit.close_pairs}
    assert kinds[frozenset(("p0", "p1"))] == "same_person"
    assert not is_clean(audit)
    assert len(kinds) == 2


def test_one_template_that_brings_two_people_together_is_named(tmp_path: Path, package: Package) -> None:
    people = [person[:3] for person in crowd(6, 3, spread=0.4)]
    people[0] = np.concatenate([people[0], unit(people[0].mean(0) + people[1].mean(0))[None]])
    with filled(tmp_path, package, people) as gallery:
        audit = audited(gallery, package)
    (pair,) = audit.close_pairs
    assert pair.kind == "one_template"
    assert any(
        "lifts_ceiling" in one.reasons and one.facts.record.id == pair.one_template for one in audit.suspects
    ) or any(one.facts.record.id == pair.other_template for one in audit.suspects)


def test_poor_and_odd_templates_are_named(tmp_path: Path, package: Package) -> None:
    people = crowd(20, 3)
    with filled(tmp_path, package, people) as gallery:
        person = gallery.people()[0]
        template = Template(people[0][0], 1.0, package.space)
        poor = gallery.add_template(person.id, template, Origin(0.2, "b.jpg", "build"))
        blurred = gallery.add_template(
            person.id, template, Origin(0.9, "c.jpg", "b"), np.full((112, 112, 3), 90, np.uint8)
        )
        faint = gallery.add_template(person.id, replace(template, norm=0.2), Origin(0.9, "d.jpg", "b"))
        audit, blind = audited(gallery, package), audited(gallery, package, Asked(crops=False))
    found = {one.facts.record.id: (one.reasons, one.sure) for one in audit.suspects}
    assert found == {poor: (("low_quality",), True), blurred: (("blurred",), True), faint: (("short_vector",), True)}
    assert blurred not in {one.facts.record.id for one in blind.suspects}


def test_the_only_template_of_a_person_is_never_proposed(tmp_path: Path, package: Package) -> None:
    with filled(tmp_path, package, crowd(3, 1)) as gallery:
        person = gallery.add_person("poor")
        vector = crowd(1, 1, seed=9)[0][0]
        gallery.add_template(person.id, Template(vector, 1.0, package.space), Origin(0.1, "b.jpg", "build"))
        (suspect,) = audited(gallery, package).suspects
    assert (suspect.reasons, suspect.sure) == (("low_quality",), False)


@pytest.mark.parametrize("people", [0, 1, 2, 3])
def test_a_few_people_are_audited_without_claims_they_cannot_make(
    people: int, tmp_path: Path, package: Package
) -> None:
    with filled(tmp_path, package, crowd(max(people, 1), 2)[:people]) as gallery:
        audit = audited(gallery, package)
    assert is_clean(audit)
    assert len(audit.people) == people
    assert json.loads(json.dumps(document(audit), allow_nan=False))["clean"] is True
    bounds = [level.false_match for level in audit.levels]
    if people < 2:
        assert bounds == [None] * 3
        assert audit.claims == ()
    else:
        assert all(bound is not None and bound.likely > 0.5 for bound in bounds)
    assert [one.threshold for one in audit.advice] == [LEVELS.grey, LEVELS.match, LEVELS.strict]


def test_templates_of_other_recognisers_are_told_and_left_out(tmp_path: Path, package: Package) -> None:
    with filled(tmp_path, package, crowd(4, 2)) as gallery:
        enrol(gallery, "000000000000", "stranger", crowd(1, 3, seed=5)[0])
        audit = audited(gallery, package)
    assert (len(audit.people), audit.left_out, audit.unknown) == (4, 3, 1)


def test_old_templates_are_counted(tmp_path: Path, package: Package) -> None:
    with filled(tmp_path, package, crowd(2, 2)) as gallery:
        assert audited(gallery, package).ages.older == 0
        assert audited(gallery, package, Asked(older_days=0)).ages.older == 4
        assert audited(gallery, package).ages.oldest == NOW - 86_400


def many(tmp_path: Path, package: Package, people: int, asked: Asked) -> Audit:
    with filled(tmp_path, package, crowd(people, 2, seed=3, dimension=14)) as gallery:
        return audited(gallery, package, asked)


def test_a_rate_that_many_people_show_gives_a_threshold_whose_bound_keeps_it(tmp_path: Path, package: Package) -> None:
    audit = many(tmp_path, package, 150, Asked(fmr=0.01))
    match = next(one for one in audit.advice if one.name == "match")
    assert match.basis == "measured"
    assert match.likely is not None
    assert 0.005 < match.likely <= 0.01
    assert match.needed is None


def test_a_rate_that_few_people_cannot_show_never_loosens(tmp_path: Path, package: Package) -> None:
    audit = many(tmp_path, package, 12, Asked(fmr=1e-6))
    for one in audit.advice:
        assert one.threshold >= one.shipped
        assert one.basis not in ("measured", "counted")
        assert one.needed is None or one.needed > 12
    assert any("is not shown" in sentence for sentence in audit.limits)


@pytest.mark.parametrize("fmr", [0.3, 0.1, 0.03, 0.01, 1e-3])
@pytest.mark.parametrize("gate", [0.2, 0.5, 0.9])
def test_no_threshold_is_called_measured_below_the_one_at_which_enrolment_refused_people(
    fmr: float, gate: float
) -> None:
    """Nobody above the gate was let in, so that a count says nothing of them; nor is a rate claimed for it."""
    rates = Rates(scanned(60)[1], 0.95)
    for shipped in (0.1, 0.5, 0.9):
        advice = rates.advice("match", fmr, shipped, gate)
        assert advice.basis != "measured" or advice.threshold >= max(gate, shipped)
        assert advice.threshold >= shipped or (advice.basis, advice.likely) == ("counted", None)


@pytest.mark.parametrize("asked", [{"fmr": 0.0}, {"fmr": 0.5}, {"fmr": float("nan")}, {"confidence": 1.0}])
def test_a_rate_that_cannot_be_is_refused(asked: dict[str, float]) -> None:
    with pytest.raises(BadInput, match="lies between"):
        Asked(**asked)  # type: ignore[arg-type]


def test_the_audit_changes_nothing(tmp_path: Path, package: Package) -> None:
    with filled(tmp_path, package, crowd(5, 2)) as gallery:
        before = gallery.changes()
        audited(gallery, package)
        assert gallery.changes() == before
    assert isinstance(gallery, Gallery)
