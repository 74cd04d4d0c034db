"""Another network in place of the one that serves: five steps, and after a failure in any the old one serves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from faceedge.errors import BadInput, EngineError, FaceedgeError, PackageError, StoreError
from faceedge.gallery.base import Origin
from faceedge.gallery.store import Gallery
from faceedge.jobs import choose_model, swap
from faceedge.jobs.on_trial import begin, read_trials
from faceedge.jobs.site import Site
from faceedge.jobs.swap import STEPS, Order, Rejected, Step
from faceedge.manifest import Role
from faceedge.models.active import Standing, standing
from faceedge.package import Package
from faceedge.types import Template
from tests.jobs.swap_site import DETECTOR, NEW, OLD, START, FakeHost, made, package, site

__all__ = ["made", "site"]


class Ear:
    """heard: every step with share and text."""

    def __init__(self) -> None:
        self.heard: list[tuple[Step, float, str]] = []

    def __call__(self, step: Step, share: float, text: str) -> None:
        assert 0 <= share <= 1
        self.heard.append((step, share, text))

    @property
    def steps(self) -> list[Step]:
        return list(dict.fromkeys(step for step, _, _ in self.heard))


@pytest.fixture
def host(site: Site) -> Iterator[FakeHost]:
    made = FakeHost(site)
    yield made
    made.close()


@pytest.fixture
def ear() -> Ear:
    return Ear()


def disk(state: Path) -> dict[str, bytes]:
    """Every file that says what serves."""
    return {
        path.name: path.read_bytes() for path in (state / "models").glob("*.*") if path.suffix in (".toml", ".json")
    }


def enrol(site: Site, name: str, space: str, *, with_crop: bool) -> str:
    crop = np.random.default_rng(len(name)).integers(0, 255, (112, 112, 3), np.uint8) if with_crop else None
    vector = np.eye(1, 512, len(name), dtype=np.float32)[0]
    with Gallery.open(site.state) as gallery:
        person = gallery.add_person(name)
        gallery.add_template(person.id, Template(vector, 1.0, space), Origin(1.0, "made up", "build"), crop)
    return person.id


def test_a_swap_tells_its_five_steps_in_order_and_then_the_new_one_serves(site: Site, host: FakeHost, ear: Ear) -> None:
    done = swap.swap(Order(name="edgeface-xs"), site, host, ear)
    assert (done.role, done.label, done.before, done.is_new) == ("recognizer", NEW, OLD, True)
    assert tuple(ear.steps) == STEPS
    assert host.calls == ["prepare", "switch", "retire"]
    assert host.now.recognizer_build == package(site, NEW).build
    assert standing("recognizer", site.state) == Standing(active=NEW, previous=OLD)
    assert len(host.open) == 1, "the old one is closed"


def test_what_serves_already_is_left_alone(site: Site, host: FakeHost, ear: Ear) -> None:
    done = swap.swap(Order(name=OLD), site, host, ear)
    assert not done.is_new
    assert host.calls == []


def test_what_stands_on_disk_but_does_not_serve_is_swapped_in(site: Site, host: FakeHost, ear: Ear) -> None:
    choose_model.choose(NEW, site, lambda text, done: None)
    swap.stand("recognizer", Standing(active=NEW, previous=OLD), site.state)
    assert swap.swap(Order(name=NEW), site, host, ear).is_new
    assert host.now.recognizer_build == package(site, NEW).build


def test_going_back_needs_no_check_of_what_has_served_and_leaves_nobody_on_trial(
    site: Site, host: FakeHost, ear: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    swap.swap(Order(name=NEW), site, host, ear)
    assert set(read_trials(site.state).roles) == {"recognizer"}

    def refused(*_: object) -> None:
        raise PackageError("was checked again")

    monkeypatch.setattr(choose_model, "check_package", refused)
    monkeypatch.setattr(choose_model, "check_photo", refused)
    done = swap.swap(Order("recognizer"), site, host, ear)
    assert (done.label, done.is_return) == (OLD, True)
    assert standing("recognizer", site.state) == Standing(active=OLD, previous=NEW)
    assert read_trials(site.state).roles == {}
    with pytest.raises(PackageError, match="was checked again"):
        swap.swap(Order(name=NEW), site, host, ear)


@pytest.mark.parametrize("failing", ["prepare", "switch"])
def test_after_a_failure_the_old_one_serves_and_nothing_is_left(site: Site, ear: Ear, failing: str) -> None:
    host = FakeHost(site, failing)
    before = disk(site.state)
    with pytest.raises(EngineError, match=f"{failing} fails"):
        swap.swap(Order(name=NEW), site, host, ear)
    assert host.now.recognizer_build == package(site, OLD).build
    assert host.open == [host.now]
    left = disk(site.state)
    left.pop("former.json", None)
    assert left == before
    host.close()


def test_a_failure_in_stage_or_verify_opens_nothing(
    site: Site, host: FakeHost, ear: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = disk(site.state)
    with pytest.raises(PackageError, match="no model package 'nobody'"):
        swap.swap(Order(name="nobody"), site, host, ear)
    with pytest.raises(BadInput, match="is a recognizer, not a detector"):
        swap.swap(Order("detector", NEW), site, host, ear)
    for check in ("check_photo", "check_package"):
        monkeypatch.setattr(choose_model, check, _raising(PackageError(f"{check} says no")))
        with pytest.raises(PackageError, match=f"{check} says no"):
            swap.swap(Order(name=NEW), site, host, ear)
    assert host.calls == []
    assert disk(site.state) == before


def test_a_graph_that_cannot_be_opened_leaves_nothing_open(site: Site, host: FakeHost, ear: Ear) -> None:
    graph = package(site, NEW).graph
    graph.write_bytes(graph.read_bytes()[:-9])
    with pytest.raises(PackageError, match="not a usable ONNX graph"):
        swap.swap(Order(name=NEW), site, host, ear)
    assert host.open == [host.now]
    assert standing("recognizer", site.state).active == OLD


@pytest.mark.parametrize("call", ["put_on_trial", "stand"])
def test_a_choice_that_cannot_be_written_changes_nothing(
    site: Site, host: FakeHost, ear: Ear, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    real, refused = getattr(swap, call), []

    def refuse(*words: object) -> None:
        if refused:  # what was there before can be put back
            return real(*words)
        refused.append(call)
        raise StoreError("the disk is full")

    monkeypatch.setattr(swap, call, refuse)
    with pytest.raises(StoreError, match="disk is full"):
        swap.swap(Order(name=NEW), site, host, ear)
    assert standing("recognizer", site.state) == Standing(active=OLD)
    assert read_trials(site.state).roles == {}
    assert host.now.recognizer_build == package(site, OLD).build
    assert host.open == [host.now]


def test_who_was_on_trial_stays_so_when_the_next_one_fails(site: Site, host: FakeHost, ear: Ear) -> None:
    swap.swap(Order(name=NEW), site, host, ear)
    before = read_trials(site.state)
    host.failing = "switch"
    with pytest.raises(EngineError):
        swap.swap(Order("recognizer"), site, host, ear)
    assert read_trials(site.state) == before


def test_a_trial_that_says_no_leaves_the_old_one_and_its_report(site: Site, host: FakeHost, ear: Ear) -> None:
    host.verdict = "they disagree about 9 of 100"
    with pytest.raises(Rejected, match="they disagree") as caught:
        swap.swap(Order(name=NEW, shadow_s=60, canary=0.1), site, host, ear)
    assert host.tried == [(60, 0.1)]
    assert caught.value.report == {"shadow": {"agreement": 0.98}}
    assert host.now.recognizer_build == package(site, OLD).build
    assert standing("recognizer", site.state).active == OLD
    host.verdict = ""
    assert swap.swap(Order(name=NEW, canary=0.1), site, host, ear).report == {"shadow": {"agreement": 0.98}}


def test_an_end_that_is_asked_for_comes_before_the_switch(site: Site, host: FakeHost, ear: Ear) -> None:
    with pytest.raises(EngineError, match="nothing was changed"):
        swap.swap(Order(name=NEW), site, host, ear, lambda: True)
    assert "switch" not in host.calls
    assert host.open == [host.now]


def test_everybody_whose_picture_was_kept_is_known_before_the_switch(site: Site, host: FakeHost, ear: Ear) -> None:
    ada = enrol(site, "Ada", package(site, OLD).space, with_crop=True)
    known: list[tuple[str, ...]] = []

    def look(call: str) -> None:
        if call == "switch":
            with Gallery.open(site.state) as gallery:
                known.append(gallery.templates(package(site, NEW).space).persons)

    host.at = look
    done = swap.swap(Order(name=NEW), site, host, ear)
    assert known == [(ada,)]
    assert (done.embedded, done.unknown) == (1, 0)


def test_whoever_is_enrolled_meanwhile_is_known_right_after_the_switch(site: Site, host: FakeHost, ear: Ear) -> None:
    enrol(site, "Ada", package(site, OLD).space, with_crop=True)
    host.at = lambda call: _once(call, "switch", lambda: enrol(site, "Grace", package(site, OLD).space, with_crop=True))
    done = swap.swap(Order(name=NEW), site, host, ear)
    assert (done.embedded, done.unknown) == (2, 0)


def test_people_without_pictures_need_a_word_before_anything_is_opened(site: Site, host: FakeHost, ear: Ear) -> None:
    enrol(site, "Bob", package(site, OLD).space, with_crop=False)
    with pytest.raises(BadInput, match="1 of the people enrolled have no template of that recogniser, and no picture"):
        swap.swap(Order(name=NEW), site, host, ear)
    assert host.calls == []
    assert swap.swap(Order(name=NEW, dual=True), site, host, ear).unknown == 1
    assert host.dual
    swap.swap(Order("recognizer"), site, host, ear)
    assert swap.swap(Order(name=NEW, agreed=True), site, host, ear).unknown == 1


def test_going_back_makes_templates_only_after_the_switch(site: Site, host: FakeHost, ear: Ear) -> None:
    swap.swap(Order(name=NEW), site, host, ear)
    enrol(site, "Ada", package(site, NEW).space, with_crop=True)
    host.calls.clear()
    done = swap.swap(Order("recognizer"), site, host, ear)
    assert host.calls.index("switch") < host.calls.index("pace")
    assert (done.embedded, done.unknown) == (1, 0)


def test_templates_that_cannot_be_made_after_the_switch_are_told_and_undo_nothing(
    site: Site, host: FakeHost, ear: Ear
) -> None:
    swap.swap(Order(name=NEW), site, host, ear)
    enrol(site, "Ada", package(site, NEW).space, with_crop=True)
    host.failing = "pace"
    done = swap.swap(Order("recognizer"), site, host, ear)
    assert "not everything after that went well: pace fails" in done.remark
    assert host.now.recognizer_build == package(site, OLD).build


def test_memory_that_is_not_given_back_does_not_make_a_swap_a_failure(site: Site, host: FakeHost, ear: Ear) -> None:
    host.failing = "retire"
    assert "retire fails" in swap.swap(Order(name=NEW), site, host, ear).remark
    assert host.now.recognizer_build == package(site, NEW).build
    assert standing("recognizer", site.state).active == NEW


def test_what_cannot_be_noted_after_the_switch_is_told_and_undoes_nothing(
    site: Site, host: FakeHost, ear: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = swap.note_served

    def full(one: Package, state: Path) -> None:
        if one.label == NEW:
            raise StoreError("the disk is full")
        real(one, state)

    monkeypatch.setattr(swap, "note_served", full)
    done = swap.swap(Order(name=NEW), site, host, ear)
    assert (done.is_new, "the disk is full" in done.remark) == (True, True)
    assert host.now.recognizer_build == package(site, NEW).build


def test_a_choice_that_cannot_be_put_back_is_put_back_by_the_next_start(
    site: Site, host: FakeHost, ear: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = swap.stand

    def full(role: Role, now: Standing, state: Path) -> None:
        if now.active == OLD:
            raise StoreError("the disk is full")
        real(role, now, state)

    monkeypatch.setattr(swap, "stand", full)
    host.failing = "switch"
    with pytest.raises(EngineError, match="switch fails"):
        swap.swap(Order(name=NEW), site, host, ear)
    assert standing("recognizer", site.state).active == NEW
    assert [one.before for one in begin(site.state, lambda: START)] == [OLD]
    assert standing("recognizer", site.state) == Standing(active=OLD)


def test_whoever_is_enrolled_during_a_trial_is_known_before_the_switch(site: Site, host: FakeHost, ear: Ear) -> None:
    known: list[int] = []

    def look(call: str) -> None:
        _once(call, "trial", lambda: enrol(site, "Ada", package(site, OLD).space, with_crop=True))
        if call == "switch":
            with Gallery.open(site.state) as gallery:
                known.append(len(gallery.templates(package(site, NEW).space).persons))

    host.at = look
    enrol(site, "Grace", package(site, OLD).space, with_crop=True)
    assert swap.swap(Order(name=NEW, shadow_s=60), site, host, ear).embedded == 2
    assert known == [2]


def test_a_detector_goes_the_same_way(site: Site, ear: Ear, default_models: Path) -> None:
    site = replace(site, cache=default_models.parent)
    host = FakeHost(site)
    done = swap.swap(Order(name="dlib-mmod"), site, host, ear)
    assert (done.label, done.before) == ("dlib-mmod@1", DETECTOR)
    assert standing("detector", site.state) == Standing(active="", previous=DETECTOR)
    assert swap.swap(Order("detector"), site, host, ear).label == DETECTOR
    host.close()


def test_words_that_are_no_order_are_refused() -> None:
    for words in ({}, {"name": "x", "shadow_s": 1e9}, {"name": "x", "canary": 2.0}):
        with pytest.raises(FaceedgeError):
            Order(**words)


def test_what_is_kept_of_a_swap_is_for_the_service_alone(site: Site, host: FakeHost, ear: Ear) -> None:
    swap.swap(Order(name=NEW), site, host, ear)
    kept = site.state / "models" / "on_trial.json"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert json.loads(kept.read_bytes())["roles"]["recognizer"]["before"] == {"active": OLD, "previous": ""}


def _raising(error: Exception) -> object:
    def call(*_: object) -> None:
        raise error

    return call


def _once(call: str, name: str, work: object) -> None:
    if call == name:
        work()  # type: ignore[operator]
