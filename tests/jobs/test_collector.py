"""The collector: off it writes nothing, on it keeps within its bounds, and its troubles reach no stage."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from faceedge.config import Capture
from faceedge.errors import StoreError
from faceedge.gallery.captured import DAY_S, Captured, Kept
from faceedge.gallery.rows import png_to_crop
from faceedge.gallery.store import Gallery
from faceedge.jobs import collector as collectors
from faceedge.jobs.collector import WAITING_MOST, Collector, Cut
from faceedge.types import Assessment, Face, Shot

NOW = 1_800_000_000.0
ON = Capture(on=True, crops=40, days=30, every_s=60)
CUT = Cut("arcface_112", "ba9876543210")


def shot(captured: float, track: int = 1, quality: float = 0.7, light: int = 120, camera: str = "entry") -> Shot:
    face = Face(np.array([0, 0, 120, 120], np.float32), 1.0, np.zeros((5, 2), np.float32))
    crop = np.full((112, 112, 3), light, np.uint8)
    crop[0, 0] = (track % 256, int(captured) % 256, 0)
    return Shot(camera, track, 0, captured, face, crop, Assessment(quality))


@dataclass
class Site:
    """A state directory with a clock."""

    state: Path
    now: float = NOW
    may: bool = True
    made: list[Collector] = field(default_factory=list)

    def collector(self, settings: Capture = ON, room: Callable[[], int] = lambda: 10**10) -> Collector:
        made = Collector(settings, self.state, CUT, lambda: self.now, seed=1, room=room, may=lambda: self.may)
        self.made.append(made)
        return made

    def run(self, settings: Capture, offers: list[tuple[Shot, str | None]]) -> Collector:
        """One daemon's life: a few shots at a time, so that none is dropped."""
        made = self.collector(settings)
        made.start(is_empty=not self.kept())
        for offer in offers:
            made.offer(*offer)
        made.stop()
        return made

    def kept(self) -> list[Kept]:
        with Gallery.open(self.state) as gallery:
            return gallery.captured.kept()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    state = tmp_path / "state"
    Gallery.open(state).close()
    site = Site(state)
    yield site
    for made in site.made:
        made.stop()
    assert not [thread for thread in threading.enumerate() if thread.name == "collector"]


def enrolled(site: Site, *names: str) -> list[str]:
    with Gallery.open(site.state) as gallery:
        return [gallery.add_person(name).id for name in names]


def test_off_it_takes_and_writes_nothing_and_has_no_thread(site: Site) -> None:
    made = site.collector(Capture())
    before = {path.name: path.read_bytes() for path in site.state.iterdir() if path.is_file()}
    made.start(is_empty=True)
    assert "collector" not in {thread.name for thread in threading.enumerate()}
    made.offer(shot(1.0), None)
    assert len(made._offers) == 0
    made.stop()
    assert {path.name: path.read_bytes() for path in site.state.iterdir() if path.is_file()} == before
    assert made.as_json() == {"on": False}


def test_what_is_offered_is_kept_with_its_facts_as_it_was_shown(site: Site) -> None:
    (ada,) = enrolled(site, "Ada")
    first, second = shot(0.0, quality=0.9, light=200), shot(1.0, track=2, quality=0.5, light=30)
    made = site.run(ON, [(first, ada), (second, None)])
    one, other = site.kept()
    assert (one.person, one.quality, one.alignment, one.build) == (ada, 0.9, CUT.alignment, CUT.build)
    assert (round(one.light), round(other.light), other.person) == (200, 30, None)
    assert one.created % DAY_S == 0
    assert NOW - DAY_S < one.created <= NOW
    with Gallery.open(site.state) as gallery:
        png = gallery.captured.png(one)
        assert png is not None
        assert np.array_equal(png_to_crop(png), first.crop)
    assert made.as_json() == {"on": True, "crops": 2, "dropped": 0, "days": 30}


def test_while_memory_is_short_nothing_is_taken(site: Site) -> None:
    site.may = False
    site.run(ON, [(shot(0.0), None)])
    assert site.kept() == []


def test_a_person_is_taken_once_a_minute_and_band_wherever_they_stand(site: Site) -> None:
    (ada,) = enrolled(site, "Ada")
    times = [0.0, 1.0, 30.0, 59.9, 60.0, 61.0, 130.0]
    offers = [(shot(at, track=int(at), camera=f"c{int(at)}"), ada) for at in times]
    offers.append((shot(131.0, quality=0.9), ada))
    site.run(ON, [*offers, (shot(132.0, quality=0.95), ada)])
    assert len(site.kept()) == 4


def test_a_stranger_is_taken_once_a_minute_and_track(site: Site) -> None:
    offers = [(shot(float(at), track=at % 3), None) for at in range(30)]
    made = site.run(ON, offers)
    assert len(site.kept()) == 3
    assert len(made._last) == 3
    made.offer(shot(1000.0, track=9), None)
    assert len(made._last) == 1, "tracks that are gone are forgotten"


