"""The search gives what a plain float64 loop gives, whatever it looks at first, and however the gallery came to be."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from faceedge.errors import FaceedgeError
from faceedge.gallery import coarse, scanning, search, segment, shelf
from faceedge.gallery.base import Templates
from faceedge.gallery.search import Index
from faceedge.identify import Identifier
from faceedge.types import Floats, Template

SPACE = "0123456789ab"
DIMENSION = 24
Ranked = list[tuple[str, float]]

scans = pytest.mark.parametrize("scan", ["int8", "float32", "few"])
metrics = pytest.mark.parametrize("metric", ["cosine", "euclidean"])


@contextmanager
def looking(scan: str, chunk: int = 7) -> Iterator[None]:
    """Small galleries are searched as large ones are."""
    if scan == "int8":
        pytest.importorskip("numkong")
    with ExitStack() as stack:
        for module in (coarse, scanning):
            stack.enter_context(mock.patch.object(module, "CHUNK", chunk))
        stack.enter_context(mock.patch.object(search, "FEW", 0))
        stack.enter_context(mock.patch.object(shelf, "SMALL", 2048 if scan == "few" else 0))
        stack.enter_context(mock.patch.object(segment, "SMALL", 0))
        stack.enter_context(mock.patch.object(segment, "has_int8", return_value=scan == "int8"))
        yield


def unit(rows: NDArray[np.float64]) -> Floats:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def crowd(seed: int, count: int, kind: str) -> Floats:
    """Rows that are easy to tell apart, that are the same, that differ in the last bits, or that int8 hardly keeps."""
    rng = np.random.default_rng(seed)
    if kind == "same":
        return np.repeat(unit(rng.normal(size=(1, DIMENSION))), count, axis=0)
    if kind == "twins":
        return unit(rng.normal(size=(3, DIMENSION)))[rng.integers(0, 3, count)]
    if kind == "close":
        return unit(rng.normal(size=DIMENSION) + 1e-7 * rng.normal(size=(count, DIMENSION)))
    if kind == "spiked":
        return unit(rng.normal(size=(count, DIMENSION)) * 1e-2 + np.eye(DIMENSION)[rng.integers(0, 2, count)])
    return unit(rng.normal(size=(count, DIMENSION)))


def templates(owners: list[int], rows: Floats, norms: Floats) -> Templates:
    return Templates(tuple(f"p{owner}" for owner in owners), rows, norms, SPACE)


def plainly(gallery: Templates, query: Template, metric: str, count: int | None) -> Ranked:
    """A loop over all rows, in float64."""
    best: dict[str, float] = {}
    for person, row, norm in zip(gallery.persons, gallery.embeddings, gallery.norms, strict=True):
        score = float(row.astype(np.float64) @ query.embedding.astype(np.float64))
        if metric == "euclidean":
            score = 1 - (float(norm) ** 2 + query.norm**2 - 2 * float(norm) * query.norm * score) / 2
        best[person] = max(best.get(person, -np.inf), score)
    return sorted(best.items(), key=lambda one: (-one[1], one[0]))[:count]


def check(index: Index, gallery: Templates, queries: list[Template], metric: str, count: int | None) -> None:
    """The scores are those of the loop, each is the person's own, and nobody comes twice."""
    for found, query in zip(index.nearest_of_each(queries, count), queries, strict=True):
        everybody = plainly(gallery, query, metric, None)
        if len(queries) == 1:
            assert index.nearest(query, count) == found
        assert [score for _, score in found] == pytest.approx([score for _, score in everybody[:count]], abs=1e-12)
        assert dict(found) == pytest.approx({person: dict(everybody)[person] for person, _ in found}, abs=1e-12)
        assert len(dict(found)) == len(found)


galleries = st.tuples(
    st.integers(0, 1000),
    st.lists(st.integers(0, 6), min_size=1, max_size=40),
    st.sampled_from(["any", "same", "twins", "close", "spiked"]),
)


@scans
@metrics
@settings(max_examples=60, deadline=None)
@given(galleries, st.integers(1, 6), st.integers(1, 4), st.sampled_from(["any", "near", "row"]))
def test_a_search_is_a_plain_loop(
    scan: str, metric: str, drawn: tuple[int, list[int], str], asked: int, count: int, kind: str
) -> None:
    seed, owners, look = drawn
    rng = np.random.default_rng(seed)
    rows = crowd(seed, len(owners), look)
    gallery = templates(owners, rows, rng.uniform(0.5, 3, len(owners)).astype(np.float32))
    near = rows[rng.integers(0, len(rows), asked)]
    vectors = {
        "any": unit(rng.normal(size=(asked, DIMENSION))),
        "near": unit(near + 0.05 * rng.normal(size=(asked, DIMENSION))),
        "row": near,
    }[kind]
    queries = [Template(vector, float(rng.uniform(0.5, 3)), SPACE) for vector in vectors]
    with looking(scan):
        check(Index.of(gallery, metric), gallery, queries, metric, count)


