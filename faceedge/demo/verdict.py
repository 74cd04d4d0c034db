"""Did the door do right? What the daemon told, held against the story of the clip. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass

from faceedge.demo.script import Scene, Timeline
from faceedge.demo.told import Record, Ruling


@dataclass(frozen=True, slots=True)
class SceneResult:
    """One scene, what happened in it, and what was wrong with that (empty: nothing)."""

    scene: Scene
    rulings: tuple[Ruling, ...]
    tracks: int
    happened: str
    wrong: str

    @property
    def opened(self) -> tuple[Ruling, ...]:
        return tuple(ruling for ruling in self.rulings if ruling.has_opened)


@dataclass(frozen=True, slots=True)
class Verdict:
    """All scenes and the complaints, worst first; the demo has passed when there are none."""

    scenes: tuple[SceneResult, ...]
    complaints: tuple[str, ...]

    @property
    def has_passed(self) -> bool:
        return not self.complaints

    @property
    def opened(self) -> tuple[Ruling, ...]:
        return tuple(ruling for scene in self.scenes for ruling in scene.opened)

    @property
    def latency_ms(self) -> float | None:
        """Median from capture to the controller's verdict over all grants that opened; None without any."""
        return statistics.median(ruling.latency_ms for ruling in self.opened) if self.opened else None


def judge(story: Timeline, record: Record, known: str) -> Verdict:
    """Holds the record against the story. known: id of the one person who may pass.

    Wrong is: a door opened for anyone else, or in a scene where it must stay shut, or at no known frame; a scene
    where it must open and did not; a track where nobody was; a controller that opened more or less often than the
    daemon knows.
    """
    scenes = tuple(_judge_scene(scene, record, known) for scene in story.scenes)
    stray = [r for r in record.rulings if r.has_opened and story.scene_at(r.seq) is None]
    complaints = [f"the door opened at frame {ruling.seq}, which no scene holds" for ruling in stray]
    known_opened = sum(ruling.has_opened for ruling in record.rulings)
    if record.doors_opened != known_opened:
        complaints.append(f"the controller opened {record.doors_opened} times, the daemon knows of {known_opened}")
    complaints += [f"{result.scene.name}: {result.wrong}" for result in scenes if result.wrong]
    return Verdict(scenes, tuple(complaints))


def _judge_scene(scene: Scene, record: Record, known: str) -> SceneResult:
    rulings = tuple(ruling for ruling in record.rulings if scene.start <= ruling.seq < scene.end)
    tracks = sum(scene.start <= birth.seq < scene.end for birth in record.births)
    return SceneResult(scene, rulings, tracks, _happened(rulings, tracks), _wrong(scene, rulings, tracks, known))


def _wrong(scene: Scene, rulings: tuple[Ruling, ...], tracks: int, known: str) -> str:
    opened = [ruling for ruling in rulings if ruling.has_opened]
    if any(ruling.person != known for ruling in opened):
        return "the door opened for somebody who may not pass"
    if scene.expect != "open" and opened:
        return "the door opened and must stay shut"
    if scene.expect == "open" and not opened:
        return "the door stayed shut and must open"
    if scene.expect == "nothing" and tracks:
        return f"{_count(tracks, 'track')} where nobody was"
    return ""


def _happened(rulings: tuple[Ruling, ...], tracks: int) -> str:
    if any(ruling.has_opened for ruling in rulings):
        return "opened"
    lost = [ruling for ruling in rulings if ruling.verdict in ("lost", "refused")]
    if lost:
        return f"grant {lost[-1].verdict}: {lost[-1].why}"
    if rulings:
        return ", ".join(_once(f"{said(ruling)}" for ruling in rulings))
    return f"{_count(tracks, 'track')}, no decision" if tracks else "no track"


def said(ruling: Ruling) -> str:
    """Outcome and reason in words: `refused: unknown`."""
    words = {"grant": "granted", "deny": "refused", "review": "review"}
    return f"{words.get(ruling.outcome, ruling.outcome)}: {ruling.reason.replace('_', ' ')}"


def _once(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
