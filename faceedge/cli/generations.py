"""One daemon after another: a command `reload` ends one, and the next is made of the configuration as it is then.

Run by `faceedge run`.
"""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable
from pathlib import Path

from faceedge import config
from faceedge.cameras import is_live, open_camera
from faceedge.config import Config
from faceedge.daemon import BEGIN_ANEW, Daemon
from faceedge.door.keys import load_keys
from faceedge.door.uplink import Uplink
from faceedge.errors import ConfigError, FaceedgeError

log = logging.getLogger(__name__)

Check = Callable[[], None]


class Generations:
    """A new configuration that does not even start gives way to the one before.

    make: a daemon of a configuration; it calls its second argument before it ends to begin anew. read: the
    configuration as it is now, checked; raises FaceedgeError. again: what is made of the one before in place of it.
    """

    def __init__(
        self, settings: Config, make: Callable[[Config, Check], Daemon], read: Callable[[], Config],
        again: Callable[[Config], Config] = lambda before: before,
    ) -> None:  # fmt: skip
        self._settings = settings
        self._next = settings
        self._make = make
        self._read = read
        self._again = again
        self._daemon: Daemon | None = None
        self._is_leaving = False

    def run(self) -> int:
        """Exit code of the last one."""
        before: Config | None = None
        while True:
            try:
                self._daemon = self._make(self._settings, self._check)
                code = 0 if self._is_leaving else self._daemon.run()
            except FaceedgeError as error:
                if before is None:
                    raise
                log.error("the new configuration does not start: %s; going on with the one before", error)
                self._settings, before = self._again(before), None
                continue
            if code != BEGIN_ANEW:
                return code
            self._settings, before = self._next, self._settings

    def run_until_signal(self) -> int:
        """With SIGTERM and SIGINT bound to a clean stop, and as they were before once the last one has ended."""
        before = {kind: signal.signal(kind, self.stop) for kind in (signal.SIGTERM, signal.SIGINT)}
        try:
            return self.run()
        finally:
            for kind, handler in before.items():
                signal.signal(kind, handler)

    def stop(self, *_: object) -> None:
        """Asks for a clean end; safe in a signal handler."""
        self._is_leaving = True
        if self._daemon is not None:
            self._daemon.stop()

    def _check(self) -> None:
        """What is found good here is what the next daemon gets."""
        self._next = self._read()


def read_startable(path: Path | None, state: Path) -> Config:
    """The configuration as it is now. Raises FaceedgeError for what a start would refuse, without touching anything."""
    settings = config.load(path)
    if config.state_dir(settings) != state:
        raise ConfigError("state_dir: cannot change while the daemon runs; stop it and start it again")
    if not settings.camera:
        raise ConfigError("no camera: a daemon needs at least one [[camera]]")
    for camera in settings.camera:
        if not is_live(camera.uri):
            open_camera(camera.uri).close()
    load_keys(state, settings.door)
    Uplink(settings.broker, settings.device)
    return settings
