"""Search: exact, one formula for two metrics, the best template of each person."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceedge.errors import FaceedgeError
from faceedge.gallery.base import Templates
from faceedge.gallery.search import Index, similarity
from faceedge.types import Template

SPACE = "0123456789ab"


def template(seed: int, norm: float = 1.0, dimension: int = 32) -> Template:
    vector = np.random.default_rng(seed).normal(size=dimension)
    return Template((vector / np.linalg.norm(vector)).astype(np.float32), norm, SPACE)


def index(owners: list[str], templates: list[Template], metric: str) -> Index:
    embeddings = np.stack([one.embedding for one in templates])
    norms = np.array([one.norm for one in templates], np.float32)
    return Index.of(Templates(tuple(owners), embeddings, norms, SPACE), metric)


def test_cosine_is_the_product_of_unit_vectors() -> None:
    a, b = template(1, 2.0), template(2, 3.0)
    assert similarity(a, b, "cosine") == pytest.approx(float(a.embedding @ b.embedding), abs=1e-6)


def test_euclidean_is_measured_between_the_vectors_before_normalisation() -> None:
    a, b = template(1, 1.25), template(2, 1.5)
    distance = np.linalg.norm(a.embedding * a.norm - b.embedding * b.norm)
    assert similarity(a, b, "euclidean") == pytest.approx(1 - distance**2 / 2, abs=1e-6)


def test_the_two_metrics_agree_on_unit_vectors() -> None:
    a, b = template(1), template(2)
    assert similarity(a, b, "euclidean") == pytest.approx(similarity(a, b, "cosine"), abs=1e-6)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_a_template_is_identical_to_itself(metric: str) -> None:
    assert similarity(template(1, 1.4), template(1, 1.4), metric) == pytest.approx(1, abs=1e-6)


def test_templates_of_different_spaces_are_not_compared() -> None:
    stranger = Template(template(1).embedding, 1.0, "another space")
    with pytest.raises(FaceedgeError, match="different spaces"):
        similarity(template(1), stranger, "cosine")
    with pytest.raises(FaceedgeError, match="different spaces"):
        index(["ada"], [template(1)], "cosine").nearest(stranger)


def test_an_unknown_metric_is_refused() -> None:
    with pytest.raises(FaceedgeError, match="metric"):
        similarity(template(1), template(2), "manhattan")
    with pytest.raises(FaceedgeError, match="metric"):
        index(["ada"], [template(1)], "manhattan")


@given(
    owners=st.lists(st.integers(0, 5), min_size=1, max_size=30),
    metric=st.sampled_from(["cosine", "euclidean"]),
    count=st.none() | st.integers(1, 8),
)
def test_every_person_is_ranked_by_the_best_template(owners: list[int], metric: str, count: int | None) -> None:
    rows = [template(seed, 1 + seed / 40) for seed in range(len(owners))]
    query = template(999, 1.3)
    best: dict[str, float] = {}
    for owner, row in zip(owners, rows, strict=True):
        best[str(owner)] = max(best.get(str(owner), -9.0), similarity(row, query, metric))
    expected = sorted(best.items(), key=lambda entry: -entry[1])[:count]
    found = index([str(owner) for owner in owners], rows, metric).nearest(query, count)
    assert [person for person, _ in found] == [person for person, _ in expected]
    assert [score for _, score in found] == pytest.approx([score for _, score in expected], abs=1e-6)


def test_an_empty_gallery_is_near_to_nobody() -> None:
    empty = Index((), np.zeros((0, 0), np.float32), np.zeros(0, np.float32), "cosine", SPACE)
    assert empty.nearest(template(1)) == []
    assert len(empty) == 0
