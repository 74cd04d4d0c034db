"""Other networks in a running daemon: whatever fails, what serves, what is open and who is asked is as it was."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from faceedge import changing as changing_module
from faceedge.bundle import Bundle
from faceedge.changing import Beside, Changing
from faceedge.config import Config, Decide, Door, DoorDecide
from faceedge.decide import Judge
from faceedge.door_limits import Numbers
from faceedge.dual import Dual
from faceedge.effort import FULL
from faceedge.errors import ConfigError, EngineError, PackageError
from faceedge.fit import Thresholds
from faceedge.gallery.base import Origin
from faceedge.gallery.search import similarity
from faceedge.gallery.store import Gallery
from faceedge.jobs.roster import Roster
from faceedge.jobs.second import kept
from faceedge.jobs.vision import Vision
from tests.fakes.vision import Sitter, template

OLD, NEW = "space0of0old", "space0of0new"
LEVELS = Thresholds(grey=0.5, match=0.6, strict=0.7)


@dataclass(eq=False)
class Networks:
    """Made up. detector: of the one that shows what it sees. users: who has not closed them yet."""

    space: str
    detector: str = "detector"
    users: int = 1
    metric: str = "cosine"
    alignment: str = "arcface_112"
    serves: bool = False
    fails: str = ""
    made: list[Networks] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.opener = SimpleNamespace(settle=self._settle)
        self.engines = {"recognizer": SimpleNamespace(device="cuda:0")}
        self.recognizer_package = SimpleNamespace(label=self.space, folder=Path(self.space), build=self.space)
        self.packages = {"recognizer": self.recognizer_package}

    @property
    def builds(self) -> dict[str, str]:
        return {"recognizer": self.space, "detector": self.detector}

    def beside(self, changed: Any, *_: object, spare: Networks | None = None) -> Networks:
        if self.fails == "beside":
            raise PackageError("they do not fit each other")
        space = changed["recognizer"].label if "recognizer" in changed else self.space
        made = Networks(space, changed.get("detector", self.detector), fails=self.fails)
        self.made.append(made)
        return made

    def has_open(self, _package: object) -> bool:
        return False

    def begin(self) -> None:
        self.serves = True

    def prove(self, *_size: int) -> None:
        if self.fails == "prove":
            raise EngineError("it gives no answer")

    def _settle(self, *_: object) -> None:
        if self.fails == "settle":
            raise EngineError("its engine could not be built")

    def close(self) -> None:
        self.users -= 1

    def trim(self) -> None:
        pass


class FakeFlow:
    """changes: raises this, or lets the bundle serve. asked: whether somebody had a say while it changed."""

    def __init__(self, networks: Networks, gallery: Gallery) -> None:
        self.detect = SimpleNamespace(shows=False)
        self.recognise = SimpleNamespace(second=None)
        self.fault: Exception | None = None
        self.asked: list[bool] = []
        self.serving = self.bundle(0, networks, Roster(gallery, "cosine", networks.space))

    def bundle(self, number: int, vision: Networks, roster: Roster) -> Bundle:
        judge = Judge(Decide(), LEVELS, lambda a, b: similarity(a, b, "cosine"), space=vision.space)
        return Bundle(number, cast(Vision, vision), roster, judge, Numbers.of((), Decide(), LEVELS))

    def numbers(self, _vision: object) -> Numbers:
        return Numbers.of((), Decide(), LEVELS)

    def change(self, bundle: Bundle) -> None:
        self.asked.append(self.recognise.second is not None)
        if self.fault is not None:
            raise self.fault
        self.serving = bundle


class House:
    """A daemon's part that changes networks. Ada is known to the old recogniser only, Bob to both."""

    def __init__(self, gallery: Gallery, state: Path) -> None:
        self.gallery, self.state = gallery, state
        self.ada, self.bob = gallery.add_person("Ada").id, gallery.add_person("Bob").id
        for person, seed, spaces in ((self.ada, 1, (OLD,)), (self.bob, 2, (OLD, NEW))):
            for space in spaces:
                gallery.add_template(person, template(Sitter(seed), space), Origin(0.9, "photo", "build"))
        self.old = Networks(OLD)
        self.flow = FakeFlow(self.old, gallery)
        self.told: list[int] = []
        self.taken_fails = False
        config = Config.model_validate({"camera": [{"uri": "file:film.avi"}]})
        self.changing = Changing(
            cast(Any, self.flow), config, state, state, gallery, self._taken, lambda: FULL
        )  # fmt: skip

    def _taken(self, bundle: Bundle) -> None:
        self.told.append(bundle.number)
        if self.taken_fails:
            raise OSError("told in vain")

    def opens(self, space: str = OLD, detector: str = "detector", *, dual: bool = False) -> Beside:
        return Beside(cast(Vision, Networks(space, detector)), dual)

    def serves_dual(self) -> Beside:
        ready = self.opens(NEW, dual=True)
        self.changing.switch(ready)
        return ready

    @property
    def dual(self) -> Dual | None:
        found = self.flow.recognise.second
        assert self.flow.detect.shows is (found is not None), "who is asked needs the whole picture"
        return cast("Dual | None", found)


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setattr(changing_module, "missing", lambda *_: "")
    monkeypatch.setattr(changing_module, "sufferance", lambda *_: [])
    (tmp_path / "models").mkdir()
    with Gallery.open(tmp_path) as gallery:
        made = House(gallery, tmp_path)
        yield made
        made.changing.close()