def test_strangers_are_left_alone_where_that_is_said(site: Site) -> None:
    (ada,) = enrolled(site, "Ada")
    site.run(ON.model_copy(update={"strangers": False}), [(shot(0.0), None), (shot(1.0), ada)])
    assert [one.person for one in site.kept()] == [ada]


def test_there_are_never_more_crops_than_the_bound_nor_more_of_one_person(site: Site) -> None:
    people = enrolled(site, "Ada", "Bob")
    for day in range(8):
        site.now = NOW + day * DAY_S
        offers = [(shot(60.0 * at, track=100 * day + at), [None, None, *people][at % 4]) for at in range(16)]
        site.run(ON, offers)
    kept = site.kept()
    assert len(kept) == 40
    assert {len([one for one in kept if one.person == person]) for person in people} <= {10, 11, 9}
    site.run(ON.model_copy(update={"crops": 12}), [])
    assert len(site.kept()) == 12


def test_crops_age_and_are_erased_also_while_capture_is_off(site: Site) -> None:
    site.run(ON, [(shot(0.0), None)])
    site.now += 20 * DAY_S
    site.run(ON, [(shot(0.0, track=2), None)])
    assert len(site.kept()) == 2
    site.now += 11 * DAY_S
    site.run(Capture(), [(shot(0.0, track=3), None)])
    assert len(site.kept()) == 1
    site.now += 30 * DAY_S
    with Gallery.open(site.state) as gallery:
        cell = gallery.captured.cells(gallery.captured.kept()[0])[0]
    site.run(ON, [])
    assert site.kept() == []
    left = b"".join(path.read_bytes() for path in site.state.iterdir() if path.is_file())
    assert not [at for at in range(0, len(cell), 32) if cell[at : at + 32] in left]


def test_without_a_clock_nothing_is_taken_and_nothing_is_thrown_away(site: Site) -> None:
    site.run(ON, [(shot(0.0), None)])
    site.now = 3.0
    site.run(ON, [(shot(60.0), None)])
    assert len(site.kept()) == 1


def test_a_full_disk_turns_it_off_with_one_line(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    made = site.collector(room=lambda: 1_000_000)
    made.start(is_empty=True)
    made.offer(shot(0.0), None)
    made._thread.join(10)
    for track in range(50):
        made.offer(shot(1.0, track), None)
    made.stop()
    assert site.kept() == []
    assert not made.as_json()["on"]
    (line,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert "off until the next start" in line.getMessage()
    assert "200 MB are free; make room" in line.getMessage()


def test_a_write_that_fails_turns_it_off_and_says_nothing_about_anybody(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> int:
        raise StoreError("gallery.db: database or disk is full; look at the disk")

    (ada,) = enrolled(site, "Ada")
    monkeypatch.setattr(Captured, "change", full)
    made = site.collector()
    made.start(is_empty=True)
    made.offer(shot(0.0), ada)
    made._thread.join(10)
    assert not made.is_on
    assert ada not in caplog.text
    assert "Ada" not in caplog.text


def test_a_stage_never_waits_and_what_is_too_much_is_dropped_and_counted(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, reached = threading.Event(), threading.Event()

    def slow(self: Captured) -> list[Kept]:
        reached.set()
        assert held.wait(10)
        return []

    monkeypatch.setattr(Captured, "kept", slow)
    made = site.collector()
    made.start(is_empty=True)
    assert reached.wait(10)
    for track in range(WAITING_MOST + 5):
        made.offer(shot(0.0, track), None)
    assert made.as_json()["dropped"] == 5
    held.set()
    monkeypatch.undo()
    made.stop()
    assert len(site.kept()) == WAITING_MOST


def test_a_thread_that_hangs_is_left_behind_by_a_stop(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    held = threading.Event()
    monkeypatch.setattr(collectors, "STOP_WITHIN_S", 0.05)
    monkeypatch.setattr(Captured, "kept", lambda self: held.wait(10) and [])
    made = site.collector()
    made.start(is_empty=True)
    made.stop()
    assert made._thread.is_alive()
    held.set()
    made._thread.join(10)


def test_the_same_seed_and_shots_keep_the_same_crops(tmp_path: Path) -> None:
    def ranks(name: str) -> list[float]:
        site = Site(tmp_path / name)
        Gallery.open(site.state).close()
        site.run(ON, [(shot(0.0, track), None) for track in range(10)])
        return [one.rank for one in site.kept()]

    assert ranks("one") == ranks("two") != []


def test_it_says_that_it_is_on(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        site.run(ON, [])
        site.run(ON.model_copy(update={"strangers": False}), [])
    assert "up to 40 crops of faces are kept, sealed, for 30 days" in caplog.text
    assert "up to 40 crops of faces of people enrolled are kept" in caplog.text


def test_a_person_removed_while_it_runs_leaves_no_crop(site: Site) -> None:
    (ada,) = enrolled(site, "Ada")
    made = site.collector()
    made.start(is_empty=True)
    with Gallery.open(site.state) as gallery:
        person = gallery.find(ada)
        assert person is not None
        gallery.remove(person)
    made.offer(shot(0.0), ada)
    made.stop()
    assert site.kept() == []
