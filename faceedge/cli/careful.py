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
from faceedge.config import Config
from faceedge.health.starts import Starts
from faceedge.safe_mode import Care, SafeMode, fingerprint, safe_settings

log = logging.getLogger(__name__)


class Careful:
    """One process. `begin` it before anything that may fail; `end` it after an end in order, and only then."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._state = configuration.state_dir_of(path)
        self._starts = Starts(self._state)
        self._now = partial(fingerprint, path)
        self._safe: tuple[Config, SafeMode] | None = None
        self._was_careful = self._has_tried = False

    def begin(self) -> Config:
        """The configuration to start with. Raises ConfigError, which counts as a bad end."""
        mode = self._starts.begin(self._now())
        self._was_careful = mode != "normal"
        if mode != "safe":
            return configuration.load(self._path)
        self._safe = safe_settings(self._path, self._state)
        return self._safe[0]

    def end(self) -> None:
        self._starts.end()

    def care(self, config: Config) -> Care:
        """For a daemon of this configuration."""
        safe = self._safe[1] if self._safe is not None and config is self._safe[0] else None
        if safe is not None:
            self._was_careful = True
            if self._has_tried:
                self._starts.give_up()
        is_over, self._was_careful = safe is None and self._was_careful, safe is not None
        return Care(self._state, config, self._starts, safe, self._now, is_over=is_over)

    def checked(self, read: Callable[[], Config]) -> Config:
        """The configuration as it is now, for the next daemon of this process. Raises FaceedgeError."""
        config = read()
        if self._safe is not None:
            self._has_tried = True
            self._starts.try_anew(self._now())
        return config


def is_watched() -> bool:
    """Whether somebody starts this process again when it ends."""
    return bool(os.environ.get("NOTIFY_SOCKET"))
