"""How `faceedge run` starts where systemd starts it again: after a crash loop in safe mode, and out of it again.

Only under a service manager that asks for notification: who types the command is told what is wrong, each time.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from faceedge import config as configuration
from faceedge.care import Care
from faceedge.config import Config
from faceedge.errors import FaceedgeError
from faceedge.health.starts import Starts
from faceedge.safe_mode import SafeMode, fingerprint, safe_settings

log = logging.getLogger(__name__)


class Careful:
    """One process. `begin` it before anything that may fail; `end` it after an end in order, and only then."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._state = configuration.state_dir_of(path)
        self._starts = Starts(self._state)
        self._now = partial(fingerprint, path)
        self._safe: list[tuple[Config, SafeMode]] = []
        """All of this process, the newest last: one that does not start gives way to the one before."""
        self._is_safe = False
        """The daemon that runs."""
        self._was_careful = self._has_tried = False

    def begin(self) -> Config:
        """The configuration to start with. Raises ConfigError, which counts as a bad end."""
        mode = self._starts.begin(self._now())
        self._was_careful = mode != "normal"
        if mode != "safe":
            return configuration.load(self._path)
        self._safe.append(safe_settings(self._path, self._state))
        return self._safe[0][0]

    def end(self) -> None:
        self._starts.end()

    def care(self, config: Config) -> Care:
        """For a daemon of this configuration."""
        safe = next((mode for settings, mode in self._safe if settings is config), None)
        if safe is not None:
            self._was_careful = True
            if self._has_tried:
                self._starts.give_up()
        self._is_safe = safe is not None
        is_over, self._was_careful = safe is None and self._was_careful, safe is not None
        return Care(self._state, config, self._starts, safe, self._now, is_over=is_over)

    def checked(self, read: Callable[[], Config]) -> Config:
        """The configuration as it is now, for the next daemon of this process: where it is no good, and in safe mode,
        what is current of it with what has worked. Raises FaceedgeError when that is no news."""
        try:
            config = read()
        except FaceedgeError:
            renewed = self._renewed() if self._is_safe else None
            if renewed is None:
                raise
            return renewed
        if self._is_safe:
            self._has_tried = True
            self._starts.try_anew(self._now())
        return config

    def again(self, before: Config) -> Config:
        """In place of a safe mode's, what is current of it now: nothing old opens a door."""
        is_safe = any(settings is before for settings, _ in self._safe)
        return (self._renewed() if is_safe else None) or before

    def _renewed(self) -> Config | None:
        """None where nothing differs, or the rest cannot be read."""
        try:
            safe = safe_settings(self._path, self._state)
        except FaceedgeError as error:
            log.error("safe mode: %s; doors, rules and people stay as they were read last", error)
            return None
        if safe[0] == self._safe[-1][0]:
            return None
        self._safe.append(safe)
        return safe[0]


def is_watched() -> bool:
    """Whether somebody starts this process again when it ends."""
    return bool(os.environ.get("NOTIFY_SOCKET"))
