"""What systemd is told: starting, ready, alive, leaving. Without systemd every call does nothing.

Everything is said by the main thread, so that a main thread that hangs is silent, and systemd ends the process.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping

import sdnotify

STATUS_APART_S = 1.0
PATIENCE_S = 60.0
"""For opening models, once and again as long as that goes on: TensorRT's plans take seconds, a first import minutes."""


class Systemd:
    """sd_notify(3) through sdnotify; its text is ASCII because sdnotify drops anything else silently."""

    def __init__(
        self, environ: Mapping[str, str] = os.environ, clock: Callable[[], float] = time.monotonic
    ) -> None:  # fmt: skip
        # Without the variable sdnotify fails half-way and leaves a socket open.
        self._notifier = sdnotify.SystemdNotifier() if environ.get("NOTIFY_SOCKET") else None
        is_ours = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self._watchdog_us = environ.get("WATCHDOG_USEC", "") if is_ours else ""
        self._is_ours = is_ours
        self._clock = clock
        self._said = ""
        self._said_at = float("-inf")

    def starting(self) -> None:
        """Takes time, and means to: both the start and the watchdog of a daemon that begins anew are given more. Call
        it again while it goes on; whoever then hangs is noticed after `PATIENCE_S`."""
        self._tell(f"EXTEND_TIMEOUT_USEC={PATIENCE_S * 1e6:.0f}")
        if self._watchdog_us:
            self._tell(f"WATCHDOG_USEC={PATIENCE_S * 1e6:.0f}\nWATCHDOG=1")

    def ready(self, status: str) -> None:
        """The daemon serves, and from now on is watched as closely as the unit says."""
        self._said, self._said_at = status, self._clock()
        if self._watchdog_us:
            self._tell(f"WATCHDOG_USEC={self._watchdog_us}\nWATCHDOG=1")
        self._tell(f"READY=1\nSTATUS={_ascii(status)}")

    def status(self, status: str) -> None:
        """One line for `systemctl status`, told when it has changed, and not more often than once a second."""
        if status != self._said and self._clock() - self._said_at >= STATUS_APART_S:
            self._said, self._said_at = status, self._clock()
            self._tell(f"STATUS={_ascii(status)}")

    def leaving(self, why: str) -> None:
        """What ails a daemon that is about to end for it; told at once, as there is no later."""
        self._tell(f"STATUS={_ascii(why)}")

    def alive(self) -> None:
        """Everything that the door needs makes progress; not calling this is how a stuck daemon is restarted."""
        if self._is_ours:
            self._tell("WATCHDOG=1")

    def reloading(self) -> None:
        """The daemon begins anew; `ready` ends it."""
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
        self.starting()

    def stopping(self, status: str = "stopping") -> None:
        """The daemon leaves."""
        self._tell(f"STOPPING=1\nSTATUS={_ascii(status)}")

    def _tell(self, message: str) -> None:
        if self._notifier is not None:
            self._notifier.notify(message)

    def close(self) -> None:
        """Closes the socket that sdnotify leaves open."""
        channel = getattr(self._notifier, "socket", None)
        if channel is not None:
            channel.close()


def _ascii(text: str) -> str:
    return " ".join(text.encode("ascii", "replace").decode("ascii").split())
