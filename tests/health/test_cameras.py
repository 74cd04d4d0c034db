"""What is told about a camera: once when it fails, once when it is back, and how good its faces are."""

from __future__ import annotations

from faceedge.health.cameras import ENOUGH, CameraHealth


def watched() -> tuple[CameraHealth, list[tuple[str, bool, str]]]:
    told: list[tuple[str, bool, str]] = []
    return CameraHealth(["front", "rear"], lambda *news: told.append(news)), told


def test_a_camera_that_fails_again_and_again_is_told_once_and_its_return_once() -> None:
    cameras, told = watched()
    for _ in range(3):
        cameras.failed("front", "no such device")
    cameras.delivered("front")
    cameras.delivered("front")
    cameras.delivered("rear")
    assert told == [("front", False, "no such device"), ("front", True, "")]


def test_a_failed_camera_shows_why_and_the_other_stays_well() -> None:
    cameras, _ = watched()
    cameras.failed("front", "no such device")
    front, rear = cameras.as_json()
    assert (front["ok"], front["why"]) == (False, "no such device")
    assert (rear["ok"], rear["why"]) == (True, "")


def test_a_lens_that_gets_dirty_shows_as_quality_below_the_usual() -> None:
    cameras, _ = watched()
    for _ in range(500):
        cameras.graded("front", 0.9)
    for _ in range(60):
        cameras.graded("front", 0.5)
    front = cameras.as_json()[0]
    assert front["quality"] < 0.55
    assert front["usual"] > 0.8


def test_a_few_faces_are_no_trend() -> None:
    cameras, _ = watched()
    for _ in range(ENOUGH - 1):
        cameras.graded("front", 0.9)
    assert cameras.as_json()[0]["quality"] is None
    cameras.graded("front", 0.9)
    assert cameras.as_json()[0]["quality"] == 0.9
