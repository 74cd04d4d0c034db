"""The film on the terminal while it is being watched: two pixels a character, and whether the door is open."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np
from rich.color import Color
from rich.console import Console, ConsoleOptions
from rich.live import Live
from rich.segment import Segment
from rich.style import Style

from faceedge.demo.script import Timeline
from faceedge.types import Image

COLUMNS = 64
ROWS = 18
EVERY_S = 0.2
"""Seldom enough not to take the processor from the daemon."""
STEP = 8
"""Colours are rounded to this, so that few different ones need be made."""


class Preview:
    """Shows the film from `start` on; call `tick` often. Use it in a `with` block."""

    def __init__(
        self, console: Console, film: Path, story: Timeline, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.door_is_open = False
        self._story = story
        self._clock = clock
        self._video = cv2.VideoCapture(str(film), cv2.CAP_FFMPEG)
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._start = clock()
        self._next = 0.0
        self._seq = 0

    def start(self) -> None:
        """The film begins now."""
        self._start = self._clock()

    def tick(self) -> None:
        """Shows the picture of this moment, when it is time for another one."""
        at_s = self._clock() - self._start
        if at_s < self._next:
            return
        self._next = at_s + EVERY_S
        picture = self._picture(int(at_s * self._story.fps))
        if picture is not None:
            self._live.update(Blocks(picture, caption=self._caption(at_s)), refresh=True)

    def _picture(self, seq: int) -> Image | None:
        while self._seq <= seq:
            if not self._video.grab():
                return None
            self._seq += 1
        good, picture = self._video.retrieve()
        return np.asarray(picture, np.uint8) if good else None

    def _caption(self, at_s: float) -> list[Segment]:
        scene = self._story.scene_at(int(at_s * self._story.fps))
        door = Segment(" OPEN ", Style.parse("bold black on green")) if self.door_is_open else Segment(" shut ")
        words = f"  {at_s:4.1f} s of {self._story.seconds:.0f} s   {scene.name if scene else ''}"
        return [Segment("door"), Segment(" "), door, Segment(words, Style.parse("dim"))]

    def __enter__(self) -> Preview:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()
        self._video.release()


class Blocks:
    """A picture as rows of upper half blocks: foreground the upper pixel, background the lower one.

    picture: uint8 (h, w, 3) BGR. caption: below it.
    """

    def __init__(
        self, picture: Image, columns: int = COLUMNS, rows: int = ROWS, caption: Sequence[Segment] = ()
    ) -> None:
        small = cv2.resize(picture, (columns, 2 * rows), interpolation=cv2.INTER_AREA)
        self._pixels = (np.asarray(small, np.int32) // STEP * STEP).tolist()
        self._caption = caption

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        for upper_row, lower_row in zip(self._pixels[::2], self._pixels[1::2], strict=True):
            for upper, lower in zip(upper_row, lower_row, strict=True):
                yield Segment("▀", Style.from_color(_colour(upper), _colour(lower)))
            yield Segment.line()
        yield from self._caption


def suits(console: Console) -> bool:
    """Whether the terminal can show pictures without looking broken."""
    return (
        console.is_terminal
        and console.color_system == "truecolor"
        and console.width > COLUMNS
        and console.height > ROWS + 6
    )


def _colour(pixel: list[int]) -> Color:
    blue, green, red = pixel
    return Color.from_rgb(red, green, blue)
