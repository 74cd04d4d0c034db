"""Shots in, decisions out: one batch, without threads and queues."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from faceedge.bundle import Turn
from faceedge.decide import Judge
from faceedge.errand import Errand
from faceedge.identify import Identifier
from faceedge.jobs.vision import Vision
from faceedge.manifest import Role
from faceedge.publish import Publisher
from faceedge.reviews import Reviews
from faceedge.stages.detect import NO_CROP, never
from faceedge.types import Decision, Match, Shot, Template

CONFIRM_WAIT_S = 1.0
"""A recogniser that has not taken a second factor up by then never will; batches take a tenth of that."""
PUBLISH_WAIT_S = 2.0
BUSY = "the recogniser is busy"
UNSETTLED = "taken up, and no answer yet: see what became of it"
PLAYED = "a film is played: nobody stands at the door"


class Second(Protocol):
    """Other networks that hear of every shot that counts. Neither of these raises."""

    def took(self, seconds: float, shots: int) -> None:
        """How long the networks that serve took for the next so many shots."""
        ...

    def heard(self, shot: Shot, template: Template, match: Match) -> Match:
        """What the judge is to make of a shot; only less than the match of the networks that serve says."""
        ...


@dataclass(frozen=True, slots=True)
class Onlookers:
    """Who sees what the recogniser sees. offer: receives every recognised shot, and the id of who it shows for certain.
    watch: receives every shot, and its template when it is good enough for one and in time."""

    offer: Callable[[Shot, str | None], None] = lambda _shot, _person: None
    watch: Callable[[Shot, Template | None], None] = lambda _shot, _template: None


NOBODY = Onlookers()


class RecogniseStage:
    """Shots become votes and votes decisions. clock None: the shots' own times are the clock.

    permit: asks the rules for which doors a decision is good. Without it no door opens. is_late: whether a shot of
    this moment can no longer be decided in time.
    """

    def __init__(
        self,
        vision: Vision,
        identifier: Identifier,
        judge: Judge,
        publisher: Publisher,
        clock: Callable[[], float] | None,
        permit: Callable[[Decision], Decision] = lambda decision: decision,
        onlookers: Onlookers = NOBODY,
        *,
        is_late: Callable[[float], bool] = never,
    ) -> None:
        self._vision = vision
        self._identifier = identifier
        self._judge = judge
        self._publisher = publisher
        self._clock = clock
        self._permit = permit
        self._onlookers = onlookers
        self._is_late = is_late
        self._reviews = Reviews(self._confirmed)
        self._generation = 0
        self._turn: Turn | None = None
        self.second: Second | None = None
        """Any thread may set it."""
        self._confirms: queue.SimpleQueue[Errand[str]] = queue.SimpleQueue()
        self._media_now: dict[str, float] = {}
        self._retries: queue.SimpleQueue[tuple[str, int, int]] = queue.SimpleQueue()
        self._missed: queue.SimpleQueue[Shot] = queue.SimpleQueue()

    def __call__(self, shots: Sequence[Shot]) -> list[Decision]:
        while not self._retries.empty():
            self._judge.forget(*self._retries.get())
        self._note_missed()
        if not shots:
            self._vision.recognizer.tidy()
        before: list[Decision] = []
        if (turn := self._turn) is not None and (turn.hurried or any(self._is_ahead(shot) for shot in shots)):
            ahead = [shot for shot in shots if self._is_ahead(shot)]
            before = self._decided([shot for shot in shots if not self._is_ahead(shot)])
            self._publish(before)
            self._take(turn)
            shots = ahead
        decisions = [*self._decided(shots), *self._sweep()]
        self._publish(decisions)
        while not self._confirms.empty():
            self._answer(self._confirms.get())
        return before + decisions

    @property
    def most(self) -> int:
        """So many crops run at once."""
        return self._vision.recognizer.most

    def renew(self, role: Role) -> None:
        """Opens an engine anew; by the stage's thread. Raises EngineError."""
        self._vision.renew(role)

    def change(self, turn: Turn | None) -> None:
        """Other networks are to serve, or (None) not after all; any thread. Shots that were cut for those before are
        still decided by them."""
        self._turn = turn

    def _confirmed(self, review: Decision, now: float) -> Decision | str:
        return self._judge.confirm(review, now)

    def _is_ahead(self, shot: Shot) -> bool:
        return shot.generation > self._generation

    def _take(self, turn: Turn) -> None:
        """From here on nothing of the networks before counts."""
        if not turn.claim():
            return
        bundle = turn.bundle
        bundle.judge.succeed(self._judge)
        self._publisher.measured_by(bundle.judge.limits(), bundle.numbers.own_json())
        self._vision, self._identifier, self._judge = bundle.vision, bundle.roster.identifier, bundle.judge
        self._generation, self._turn = bundle.number, None
        turn.taken.set()

    def _decided(self, shots: Sequence[Shot]) -> list[Decision]:
        shots = self._timely(shots)
        usable = [shot for shot in shots if self._judge.is_usable(shot)]
        known = iter(self._recognised(usable))
        decisions = []
        for shot in shots:
            decisions += self._judged(*(next(known) if self._judge.is_usable(shot) else (shot, None)))
        return decisions

    def reopen(self) -> None:
        """After a fault: the votes so far are void, so nothing is granted that rests on what was seen before."""
        self._judge.reopen()
        self._media_now = {}

    def retry(self, camera: str, track: int, segment: int) -> None:
        """A grant was lost; called from any thread. segment: of the track, for another face may stand there by now."""
        self._retries.put((camera, track, segment))

    def missed(self, shot: Shot) -> None:
        """A shot that did not come to be recognised, or whose batch failed; called from any thread.

        It opens nothing, but whoever it shows was there, and is refused if nothing better comes.
        """
        self._missed.put(replace(shot, crop=NO_CROP, frame=None))

    def confirm(self, review: str) -> str:
        """A second factor for a decision, by its id; called from any thread. Empty when granted, else why not.

        A grant has been sent by then, and what the door made of it is told as of every grant.
        """
        if self._clock is None:
            return PLAYED
        errand = Errand(review)
        self._confirms.put(errand)
        return errand.wait(CONFIRM_WAIT_S, PUBLISH_WAIT_S, BUSY, UNSETTLED)

    def finish(self) -> None:
        """The last tracks end; each gets its outcome."""
        self._note_missed()
        self._publish(self._judge.sweep(0.0, everything=True))

    def _note_missed(self) -> None:
        while not self._missed.empty():
            self._timely([self._missed.get()])

    def _timely(self, shots: Sequence[Shot]) -> list[Shot]:
        """Those that may be worth their embedding; of the others the judge knows, so that nobody vanishes unrefused.

        A poor one costs nothing and is in time at any age.
        """
        timely = []
        for shot in shots:
            is_other = shot.generation != self._generation  # its crop is none for these networks
            if not shot.is_cut or is_other or (self._judge.is_usable(shot) and self._is_late(shot.captured)):
                self._onlookers.watch(_bare(shot), None)
                now = self._clock() if self._clock else shot.captured
                self._judge.late(_bare(shot), now, is_others=is_other)
            else:
                timely.append(shot)
        return timely

    def _recognised(self, shots: Sequence[Shot]) -> list[tuple[Shot, Template | None]]:
        """Each with the quality that its recognition gave it; a template only where that is good enough for a vote."""
        if not shots:
            return []
        began = time.perf_counter()
        templates = self._vision.recognizer.embed([shot.crop for shot in shots])
        if (second := self.second) is not None:
            second.took(time.perf_counter() - began, len(shots))
        settled = self._vision.settled([shot.assessment for shot in shots], templates)
        seen = [replace(shot, assessment=one) for shot, one in zip(shots, settled, strict=True)]
        return [
            (shot, template if self._judge.is_usable(shot) else None)
            for shot, template in zip(seen, templates, strict=True)
        ]

    def _judged(self, shot: Shot, template: Template | None) -> list[Decision]:
        self._media_now[shot.camera] = shot.captured
        now = self._clock() if self._clock else shot.captured
        shown, shot = shot, _bare(shot)
        self._onlookers.watch(shot, template)
        if template is None:
            return self._judge.poor(shot, now)
        match = self._identifier.identify(template)
        if (second := self.second) is not None:
            match = second.heard(shown, template, match)
        self._onlookers.offer(shot, match.person if self._judge.is_certain(match) else None)
        return self._judge.vote(shot, template, match, now)

    def _sweep(self) -> list[Decision]:
        """Each file has its own clock: one that is further on must not end the tracks of another."""
        if self._clock is not None:
            return self._judge.sweep(self._clock())
        return [ended for camera, now in self._media_now.items() for ended in self._judge.sweep(now, camera=camera)]

    def _publish(self, decisions: Sequence[Decision]) -> None:
        for decision in decisions:
            told = self._publisher.publish(self._permit(decision))
            if self._clock is not None:
                self._reviews.note(told.decision, self._clock())

    def _answer(self, errand: Errand[str]) -> None:
        """After the newest shots, so that whoever has just come counts. What it grants goes the way of every grant."""
        if self._clock is None or not errand.take():
            return
        try:
            grant = self._reviews.confirm(errand.order, self._clock())
            if isinstance(grant, str):
                errand.answer(grant)
                return
            told = self._publisher.publish(self._permit(grant))
            is_granted = told.decision.outcome == "grant"
            errand.answer(told.lost and f"lost: {told.lost}" if is_granted else f"refused: {told.decision.reason}")
        finally:
            errand.answer()  # only where the above has failed


def _bare(shot: Shot) -> Shot:
    """Without the whole picture, of which many would be kept by those who remember shots."""
    return shot if shot.frame is None else replace(shot, frame=None)