@scans
@settings(max_examples=40, deadline=None)
@given(galleries, st.integers(1, 5), st.integers(1, 50))
def test_the_best_rows_are_those_of_a_plain_loop(
    scan: str, drawn: tuple[int, list[int], str], asked: int, count: int
) -> None:
    seed, owners, look = drawn
    rows = crowd(seed, len(owners), look)
    queries = unit(np.random.default_rng(seed + 1).normal(size=(asked, DIMENSION)))
    ones = np.ones(len(owners), np.float32)
    with looking(scan):
        scores, found = Index.of(templates(owners, rows, ones), "cosine").top(queries, ones[:1].repeat(asked), count)
    truth = queries.astype(np.float64) @ rows.astype(np.float64).T
    assert scores.dtype == np.float32
    assert found.shape == (asked, min(count, len(owners)))
    assert np.abs(scores - -np.sort(-truth, axis=1)[:, :count]).max() < 1e-7
    assert np.abs(scores - np.take_along_axis(truth, found, axis=1)).max() < 1e-7
    assert all(len(set(line)) == len(line) for line in found.tolist())


@scans
@metrics
@settings(max_examples=40, deadline=None)
@given(galleries, st.lists(st.tuples(st.integers(0, 8), st.integers(0, 3)), max_size=12))
def test_a_gallery_that_changed_step_by_step_is_searched_like_one_loaded_at_once(
    scan: str, metric: str, drawn: tuple[int, list[int], str], steps: list[tuple[int, int]]
) -> None:
    """Each step gives one person other templates, or none."""
    seed, owners, look = drawn
    rng = np.random.default_rng(seed)
    ones = np.ones(40, np.float32)
    held = {owner: crowd(seed, len(owners), look)[[one == owner for one in owners]] for owner in set(owners)}
    query = Template(unit(rng.normal(size=(1, DIMENSION)))[0], 1.5, SPACE)
    with looking(scan):
        index = Index.of(templates(owners, crowd(seed, len(owners), look), ones[: len(owners)]), metric)
        for owner, count in steps:
            held[owner] = crowd(int(rng.integers(0, 99)), count, look)
            index = index.replaced([f"p{owner}"], templates([owner] * count, held[owner], ones[:count]))
        whole = [(owner, row) for owner, rows in held.items() for row in rows]
        rows = np.array([row for _, row in whole], np.float32).reshape(-1, DIMENSION)
        gallery = templates([owner for owner, _ in whole], rows, np.ones(len(whole), np.float32))
        check(index, gallery, [query], metric, 3)
    assert len(index) == len(whole)
    assert index.persons == tuple(sorted(set(gallery.persons)))


@scans
def test_equals_are_told_apart_by_id_wherever_they_lie(scan: str) -> None:
    row = crowd(1, 1, "same")
    with looking(scan):
        index = Index.of(templates(list(range(30, 9, -1)), row.repeat(21, axis=0), np.ones(21, np.float32)), "cosine")
        assert [person for person, _ in index.nearest(Template(row[0], 1.0, SPACE), 3)] == ["p10", "p11", "p12"]


@scans
@pytest.mark.parametrize("dimension", [128, 512])
def test_a_rough_look_is_never_further_off_than_it_says(scan: str, dimension: int) -> None:
    """Also for vectors that lie against the bound: what int8 loses of each points the same way."""
    rng = np.random.default_rng(3)
    rows = unit(
        np.concatenate([rng.normal(size=(300, dimension)), 0.5 + np.floor(rng.normal(size=(300, dimension)) * 9)])
    )
    for asked in (1, 6):
        queries = rows[-asked:]
        with looking(scan, 100):
            question = segment.Segment.of(rows, np.ones(600, np.float32), np.zeros(600, np.int32)).scan
            put = question.ask(queries)
            for number, start in enumerate(range(0, 600, 100)):
                part = slice(start, start + 100)
                off = put.products(part) * put.unit[:, None] - queries.astype(np.float64) @ rows[part].T.astype(
                    np.float64
                )
                allowed = (put.base + put.rate * question.loosest[number]) * put.unit
                assert (np.abs(off) <= allowed[:, None]).all()
                assert (allowed < (0.05 if scan == "int8" else 2e-4)).all()