def test_the_recogniser_before_is_asked_and_said_so_on_disk(house: House) -> None:
    ready = house.serves_dual()
    assert house.dual is not None
    assert (house.flow.asked, kept(NEW, house.state)) == ([False], OLD)
    assert cast(Networks, ready.vision).serves


def test_a_switch_that_fails_leaves_the_recogniser_before_asked_as_it_was(house: House) -> None:
    house.serves_dual()
    asked = house.dual
    house.flow.fault = EngineError("the door is too busy")
    for ready in (house.opens(OLD), house.opens(NEW, "other")):
        with pytest.raises(EngineError):
            house.changing.switch(ready)
        house.changing.drop(ready)
        assert house.dual is asked
        assert cast(Networks, ready.vision).users == 0
    assert (house.flow.asked[1:], kept(NEW, house.state)) == ([False, False], OLD)
    assert house.old.users == 1


def test_with_another_detector_the_recogniser_before_is_asked_on_behind_that_one(house: House) -> None:
    house.serves_dual()
    first = house.dual
    ready = house.opens(NEW, "other")
    house.changing.switch(ready)
    assert house.dual is not None
    assert house.dual is not first
    (behind,) = cast(Networks, ready.vision).made
    assert (behind.space, behind.detector, behind.users) == (OLD, "other", 1)
    assert (house.old.users, kept(NEW, house.state)) == (0, OLD)


def test_who_is_asked_stays_open_where_there_is_no_room_for_the_one_before(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changing_module, "missing", lambda *_: "12 MB are missing")
    house.serves_dual()
    house.changing.retire()
    assert (house.old.users, house.dual is None) == (1, False)
    house.changing.switch(house.opens("space0of0third"))
    house.changing.retire()
    assert [bundle.number for bundle in house.changing._open()] == [house.changing.bundle.number]


