"""The contact sheet: the right size, whatever happened, and the pictures it says."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from faceedge.demo import script, sheet
from faceedge.demo.told import Record
from faceedge.demo.verdict import judge
from faceedge.errors import BadInput
from faceedge.types import Image
from tests.demo.made_up import KNOWN, decision, record, track

STORY = script.timeline()
ACTS = [scene for scene in STORY.scenes if scene.subject != "nobody"]
FIRST, CAT = ACTS[:2]
HEADING = sheet.Heading({KNOWN: "Zoë Ångström"}, "Zoë Ångström", "a test", "no machine")
GREY: Image = np.full((270, 480, 3), 128, np.uint8)


def drawn(made: Record) -> Image:
    verdict = judge(STORY, made, KNOWN)
    return sheet.draw(STORY, verdict, HEADING, dict.fromkeys(sheet.wanted(verdict), GREY))


@pytest.mark.parametrize(
    "lines",
    [
        (),
        (track(FIRST.start), decision(FIRST.start + 50)),
        (decision(FIRST.start + 50, box=None, similarity=None), decision(CAT.start + 3, "deny", reason="low_quality")),
        (decision(FIRST.start, box=[-50, -50, 900, 900]), decision(FIRST.end - 1, "review", reason="grey_zone")),
        tuple(decision(FIRST.start + number) for number in range(6)),
        (decision(STORY.frames + 5),),
    ],
    ids=["nothing", "opened", "no numbers", "box beyond the picture", "many decisions", "stray"],
)
def test_it_has_one_row_an_act_whatever_happened(lines: tuple[str, ...]) -> None:
    image = drawn(record(*lines))
    assert image.dtype == np.uint8
    assert image.shape == (sheet.HEAD_H + sheet.BAR_H + 5 * 194 + sheet.FOOT_H, sheet.WIDTH, 3)


def test_a_scene_shows_its_decisions_in_order_openings_first() -> None:
    denials = [decision(FIRST.start + number, "deny") for number in (5, 9, 14)]
    verdict = judge(STORY, record(*denials, decision(FIRST.start + 60)), KNOWN)
    shown = [seq for seq in sheet.wanted(verdict) if FIRST.start <= seq < FIRST.end]
    assert len(shown) == 4
    assert shown == sorted(shown)
    assert FIRST.start + 60 in shown
    assert FIRST.start + 5 in shown


def test_passed_and_failed_look_different() -> None:
    assert not np.array_equal(drawn(record()), drawn(record(decision(FIRST.start + 50))))


def test_frames_are_read_by_number(tmp_path: Path) -> None:
    clip = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(clip), cv2.CAP_OPENCV_MJPEG, cv2.VideoWriter.fourcc(*"MJPG"), 25, (64, 48))
    for level in range(0, 250, 25):
        writer.write(np.full((48, 64, 3), level, np.uint8))
    writer.release()
    frames = sheet.read_frames(clip, [2, 7])
    assert {seq: round(float(frame.mean()) / 25) for seq, frame in frames.items()} == {2: 2, 7: 7}
    with pytest.raises(BadInput, match="ends after"):
        sheet.read_frames(clip, [2, 12])


def test_saving_is_whole_or_one_line(tmp_path: Path) -> None:
    sheet.save(tmp_path / "demo.png", GREY)
    read = cv2.imread(str(tmp_path / "demo.png"))
    assert read is not None
    assert np.array_equal(read, GREY)
    assert [path.name for path in tmp_path.iterdir()] == ["demo.png"]
    with pytest.raises(BadInput, match="choose another file with --out"):
        sheet.save(tmp_path / "absent" / "demo.png", GREY)