def test_a_look_that_says_too_little_would_be_found_out() -> None:
    """The other tests can fail: with bounds of nothing the nearest is missed."""
    rows = crowd(5, 40, "close")
    query = Template(unit(np.random.default_rng(2).normal(size=(1, DIMENSION)))[0], 1.0, SPACE)
    gallery = templates(list(range(40)), rows, np.ones(40, np.float32))
    with looking("int8"), mock.patch.object(coarse._Asked, "__init__", _boundless):
        found = Index.of(gallery, "cosine").nearest(query, 1)
    assert found[0][1] < plainly(gallery, query, "cosine", 1)[0][1]


def against_the_bound(dimension: int = 512) -> tuple[Templates, Template]:
    """p0 is nearest, and int8 loses half a step of each of its numbers, all to the same side; the others lose nothing.

    Roughly looked at, p1 is well before p0.
    """
    rng = np.random.default_rng(4)
    codes = rng.integers(1, 100, dimension).astype(np.float64)
    codes[0] = 127
    lossy, plain = codes + 0.49, codes + (np.arange(dimension) % 4 == 0)
    lossy[0] = plain[0] = 127
    others = rng.integers(-127, 128, (60, dimension)).astype(np.float64)
    others[:, 0] = 127
    rows = (np.vstack((lossy, plain, others)) / np.linalg.norm(lossy)).astype(np.float32)
    query = Template(np.full(dimension, dimension**-0.5, np.float32), 1.0, SPACE)
    return templates(list(range(62)), rows, np.ones(62, np.float32)), query


def _as_if_losses_pointed_anywhere(self: coarse._Asked, scan: coarse.Int8Scan, asked: coarse.Rounded) -> None:
    """Four standard deviations of a random direction, which holds for all but one of 15,000 rows."""
    ASKED(self, scan, asked)
    self.base, self.rate = (bound * np.float32(4 / np.sqrt(512)) for bound in (self.base, self.rate))


def _as_if_every_row_lost_what_most_do(self: coarse.Int8Scan, rounded: coarse.Rounded) -> None:
    SCAN(self, rounded)
    self.loosest = np.full_like(self.loosest, np.median(rounded.lost))


ASKED, SCAN = coarse._Asked.__init__, coarse.Int8Scan.__init__


@pytest.mark.parametrize(
    ("kind", "likely"),
    [(coarse._Asked, _as_if_losses_pointed_anywhere), (coarse.Int8Scan, _as_if_every_row_lost_what_most_do)],
    ids=["direction", "size"],
)
@pytest.mark.parametrize("asked", [1, 6])
def test_a_bound_that_is_only_likely_misses_the_nearest_where_the_proven_one_does_not(
    kind: type, likely: Callable[..., None], asked: int
) -> None:
    gallery, query = against_the_bound()
    with looking("int8"):
        check(Index.of(gallery, "cosine"), gallery, [query] * asked, "cosine", 1)
        with mock.patch.object(kind, "__init__", likely):
            found = Index.of(gallery, "cosine").nearest_of_each([query] * asked, 1)
    assert plainly(gallery, query, "cosine", 1)[0][0] == "p0"
    assert [first[0] for (first,) in found] == ["p1"] * asked


def _boundless(self: coarse._Asked, scan: coarse.Int8Scan, asked: coarse.Rounded) -> None:
    self.unit, self.base, self.rate = asked.steps, np.zeros_like(asked.steps), np.zeros_like(asked.steps)
    self._codes, self._steps, self._asked = scan.codes, scan.steps, asked


@pytest.mark.parametrize("broken", [np.nan, np.inf, 1e12])
def test_a_template_that_is_no_vector_is_not_searched(broken: float) -> None:
    rows = crowd(1, 20, "any")
    rows[3, 4] = broken
    with pytest.raises(FaceedgeError, match="no finite vector"):
        Index.of(templates([0] * 20, rows, np.ones(20, np.float32)), "cosine")


def test_a_query_that_is_no_vector_is_like_nobody() -> None:
    index = Index.of(templates(list(range(99)), crowd(1, 99, "any"), np.ones(99, np.float32)), "cosine")
    for _, score in index.nearest(Template(np.full(DIMENSION, np.nan, np.float32), 1.0, SPACE), 2):
        assert not score >= -1


