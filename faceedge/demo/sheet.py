"""The contact sheet of a run: what the camera saw, whom the door opened for, and how fast."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from faceedge.demo.paint import Area, Colour, Ink, Paper
from faceedge.demo.script import HEIGHT_PX, WIDTH_PX, Timeline
from faceedge.demo.told import Ruling
from faceedge.demo.verdict import SceneResult, Verdict
from faceedge.errors import BadInput
from faceedge.types import Image

MARGIN, GAP, RADIUS = 44, 14, 10
THUMB_W, THUMB_H, PER_ROW = 320, 180, 4
LABEL_W = 268
WIDTH = 2 * MARGIN + LABEL_W + PER_ROW * (THUMB_W + GAP)
HEAD_H, BAR_H, FOOT_H = 150, 116, 58

PAPER, CARD = (30, 24, 19), (47, 38, 31)
TEXT, MUTED = (242, 238, 232), (172, 158, 146)
GREEN, RED, AMBER, BLUE = (137, 214, 84), (98, 112, 255), (84, 190, 255), (226, 170, 98)
TITLE, BIG, SMALL, TAG = Ink(TEXT, 46, 700), Ink(TEXT, 44, 600), Ink(MUTED, 16), Ink(PAPER, 15, 600)
CREDITS = (
    "Photographs: Eileen Collins (NASA) and Grace Hopper (US Navy), public domain; "
    "Chelsea the cat by Stéfan van der Walt, CC0"
)


@dataclass(frozen=True, slots=True)
class Heading:
    """What the sheet says besides the verdict. names: people by id. known: who may pass. machine: what it ran on."""

    names: Mapping[str, str]
    known: str
    subtitle: str
    machine: str


def height(verdict: Verdict) -> int:
    """Height of the sheet in px; its width is `WIDTH`."""
    return HEAD_H + BAR_H + len(_acts(verdict)) * (THUMB_H + GAP) + FOOT_H


def draw(story: Timeline, verdict: Verdict, heading: Heading, frames: Mapping[int, Image]) -> Image:
    """The sheet, uint8 BGR. frames: the clip's pictures by frame number, at least those of `wanted`."""
    paper = Paper(WIDTH, height(verdict), PAPER)
    _head(paper, verdict, heading)
    _timeline(paper, story, verdict, HEAD_H)
    for number, result in enumerate(_acts(verdict)):
        y = HEAD_H + BAR_H + number * (THUMB_H + GAP)
        _row(paper, y, number + 1, result)
        for column, (seq, ruling) in enumerate(_picks(result)):
            x = MARGIN + LABEL_W + GAP + column * (THUMB_W + GAP)
            area = (x, y, x + THUMB_W, y + THUMB_H)
            paper.picture(frames[seq], area, RADIUS)
            if ruling is None:
                _clock(paper, area, seq / story.fps)
            else:
                _caption(paper, area, ruling, result, heading)
    paper.text(CREDITS, (MARGIN, paper.image.shape[0] - 24), Ink(MUTED, 14))
    paper.text(heading.machine, (WIDTH - MARGIN, paper.image.shape[0] - 24), Ink(MUTED, 14), "right")
    return paper.image


def wanted(verdict: Verdict) -> list[int]:
    """Frame numbers that the sheet shows, rising."""
    return sorted({seq for result in _acts(verdict) for seq, _ in _picks(result)})


def read_frames(clip: Path, numbers: Sequence[int]) -> dict[int, Image]:
    """These frames of a clip. Raises BadInput when one is not there."""
    found: dict[int, Image] = {}
    video = cv2.VideoCapture(str(clip), cv2.CAP_FFMPEG)
    for seq in range(max(numbers, default=-1) + 1):
        if not video.grab():
            break
        if seq in numbers:
            found[seq] = np.asarray(video.retrieve()[1], np.uint8)
    video.release()
    if len(found) < len(set(numbers)):
        raise BadInput(f"{clip}: ends after {max(found, default=-1)} frames; run the demo again")
    return found


