"""What is wrong with the pictures of a camera, told from the pictures and their times alone."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceedge.cameras.watch import BLIND_S, LONGEST_LOOP, LONGEST_STEP_S, STILL_S, Kind, PictureWatch, light
from faceedge.types import Image

FPS = 25
SCENE = (
    np.random.default_rng(1).integers(40, 216, (9, 16), np.uint8).repeat(10, 0).repeat(10, 1)[..., None].repeat(3, 2)
)
"""Something to see, 90 x 160."""


def picture(number: int, scene: Image = SCENE) -> Image:
    """The scene with the noise of a sensor, the same for one number."""
    noise = np.random.default_rng(number).integers(0, 4, scene.shape, np.uint8)
    return (scene + noise).astype(np.uint8)


class Lens:
    """A camera of 25 pictures a second, and what the watch says of it."""

    def __init__(self, *, repeats: bool = False) -> None:
        self.watch = PictureWatch(repeats=repeats)
        self.now_s = 1000.0
        self._made = 0

    def show(self, images: Iterable[Image]) -> list[Kind | None]:
        """What is wrong after each picture."""
        said: list[Kind | None] = []
        for image in images:
            fault = self.watch.see(image, self.now_s)
            said.append(fault.kind if fault is not None else None)
            self.now_s += 1 / FPS
        return said

    def live(self, seconds: float, scene: Image = SCENE) -> list[Kind | None]:
        first, self._made = self._made, self._made + int(seconds * FPS)
        return self.show(picture(number, scene) for number in range(first, self._made))

    def still(self, seconds: float, number: int = 10**6) -> list[Kind | None]:
        return self.show([picture(number)] * int(seconds * FPS))


def test_a_picture_that_stands_still_for_three_seconds_is_a_fault_until_it_changes() -> None:
    lens = Lens()
    assert set(lens.live(2)) == {None}
    said = lens.still(STILL_S + 1)
    assert said.index("frozen") == round(STILL_S * FPS)
    assert set(said[said.index("frozen") :]) == {"frozen"}
    assert lens.live(1)[0] is None


def test_a_frozen_camera_shuts_and_says_what_to_do() -> None:
    lens = Lens()
    lens.still(4)
    fault = lens.watch.see(picture(10**6), lens.now_s)
    assert fault is not None
    assert fault.shuts
    assert "restart" in fault.why


def test_a_scene_that_changes_every_two_seconds_is_not_frozen() -> None:
    lens = Lens()
    for number in range(20):
        assert set(lens.still(2.9, number)) == {None}


LARGE = cv2.resize(SCENE, (160, 720), interpolation=cv2.INTER_NEAREST)


@given(at=st.tuples(st.integers(0, 720 - 8), st.integers(0, 159)), by=st.integers(1, 255))
def test_any_change_of_eight_rows_of_720_counts_wherever_it_is(at: tuple[int, int], by: int) -> None:
    watch = PictureWatch()
    assert [watch.see(LARGE, float(second)) is not None for second in range(5)] == [False, False, False, True, True]
    changed = LARGE.copy()
    changed[at[0] : at[0] + 8, at[1], 1] += np.uint8(by)
    assert watch.see(changed, 5.0) is None


@given(st.lists(st.tuples(st.floats(0.001, LONGEST_STEP_S), st.integers(0, 3)), min_size=1, max_size=120))
def test_frozen_means_the_same_picture_for_three_seconds_and_nothing_else(story: list[tuple[float, int]]) -> None:
    watch = PictureWatch(repeats=True)
    now_s, since_s, last = 50.0, 50.0, -1
    for step_s, number in story:
        now_s += step_s
        if number != last:
            since_s, last = now_s, number
        fault = watch.see(picture(number), now_s)
        if abs(now_s - since_s - STILL_S) > 1e-3:
            assert (fault is not None) == (now_s - since_s > STILL_S)


def test_a_clock_that_leaps_freezes_nothing_by_itself() -> None:
    watch = PictureWatch()
    for leap_s in (0.0, 3e7, 3e7, 6e7):
        assert watch.see(picture(1), leap_s) is None, "two equal pictures, however far apart, are no three seconds"


def test_a_clock_that_goes_back_neither_hides_nor_makes_a_fault() -> None:
    lens = Lens()
    lens.still(2)
    lens.now_s -= 500
    said = lens.still(2)
    assert said[0] is None
    assert said[-1] == "frozen"
    lens.now_s -= 500
    assert set(lens.still(1)) == {"frozen"}
    lens.now_s -= 500
    assert set(lens.live(5)) == {None}


@given(st.lists(st.floats(-1e9, 1e9), min_size=2, max_size=50))
def test_whatever_the_times_pictures_that_change_are_well(times: list[float]) -> None:
    watch = PictureWatch()
    assert {watch.see(picture(number), at_s) for number, at_s in enumerate(times)} == {None}


@pytest.mark.parametrize("period", [2, 7, 50, 500])
def test_a_film_that_is_played_again_is_a_fault_in_its_second_round(period: int) -> None:
    lens = Lens()
    film = [picture(number) for number in range(period)]
    said = lens.show(film[number % period] for number in range(2 * period + 4 * FPS))
    assert set(said[:period]) == {None}
    assert said.index("replay") <= period + STILL_S * FPS + 1
    assert said[-1] == "replay"


def test_a_film_of_which_pictures_are_skipped_is_found_out_some_seconds_later() -> None:
    lens, chance = Lens(), np.random.default_rng(3)
    film = [picture(number) for number in range(100)]
    said = lens.show(film[number % 100] for number in range(2500) if chance.random() > 0.1)
    assert "replay" in said[: 30 * FPS]
    assert said[-1] == "replay"


def test_a_camera_is_well_again_within_a_second_of_new_pictures_after_a_film() -> None:
    lens = Lens()
    lens.show([picture(10**7 + number % 50) for number in range(200)])
    said = lens.live(2)
    assert said[0] == "replay"
    assert None in said[:FPS]
    assert said[-1] is None


def test_a_film_longer_than_what_is_remembered_is_not_found_out() -> None:
    lens, tiny = Lens(), np.random.default_rng(1).integers(0, 255, (LONGEST_LOOP + 50, 16, 16, 3), np.uint8)
    assert "replay" not in lens.show([*tiny, *tiny])


def test_a_source_that_may_begin_anew_is_watched_for_standing_still_only() -> None:
    lens = Lens(repeats=True)
    assert set(lens.show(picture(number % 50) for number in range(500))) == {None}
    assert lens.still(4)[-1] == "frozen"


def test_an_empty_scene_that_comes_back_after_each_visitor_is_no_film() -> None:
    lens = Lens()
    for _ in range(20):
        assert "replay" not in lens.still(2.5, number=7) + lens.live(3)


def scene(mean: float, contrast: float) -> Image:
    """A made-up scene of this mean and deviation."""
    steps = np.random.default_rng(5).normal(size=(9, 16))
    steps = mean + contrast * (steps - steps.mean()) / steps.std()
    return np.clip(steps, 0, 250).astype(np.uint8).repeat(10, 0).repeat(10, 1)[..., None].repeat(3, 2)


@pytest.mark.parametrize(
    ("mean", "contrast"),
    [(0, 0), (8, 2), (128, 0), (128, 3), (245, 1)],
    ids=["black", "night", "grey", "cloth", "white"],
)
def test_a_lens_that_shows_nothing_is_told_after_two_seconds_and_opens_again_by_itself(
    mean: float, contrast: float
) -> None:
    lens = Lens()
    lens.live(3)
    said = lens.live(4, scene(mean, contrast))
    assert set(said[: int(BLIND_S * FPS)]) == {None}
    assert set(said[int((BLIND_S + 0.6) * FPS) :]) == {"dark"}
    after = lens.live(4)
    assert after[0] == "dark"
    assert after[-1] is None


def test_somebody_who_stands_close_for_a_moment_covers_nothing() -> None:
    lens = Lens()
    lens.live(3)
    assert set(lens.live(1.5, scene(20, 1)) + lens.live(3)) == {None}


def test_a_lamp_over_the_door_at_night_is_something_to_see() -> None:
    night = np.full((90, 160, 3), 3, np.uint8)
    night[10:30, 70:100] = 200
    assert set(Lens().live(5, night)) == {None}


def test_at_dusk_it_turns_dark_once() -> None:
    lens, said = Lens(), []
    flicker = np.random.default_rng(2).normal(0, 1.5, 240)
    for quarter in range(240):
        said += lens.live(0.25, scene(26 - 0.1 * quarter + flicker[quarter], 8))
    turns = [kind for kind, before in zip(said, [None, *said], strict=False) if kind != before]
    assert turns == ["dark"]


def test_between_dark_and_light_it_stays_what_it_was() -> None:
    lens = Lens()
    assert set(lens.live(5, scene(17, 10))) == {None}
    assert lens.live(5, scene(12, 10))[-1] == "dark"
    assert set(lens.live(5, scene(17, 10))) == {"dark"}
    assert lens.live(5, scene(28, 10))[-1] is None


def test_a_covered_lens_with_equal_pictures_is_told_as_covered_and_shut_all_the_same() -> None:
    watch, black = PictureWatch(), np.zeros((90, 160, 3), np.uint8)
    faults = [watch.see(black, number / FPS) for number in range(5 * FPS)]
    kinds = [fault.kind for fault in faults if fault is not None]
    assert set(kinds) == {"dark"}
    assert faults[-1] is not None
    assert faults[-1].shuts


def test_the_noise_of_a_sensor_is_nothing_to_see() -> None:
    noise = np.random.default_rng(1).integers(0, 120, (720, 1280, 3), np.uint8)
    assert light(noise)[1] < 5


def test_another_size_is_another_picture() -> None:
    lens = Lens()
    lens.still(4)
    assert lens.show([SCENE[:80]]) == [None]
