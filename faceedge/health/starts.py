"""How the runs before have ended, and whether the next one is to be careful.

A crash loop is three ends in ten minutes that nobody asked for. Times are seconds since the boot, so no clock that is
set can hide a loop or make one up. What ended with the board (a power cut) was not the daemon's doing: after a boot
the count begins anew. The policy is pure; `Starts` keeps it in one small file, and a damaged file is no history.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from faceedge.files import write_whole

log = logging.getLogger(__name__)

NAME = "starts.json"
LOOP = 3
WINDOW_S = 600.0
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

Mode = Literal["normal", "trial", "safe"]
"""trial: the current configuration is tried once more after a safe mode, and one bad end is enough to go back."""


@dataclass(frozen=True, slots=True)
class Moment:
    """boot: which. seconds: since then."""

    boot: str
    seconds: float


@dataclass(frozen=True, slots=True)
class History:
    """running: a start was noted, and no end in order since. ends: when a start found that the run before it had ended
    badly. config: tells the configuration of the last start from others."""

    boot: str = ""
    running: bool = False
    mode: Mode = "normal"
    ends: tuple[float, ...] = ()
    config: str = ""


def begun(before: History, now: Moment, config: str) -> History:
    """What is noted at a start; its mode is how to start."""
    is_same_boot = before.boot == now.boot and all(end <= now.seconds for end in before.ends)
    was_careful = before.mode != "normal"
    if not is_same_boot:
        return History(now.boot, True, "trial" if was_careful else "normal", (), config)
    has_crashed = before.running
    recent = tuple(end for end in before.ends if now.seconds - end <= WINDOW_S)
    ends = (*recent, now.seconds) if has_crashed else recent
    is_loop = len(ends) >= LOOP or (has_crashed and was_careful)
    if not is_loop:
        return History(now.boot, True, "trial" if was_careful and not has_crashed else "normal", ends, config)
    is_mended = bool(before.config) and before.config != config
    return History(now.boot, True, "trial" if is_mended else "safe", ends[-LOOP:], config)


def ended(now: History) -> History:
    """After an end in order: nothing counts any more, and after a safe mode the current configuration is tried."""
    return replace(now, running=False, ends=(), mode="normal" if now.mode == "normal" else "trial")


def settled(now: History) -> History:
    """A run that has lasted as long as a loop is counted: what was before is over. A safe mode stays one."""
    return replace(now, ends=(), mode="safe" if now.mode == "safe" else "normal")


class Starts:
    """The history of one state directory. A disk that cannot be read or written keeps no daemon from starting."""

    def __init__(self, state: Path, moment: Callable[[], Moment] | None = None) -> None:
        self._path = state / NAME
        self._moment = moment or now
        self._history = History()

    def begin(self, config: str) -> Mode:
        """Notes a start; says how to start. config: tells this configuration from others."""
        self._note(begun(read(self._path), self._moment(), config))
        return self._history.mode

    def end(self) -> None:
        """Notes an end in order."""
        self._note(ended(self._history))

    def settle(self) -> None:
        """Call it once, `WINDOW_S` after the start."""
        self._note(settled(self._history))

    def try_anew(self, config: str) -> None:
        """The current configuration is tried in the running process."""
        self._note(replace(self._history, mode="trial", config=config))

    def give_up(self) -> None:
        """That did not start: still the safe mode."""
        self._note(replace(self._history, mode="safe"))

    def _note(self, history: History) -> None:
        self._history = history
        if not self._path.parent.is_dir():
            return  # nothing has ever run here
        try:
            write_whole(self._path, json.dumps(asdict(history)).encode(), 0o600)
        except OSError as error:
            log.warning("%s: %s; a crash loop would not be noticed", self._path, error.strerror)


def read(path: Path) -> History:
    """What the file says; nothing when it is missing, damaged, or of another shape."""
    try:
        found = json.loads(path.read_bytes()[:4096])
        ends = tuple(float(end) for end in found["ends"])
        history = History(found["boot"], found["running"], found["mode"], ends, found["config"])
    except (OSError, ValueError, KeyError, TypeError):
        return History()
    is_sound = (
        isinstance(history.boot, str) and isinstance(history.running, bool) and isinstance(history.config, str)
        and history.mode in ("normal", "trial", "safe")
    )  # fmt: skip
    return history if is_sound else History()


def now(boot_id: Path = BOOT_ID) -> Moment:
    """This moment, by a clock that also counts while the board sleeps."""
    try:
        boot = boot_id.read_text("ascii").strip()
    except OSError:
        boot = ""
    return Moment(boot, time.clock_gettime(time.CLOCK_BOOTTIME))