@scans
@pytest.mark.parametrize("length", [1e-18, 1e-30, 1e-38, 1e-44, 0.0])
def test_a_query_of_next_to_nothing_is_like_nobody(scan: str, length: float) -> None:
    rows = crowd(1, 99, "any")
    with looking(scan):
        index = Index.of(templates(list(range(99)), rows, np.ones(99, np.float32)), "cosine")
        queries = [Template(row * np.float32(length), 1.0, SPACE) for row in rows[:5]]
        for found in (index.nearest(queries[0], 2), *index.nearest_of_each(queries, 2)):
            assert len(found) == 2
            assert all(abs(score) <= 1.5 * length + 1e-43 for _, score in found)


def test_ten_thousand_templates_arrive_while_others_search_and_every_answer_is_of_one_gallery() -> None:
    """After step n the nearest to every query is a person of generation n; an answer that mixed two would show it."""
    people, steps = 500, 20
    queries = [Template(row, 1.0, SPACE) for row in crowd(1, 4, "any")]
    identifier = Identifier(_generation(0, people, queries, None))
    done = threading.Event()
    answers: list[set[str]] = []

    def ask() -> None:
        while not done.is_set():
            answers.append({(person or "-").split("-")[0] for person, _ in _asked(identifier, queries)})

    asking = threading.Thread(target=ask, name="ask")
    asking.start()
    for step in range(1, steps + 1):
        identifier.replace(_generation(step, people, queries, identifier))
    done.set()
    asking.join()
    assert len(_index(identifier)) == people * (steps + 1)
    assert answers
    assert all(len(answer) == 1 for answer in answers)
    assert {person.split("-")[0] for person, _ in _asked(identifier, queries)} == {f"p{steps}"}


def test_ten_thousand_templates_come_and_go_and_every_question_is_answered_rightly() -> None:
    """Four people are in throughout; whoever asks for them while the others come and go finds them each time."""
    stay = crowd(1, 4, "any")
    queries = [Template(row, 1.0, SPACE) for row in stay]
    index = Index([f"stays-{number}" for number in range(4)], stay, np.ones(4, np.float32), "cosine", SPACE)
    identifier, done, heard = Identifier(index), threading.Event(), threading.Semaphore(0)
    asked, answered, wrong = [0, 0], [0, 0], []

    def ask(place: int) -> None:
        while not done.is_set():
            number = asked[place] % 4
            asked[place] += 1
            found = identifier.identify(queries[number])
            if found.person != f"stays-{number}" or found.similarity != pytest.approx(1, abs=1e-6):
                wrong.append(found)
            answered[place] += 1
            heard.release()

    asking = [threading.Thread(target=ask, args=(place,), name=f"ask {place}") for place in range(2)]
    for thread in asking:
        thread.start()
    added = removed = 0
    here: list[Templates] = []
    try:
        while removed < 10_000:
            if added < 10_000:
                fresh = _strangers(added, 500)
                index, added = index.replaced(fresh.persons, fresh), added + 500
                here.append(fresh)
            if len(here) > 3 or added == 10_000:
                gone = here.pop(0)
                index, removed = index.replaced(gone.persons, _strangers(0, 0)), removed + 500
                assert not set(gone.persons) & set(index.persons)
            identifier.replace(index)
            assert heard.acquire(timeout=60)
    finally:
        done.set()
        for thread in asking:
            thread.join()
    assert asked == answered
    assert sum(answered) >= 20
    assert wrong == []
    assert index.persons == tuple(f"stays-{number}" for number in range(4))


def _strangers(first: int, count: int) -> Templates:
    names = tuple(f"p{first + number}" for number in range(count))
    return Templates(names, crowd(1000 + first, count, "any"), np.ones(count, np.float32), SPACE)


def _generation(step: int, people: int, queries: list[Template], before: Identifier | None) -> Index:
    """People who are nobody's nearest, and one for each query who is nearer than those of the steps before."""
    rows = crowd(100 + step, people, "any") * np.float32(0.1)
    for number, query in enumerate(queries):
        rows[number] = query.embedding * (1 + step)
    names = [f"p{step}-{number}" for number in range(people)]
    new = Templates(tuple(names), rows, np.ones(people, np.float32), SPACE)
    return Index.of(new, "cosine") if before is None else _index(before).replaced(names, new)


def _index(identifier: Identifier) -> Index:
    assert isinstance(identifier._index, Index)
    return identifier._index


def _asked(identifier: Identifier, queries: list[Template]) -> list[tuple[str, float]]:
    return [found[0] for found in _index(identifier).nearest_of_each(queries, 1)]
