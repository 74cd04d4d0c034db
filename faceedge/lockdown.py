"""Lockdown: while the file `<state>/lockdown` is there, no door opens. The daemon asks before every decision.

What the file holds does not matter, so anybody who may write the directory can lock up with `touch`, on a full disk
too. In doubt the lockdown is on.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from faceedge.errors import StoreError
from faceedge.files import sync_folder, write_whole

NAME = "lockdown"


def is_on(state: Path) -> bool:
    """Whether there is anything by that name, or it cannot be told that there is nothing."""
    try:
        os.lstat(state / NAME)
    except FileNotFoundError:
        return not state.is_dir()
    except OSError:
        return True
    return True


def since(state: Path) -> float | None:
    """Unix seconds when it was switched on; None while it is off, or when that cannot be told."""
    try:
        return os.lstat(state / NAME).st_mtime
    except OSError:
        return None


def switch(state: Path, on: bool) -> None:
    """Lasts through a power cut when it returns. Switching on what is on keeps its time. Raises StoreError."""
    try:
        if on and since(state) is None:
            write_whole(state / NAME, b"")
        elif not on:
            (state / NAME).unlink(missing_ok=True)
            sync_folder(state)
    except OSError as error:
        raise StoreError(
            f"{state / NAME}: the lockdown cannot be {'stored' if on else 'lifted'} ({error.strerror}); "
            "look at the state directory"
        ) from error


class Lockdown:
    """The lockdown as a running daemon knows it; any thread.

    on_change: called once a switch, whoever made it. A lockdown that cannot be stored still holds until the end, and
    is stored as soon as it can be.
    """

    def __init__(self, state: Path, on_change: Callable[[bool], None] = lambda _: None) -> None:
        self._state = state
        self._on_change = on_change
        self._lock = threading.Lock()
        self._storing = threading.Lock()
        self._is_held = False
        self._told = is_on(state)

    @property
    def is_on(self) -> bool:
        """Read from the disk each time."""
        return self._is_held or is_on(self._state)

    def switch(self, on: bool) -> None:
        """Raises StoreError when it cannot be stored, and then holds all the same, or cannot be lifted."""
        try:
            with self._storing:
                self._is_held = self._is_held or on
                switch(self._state, on)
                self._is_held = False
        finally:
            self.follow()

    def hand_over(self) -> None:
        """Call it before another daemon takes over. Raises StoreError when that one would know of no lockdown."""
        if self._is_held:
            self.switch(True)

    def follow(self) -> None:
        """Notices what others have switched. Call it every second or so."""
        with self._lock:
            self._try_again()
            on = self.is_on
            if on != self._told:
                self._told = on
                self._on_change(on)

    def _try_again(self) -> None:
        """Waits for nothing, and so without a sync: whoever calls has to be quick."""
        if not self._is_held or not self._storing.acquire(blocking=False):
            return
        try:
            with suppress(OSError):
                (self._state / NAME).touch(0o600)
                self._is_held = False
        finally:
            self._storing.release()