def save(path: Path, sheet: Image) -> None:
    """Writes the sheet as PNG, whole or not at all. Raises BadInput when it cannot be written."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    encoded = cv2.imencode(".png", sheet, [cv2.IMWRITE_PNG_COMPRESSION, 6])[1]
    try:
        beside.write_bytes(encoded.tobytes())
        os.replace(beside, path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise BadInput(f"{path}: cannot be written ({error.strerror}); choose another file with --out") from error


def _acts(verdict: Verdict) -> list[SceneResult]:
    return [result for result in verdict.scenes if result.scene.subject != "nobody"]


def _picks(result: SceneResult) -> list[tuple[int, Ruling | None]]:
    """Four moments of a scene: up to two decisions, openings first, and pictures spread over the rest."""
    shown = sorted(result.rulings, key=lambda ruling: (not ruling.has_opened, ruling.seq))[:2]
    length = result.scene.end - result.scene.start
    moments = [result.scene.start + round(length * share) for share in (0.2, 0.4, 0.6, 0.82)]
    for ruling in shown:
        moments.remove(min(moments, key=lambda seq: abs(seq - ruling.seq)))
    return sorted(
        [(seq, None) for seq in moments] + [(ruling.seq, ruling) for ruling in shown], key=lambda pick: pick[0]
    )


def _head(paper: Paper, verdict: Verdict, heading: Heading) -> None:
    width = paper.text("faceedge", (MARGIN, 78), TITLE)
    word, colour = ("PASSED", GREEN) if verdict.has_passed else ("FAILED", RED)
    x = MARGIN + width + 26
    paper.panel((x, 48, x + 108, 82), colour, 17)
    paper.text(word, (x + 54, 72), Ink(PAPER, 19, 700), "middle")
    paper.text(heading.subtitle, (MARGIN, 114), Ink(MUTED, 18))
    right = WIDTH - MARGIN
    for value, words in reversed(_totals(verdict, heading)):
        box = max(paper.width_of(value, BIG), paper.width_of(words, SMALL))
        paper.text(value, (right, 78), BIG, "right")
        paper.text(words, (right, 108), SMALL, "right")
        right -= box + 46


def _totals(verdict: Verdict, heading: Heading) -> list[tuple[str, str]]:
    wrong = sum(len(result.opened) for result in verdict.scenes if result.scene.expect != "open")
    cat = sum(result.tracks for result in verdict.scenes if result.scene.subject == "cat")
    median = f"{verdict.latency_ms:.0f} ms" if verdict.latency_ms is not None else "–"
    return [
        (str(len(verdict.opened) - wrong), f"opened for {heading.known}"),
        (str(wrong), "opened wrongly"),
        (str(cat), "tracks of the cat"),
        (median, "camera to verdict, median"),
    ]


def _timeline(paper: Paper, story: Timeline, verdict: Verdict, top: int) -> None:
    across = WIDTH - 2 * MARGIN
    paper.panel((MARGIN, top + 26, WIDTH - MARGIN, top + 62), CARD, RADIUS)
    number = 0
    for result in verdict.scenes:
        x0, x1 = (MARGIN + round(across * seq / story.frames) for seq in (result.scene.start, result.scene.end))
        if result.scene.subject != "nobody":
            number += 1
            paper.panel((x0, top + 26, x1, top + 62), _mark(result), RADIUS, 0.92)
            paper.text(f"{number}  {result.scene.subject}", ((x0 + x1) // 2, top + 50), Ink(PAPER, 18, 600), "middle")
        for ruling in result.rulings:
            x = MARGIN + round(across * ruling.seq / story.frames)
            paper.dot((x, top + 13), 5, _colour(ruling, result))
            if ruling.has_opened:
                paper.text("opens", (x + 11, top + 18), Ink(TEXT, 14, 500))
    for second in range(0, int(story.seconds) + 1, 5):
        x = MARGIN + round(across * second / story.seconds)
        paper.text(f"{second} s", (x, top + 86), Ink(MUTED, 14), "left" if second == 0 else "middle")


def _row(paper: Paper, y: int, number: int, result: SceneResult) -> None:
    paper.panel((MARGIN, y, MARGIN + LABEL_W, y + THUMB_H), CARD, RADIUS)
    paper.panel((MARGIN, y + 18, MARGIN + 5, y + THUMB_H - 18), _mark(result), 2)
    below = paper.wrapped(f"{number}  {result.scene.name}", (MARGIN + 24, y + 40), Ink(TEXT, 21, 600), LABEL_W - 40)
    must = {"open": "must open", "shut": "must stay shut", "nothing": "must not even make a track"}[result.scene.expect]
    below = paper.wrapped(must, (MARGIN + 24, below + 4), SMALL, LABEL_W - 44)
    words = f"{result.happened} – {result.wrong}" if result.wrong else result.happened
    ink = Ink(RED if result.wrong else _mark(result), 18, 500)
    paper.wrapped(words, (MARGIN + 24, below + 8), ink, LABEL_W - 44)


def _clock(paper: Paper, area: Area, at_s: float) -> None:
    x0, y1 = area[0], area[3]
    clock, ink = f"{at_s:.1f} s", Ink(TEXT, 14)
    paper.panel((x0 + 8, y1 - 30, x0 + 20 + paper.width_of(clock, ink), y1 - 8), PAPER, 6, 0.55)
    paper.text(clock, (x0 + 14, y1 - 14), ink)


def _caption(paper: Paper, area: Area, ruling: Ruling, result: SceneResult, heading: Heading) -> None:
    x0, y0, x1, y1 = area
    colour = _colour(ruling, result)
    paper.shade((x0 + 3, y1 - 64, x1 - 3, y1 - 3), 0.85)
    paper.frame(area, colour, RADIUS, 3)
    if ruling.box is not None:
        _face(paper, area, ruling.box, colour)
    who = _who(ruling, heading.names)
    paper.panel((x0 + 12, y0 + 12, x0 + 28 + paper.width_of(who, TAG), y0 + 36), colour, 6)
    paper.text(who, (x0 + 20, y0 + 29), TAG)
    alike = "–" if ruling.similarity is None else f"{ruling.similarity:.2f}"
    cells = (("similarity", alike), ("quality", f"{ruling.quality:.2f}"), ("latency", ruling.delay))
    for column, (name, value) in enumerate(cells):
        x = x0 + 16 + column * (THUMB_W - 32) // 3
        paper.text(name, (x, y1 - 33), Ink(MUTED, 13))
        paper.text(value, (x, y1 - 14), Ink(TEXT, 17, 600))


def _who(ruling: Ruling, names: Mapping[str, str]) -> str:
    """A name where one was decided upon, with a question mark where it is in doubt, else the reason."""
    if ruling.outcome == "deny" or ruling.person is None:
        return ruling.reason.replace("_", " ")
    return names.get(ruling.person, "somebody") + ("" if ruling.outcome == "grant" else "?")


def _face(paper: Paper, area: Area, box: tuple[float, float, float, float], colour: Colour) -> None:
    scale = (THUMB_W / WIDTH_PX, THUMB_H / HEIGHT_PX)
    left, top, right, bottom = (
        area[axis % 2] + round(float(np.clip(side * scale[axis % 2], 4, (THUMB_W, THUMB_H)[axis % 2] - 4)))
        for axis, side in enumerate(box)
    )
    paper.corners((left, top, right, bottom), colour, 14, 2)


def _colour(ruling: Ruling, result: SceneResult) -> Colour:
    """Green let in, amber kept out, red let in and should not have been."""
    if not ruling.has_opened:
        return AMBER
    return GREEN if result.scene.expect == "open" else RED


def _mark(result: SceneResult) -> Colour:
    """A scene in one colour."""
    if result.wrong:
        return RED
    return {"open": GREEN, "shut": AMBER, "nothing": BLUE}[result.scene.expect]
