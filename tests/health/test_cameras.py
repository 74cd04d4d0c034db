"""What is told about a camera: once when it fails, once when it is back, and how good its pictures and faces are."""

from __future__ import annotations

from faceedge.cameras.watch import DARK_OR_COVERED, FROZEN, REPLAY, Fault
from faceedge.health.calm import LASTS_S
from faceedge.health.cameras import CameraHealth
from faceedge.health.trend import ENOUGH

News = tuple[str, bool, str, str]


class Watched:
    """Two cameras, what was told of them, and a clock that is turned by hand."""

    def __init__(self) -> None:
        self.told: list[News] = []
        self.now_s = 0.0
        self.cameras = CameraHealth(["front", "rear"], lambda *news: self.told.append(news), lambda: self.now_s)

    def pictures(self, fault: Fault | None, seconds: float) -> None:
        for _ in range(int(seconds * 4) + 1):
            self.cameras.pictured("front", fault)
            self.now_s += 0.25

    @property
    def front(self) -> dict[str, object]:
        return self.cameras.as_json()[0]


def test_a_camera_that_fails_again_and_again_is_told_once_and_its_return_once() -> None:
    watched = Watched()
    for _ in range(3):
        watched.cameras.failed("front", "no such device")
    watched.cameras.delivered("front")
    watched.cameras.delivered("front")
    watched.cameras.delivered("rear")
    assert watched.told == [("front", False, "no such device", "away"), ("front", True, "", "away")]


def test_a_failed_camera_shows_why_and_the_other_stays_well() -> None:
    watched = Watched()
    watched.cameras.failed("front", "no such device")
    front, rear = watched.cameras.as_json()
    assert (front["ok"], front["why"], front["fault"]) == (False, "no such device", "away")
    assert (rear["ok"], rear["why"], rear["fault"]) == (True, "", None)


def test_a_frozen_camera_is_shut_shown_and_told_at_once() -> None:
    watched = Watched()
    watched.cameras.pictured("front", FROZEN)
    assert watched.cameras.why_shut("front") == FROZEN.why
    assert watched.told == [("front", False, FROZEN.why, "frozen")]
    shown = {key: watched.front[key] for key in ("ok", "why", "fault", "shut")}
    assert shown == {"ok": False, "why": FROZEN.why, "fault": "frozen", "shut": True}
    assert watched.cameras.why_shut("rear") == ""


def test_one_that_freezes_again_is_shut_and_shown_at_once_and_told_when_it_lasts() -> None:
    watched = Watched()
    watched.pictures(FROZEN, 1)
    watched.pictures(None, 60)
    before = list(watched.told)
    watched.pictures(FROZEN, LASTS_S - 1)
    assert watched.cameras.why_shut("front") == FROZEN.why
    assert (watched.front["ok"], watched.front["fault"], watched.front["shut"]) == (True, "frozen", True)
    assert watched.told == before
    watched.pictures(FROZEN, 2)
    assert watched.told == [*before, ("front", False, FROZEN.why, "frozen")]


def test_a_camera_is_open_again_with_the_first_good_picture_and_told_so_when_that_lasts() -> None:
    watched = Watched()
    watched.pictures(FROZEN, LASTS_S)
    watched.cameras.pictured("front", None)
    assert watched.cameras.why_shut("front") == ""
    assert (watched.front["ok"], watched.front["fault"], watched.front["why"]) == (False, None, FROZEN.why)
    watched.pictures(None, LASTS_S)
    assert watched.told[1:] == [("front", True, "", "frozen")]
    assert (watched.front["ok"], watched.front["why"]) == (True, "")


def test_a_quiet_corridor_that_stands_still_for_seconds_floods_nobody() -> None:
    watched = Watched()
    for _ in range(500):
        watched.pictures(FROZEN, 8)
        watched.pictures(None, 1)
    assert len(watched.told) == 1


def test_a_dark_camera_is_told_but_not_shut() -> None:
    watched = Watched()
    watched.pictures(DARK_OR_COVERED, LASTS_S)
    assert watched.cameras.why_shut("front") == ""
    assert watched.told == [("front", False, DARK_OR_COVERED.why, "dark")]


def test_in_the_dark_it_is_one_fault_whether_pictures_are_equal_or_not() -> None:
    watched = Watched()
    for _ in range(10):
        watched.pictures(DARK_OR_COVERED, 3)
        watched.pictures(Fault("dark", DARK_OR_COVERED.why, True), 3)
    assert [kind for *_, kind in watched.told] == ["dark"]


def test_of_two_faults_in_a_row_the_first_ends_before_the_second_begins() -> None:
    watched = Watched()
    watched.pictures(FROZEN, 30)
    watched.pictures(REPLAY, 60)
    assert [(ok, about) for _, ok, _, about in watched.told] == [(False, "frozen"), (True, "frozen"), (False, "replay")]


def test_a_camera_that_is_not_configured_is_shut_by_nothing() -> None:
    assert Watched().cameras.why_shut("elsewhere") == ""


def test_quality_that_falls_is_told_with_the_figure_and_what_to_do() -> None:
    watched = Watched()
    for track in range(300):
        watched.cameras.graded("front", 0.61, track)
    for track in range(300, 360):
        watched.cameras.graded("front", 0.23, track)
    (news,) = watched.told
    assert news == (
        "front", False, "quality has fallen to 0.23, usually 0.61: check the light, and clean the lens", "quality",
    )  # fmt: skip
    assert (watched.front["quality"], watched.front["usual"], watched.front["low"]) == (0.23, 0.61, True)
    assert watched.front["ok"], "it delivers"
    for track in range(360, 420):
        watched.cameras.graded("front", 0.6, track)
    assert watched.told[1:] == [("front", True, "", "quality")]


def test_a_few_faces_are_shown_as_nothing() -> None:
    watched = Watched()
    for track in range(ENOUGH - 1):
        watched.cameras.graded("front", 0.9, track)
    assert watched.front["quality"] is None
    watched.cameras.graded("front", 0.9, ENOUGH)
    assert watched.front["quality"] == 0.9
