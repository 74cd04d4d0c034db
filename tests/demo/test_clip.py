"""The demo's clip: the same for the same seed, each frame different, whole or not there."""

from __future__ import annotations

import hashlib
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest

from faceedge.demo import clip, script
from faceedge.demo.script import ACTS, Timeline


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Timeline]:
    path = tmp_path_factory.mktemp("clip") / "demo.avi"
    return path, clip.render(path)


def test_the_same_seed_gives_the_same_frames_and_another_seed_does_not() -> None:
    first, again, other = (np.stack(list(islice(clip.frames(seed), 30))) for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.system
def test_the_file_holds_every_frame_of_the_timeline_at_25_per_second(rendered: tuple[Path, Timeline]) -> None:
    path, story = rendered
    video = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    assert video.get(cv2.CAP_PROP_FPS) == story.fps == 25
    digests = []
    while True:
        good, frame = video.read()
        if not good:
            break
        assert frame.shape == (270, 480, 3)
        digests.append(hashlib.sha256(frame.tobytes()).digest())
    assert len(digests) == story.frames
    assert len(set(digests)) == story.frames, "shots with equal pixels count once, so no two frames may be equal"


def test_rendering_says_how_far_it_is_and_leaves_nothing_behind_when_it_is_broken_off(tmp_path: Path) -> None:
    seen: list[float] = []

    def stop_early(task: str, share: float) -> None:
        assert task
        seen.append(share)
        if share > 0.02:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        clip.render(tmp_path / "demo.avi", progress=stop_early)
    assert seen == sorted(seen)
    assert seen[0] == 0
    assert list(tmp_path.iterdir()) == []


def test_a_cached_clip_is_not_rendered_twice_and_replaces_older_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clip, "frames", lambda seed: (np.zeros((270, 480, 3), np.uint8) for _ in range(2)))
    path, story = clip.cached(tmp_path)
    stamp = path.stat().st_mtime_ns
    assert clip.cached(tmp_path) == (path, story)
    assert path.stat().st_mtime_ns == stamp
    newer, _ = clip.cached(tmp_path, seed=1)
    assert newer != path
    assert list((tmp_path / "demo").iterdir()) == [newer]


def test_every_frame_belongs_to_one_scene() -> None:
    story = script.timeline()
    assert [scene.start for scene in story.scenes] == [0, *(scene.end for scene in story.scenes[:-1])]
    assert story.frames == story.scenes[-1].end
    assert 20 <= story.seconds <= 30
    found = [story.scene_at(seq) for seq in range(story.frames)]
    assert None not in found
    assert story.scene_at(story.frames) is None


def test_the_story_has_each_ending() -> None:
    subjects = {(scene.subject, scene.expect) for scene in script.timeline().scenes}
    assert {("astronaut", "open"), ("astronaut", "shut"), ("admiral", "shut"), ("cat", "nothing")} <= subjects


@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.name)
def test_subjects_come_from_outside_grow_and_leave(act: script.Act) -> None:
    times = np.arange(0, act.seconds, 1 / script.FPS)
    poses = [script.pose(act, float(at_s)) for at_s in times]
    sizes = [pose.face_px for pose in poses]
    assert max(sizes) > 1.2 * sizes[0]
    for pose in (poses[0], poses[-1]):
        assert pose.x < -40 or pose.x > script.WIDTH_PX + 40


@pytest.mark.parametrize("act", [act for act in ACTS if act.expect == "open"], ids=lambda act: act.name)
def test_who_may_pass_stands_well_lit_and_large_for_a_second(act: script.Act) -> None:
    times = np.arange(0, act.seconds, 1 / script.FPS)
    steady = [
        100 <= script.pose(act, at_s).face_px <= 170
        and abs(script.pose(act, at_s).x - script.pose(act, at_s + 0.04).x) < 1.5
        and script.look(act, at_s) == script.Look(1.0, 0.0)
        for at_s in map(float, times)
    ]
    assert sum(steady) >= script.FPS


def test_the_light_fails_and_comes_back() -> None:
    act = next(act for act in ACTS if act.light)
    exposures = [script.look(act, float(at_s)).exposure for at_s in np.arange(0, act.seconds, 0.04)]
    assert sum(exposure < 0.2 for exposure in exposures) >= script.FPS
    assert exposures[0] == exposures[-1] == 1
