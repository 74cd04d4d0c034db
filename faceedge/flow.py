"""The flow of one daemon, put together: judge, permit, publisher, the two stages, and the pipeline that runs them."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from faceedge.batching import Batching
from faceedge.bundle import Bundle, Turn
from faceedge.continuity import Continuity
from faceedge.deadlines import Deadlines, Place
from faceedge.decide import DEADLINE_S, PARTING, Judge
from faceedge.door_limits import Numbers
from faceedge.errors import EngineError
from faceedge.exchange import Exchange
from faceedge.gallery.search import similarity
from faceedge.health.cameras import CameraHealth
from faceedge.health.clock import SyncWatch, WallClock
from faceedge.health.keeper import Keeper
from faceedge.health.metrics import Metrics
from faceedge.jobs.collector import Collector
from faceedge.jobs.enrol_mode import EnrolMode
from faceedge.jobs.look_alikes import demanded
from faceedge.jobs.roster import Roster
from faceedge.jobs.vision import Vision
from faceedge.journal.reading import last_time
from faceedge.journal.writer import Journal
from faceedge.lockdown import Lockdown
from faceedge.lookout import Lookout, doors_by_camera
from faceedge.manifest import Role
from faceedge.permit import Permit
from faceedge.pipeline import Pipeline
from faceedge.plan import Plan, Tell
from faceedge.publish import Publisher
from faceedge.rules.clock import RELEASED
from faceedge.stages.detect import DetectStage
from faceedge.stages.recognise import Onlookers, RecogniseStage
from faceedge.types import Decision, Shot, Template

LOOK_S = 0.1
LOOKS = 50
"""At a stage that does not come to the end of its batch: looks, so that a process that is stopped for a while does not
count as one. One that hangs is ended by the watchdog."""
ENGINES_AFTER = 3
"""Faults in a row of one stage."""
ROLES: Mapping[str, tuple[Role, ...]] = {"detect": ("detector", "quality"), "recognise": ("recognizer",)}
"""Whose engines each stage uses."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What the flow stands on. tell: receives each event. vision, roster: those that serve at first. exchange: None
    without a door."""

    plan: Plan
    tell: Tell
    vision: Vision
    roster: Roster
    keeper: Keeper
    cameras: CameraHealth
    lockdown: Lockdown
    journal: Journal
    enrol_mode: EnrolMode
    collector: Collector
    metrics: Metrics
    exchange: Exchange | None


class Flow:
    """From cameras to decisions; no thread runs before `pipeline.start`. parts: closes what it opens."""

    def __init__(self, ground: Ground, parts: ExitStack) -> None:
        self._ground = ground
        self._config, self._once = ground.plan.config, ground.plan.once
        self._watched = doors_by_camera(self._config.camera, self._config.door)
        self._deadlines = None if self._once else Deadlines(("detect", "recognise"), DEADLINE_S)
        self.sync = SyncWatch()
        parts.callback(self.sync.close)
        self.serving = self.bundle(0, ground.vision, ground.roster)
        self.publisher = self._publisher(self.serving)
        self.detect = self._detect()
        self.recognise = self._recognise(self.serving)
        self.pipeline = self._pipeline()

    def bundle(self, number: int, vision: Vision, roster: Roster) -> Bundle:
        """These networks with a judge of their numbers. Raises ConfigError when those of a door do not go with them,
        StoreError."""
        numbers = self.numbers(vision)
        roster.demand(demanded(numbers))
        return Bundle(number, vision, roster, self._judge(vision, roster, numbers), numbers)

    def numbers(self, vision: Vision) -> Numbers:
        """By which the doors decide with these networks. Raises ConfigError when a door's own do not go with them."""
        return Numbers.of(self._config.door, self._config.decide, vision.door_thresholds, vision.judging)

    def detects_s(self) -> float:
        """What the detector that serves usually takes for a picture; 0 while nothing is known."""
        return self._deadlines.usual_s("detect") if self._deadlines is not None else 0.0

    def change(self, bundle: Bundle) -> None:
        """Lets other networks serve, and returns when nothing asks those before any more. Any thread but the stages'.

        Raises EngineError when the stages do not come to it, and then neither does any more; or at the end of the
        daemon, when nothing is asked."""
        seen, decided = Turn(bundle), Turn(bundle)
        self.recognise.change(decided)  # which waits for the first shot that was cut for it, or to be hurried
        self.detect.change(seen)
        if not self._is_taken(seen, LOOKS) and seen.claim():
            self.recognise.change(None)
            self.detect.change(None)
            raise EngineError("the door is too busy to take other networks up; try again")
        decided.hurried = True
        self._is_taken(decided)  # the detector has turned: there is no way back, however long it takes
        self.serving = bundle

    def _is_taken(self, turn: Turn, looks: int = sys.maxsize) -> bool:
        """Waits for it. Raises EngineError at the end of the daemon."""
        for _ in range(looks):
            if turn.taken.wait(LOOK_S):
                return True
            if self.pipeline.is_ending:
                raise EngineError("the daemon ends; what served before serves at its next start")
        return False

    def _judge(self, vision: Vision, roster: Roster, numbers: Numbers) -> Judge:
        rules = self._config.decide
        return Judge(
            rules, vision.door_thresholds, partial(similarity, metric=vision.metric),
            numbers.by_camera(self._watched), Continuity() if rules.motion else None, vision.judging,
            roster.looks_alike, vision.space,
        )  # fmt: skip

    def _publisher(self, bundle: Bundle) -> Publisher:
        ground, exchange = self._ground, self._ground.exchange
        link, ask = (exchange.link, exchange.ask) if exchange is not None else (None, None)
        return Publisher(
            link, self._watched, ground.tell, self._retry, realtime=not self._once,
            journal=ground.journal, limits=bundle.judge.limits(), own_limits=bundle.numbers.own_json(), ask=ask,
            is_locked=lambda: ground.lockdown.is_on,
        )  # fmt: skip

    def _detect(self) -> DetectStage:
        ground = self._ground
        return DetectStage(
            ground.vision, ground.tell, self._late_at("crops"), lambda: ground.keeper.effort().detector_scale,
            {camera.name: camera.roi for camera in self._config.camera if camera.roi is not None},
        )  # fmt: skip

    def _recognise(self, bundle: Bundle) -> RecogniseStage:
        ground = self._ground
        return RecogniseStage(
            bundle.vision, bundle.roster.identifier, bundle.judge, self.publisher,
            None if self._once else time.monotonic, self._permit(), Onlookers(ground.collector.offer, self._watch),
            is_late=self._late_at("recognise"),
        )  # fmt: skip

    def _pipeline(self) -> Pipeline:
        ground, seams = self._ground, self._ground.plan.seams
        watch_all = self._config.health.pictures == "all"
        lookout = Lookout(self._config.camera, ground.cameras, once=self._once, watch_all=watch_all)
        return Pipeline(
            lookout.sources(),
            ground.keeper.minding(seams.stage("detect", self.detect)),
            ground.keeper.minding(seams.stage("recognise", self.recognise)),
            self.recognise.finish,
            lossless=self._once,
            on_ended=lambda camera: ground.tell({"event": "ended", "camera": camera}),
            effort=ground.keeper.effort,
            most={"detect": lambda: self.detect.most, "recognise": lambda: self.recognise.most},
            batching=Batching(self._config.batch.max_wait_ms / 1000, ground.vision.opener.is_idle),
            deadlines=self._deadlines,
            gauge=ground.metrics,
            reopen=self._reopen,
            missed=self.recognise.missed,
        )

    def _permit(self) -> Callable[[Decision], Decision]:
        """What every decision must pass: no enrolment before its camera, no lockdown, pictures to trust, the rules."""
        ground = self._ground
        not_before = last_time(ground.plan.state / "journal.db") or RELEASED
        wall = WallClock(self.sync, self._config.clock.require_sync, not_before, ground.plan.seams.wall)
        doors = {camera: [door.name for door in doors] for camera, doors in self._watched.items()}
        permit = Permit(
            lambda: self.serving.roster.book, doors, wall.now, self._retry, lambda: ground.lockdown.is_on,
            ground.cameras.why_shut,
        )  # fmt: skip
        return lambda decision: permit(ground.enrol_mode.shut(self._timed(decision)))

    def _reopen(self, stage: str) -> None:
        """A stage that has raised begins anew, and when that does not help, with engines that were opened anew."""
        work = self.detect if stage == "detect" else self.recognise
        work.reopen()
        heart = self.pipeline.hearts[stage]
        if heart.streak % ENGINES_AFTER == 0:
            for role in ROLES[stage]:
                work.renew(role)
                heart.beat()

    def _late_at(self, place: Place) -> Callable[[float], bool]:
        """Whether a picture of this moment is too late there. A film that is worked through is never late."""
        deadlines = self._deadlines
        return lambda captured: deadlines is not None and deadlines.is_late(place, captured, time.monotonic())

    def _watch(self, shot: Shot, template: Template | None) -> None:
        if shot.is_cut:
            self._ground.cameras.graded(shot.camera, shot.assessment.quality, shot.track)
        self._ground.enrol_mode.see(shot, template)

    def _timed(self, decision: Decision) -> Decision:
        if not self._once:
            outcome = "left" if decision.reason in PARTING else decision.outcome
            self._ground.metrics.decided(outcome, time.monotonic() - decision.evidence.captured)
        return decision

    def _retry(self, camera: str, track: int, segment: int) -> None:
        self.recognise.retry(camera, track, segment)
