"""Threads and queues around made-up stages: everything is processed, faults are survived, a stop is quick."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from faceedge.batching import Batching
from faceedge.channel import Channel
from faceedge.deadlines import Deadlines
from faceedge.effort import Effort
from faceedge.health.heartbeat import Heart
from faceedge.health.watchdog import ailments
from faceedge.pipeline import Pipeline
from faceedge.types import Assessment, Decision, Face, Frame, Shot

IMAGE = np.zeros((2, 2, 3), np.uint8)


def film(camera: str, length: int, stop: threading.Event) -> Iterator[Frame | None]:
    for seq in range(length):
        if stop.is_set():
            return
        yield Frame(camera, seq, IMAGE, float(seq))


def shot_of(frame: Frame) -> Shot:
    face = Face(np.zeros(4, np.float32), 1.0, np.zeros((5, 2), np.float32))
    return Shot(frame.camera, 1, frame.seq, frame.captured, face, IMAGE, Assessment(1.0))


def hold(gate: threading.Event) -> None:
    gate.wait(10)


class Stages:
    """Passes every frame through and remembers what arrived; `trouble` runs first in the detect stage."""

    def __init__(self, trouble: Callable[[Sequence[Frame]], None] = lambda frames: None) -> None:
        self.trouble = trouble
        self.arrived: list[tuple[str, int]] = []
        self.finished = threading.Event()

    def detect(self, frames: Sequence[Frame]) -> list[Shot]:
        self.trouble(frames)
        return [shot_of(frame) for frame in frames]

    def recognise(self, shots: Sequence[Shot]) -> list[Decision]:
        self.arrived += [(shot.camera, shot.seq) for shot in shots]
        return []

    def pipeline(self, *, lossless: bool = True, **lengths: int) -> Pipeline:
        sources = {camera: partial(film, camera, length) for camera, length in lengths.items()}
        return Pipeline(sources, self.detect, self.recognise, self.finished.set, lossless=lossless)


def test_without_loss_every_frame_of_every_camera_arrives_in_order_and_the_end_is_reached() -> None:
    stages = Stages()
    pipeline = stages.pipeline(entry=60, yard=40)
    pipeline.start()
    assert stages.finished.wait(10)
    for camera, length in (("entry", 60), ("yard", 40)):
        assert [seq for name, seq in stages.arrived if name == camera] == list(range(length))
    counters = pipeline.counters()
    assert (counters["frames_dropped"], counters["frames_late"], counters["shots_late"]) == (0, 0, 0)
    assert pipeline.stop() == []
    assert pipeline.is_finished


def test_a_slow_stage_drops_old_frames_counts_them_and_ends_on_the_newest() -> None:
    gate = threading.Event()
    stages = Stages(lambda frames: hold(gate))
    pipeline = stages.pipeline(lossless=False, entry=100)
    pipeline.on_ended = lambda camera: gate.set()
    pipeline.start()
    assert stages.finished.wait(10)
    counters = pipeline.counters()
    assert counters["frames_dropped"] > 0
    assert counters["frames_passed"] + counters["frames_dropped"] == 100
    assert stages.arrived[-1] == ("entry", 99)


def test_a_stage_that_raises_loses_that_batch_only(caplog: pytest.LogCaptureFixture) -> None:
    def trouble(frames: Sequence[Frame]) -> None:
        if any(frame.seq == 7 for frame in frames):
            raise RuntimeError("the network choked")

    stages = Stages(trouble)
    pipeline = stages.pipeline(entry=20)
    pipeline.start()
    assert stages.finished.wait(10)
    assert ("entry", 7) not in stages.arrived
    assert stages.arrived[-1] == ("entry", 19)
    assert pipeline.counters()["detect_faults"] == 1


def test_a_stop_ends_all_threads_within_two_seconds_even_when_queues_are_full() -> None:
    pipeline = Stages(lambda frames: time.sleep(0.02)).pipeline(entry=10**6)
    pipeline.start()
    start = time.monotonic()
    assert pipeline.stop() == []
    assert time.monotonic() - start < 2
    assert pipeline.is_finished


def test_a_camera_that_is_away_for_long_is_no_stuck_stage() -> None:
    stages = Stages()
    gave_up = threading.Event()

    def away(stop: threading.Event) -> Iterator[Frame | None]:
        while not stop.is_set():
            yield None
            gave_up.set()
            stop.wait(0.05)

    pipeline = Pipeline({"entry": away}, stages.detect, stages.recognise, stages.finished.set)
    pipeline.start()
    assert gave_up.wait(5)
    pipeline.hearts["capture-entry"].silence_s = 0.2
    limit = time.monotonic() + 0.6
    while time.monotonic() < limit:
        assert ailments(pipeline.vitals()) == []
        time.sleep(0.02)
    assert stages.arrived == []
    assert pipeline.stop() == []


def test_what_ended_a_camera_before_its_time_is_kept() -> None:
    def torn(stop: threading.Event) -> Iterator[Frame | None]:
        yield from film("entry", 3, stop)
        raise RuntimeError("the file ends in the middle")

    stages = Stages()
    pipeline = Pipeline({"entry": torn}, stages.detect, stages.recognise, stages.finished.set, lossless=True)
    pipeline.start()
    assert stages.finished.wait(10)
    assert [str(failure) for failure in pipeline.failures] == ["the file ends in the middle"]
    assert len(stages.arrived) == 3


def test_a_listener_that_raises_at_the_end_of_a_camera_keeps_nothing_from_ending(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def raising(camera: str) -> None:
        raise BrokenPipeError(camera)

    monkeypatch.setattr(threading, "excepthook", lambda fault: None)
    stages = Stages()
    pipeline = stages.pipeline(entry=3)
    pipeline.on_ended = raising
    pipeline.start()
    assert stages.finished.wait(5)
    assert pipeline.stop() == []


def test_frames_that_are_too_old_never_reach_the_detector_and_are_counted_with_the_reason() -> None:
    stages = Stages()
    pipeline = stages.pipeline(lossless=False, entry=20)  # taken in the first seconds of this machine's life
    pipeline.deadlines = Deadlines(("detect", "recognise"), 0.5)
    pipeline.start()
    assert stages.finished.wait(10)
    counters = pipeline.counters()
    assert stages.arrived == []
    assert counters["frames_late"] == counters["late_detect_old"] == counters["frames_passed"]
    assert counters["frames_passed"] + counters["frames_dropped"] == 20
    assert counters["shots_late"] == 0


def test_a_machine_that_is_too_slow_says_so_once_in_the_log_and_as_long_as_it_is_in_its_notices(
    caplog: pytest.LogCaptureFixture,
) -> None:
    pipeline = Stages().pipeline(entry=1)
    pipeline.deadlines = Deadlines(("detect", "recognise"), 0.5)
    for _ in range(4):
        assert not pipeline.deadlines.is_late("detect", time.monotonic() + 9, time.monotonic())
        pipeline._took("detect", 0.8, 1)
    assert [line.message for line in caplog.records] == pipeline.notices
    assert pipeline.notices[0].startswith("this machine takes 800 ms, decisions need 500:")
    for _ in range(9):
        assert not pipeline.deadlines.is_late("detect", time.monotonic() + 9, time.monotonic())
        pipeline._took("detect", 0.1, 1)
    assert pipeline.notices == []


def test_the_shots_of_a_crowd_before_one_camera_do_not_push_each_other_out() -> None:
    gate = threading.Event()
    stages = Stages()
    crowd = [replace(shot_of(Frame("entry", 1, IMAGE, 1.0)), track=track) for track in range(20)]
    pipeline = stages.pipeline(lossless=False, entry=1)
    pipeline.detect = lambda frames: crowd if frames else []
    pipeline.recognise = lambda shots: gate.wait(5) and stages.recognise(shots)
    pipeline.start()
    limit = time.monotonic() + 5
    while len(pipeline.shots) + pipeline.shots.passed < 20 and time.monotonic() < limit:
        time.sleep(0.005)
    assert pipeline.counters()["shots_dropped"] == 0
    gate.set()
    pipeline.stop()


def test_of_more_tracks_than_the_queue_holds_and_of_a_failed_batch_every_one_is_told_of() -> None:
    gate, missed, recognised = threading.Event(), list[int](), list[int]()
    crowd = [replace(shot_of(Frame("entry", 1, IMAGE, 1.0)), track=track) for track in range(100)]

    def recognise(shots: Sequence[Shot]) -> list[Decision]:
        gate.wait(10)
        if any(shot.track == 99 for shot in shots):
            raise RuntimeError("the network choked")
        recognised.extend(shot.track for shot in shots)
        return []

    def detect(frames: Sequence[Frame]) -> list[Shot]:
        return crowd if frames else []

    pipeline = Pipeline(
        {"entry": partial(film, "entry", 1)}, detect, recognise, lambda: None,
        missed=lambda shot: missed.append(shot.track),
    )  # fmt: skip
    pipeline.start()
    limit = time.monotonic() + 10
    while len(pipeline.shots) + pipeline.shots.passed + pipeline.shots.dropped < 100 and time.monotonic() < limit:
        time.sleep(0.005)
    gate.set()
    while not pipeline.is_finished and time.monotonic() < limit:
        time.sleep(0.005)
    assert pipeline.shots.dropped >= 30
    assert sorted(missed + recognised) == list(range(100))


def ailing_of(pipeline: Pipeline, within_s: float = 5.0) -> list[str]:
    """What the watchdog is told, as soon as it is told anything."""
    limit = time.monotonic() + within_s
    while not (found := ailments(pipeline.vitals())) and time.monotonic() < limit:
        time.sleep(0.01)
    return found


@pytest.mark.parametrize("stage", ["detect", "recognise"])
def test_a_stage_that_raises_is_made_anew_and_works_again(stage: str) -> None:
    stages, anew = Stages(), []

    def trouble(items: Sequence[object]) -> None:
        if items and not anew:
            raise RuntimeError("once")

    def recognise(shots: Sequence[Shot]) -> list[Decision]:
        if stage == "recognise":
            trouble(shots)
        return stages.recognise(shots)

    stages.trouble = trouble if stage == "detect" else lambda frames: None
    pipeline = Pipeline(
        {"entry": partial(film, "entry", 50)}, stages.detect, recognise, stages.finished.set, lossless=True,
        reopen=anew.append,
    )  # fmt: skip
    pipeline.start()
    assert stages.finished.wait(10)
    assert anew == [stage]
    assert stages.arrived[-1] == ("entry", 49)
    assert (pipeline.hearts[stage].streak, pipeline.hearts[stage].faults.total()) == (0, 1)


def test_a_stage_that_failed_late_has_its_whole_time_to_be_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """As of a driver that gives up after seconds, whose engine then takes seconds to open."""
    monkeypatch.setattr("faceedge.pipeline.SILENCE_S", 0.5)
    done = threading.Event()

    def trouble(frames: Sequence[Frame]) -> None:
        if not done.is_set():
            time.sleep(0.35)
            raise RuntimeError("the driver gave up")

    def anew(_stage: str) -> None:
        time.sleep(0.35)
        done.set()

    pipeline = Stages(trouble).pipeline(lossless=False, entry=20)
    pipeline.reopen = anew
    pipeline.start()
    found = []
    while not done.is_set():
        found += ailments(pipeline.vitals())
        time.sleep(0.01)
    pipeline.stop()
    assert found == []


def test_a_stage_that_cannot_be_made_anew_counts_that_as_a_fault_too_and_goes_on() -> None:
    def trouble(frames: Sequence[Frame]) -> None:
        if any(frame.seq == 7 for frame in frames):
            raise RuntimeError("the network choked")

    def anew(stage: str) -> None:
        raise ValueError(stage)

    stages = Stages(trouble)
    pipeline = stages.pipeline(entry=20)
    pipeline.reopen = anew
    pipeline.start()
    assert stages.finished.wait(10)
    assert pipeline.hearts["detect"].faults == {"RuntimeError": 1, "ValueError": 1}
    assert stages.arrived[-1] == ("entry", 19)


def test_a_stage_thread_that_dies_is_as_bad_as_one_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    class Fatal(BaseException):
        """As a SystemExit out of a library."""

    def trouble(frames: Sequence[Frame]) -> None:
        raise Fatal

    monkeypatch.setattr(threading, "excepthook", lambda fault: None)
    pipeline = Stages(trouble).pipeline(entry=5)
    pipeline.start()
    assert ailing_of(pipeline) == ["detect has died"]
    pipeline.stop()


def test_a_stage_that_hangs_ails_and_a_clip_that_has_ended_does_not() -> None:
    gate = threading.Event()
    pipeline = Stages(lambda frames: hold(gate)).pipeline(entry=1)
    pipeline.start()
    pipeline.hearts["detect"].silence_s = 0.2
    assert ailing_of(pipeline) == ["detect makes no progress"]
    gate.set()
    pipeline.stop()
    assert ailments(pipeline.vitals()) == []


def test_all_threads_that_have_come_to_their_end_ail_nothing() -> None:
    stages = Stages()
    pipeline = stages.pipeline(entry=3)
    pipeline.start()
    assert stages.finished.wait(5)
    assert ailments(pipeline.vitals()) == []


def test_a_camera_whose_source_fails_is_tried_again_and_keeps_the_others_going(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("faceedge.pipeline.CAMERA_PAUSE_S", 0.01)
    times = []

    def torn(stop: threading.Event) -> Iterator[Frame | None]:
        times.append(1)
        if len(times) < 3:
            raise RuntimeError("a fault of ours")
        yield from film("entry", 3, stop)

    stages = Stages()
    pipeline = Pipeline({"entry": torn}, stages.detect, stages.recognise, stages.finished.set)
    pipeline.start()
    assert stages.finished.wait(5)
    assert len(times) == 3
    assert stages.arrived[-1] == ("entry", 2)
    assert (pipeline.failures, pipeline.hearts["capture-entry"].faults.total()) == ([], 2)


def test_faults_of_a_camera_with_good_pictures_between_them_do_not_add_up_to_the_end_of_the_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("faceedge.pipeline.CAMERA_PAUSE_S", 0.01)
    monkeypatch.setattr("faceedge.health.heartbeat.FAILING_S", 0.0)
    times = []

    def torn(stop: threading.Event) -> Iterator[Frame | None]:
        times.append(1)
        yield from film("entry", 3, stop)
        if len(times) < 5:
            raise RuntimeError("a fault of ours, once a day")
        stop.wait(5)

    stages = Stages()
    pipeline = Pipeline({"entry": torn}, stages.detect, stages.recognise, stages.finished.set)
    pipeline.start()
    deadline = time.monotonic() + 5
    while len(times) < 5 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert pipeline.hearts["capture-entry"].faults.total() == 4
    assert ailments(pipeline.vitals()) == []
    pipeline.stop()


def test_who_leaves_at_once_waits_for_no_thread_that_hangs() -> None:
    gate = threading.Event()
    pipeline = Stages(lambda frames: hold(gate)).pipeline(entry=5)
    pipeline.start()
    start = time.monotonic()
    pipeline.abandon()
    assert time.monotonic() - start < 0.5
    gate.set()
    pipeline.stop()


def test_no_more_is_taken_than_an_engine_runs_at_once_nor_than_the_effort_allows() -> None:
    sizes: list[int] = []
    stages = Stages(lambda frames: sizes.append(len(frames)))
    pipeline = stages.pipeline(entry=12, yard=12, gate=12)
    now = {"engine": 2, "effort": 16}
    pipeline.most = {"detect": lambda: now["engine"]}
    pipeline.effort = lambda: Effort(batch=now["effort"])
    pipeline.batching = Batching()
    pipeline.start()
    assert stages.finished.wait(10)
    assert max(sizes) <= 2
    assert sum(sizes) == 36


def test_a_camera_that_is_to_be_slower_has_frames_passed_over() -> None:
    def fast(stop: threading.Event) -> Iterator[Frame | None]:
        for seq in range(25):
            yield Frame("entry", seq, IMAGE, seq / 25)

    stages = Stages()
    pipeline = Pipeline({"entry": fast}, stages.detect, stages.recognise, stages.finished.set, lossless=True)
    pipeline.effort = lambda: Effort(frame_gap_s=0.1)
    pipeline.start()
    assert stages.finished.wait(5)
    assert [seq for _, seq in stages.arrived] == [0, 3, 6, 9, 12, 15, 18, 21, 24]


def test_what_failed_does_not_make_the_next_batch_look_fast() -> None:
    deadlines = Deadlines(("detect", "recognise"), 0.5)
    fails = [True] * 20

    def detect(_frames: Sequence[Frame]) -> None:
        if fails:
            fails.pop()
            raise RuntimeError("no luck")
        time.sleep(0.2)

    stages = Stages(detect)
    pipeline = stages.pipeline(lossless=False)
    pipeline.deadlines = deadlines
    heart = Heart("detect", 3.0)
    for _ in range(21):
        frame = Frame("entry", 0, IMAGE, time.monotonic())
        pipeline._guarded(heart, stages.detect, pipeline._timely([frame]))
    assert deadlines.most("detect", 16) == 1


def test_while_the_device_is_busy_a_batch_waits_until_it_is_full_or_its_oldest_has_waited_long_enough() -> None:
    clock, idle = [0.0], [False]
    batching = Batching(0.02, lambda: idle[0])
    channel: Channel[int] = Channel("frames", 8, batching=batching, clock=lambda: clock[0])
    taken: list[list[int]] = []

    def take() -> None:
        taken.append(channel.take(2, 5))

    for trigger in ("full", "waited", "idle"):
        channel.put("entry", len(taken))
        taker = threading.Thread(target=take)
        taker.start()
        taker.join(0.02)
        assert taker.is_alive(), "one waits, and the device is busy"
        if trigger == "full":
            channel.put("yard", 9)
        elif trigger == "waited":
            clock[0] += 0.02
        else:
            idle[0] = True
        taker.join(5)
        assert not taker.is_alive(), trigger
    assert taken == [[0, 9], [1], [2]]