def test_without_room_nothing_is_opened_and_what_is_kept_for_the_way_back_goes_first(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.changing.switch(house.opens(NEW))
    lacks = iter(["much is missing", "a little is missing"])
    monkeypatch.setattr(changing_module, "missing", lambda *_: next(lacks))
    with pytest.raises(EngineError, match="a little is missing"):
        house.changing.prepare({"recognizer": cast(Any, house.old.recognizer_package)}, dual=False)
    assert (house.old.users, cast(Networks, house.changing.serving()).made) == (0, [])


def test_where_the_recogniser_before_cannot_be_asked_on_the_swap_says_so(house: House) -> None:
    house.serves_dual()
    ready = house.opens(NEW, "other")
    cast(Networks, ready.vision).fails = "beside"
    house.changing.switch(ready)
    assert house.changing.bundle is ready.bundle
    assert house.dual is None
    assert "they do not fit each other" in ready.report["dual"]["against"]
    assert house.changing.notices == (ready.report["dual"]["against"],)
    assert kept(NEW, house.state) == ""
    assert house.old.users == 0


def test_back_at_the_recogniser_before_nobody_is_asked(house: House) -> None:
    house.serves_dual()
    house.changing.switch(house.opens(OLD))
    assert (house.dual, kept(OLD, house.state), house.old.users) == (None, "", 0)
    assert house.changing.notices == ()


def test_what_fails_once_they_serve_does_not_say_that_they_do_not(house: House) -> None:
    """Else the disk would go back to what no stage asks any more."""
    house.taken_fails = True
    ready = house.opens(NEW)
    house.changing.switch(ready)
    assert house.changing.bundle is ready.bundle
    house.changing.drop(ready)
    assert cast(Networks, ready.vision).users == 1


@pytest.mark.parametrize("step", ["beside", "settle", "prove", "replaced"])
def test_whatever_fails_while_networks_are_opened_leaves_none_open(
    step: str, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = cast(Any, SimpleNamespace(label=NEW, folder=Path(NEW), build=NEW))
    read = {"replaced": "another"}.get(step, NEW)
    monkeypatch.setattr(changing_module, "read_package", lambda _folder: SimpleNamespace(build=read))
    house.old.fails = step
    threads = threading.active_count()
    with pytest.raises((PackageError, EngineError)):
        house.changing.prepare({"recognizer": package}, dual=False)
    assert [made.users for made in house.old.made] == ([] if step == "beside" else [0])
    assert (house.old.users, threading.active_count()) == (1, threads)


def test_a_recogniser_for_which_a_door_has_looser_scores_is_not_opened_for_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    doors = (Door(name="lab", decide=DoorDecide(grey=0.4, match=0.45)),)
    before = Numbers.of(doors, Decide(), Thresholds(grey=0.3, match=0.4, strict=0.5))
    house.flow.serving = replace(house.flow.serving, numbers=before)
    monkeypatch.setattr(house.flow, "numbers", lambda _vision: Numbers.of(doors, Decide(), LEVELS))
    monkeypatch.setattr(changing_module, "read_package", lambda folder: SimpleNamespace(build=str(folder)))
    for space, why in ((NEW, "door 'lab': its own grey 0.4"), (OLD, "")):
        package = cast(Any, SimpleNamespace(label=space, folder=Path(space), build=space))
        with pytest.raises(ConfigError, match=why) if why else nullcontext():
            house.changing.prepare({"recognizer": package}, dual=False)
    assert [made.users for made in house.old.made] == [0, 1]


def test_numbers_of_a_door_that_do_not_go_with_it_stop_a_switch_before_a_stage_hears_of_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*_: object) -> Bundle:
        raise ConfigError("door 'main': grey must not fall")

    monkeypatch.setattr(house.flow, "bundle", refuses)
    ready = house.opens(NEW)
    with pytest.raises(ConfigError):
        house.changing.switch(ready)
    house.changing.drop(ready)
    assert (house.flow.asked, cast(Networks, ready.vision).users, house.told) == ([], 0, [])


def test_people_who_come_and_go_are_followed_in_both_spaces_while_the_one_before_is_asked(house: House) -> None:
    ready = house.serves_dual()
    assert ready.bundle is not None
    serving, before = ready.bundle.roster, house.changing._open()[1].roster
    assert (serving.knows(house.ada), before.knows(house.ada)) == (False, True)
    house.gallery.add_template(house.ada, template(Sitter(1), NEW), Origin(0.9, "photo", "build"))
    cid = house.gallery.add_person("Cid").id
    house.gallery.add_template(cid, template(Sitter(3), OLD), Origin(0.9, "photo", "build"))
    house.changing.follow()
    assert (serving.knows(house.ada), before.knows(cid)) == (True, True)
    house.changing.switch(house.opens(NEW, "other"))
    house.gallery.remove(next(one for one in house.gallery.people() if one.id == cid))
    house.changing.follow()
    assert [bundle.roster.knows(cid) for bundle in house.changing._open()] == [False, False]


@pytest.mark.parametrize("fault", ["", "beside", "prove"])
def test_after_a_start_the_recogniser_before_is_asked_again_or_it_is_said_that_it_is_not(
    fault: str, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.serves_dual()
    flow = FakeFlow(Networks(NEW), house.gallery)
    package = SimpleNamespace(label=OLD, folder=Path(OLD), build=OLD)
    monkeypatch.setattr(changing_module, "find_package", lambda label, *_: package if label == OLD else None)
    monkeypatch.setattr(changing_module, "read_package", lambda _folder: package)
    config = Config.model_validate({"camera": [{"uri": "file:film.avi"}]})
    started = Changing(
        cast(Any, flow), config, house.state, house.state, house.gallery, lambda _bundle: None, lambda: FULL
    )
    networks = cast(Networks, flow.serving.vision)
    networks.fails = fault
    with pytest.raises(EngineError, match="let in by nobody") if fault else nullcontext():
        started.resume()
    assert isinstance(flow.recognise.second, Dual) is (not fault)
    assert len(started.notices) == bool(fault)
    started.close()
    assert [opened.users for opened in networks.made] == ([] if fault == "beside" else [0])
    assert kept(NEW, house.state) == OLD, "the next start tries it again"
